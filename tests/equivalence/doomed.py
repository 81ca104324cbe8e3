"""A process that makes runs which it does not survive: `python -m tests.equivalence.doomed`.

It reads the path of a configuration and the number of a step, a line each, and makes the run in a child of its own. Its
answer is what became of the child: the number of the signal that ended it, or 0.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.equivalence.faults import kill
from tests.equivalence.history import HISTORY
from tests.equivalence.runs import run_in_python


class Doomed:
    """The process, as the one that started it sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, config: Path, step: int) -> int:
        """Make the run of a step, and return the number of the signal that ended it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{config}\n{step}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def started() -> Iterator[Doomed]:
    """Start the process for the length of the block."""
    command = [sys.executable, "-m", __spec__.name]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Doomed(process)


def _serve() -> None:
    # Forked from a process without threads: the imports, which take most of the time, are made once.
    for line in sys.stdin:
        config, step = Path(line.rstrip("\n")), HISTORY[int(sys.stdin.readline())]
        child = os.fork()
        if not child:
            run_in_python(config, step, die=kill)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(status & 0x7F, flush=True)


if __name__ == "__main__":
    _serve()
