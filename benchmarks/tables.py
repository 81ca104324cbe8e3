"""The results as Markdown, and the page of the documentation that shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.results import CaseResult, Results, spread
from benchmarks.targets import MIB, TARGETS, describe_requests

BEGIN = "<!-- measured: written by `python -m benchmarks --markdown`, do not edit -->"
END = "<!-- end of what was measured -->"

_SERVERS = {
    "rclone": "; `rclone serve s3`",
    "moto": "; moto",
    "synthetic": "; the synthetic server",
    "azurite": "; Azurite",
    "gcs": "; the Cloud Storage of the tests",
    "none": "",
}

Row = Sequence[str]


def fill(page: str, results: Results) -> str:
    """Return the page with everything between its two marks replaced by what was measured.

    Raises:
        ValueError: the page lacks a mark.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the mark {END if begin else BEGIN}")
    return f"{before}{BEGIN}\n\n{measured(results)}\n{END}{after}"


def measured(results: Results) -> str:
    """Return the tables, each under its heading."""
    parts = [
        ("## The machine", _machine(results)),
        ("## The targets", targets(results)),
        ("## Where a peer is better", better_peers(results)),
        ("## Every case", cases(results)),
    ]
    return "\n".join(f"{heading}\n\n{text}\n" for heading, text in parts)


def targets(results: Results) -> str:
    """Return the targets with what was measured, as a table."""
    rows = []
    for target in TARGETS:
        judgement = target.judge(results)
        case = results.case(target.case)
        if case is not None and "cloudsync" in case.failures:
            rows.append((target.case, target.text, "failed", "**missed**"))
            continue
        if judgement is None:
            rows.append((target.case, target.text, "not measured", ""))
            continue
        verdict = "met" if judgement.met else f"**missed by {judgement.missed_by}**"
        rows.append((target.case, target.text, judgement.measured, verdict))
    return table(("case", "target", "measured", "verdict"), rows)


def cases(results: Results) -> str:
    """Return the medians of every tool in every case, as a table."""
    head = ("case", "tool", "seconds", "from-to", "x cloudsync", "client CPU, s", "MiB", "server CPU, s", "requests")
    return table(head, (row for case in results.cases for row in _case_rows(case)))


def better_peers(results: Results) -> str:
    """Return a line for each case in which peers took less time than cloudsync, or one that says there is none."""
    lines = []
    for case in results.cases:
        ours = case.best("cloudsync") or 0.0
        times = {_label(case, tool): case.median(tool, "wall") for tool in case.tools() if tool != "cloudsync"}
        better = [f"{label} in {wall / ours:.2f} x" for label, wall in times.items() if wall < ours]
        if better:
            lines.append(f"- **{case.name}**: {'; '.join(better)} the time of cloudsync.")
    return "\n".join(lines) or "In no case that was measured."


def table(head: Row, rows: Iterable[Row]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _machine(results: Results) -> str:
    facts = {**results.machine, **{f"version of {name}": version for name, version in results.versions.items()}}
    if results.scale != 1:
        facts["scale"] = f"{results.scale:g} of the full size: the figures say nothing about the targets"
    return table(("", ""), ((name, str(value)) for name, value in facts.items()))


def _label(case: CaseResult, tool: str) -> str:
    return tool if case.of(tool)[0].counts else f"{tool} (proves less)"


def _case_rows(case: CaseResult) -> Iterable[Row]:
    ours = case.best("cloudsync")
    title = f"**{case.name}**: {case.title}{_SERVERS[case.server]}"
    for tool, error in case.failures.items():
        yield f"**{case.name}**", f"{tool} failed", *[""] * 6, error.splitlines()[-1]
    for index, tool in enumerate(case.tools()):
        runs = case.of(tool)
        wall = case.median(tool, "wall")
        shortest, longest = spread(runs)
        served = [run.server_cpu for run in runs if run.server_cpu is not None]
        yield (
            title if index == 0 else "",
            _label(case, tool),
            f"{wall:.2f}",
            f"{shortest:.2f}-{longest:.2f}" if len(runs) > 1 else "one run",
            f"{wall / ours:.2f}" if ours else "",
            f"{case.median(tool, 'cpu'):.2f}",
            f"{case.median(tool, 'peak') / MIB:.0f}",
            f"{sum(served) / len(served):.2f}" if served else "",
            describe_requests(case.requests.get(tool, {})),
        )
