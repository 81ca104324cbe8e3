"""What the project has promised itself, and whether a run of the benchmarks keeps it."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable

from benchmarks.results import CaseResult, Quantity, Results

MIB = 1024 * 1024
_NAMES: dict[Quantity, str] = {"wall": "time", "cpu": "client CPU", "peak": "peak memory"}
_CLOUDSYNC = "cloudsync"
_TIME_AND_CPU: tuple[Quantity, ...] = ("wall", "cpu")


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """How a target fared.

    Attributes:
        measured: in words.
        met: whether it was kept.
        missed_by: by how much not, in words; empty if it was.
    """

    measured: str
    met: bool
    missed_by: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target(abc.ABC):
    """A promise about one case."""

    case: str

    @property
    @abc.abstractmethod
    def text(self) -> str:
        """What is promised."""

    def judge(self, results: Results) -> Judgement | None:
        """Return how it fared, or `None` where what it needs was not measured."""
        case = results.case(self.case)
        if case is None or case.best(_CLOUDSYNC) is None:
            return None
        return self._judge(case, results)

    @abc.abstractmethod
    def _judge(self, case: CaseResult, results: Results) -> Judgement | None: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ratio(Target):
    """No more than so many times what a peer takes at the better of its settings.

    Attributes:
        one_processor: the server can use no more than one, so that what it spends bounds the time; a target that is
            missed then says how busy the server was.
    """

    peer: str
    at_most: float
    quantity: Quantity = "wall"
    one_processor: bool = False

    @property
    def text(self) -> str:
        peer = "the best peer" if self.peer == "best" else self.peer
        return f"{_NAMES[self.quantity]} ≤ {self.at_most:.2f} x {peer}"

    def _judge(self, case: CaseResult, results: Results) -> Judgement | None:
        del results
        families = case.peers() if self.peer == "best" else [self.peer]
        theirs = [best for family in families if (best := case.best(family, self.quantity)) is not None]
        ours = case.best(_CLOUDSYNC, self.quantity)
        if ours is None or not theirs:
            return None
        judgement = _limited(ours / min(theirs), self.at_most, lambda value: f"{value:.2f} x")
        busy = case.server_share(_CLOUDSYNC) if self.one_processor and self.quantity == "wall" else None
        if judgement.met or busy is None:
            return judgement
        return dataclasses.replace(judgement, missed_by=f"{judgement.missed_by}; server busy {busy:.0%} of the time")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ceiling(Target):
    """No more than so many seconds or bytes.

    Attributes:
        name: what the time is, where it is not that of the whole program.
    """

    at_most: float
    quantity: Quantity = "wall"
    name: str = ""

    @property
    def text(self) -> str:
        return f"{self.name or _NAMES[self.quantity]} ≤ {_amount(self.at_most, self.quantity)}"

    def _judge(self, case: CaseResult, results: Results) -> Judgement | None:
        del results
        ours = case.best(_CLOUDSYNC, self.quantity)
        return None if ours is None else _limited(ours, self.at_most, lambda value: _amount(value, self.quantity))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rate(Target):
    """At least so many things a second.

    Attributes:
        count: how many are done at full size.
        of: what they are.
    """

    at_least: float
    count: int
    of: str

    @property
    def text(self) -> str:
        return f"{self.of} a second ≥ {self.at_least:,.0f}"

    def _judge(self, case: CaseResult, results: Results) -> Judgement | None:
        seconds = case.best(_CLOUDSYNC)
        if not seconds:
            return None
        rate = self.count * results.scale / seconds
        missed = "" if rate >= self.at_least else f"{1 - rate / self.at_least:.0%}"
        return Judgement(f"{rate:,.0f}", not missed, missed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Growth(Target):
    """No more than so many bytes of memory above what a smaller case takes."""

    smaller: str
    at_most: float

    @property
    def text(self) -> str:
        return f"peak memory ≤ {_amount(self.at_most, 'peak')} above the case {self.smaller}"

    def _judge(self, case: CaseResult, results: Results) -> Judgement | None:
        smaller = results.case(self.smaller)
        less = None if smaller is None else smaller.best(_CLOUDSYNC, "peak")
        ours = case.best(_CLOUDSYNC, "peak")
        if ours is None or less is None:
            return None
        return _limited(ours - less, self.at_most, lambda value: _amount(value, "peak"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Requests(Target):
    """No requests of some kinds, or of any but some.

    Attributes:
        why: what that shows.
        none_of: the unwanted kinds; or
        only: the others.
        but: how many of them a run may make all the same.
        but_for: what for: its own objects, by default, which are its lease, and what it tries out.
    """

    why: str = ""
    none_of: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    but: int = 0
    but_for: str = "the run itself"

    @property
    def text(self) -> str:
        kinds = ", ".join(kind.upper() for kind in self.none_of or self.only)
        text = f"{self.why}no {kinds}" if self.none_of else f"{self.why}no requests but {kinds}"
        return f"{text} but {self.but} for {self.but_for}" if self.but else text

    def _judge(self, case: CaseResult, results: Results) -> Judgement | None:
        del results
        requests = case.requests.get(_CLOUDSYNC)
        if requests is None:
            return None
        # A look at the bucket itself is no request about an object.
        unwanted = set(self.none_of) or requests.keys() - {*self.only, "bucket"}
        made = {kind: count for kind, count in requests.items() if kind in unwanted and count}
        few = sum(made.values()) <= self.but
        return Judgement(describe_requests(requests), few, "" if few else describe_requests(made))


def describe_requests(requests: dict[str, int]) -> str:
    """Return counts in words, the most frequent kind first."""
    ordered = sorted(requests.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {kind.upper()}" for kind, count in ordered)


def _limited(value: float, limit: float, show: Callable[[float], str]) -> Judgement:
    missed = "" if value <= limit else f"{value / limit - 1:.0%}"
    return Judgement(show(value), value <= limit, missed)


def _amount(value: float, quantity: Quantity) -> str:
    if quantity == "peak":
        return f"{value / MIB:.0f} MiB"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


TARGETS: tuple[Target, ...] = (
    Ratio(case="small-up", peer="rclone", at_most=0.60),
    Ratio(case="small-up", peer="s5cmd", at_most=0.35),
    Ratio(case="small-up", peer="rclone", at_most=0.60, quantity="cpu"),
    Ratio(case="small-down", peer="rclone", at_most=0.90),
    Ratio(case="small-down", peer="s5cmd", at_most=0.30),
    Ratio(case="no-op", peer="s5cmd", at_most=1.00),
    Ratio(case="no-op", peer="rclone", at_most=0.50),
    Requests(case="no-op", none_of=("head", "get")),
    Ratio(case="large-up", peer="best", at_most=1.05),
    Ceiling(case="large-up", at_most=200 * MIB, quantity="peak"),
    Ratio(case="large-down", peer="best", at_most=1.05),
    Ceiling(case="large-down", at_most=200 * MIB, quantity="peak"),
    Ratio(case="million", peer="rclone", at_most=0.50),
    Ratio(case="million", peer="s5cmd", at_most=0.15),
    Ceiling(case="million", at_most=150 * MIB, quantity="peak"),
    Growth(case="million", smaller="hundred-thousand", at_most=20 * MIB),
    Requests(case="million", only=("list",)),
    Ceiling(case="plan", at_most=5.0),
    Ratio(case="latency", peer="s5cmd", at_most=1.00),
    Ratio(case="deletes", peer="s5cmd", at_most=1.00),
    Ratio(case="bucket-copy", peer="rclone", at_most=1.00),
    Requests(case="bucket-copy", why="server-side copies: ", none_of=("put", "part"), but=10),
    *(
        Ratio(case=f"{cloud}-{way}", peer=peer, at_most=1 / 3, quantity=quantity, one_processor=True)
        for cloud, peer in (("azure", "adlfs"), ("gcs", "gcsfs"))
        for way in ("up", "down")
        for quantity in _TIME_AND_CPU
    ),
    Rate(case="channel-publish", at_least=500, count=5_000, of="updates"),
    *(
        Rate(case=case, at_least=2_000, count=20_000, of="deliveries")
        for case in ("channel-deliver", "channel-both", "channel-both-rclone")
    ),
    Ceiling(case="channel-latency", at_most=1.1, name="interval + 100 ms: median wait"),
    Growth(case="channel-long", smaller="channel-short", at_most=10 * MIB),
    Requests(
        case="release",
        why="what is new alone is sent: ",
        none_of=("put", "part", "copy"),
        but=110,
        but_for="100 files, the manifest, the pointer and the run itself",
    ),
    Ceiling(case="startup-version", at_most=0.15),
    Ceiling(case="startup-no-op", at_most=0.60),
)
