"""Plans of random worlds: what a dry run says, beside what an oracle of a few lines says of the same two sides.

Both sides and the base descend from one tree by random edits, so that every kind of kinship of two objects comes up:
the same, the same again (touched), the same by chance of both, changed here, there, on both sides, gone, and new. The
oracle knows contents, fingerprints and times by key; it knows no page, no order and no stage of the engine.
"""

import dataclasses
import itertools
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core.backends.memory import MemoryBackend
from cloudsync_core.engine.diff import BaseRow
from cloudsync_core.engine.state import State
from cloudsync_core.layers.layer import Layer
from cloudsync_core.location import Location
from cloudsync_core.models import Attributes, Gap, Page
from cloudsync_core.runs import Counts
from tests.engine.stores import POOR, Shaped, bare, listed, store, without_digests
from tests.histories.length import at_length
from tests.workflows.world import MemoryPlace, Paged, World

KEYS = ["a", "b", "b.c", "b-c", "c/d", "c/e", "c-d", "d/e/f", "x.tmp", "c/x.tmp", "é", "z"]
SECOND = 10**9

FILTERS = {
    "everything": ({}, lambda key: True),
    "a pattern": ({"exclude": ["*.tmp"]}, lambda key: not key.endswith(".tmp")),
    "a folder": ({"exclude": ["c/"]}, lambda key: not key.startswith("c/")),
    "an expression": ({"exclude_regex": ["[de]$"]}, lambda key: key[-1] not in "de"),
    "included": ({"include": ["c/", "b*"]}, lambda key: key.startswith(("c/", "b"))),
}
PRUNED = {"a folder": {"c"}, "a pattern": {"x.tmp", "c/x.tmp"}}
"""Names of gaps that a filter leaves out: everything at and below them is out of scope."""

GAPS = [Gap(key, "unreadable", subtree=True) for key in ("c", "d", "d/e")] + [
    Gap(key, "a socket", kind="skipped") for key in ("a", "x.tmp", "c/d")
]

SHAPES = {
    "tells all": {},
    "tells no digests": {"listed": bare, "known": without_digests, **POOR},
    "tells nothing": {
        "listed": lambda info: dataclasses.replace(bare(info), fingerprint=""),
        "known": lambda info: dataclasses.replace(without_digests(info), fingerprint=""),
        **POOR,
    },
}

COMPARE = ["auto", "auto", "size", "mtime", "checksum", "always"]


@dataclasses.dataclass
class Held:
    """A key as its side holds it."""

    data: bytes
    mtime_ns: int


class WithGaps(Layer):
    """A store of which a part cannot be read."""

    def __init__(self, inner, gaps):
        super().__init__(inner)
        self._gaps = gaps

    def list(self, prefix="", *, start_after=None, prune=None):
        yield Page.of((), tuple(sorted(self._gaps, key=lambda gap: gap.key)))
        for page in self.inner.list(prefix, start_after=start_after, prune=prune):
            yield page.select(
                [row for row, key in enumerate(page.keys) if covering(self._gaps, key) is None], page.gaps
            )


def covering(gaps, key):
    """Return the gap in which a key lies."""
    found = [gap for gap in gaps if key == gap.key or (gap.subtree and key.startswith(gap.key + "/"))]
    return found[0] if found else None


