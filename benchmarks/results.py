"""What was measured: every raw number, as values that become JSON and come back."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable
from typing import Any, Literal, Self

Quantity = Literal["wall", "cpu", "peak"]


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One run of one tool.

    Attributes:
        tool: the tool's name.
        family: its program.
        counts: whether it stands for its family in the targets.
        round: 1 for the first.
        wall: seconds.
        cpu: seconds of processor of the tool.
        peak: bytes of memory.
        server_cpu: seconds of processor of the server meanwhile, or `None` where there is none or nobody can tell.
    """

    tool: str
    family: str
    counts: bool
    round: int
    wall: float
    cpu: float
    peak: int
    server_cpu: float | None = None


@dataclasses.dataclass(slots=True)
class CaseResult:
    """One case.

    Attributes:
        name: the case's.
        title: what was done.
        server: on which.
        runs: in their order.
        requests: what each tool asked of the synthetic server for the same work, by kind.
        failures: why a tool has no runs, or no more: it did not do what it was asked to.
        load: the machine's load average when the case began.
    """

    name: str
    title: str
    server: str
    runs: list[Run] = dataclasses.field(default_factory=list)
    requests: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    failures: dict[str, str] = dataclasses.field(default_factory=dict)
    load: float = 0.0

    def tools(self) -> list[str]:
        """Return the tools that ran, in their order."""
        return list(dict.fromkeys(run.tool for run in self.runs))

    def of(self, tool: str) -> list[Run]:
        """Return the runs of a tool."""
        return [run for run in self.runs if run.tool == tool]

    def median(self, tool: str, quantity: Quantity) -> float:
        """Return the median over the rounds."""
        values: list[float] = [getattr(run, quantity) for run in self.of(tool)]
        return statistics.median(values)

    def best(self, family: str, quantity: Quantity = "wall") -> float | None:
        """Return the lowest median of a family's settings, or `None` where it did not run."""
        names = {run.tool for run in self.runs if run.family == family and run.counts}
        return min((self.median(name, quantity) for name in names), default=None)

    def server_share(self, family: str) -> float | None:
        """Return the part of a family's time that the server computed, or `None` where that is not known."""
        shares = [run.server_cpu / run.wall for run in self.runs if run.family == family and run.server_cpu is not None]
        return statistics.median(shares) if shares else None

    def peers(self) -> list[str]:
        """Return the families of the peers that ran."""
        return [family for family in dict.fromkeys(run.family for run in self.runs) if family != "cloudsync"]


@dataclasses.dataclass(slots=True)
class Results:
    """A whole run of the benchmarks.

    Attributes:
        machine: what it ran on, and when.
        versions: of every program.
        scale: the part of the full size that was done.
        rounds: how often, at most.
        cases: in their order.
    """

    machine: dict[str, Any]
    versions: dict[str, str]
    scale: float
    rounds: int
    cases: list[CaseResult] = dataclasses.field(default_factory=list)

    def case(self, name: str) -> CaseResult | None:
        """Return a case, or `None` where it was not measured."""
        return next((case for case in self.cases if case.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return what `to_dict` has written."""
        cases = [CaseResult(**{**case, "runs": [Run(**run) for run in case["runs"]]}) for case in values["cases"]]
        return cls(**{**values, "cases": cases})


def spread(runs: Iterable[Run]) -> tuple[float, float]:
    """Return the shortest and the longest wall time."""
    walls = [run.wall for run in runs]
    return min(walls), max(walls)
