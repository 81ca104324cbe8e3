"""`python -m benchmarks`."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.cases import Case
from benchmarks.clouds import NoServerError
from benchmarks.results import Results
from benchmarks.runner import Play
from benchmarks.stage import Theatre
from benchmarks.suite import CASES
from benchmarks.tools import MissingToolError, Tool, find_programs, versions

_ROOM = 8 * 1024**3
"""Bytes that the largest case needs for its files and the server's copy of them, and as much again."""


def main() -> int:
    options = _options()
    if options.render:
        results = Results.from_dict(json.loads(options.render.read_text()))
    else:
        # Files in memory would stay there: whatever ends the run, they are removed first.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)
        try:
            results = _measure(options)
        except (MissingToolError, NoServerError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    print(tables.measured(results))
    if options.markdown:
        options.markdown.write_text(tables.fill(options.markdown.read_text(), results))
    return 1 if any(case.failures for case in results.cases) else 0


def _end(number: int, _: object) -> None:
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, signal.SIG_IGN)
    sys.exit(128 + number)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure cloudsync beside its peers.")
    names = [case.name for case in CASES]
    parser.add_argument(
        "--quick", action="store_true", help="one round of the shorter cases, with the faster peers in one setting"
    )
    parser.add_argument(
        "--only", action="append", choices=names, metavar="CASE", help=f"repeatable: {', '.join(names)}"
    )
    parser.add_argument(
        "--family", action="append", help="only tools of this family, for instance cloudsync; repeatable"
    )
    parser.add_argument("--rounds", type=int, help="turns of every tool; default 3, or 1 with --quick")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="part of the full size, to try the benchmarks themselves"
    )
    parser.add_argument("--peers", type=Path, help="another directory of programs, beside this interpreter's")
    parser.add_argument("--work", type=Path, help="where files are made; default: in memory, if there is room")
    parser.add_argument("--json", type=Path, help="write every raw number to this file")
    parser.add_argument("--markdown", type=Path, help="write the tables into this page, between its marks")
    parser.add_argument(
        "--render", type=Path, metavar="JSON", help="measure nothing: show what an earlier run has written"
    )
    options = parser.parse_args()
    if options.markdown and options.scale != 1 and not options.render:
        parser.error("--markdown shows runs at full size: leave --scale out")
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def _measure(options: argparse.Namespace) -> Results:
    cases = [case for case in CASES if case.name in options.only] if options.only else _usual(quick=options.quick)

    def wanted(tool: Tool) -> bool:
        return (not options.family or tool.family in options.family) and (tool.quick or not options.quick)

    families = {tool.family for case in cases for tool in case.tools if wanted(tool)}
    # A server of its own kind is needed whoever takes part.
    programs = find_programs(sorted(families | {"rclone"}), options.peers)
    results = Results(_machine(), versions(programs), options.scale, options.rounds)
    with tempfile.TemporaryDirectory(prefix="cloudsync-bench-", dir=options.work or _in_memory()) as folder:
        play = Play(
            Theatre(Path(folder), programs, options.scale),
            rounds=options.rounds,
            wanted=wanted,
            count_peers=not options.quick,
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
        for case in cases:
            results.cases.append(play.case(case))
            if options.json:
                options.json.write_text(json.dumps(results.to_dict(), indent=1) + "\n")
    return results


def _usual(*, quick: bool) -> Sequence[Case]:
    return [case for case in CASES if case.quick or not quick]


def _in_memory() -> Path | None:
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > _ROOM else None


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return {
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}, {platform.machine()}",
        "processors": f"{os.cpu_count()}, shared by client and server",
        "memory": f"{memory:.0f} GiB",
        "load average at the start": f"{os.getloadavg()[0]:.1f}",
    }


if __name__ == "__main__":
    sys.exit(main())
