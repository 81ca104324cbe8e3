"""The installed command without the time that its imports take: a process that has made them forks one for each call.

A call is a process of its own, as by the script: with its own arguments, environment, working directory and output, and
it ends as Python ends. Only its modules are there already, so `test_startup.py`, and whoever sets what Python itself
reads from the environment, start the script.
"""

import contextlib
import dataclasses
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from cloudsync_core.engine.lease import PACE, Lease
from cloudsync_core.workflows import sides

MODULES = (
    "cloudsync_core.api",
    "cloudsync_core.backends.file",
    "cloudsync_core.backends.memory",
    *(f"cloudsync_core.cli.commands.{name}" for name in ("gc", "mirror", "restore", "run", "testremote")),
    "cloudsync_core.workflows.mirror",
    *(f"cloudsync_{name}.{module}" for name in ("s3", "azure", "gcs") for module in ("plugin", "config", "backend")),
    "pytest",
)
"""What calls import. Not the conformance suite, whose assertions pytest rewrites when it is imported."""

SECONDS = 100
_ORDER = 1024 * 1024
"""Bytes of an order at most."""


def is_python_s(name):
    """Tell whether a variable of the environment is one that Python reads before a program begins."""
    return name.startswith(("PYTHON", "LC_", "LANG"))


class Forks:
    """The process, as the tests see it; serves several threads at once."""

    def __init__(self, path):
        self._path = str(path)
        self._env = {name: value for name, value in os.environ.items() if is_python_s(name)}

    def can(self, env):
        """Tell whether a call in this environment is what it would be by the script."""
        return {name: value for name, value in env.items() if is_python_s(name)} == self._env

    def run(self, argv, env):
        """Make a call; return its exit code, what it printed, and what it said on standard error."""
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            connection.settimeout(SECONDS)
            connection.connect(self._path)
            printed = [stack.enter_context(os.fdopen(os.memfd_create(name), "r+b")) for name in ("out", "err")]
            order = {"argv": [str(part) for part in argv], "env": dict(env), "folder": str(Path.cwd())}
            data = json.dumps(order).encode()
            assert len(data) < _ORDER
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _ORDER)
            socket.send_fds(connection, [data], [file.fileno() for file in printed])
            code = int(connection.recv(100))
            for file in printed:
                file.seek(0)
            return code, *(file.read().decode() for file in printed)


@contextlib.contextmanager
def forks(path):
    """Start the process, listening at `path`, for the length of the block."""
    command, pipe = [sys.executable, "-P", __file__, path], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield Forks(path)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _serve(path):
    for module in MODULES:
        importlib.import_module(module)
    # The lease of a run that has died is taken over by nobody else, so that nothing is watched for a second.
    sides.Lease = functools.partial(Lease, pace=dataclasses.replace(PACE, settle=0.02))
    # What is never looked at by the collector is never copied for a child.
    gc.collect()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    running = {}
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([listener, sys.stdin, *running], [], [])
        if sys.stdin in ready:
            # The tests are gone, without having said so.
            sys.exit()
        for found in ready:
            if found is not listener:
                child, connection = running.pop(found)
                os.close(found)
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                with connection, contextlib.suppress(BrokenPipeError):
                    connection.send(str(code).encode())
                continue
            connection, _ = listener.accept()
            data, files, _, _ = socket.recv_fds(connection, _ORDER, 2)
            assert threading.active_count() == 1, "a fork would leave the other threads out"
            child = os.fork()
            if not child:
                listener.close()
                for descriptor in running:
                    os.close(descriptor)
                for _, other in running.values():
                    other.close()
                connection.close()
                return _become(json.loads(data), files)
            running[os.pidfd_open(child)] = (child, connection)
            for file in files:
                os.close(file)


def _become(order, files):
    """Make this process one of the command, up to what the script calls."""
    for descriptor, file in enumerate((os.open(os.devnull, os.O_RDONLY), *files)):
        os.dup2(file, descriptor)
        os.close(file)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = order["argv"]


if __name__ == "__main__":
    _serve(sys.argv[1])
    from cloudsync_core.cli import main

    sys.exit(main())