class Branch:
    """A side: what it holds, in a store and as the oracle knows it."""

    def __init__(self, ancestor):
        self.url = MemoryPlace().url
        self.store = self.open()
        self.held = {}
        for key, held in ancestor.items():
            self.put(key, held)

    def open(self):
        return MemoryBackend(Location.parse(self.url))

    def put(self, key, held):
        store(self.store, key, held.data, attributes=Attributes(mtime_ns=held.mtime_ns))
        self.held[key] = held

    def edit(self, key, how, number):
        """Do one of the things that happen to a key between two runs."""
        old = self.held.get(key)
        data = {
            "write": b"%05d" % number,
            "write more": b"%05d" % number + b"!" * (number % 7 + 1),
            "empty": b"",
            "what the other does, too": b"same " + key.encode(),
            "touch": old.data if old else b"%05d" % number,
        }
        if how in data:
            # Times go forwards, backwards, and by less than some store can tell.
            past = old.mtime_ns if old else 0
            self.put(key, Held(data[how], past + (number % 4 - 1) * SECOND // 2))
        elif old is not None:
            self.store.delete(key)
            del self.held[key]


EDITS = st.sampled_from(["write", "write", "write more", "empty", "what the other does, too", "touch", "delete"])


@dataclasses.dataclass
class Case:
    """A world, the rules of a run in it, and what its oracle needs to know."""

    source: Branch
    target: Branch
    rows: dict
    contents: dict
    shapes: dict
    gaps: dict
    paged: dict
    filter: str
    rules: dict

    def side(self, name):
        branch = getattr(self, name)
        seen = WithGaps(Shaped(branch.open(), **SHAPES[self.shapes[name]]), self.gaps[name])
        size, shuffle = self.paged[name]
        if shuffle is None:
            return Paged(seen, size=size)
        return Paged(seen, size=size, ordered_listing=False, reorder=lambda found: [*shuffle.sample(found, len(found))])

    def rehearse(self):
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) / "state.db"
            self.remember(state)
            world = World(lambda: self.side("source"), lambda: self.side("target"), state)
            report = world.mirror(dry_run=True, **FILTERS[self.filter][0], **self.rules)
            planned = {event.action.key: event.action.kind for event in world.events if hasattr(event, "action")}
            return report, planned, world.left_out

    def remember(self, path):
        with State(path) as state:
            identities = (str(self.side(name).identity) for name in ("source", "target"))
            base = state.open_job("site", *identities)
            for key, row in self.rows.items():
                base.record(key, row)
            base.close()

    # The oracle, from here on.

    def in_scope(self, name):
        wanted = FILTERS[self.filter][1]
        held = getattr(self, name).held
        return {key for key in held if wanted(key) and covering(self.gaps[name], key) is None}

    def open_gaps(self, name):
        wanted = FILTERS[self.filter][1] if self.filter != "included" else lambda key: True
        pruned = PRUNED.get(self.filter, ())
        return [gap for gap in self.gaps[name] if gap.key not in pruned and (gap.subtree or wanted(gap.key))]

    def holds(self, key, *names):
        """Tell whether sides are known to be what they were when the base was written."""
        row = self.rows.get(key)
        told = [(self.shapes[name], listed(getattr(self, name).store)[key].fingerprint, name) for name in names]
        return row is not None and all(
            shape != "tells nothing" and now == getattr(row, name) for shape, now, name in told
        )

    def same(self, key):
        """Tell whether a run has reason to take the two objects for the same."""
        first, second = self.source.held[key], self.target.held[key]
        rich = {name: self.shapes[name] == "tells all" for name in self.shapes}
        compare = self.rules["compare"]
        if compare in {"always", "size"} or len(first.data) != len(second.data):
            return compare == "size" and len(first.data) == len(second.data)
        if all(rich.values()) and compare in {"auto", "checksum"}:
            return first.data == second.data
        if compare == "checksum":
            return False
        if self.holds(key, "source", "target"):
            return True
        if compare == "mtime":
            return abs(first.mtime_ns - second.mtime_ns) < SECOND
        # The target is as the base says, and the source's content, which is at hand, has the digest of then.
        known = rich["source"] and self.holds(key, "target") and first.data == self.contents.get(key)
        return known or not first.data

    def expected(self):
        """Return what is to be done to which key, and how many keys are counted how otherwise."""
        sides = self.in_scope("source"), self.in_scope("target")
        counts = Counts()
        planned = {}
        for key in sides[0] | sides[1]:
            if key in sides[0] & sides[1]:
                kind = "unchanged" if self.same(key) else "update"
            elif key in sides[0]:
                kind = "unknown" if covering(self.open_gaps("target"), key) else "add"
            elif (gap := covering(self.open_gaps("source"), key)) is not None:
                kind = gap.kind
            else:
                kind = "delete" if self.rules["delete"] else "unchanged"
            if kind in {"add", "update", "delete"}:
                planned[key] = kind
            else:
                setattr(counts, kind, getattr(counts, kind) + 1)
        for gap in self.open_gaps("source") + self.open_gaps("target"):
            setattr(counts, gap.kind, getattr(counts, gap.kind) + 1)
        return planned, counts

    def deletes(self, planned):
        """Return what becomes of the deletes, "done", "withheld" or "refused", and how many there are."""
        number = sum(kind == "delete" for kind in planned.values())
        limit = self.rules["max_delete"]
        if not number:
            return "done", 0
        if not self.in_scope("source") and not self.rules["allow_empty_source"]:
            return "refused", number
        most = len(self.in_scope("target")) * int(limit[:-1]) / 100 if limit.endswith("%") else int(limit)
        if number > most:
            return "refused", number
        trouble = any(gap.kind == "unknown" for name in self.gaps for gap in self.open_gaps(name))
        return ("withheld" if trouble else "done"), number


@st.composite
def cases(draw):
    number = itertools.count(1)
    ancestor = {
        key: Held(b"%05d" % next(number), draw(st.integers(0, 3)) * SECOND)
        for key in draw(st.lists(st.sampled_from(KEYS), unique=True, min_size=3))
    }
    source, target = Branch(ancestor), Branch(ancestor)
    rows = {}
    first, second = listed(source.store), listed(target.store)
    for key in ancestor:
        digest = str(first[key].digests[0]) if draw(st.booleans()) else None
        # What a run without evidence recorded, or none did.
        kept = BaseRow(first[key].fingerprint, second[key].fingerprint, digest)
        if draw(st.integers(0, 3)):
            rows[key] = kept
    for branch in (source, target):
        for key, how in draw(st.lists(st.tuples(st.sampled_from(KEYS), EDITS), max_size=6)):
            branch.edit(key, how, next(number))
    for key, row in rows.items():
        if row.digest is None:
            ancestor.pop(key)
    sides = ("source", "target")
    return Case(
        source,
        target,
        rows,
        {key: held.data for key, held in ancestor.items()},
        {name: draw(st.sampled_from(list(SHAPES))) for name in sides},
        {name: draw(st.just([]) | st.lists(st.sampled_from(GAPS), max_size=2, unique=True)) for name in sides},
        {name: draw(st.tuples(st.integers(1, 5), st.none() | st.randoms(use_true_random=False))) for name in sides},
        draw(st.sampled_from(list(FILTERS))),
        {
            "compare": draw(st.sampled_from(COMPARE)),
            "delete": draw(st.booleans()),
            "max_delete": draw(st.sampled_from(["100%", "50%", "25%", "0%", "0", "2"])),
            "allow_empty_source": draw(st.booleans()),
        },
    )


def check(case):
    planned, counts = case.expected()
    fate, deletes = case.deletes(planned)
    report, told, left_out = case.rehearse()

    assert told == planned
    counts.added = sum(kind == "add" for kind in planned.values())
    counts.updated = sum(kind == "update" for kind in planned.values())
    counts.deleted = deletes if fate == "done" else 0
    assert report.counts == counts
    assert report.deletes_withheld == (0 if fate == "done" else deletes)
    partial = counts.unknown or fate == "withheld"
    assert report.status == ("refused" if fate == "refused" else "partial" if partial else "done")
    assert len(left_out) == counts.skipped + counts.unknown
    assert report.target_objects == len(case.in_scope("target"))


def test_T4_a_plan_is_what_both_sides_and_the_rules_ask_for(soak, seed):
    at_length(given(case=cases())(check), examples=150, soak=soak, seed=seed)
