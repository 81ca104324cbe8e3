"""What `cloudsync testremote` finds: told while it is found, and summed up at the end."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from cloudsync_core.cli.console import Console
from cloudsync_core.cli.formats import number, plural
from cloudsync_core.cli.summary import table
from cloudsync_core.errors import printable

if TYPE_CHECKING:
    # They need pytest, which only this command does.
    from cloudsync_core.testing.benchmarks import Measurement
    from cloudsync_core.testing.probing import Finding
    from cloudsync_core.testing.remote import TestResult

_INTERRUPTED = 130
_SECONDS_BETWEEN_LINES = 10
_LEFT_SHOWN = 10
_LINES_SHOWN = 6
_OUTCOMES = ("passed", "failed", "skipped")


class Trial:
    """The results of one invocation.

    Attributes:
        console: where they are told.
        location: what is tested.
        tests: how many there are; 0 before it is known.
        refusals: names of the key corpus that the store refused, with its reason.
        removed: how many objects were removed again.
        left: keys that could not be removed, with the reason.
        interrupted: the user wants no more of it.
    """

    def __init__(self, console: Console, location: str) -> None:
        self.console = console
        self.location = location
        self.tests = 0
        self.refusals: Mapping[str, str] = {}
        self.removed = 0
        self.left: Mapping[str, str] = {}
        self.interrupted = False
        self._findings: list[Finding] = []
        self._results: list[TestResult] = []
        self._told_at = time.monotonic()

    @property
    def exit_code(self) -> int:
        """0 when every clause that applies is kept and nothing is left behind; see docs/exit-codes.md."""
        if self.interrupted:
            return _INTERRUPTED
        return 1 if self._of("failed") or self.left or any(finding.overstated for finding in self._findings) else 0

    def found(self, finding: Finding) -> None:
        """Tell what was found of a capability."""
        self._findings.append(finding)
        self.console.event("capability", {**dataclasses.asdict(finding), "overstated": finding.overstated})

    def tested(self, result: TestResult) -> None:
        """Tell what became of a test."""
        self._results.append(result)
        values = dataclasses.asdict(result)
        del values["details"]
        self.console.event("clause", values)
        if self.console.verbosity > 0 and result.outcome != "failed":
            self.console.note(f"{result.outcome:<7}  {result.test}{f'  ({result.reason})' if result.reason else ''}")
        if result.outcome == "failed":
            self.console.trouble(f"failed   {result.test}", {"fg": "red"})
            text = result.details if self.console.verbosity > 0 else _beginning(result.reason)
            self.console.trouble("    " + printable_lines(text).replace("\n", "\n    "))
        if time.monotonic() - self._told_at >= _SECONDS_BETWEEN_LINES:
            self._told_at = time.monotonic()
            self.console.note(f"{number(len(self._results))} of {number(self.tests)} tests done")

    def measured(self, measurement: Measurement) -> None:
        """Tell what an operation took."""
        self.console.event("measurement", dataclasses.asdict(measurement))
        self.console.result(str(measurement))

    def tell_findings(self) -> None:
        """Print the capabilities, each as it is declared and as it was found."""
        rows = [(one.capability, _shown(one.declared), one.found or "-") for one in self._findings]
        notes = ["OVERSTATED" if one.overstated else one.note for one in self._findings]
        lines = table([("capability", "declared", "found"), *rows], names=3)
        for line, note in zip(lines, ["", *notes], strict=True):
            self.console.result(f"{line}  ({printable_lines(note)})" if note else line)

    def tell_left(self) -> None:
        """Print what could not be removed."""
        for key, why in list(self.left.items())[:_LEFT_SHOWN]:
            self.console.trouble(f"not removed: {printable(key)}: {why}", {"fg": "yellow"})
        if len(self.left) > _LEFT_SHOWN:
            self.console.trouble(f"not removed: {number(len(self.left) - _LEFT_SHOWN)} more")

    def tell(self, prefix: str) -> None:
        """Print the sum of everything, and the report."""
        for line in self._summary():
            self.console.result(line)
        counts = {outcome: len(self._of(outcome)) for outcome in _OUTCOMES}
        report = {
            "location": self.location,
            "prefix": prefix,
            **counts,
            "refusals": dict(self.refusals),
            "removed": self.removed,
            "left": dict(self.left),
            "interrupted": self.interrupted,
            "exit_code": self.exit_code,
        }
        self.console.event("report", report)

    def _summary(self) -> Iterator[str]:
        by_clause: dict[str, collections.Counter[str]] = {}
        for result in self._results:
            by_clause.setdefault(result.clause, collections.Counter())[result.outcome] += 1
        rows = [
            (clause, *(number(counts[outcome]) for outcome in _OUTCOMES))
            for clause, counts in sorted(by_clause.items())
        ]
        yield from table([("clause", "passed", "failed", "does not apply"), *rows], names=1)
        reasons = collections.Counter(result.reason for result in self._of("skipped"))
        for reason, count in reasons.most_common():
            yield f"does not apply ({number(count)}): {printable_lines(reason)}"
        if self.refusals:
            yield f"names that the store refuses: {', '.join(self.refusals)}"
        yield f"{plural(self.removed, 'object')} removed, {number(len(self.left))} left"

    def _of(self, outcome: str) -> list[TestResult]:
        return [result for result in self._results if result.outcome == outcome]


def printable_lines(text: str) -> str:
    """Return a text of several lines with its control characters escaped."""
    return "\n".join(map(printable, text.splitlines()))


def _beginning(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and "Use -v to get" not in line]
    return "\n".join([*lines[:_LINES_SHOWN], *(["…; -v shows all of it"] if len(lines) > _LINES_SHOWN else [])])


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "no limit" if value is None else number(value) if isinstance(value, int) else str(value)
