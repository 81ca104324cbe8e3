"""A process that makes releases which may not survive: `python -m tests.releases.dying`.

All that a release imports is imported once; each is then made by a child, forked while there is a single thread. An
order is a line of JSON, and so is the answer, when the child has ended.
"""

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from cloudsync_core import crashpoints
from cloudsync_core.api import releases as api
from cloudsync_core.config.model import LocationConfig
from cloudsync_core.engine.lease import Lease, Pace
from cloudsync_core.workflows import sides

_MODULES = (
    "cloudsync_core.backends.file",
    "cloudsync_core.releases.swapping",
    *(f"cloudsync_{name}.{module}" for name in ("s3", "azure", "gcs") for module in ("plugin", "config", "backend")),
    "zstandard",
)


class Mortal:
    """The process, as the one that started it sees it."""

    def __init__(self, process):
        self._process = process

    def release(self, source, url, options, *, state, crash_at=None, kill_after=None, **rules):
        """Publish; return the exit code (0 for done, 137 where it died) and how often each point was passed.

        With `kill_after` it is killed after so many seconds, unless it has ended by then (-9 where it was killed).
        """
        order = {
            "source": str(source), "url": url, "options": options, "state": str(state), "crash_at": crash_at,
            "kill_after": kill_after, "rules": rules,
        }  # fmt: skip
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code, hits = json.loads(self._process.stdout.readline())
        return code, hits


@contextlib.contextmanager
def mortal():
    """Start the process for the length of the block."""
    command = [sys.executable, "-m", __spec__.name]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Mortal(process)
        process.stdin.close()


def _publish(order):
    hits = {}

    def count(point):
        hits[point] = hits.get(point, 0) + 1

    crashpoints.watch(count)
    if order["crash_at"]:
        crashpoints.arm(order["crash_at"])
    target = LocationConfig(url=order["url"], options=order["options"])
    report = api.release(order["source"], target, state=order["state"], **order["rules"])
    # At once: it may be killed at any moment.
    told = Path(order["state"]).with_name("hits.new")
    told.write_text(json.dumps(hits))
    told.replace(told.with_name("hits.json"))
    return report.exit_code


def _serve():
    for module in _MODULES:
        __import__(module)
    # To take over the lease of a run that died takes a second of waiting for others who do the same.
    sides.Lease = functools.partial(Lease, pace=Pace(settle=0.02))
    for line in sys.stdin:
        order = json.loads(line)
        assert threading.active_count() == 1, "a fork would leave the other threads out"
        hits = Path(order["state"]).with_name("hits.json")
        hits.unlink(missing_ok=True)
        child = os.fork()
        if not child:
            code = 70
            try:
                code = _publish(order)
            finally:
                sys.stderr.flush()
                os._exit(code)
        if order["kill_after"] is not None:
            # The pause is what is tested: it is no wait for anything.
            time.sleep(order["kill_after"])
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        passed = json.loads(hits.read_text()) if hits.exists() else {}
        print(json.dumps([os.waitstatus_to_exitcode(status), passed]), flush=True)


if __name__ == "__main__":
    _serve()
