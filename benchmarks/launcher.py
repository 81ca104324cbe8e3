"""Runs one program and writes what it took: `python -I -S launcher.py RESULT PROGRAM [ARGUMENT…]`.

A program of its own and as small as can be, because Linux counts the memory of the process that starts a program
into the peak of that program: started by the benchmark itself, every client would seem to need as much as it does.
"""

import json
import os
import sys
import time


def main() -> int:
    result, *command = sys.argv[1:]
    started = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - started
    # The usage is that of the program and of all of its children that it waited for; the peak that of the largest.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with open(result, "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib would cost memory
        json.dump({"wall": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak": peak}, file)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
