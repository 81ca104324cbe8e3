"""A process that makes runs which may not survive: `python -m tests.crash.zygote`.

All that a run imports is imported once; each run is then made by a child, forked while there is a single thread. An
order is a line of JSON, and so is the answer, when the child has ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from cloudsync_core import crashpoints
from cloudsync_core.cli import main
from cloudsync_core.engine import resuming
from cloudsync_core.engine.lease import Lease
from cloudsync_core.workflows import sides
from tests.crash.power import Shadow
from tests.equivalence.stores import BOUNDARY
from tests.pauses import HASTY

RUN_SECONDS = 60.0
"""After so long a run hangs: it is killed, and the answer says so."""

SIGNALS_APART = 0.05
"""Seconds between two signals to the same process."""

RESUMED_FROM = 3 * BOUNDARY
"""Bytes from which on the next run goes on with an upload, or a download, instead of beginning anew."""

_MODULES = (
    "cloudsync_core.cli.commands.run",
    "cloudsync_core.api",
    "cloudsync_core.workflows.mirror",
    "cloudsync_core.backends.file",
    *(f"cloudsync_{name}.{module}" for name in ("s3", "azure", "gcs") for module in ("plugin", "config", "backend")),
    "cloudsync_s3.exact",
)


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        code: its exit code, or the negative number of the signal that ended it.
        hits: how often it passed each crash point; empty where it did not come to its end.
        log: what it printed.
    """

    code: int
    hits: Mapping[str, int]
    log: str


class Zygote:
    """The process, as the one that started it sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self,
        config: Path,
        *,
        crash_at: str | None = None,
        power_of: tuple[Path, Path] | None = None,
        signals: Sequence[int] = (),
        kill_after: float | None = None,
    ) -> Ending:
        """Make a run of all jobs of a configuration, and return how it ended.

        Args:
            config: the configuration.
            crash_at: the point at which the process ends; see `crashpoints.arm`.
            power_of: a directory, and where to write what a power failure at that point leaves of it.
            signals: at that point the process does not end, but is sent these, one after the other.
            kill_after: seconds after which the run is killed, unless it has ended.
        """
        order = {
            "config": str(config),
            "crash_at": crash_at,
            "power_of": power_of and [str(path) for path in power_of],
            "signals": [int(number) for number in signals],
            "kill_after": kill_after,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        hits, log = config.with_name("hits.json"), config.with_name("log")
        return Ending(answer, json.loads(hits.read_text()) if hits.exists() else {}, log.read_text())


@contextlib.contextmanager
def zygote() -> Iterator[Zygote]:
    """Start the process for the length of the block."""
    command = [sys.executable, "-m", __spec__.name]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Zygote(process)


def _serve() -> None:
    for module in _MODULES:
        __import__(module)
    sides.Lease = functools.partial(Lease, pace=HASTY)  # type: ignore[assignment, misc]
    # Of the large objects of the story, one is small enough to begin anew, and the other goes on.
    resuming.RESUMED_FROM = RESUMED_FROM  # type: ignore[misc]
    # What is never looked at by the collector is never copied for a child.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        assert threading.active_count() == 1, "a fork would leave the other threads out"
        Path(order["config"]).with_name("hits.json").unlink(missing_ok=True)
        child = os.fork()
        if not child:
            _be_the_run(order)
        print(json.dumps(_end(child, order["kill_after"])), flush=True)


def _be_the_run(order: Mapping[str, object]) -> None:
    """Make the run in this process, which ends by it."""
    code = 70
    try:
        config = Path(str(order["config"]))
        os.chdir(config.parent)
        with config.with_name("log").open("w") as log:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            hits: Counter[str] = Counter()
            crashpoints.watch(lambda point: hits.update((point,)))
            _arm(order)
            sys.argv = ["cloudsync", "run", config.name, "--json"]
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
            config.with_name("hits.json").write_text(json.dumps(hits))
            sys.stdout.flush()
            sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - a child of a fork must not go on as its parent does
        traceback.print_exc()
    finally:
        os._exit(code)


def _arm(order: Mapping[str, object]) -> None:
    if not order["crash_at"]:
        return
    point, power = str(order["crash_at"]), cast("list[str] | None", order["power_of"])
    signals = cast("list[int]", order["signals"])
    if signals:
        crashpoints.arm(point, end=lambda: _send(signals))
    elif power:
        shadow = Shadow(Path(power[0]))

        def end() -> None:
            shadow.write(Path(power[1]))
            os._exit(crashpoints.EXIT_CODE)

        crashpoints.arm(point, end=end)
    else:
        crashpoints.arm(point)


def _send(signals: Sequence[int]) -> None:
    for number in signals:
        os.kill(os.getpid(), number)
        # Two that come together are one.
        time.sleep(SIGNALS_APART)


def _end(child: int, kill_after: float | None) -> int:
    """Return how the child ended, after it was killed if that is wanted."""
    descriptor = os.pidfd_open(child)
    try:
        if kill_after is not None and not _ended(descriptor, kill_after):
            os.kill(child, signal.SIGKILL)
        if not _ended(descriptor, RUN_SECONDS):
            print("the run hangs", file=sys.stderr)
            os.kill(child, signal.SIGABRT)
    finally:
        os.close(descriptor)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _ended(descriptor: int, seconds: float) -> bool:
    return bool(select.select([descriptor], [], [], seconds)[0])


if __name__ == "__main__":
    _serve()
