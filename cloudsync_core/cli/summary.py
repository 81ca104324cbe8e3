"""The summary at the end: a table of all runs, and what went wrong in them, bounded in size."""

from __future__ import annotations

from collections.abc import Container, Sequence

from cloudsync_core.cli.console import Console
from cloudsync_core.cli.formats import number, plural, seconds, size
from cloudsync_core.runs import Counts, FailureGroup, RunReport

GROUPS_SHOWN = 10
EXAMPLES_SHOWN = 3
"""Of each cause, without `-v`; the report holds more."""

COUNTS = tuple(Counts.__slots__)


def print_summary(console: Console, reports: Sequence[RunReport], *, named: bool, told: Container[str] = ()) -> None:
    """Print what the runs did; in JSON mode their reports have told it.

    Args:
        console: where, and how much.
        reports: of the runs.
        named: the user gave the jobs their names, so messages repeat them.
        told: the runs whose errors were told when they ended.
    """
    if console.json or not reports:
        return
    if not console.quiet:
        for row in table([("job", "status", *COUNTS, "bytes", "time", "rate"), *map(_row, reports)]):
            console.result(row)
        for report in reports:
            for line in _details(report):
                console.result(f"{report.run.job}: {line}" if len(reports) > 1 else line)
    for report in reports:
        _print_failures(console, report, f"job {report.run.job}: " if named else "", told=report.run.id in told)


def table(rows: Sequence[Sequence[str]], *, names: int = 2) -> list[str]:
    """Return the rows as lines whose columns are aligned.

    Args:
        rows: of equal length, the heading first.
        names: the columns that are aligned to the left; those after them are numbers.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index < names else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(report: RunReport) -> tuple[str, ...]:
    counts = (number(getattr(report.counts, name)) for name in COUNTS)
    rate = f"{size(report.bytes_transferred / max(report.seconds, 1e-3))}/s"
    return report.run.job, _status(report), *counts, size(report.bytes_transferred), seconds(report.seconds), rate


def _status(report: RunReport) -> str:
    return f"{report.status}, dry run" if report.run.dry_run else report.status


def _details(report: RunReport) -> list[str]:
    lines = []
    if report.verified:
        lines.append("verified: " + ", ".join(f"{number(count)} by {how}" for how, count in report.verified.items()))
    if report.bytes_resumed:
        lines.append(f"resumed: {size(report.bytes_resumed)} were there already from a run that was killed")
    if report.kept:
        verb = "would be kept" if report.run.dry_run else "kept"
        lines.append(f"{verb} aside: {plural(report.kept, 'object')}, {size(report.bytes_kept)}")
    sides = [
        f"{side} " + ", ".join(f"{number(count)} {verb}" for verb, count in verbs.items())
        for side, verbs in report.requests.items()
        if verbs
    ]
    if sides:
        lines.append("requests: " + "; ".join(sides))
    if report.run.dry_run:
        lines.append("dry run: nothing was changed")
    return lines


def _print_failures(console: Console, report: RunReport, label: str, *, told: bool) -> None:
    if report.message is not None and not told:
        kind, colour = ("warning", "yellow") if report.error is None else ("error", "red")
        console.trouble(f"{kind}: {label}{report.message}", {"fg": colour})
    if console.quiet and not report.exit_code:
        return
    groups = report.failures if console.verbosity > 0 else report.failures[:GROUPS_SHOWN]
    for group in groups:
        _print_group(console, group, label)
    if len(groups) < len(report.failures):
        console.trouble(f"{label}{plural(len(report.failures) - len(groups), 'more cause')}; -v shows them")


def _print_group(console: Console, group: FailureGroup, label: str) -> None:
    examples = group.examples if console.verbosity > 0 else group.examples[:EXAMPLES_SHOWN]
    console.trouble(f"{label}{group.cause} ({number(group.count)})", {"fg": "yellow"})
    for example in examples:
        console.trouble("    " + example.replace("\n", "\n    "))
    if group.count > len(examples):
        console.trouble(f"    … and {number(group.count - len(examples))} more")
