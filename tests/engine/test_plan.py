"""What is to be done about each key: every cell of the table, and what a target cannot hold."""

import threading

import pytest

from cloudsync_core.engine.compare import Auto, Verdict
from cloudsync_core.engine.diff import BaseRow, Met, Pair, Unchanged
from cloudsync_core.engine.plan import Planner, Settled
from cloudsync_core.errors import (
    AccessDeniedError,
    CancelledError,
    UnauthenticatedError,
    UnavailableError,
)
from cloudsync_core.layers.readonly import ReadOnly
from cloudsync_core.models import Gap
from cloudsync_core.runs import Action
from tests.engine.objects import entry
from tests.engine.stores import Shaped, bare, listed, memory, plain, store

SKIPPED = Gap("k", "a symbolic link", kind="skipped")
UNKNOWN = Gap("k", "cannot be read")
BASE = BaseRow("1", "1", None)


def plan(items, *, source=None, target=None, comparator=None, delete=True, workers=2, stop=None):
    planner = Planner(
        source or memory(),
        target or memory(),
        comparator or Auto(),
        delete=delete,
        workers=workers,
        stop=stop or threading.Event(),
    )
    return list(planner.steps(items))


def step_for(pair, **options):
    [step] = plan([pair], **options)
    return step


def pair(source=None, target=None, base=None):
    """Return a pair whose sides are objects, gaps or absent."""
    return Pair(
        "k",
        *(None if isinstance(side, Gap) else side for side in (source, target)),
        base,
        *(side if isinstance(side, Gap) else None for side in (source, target)),
    )


class TestTable:
    @pytest.mark.parametrize("base", [None, BASE])
    @pytest.mark.parametrize("delete", [True, False])
    class TestForEveryBase:
        def test_only_on_source_is_an_add(self, base, delete):
            step = step_for(pair(entry("k"), None, base), delete=delete)
            assert step == Action("add", "k", "not-on-target", entry("k"))

        def test_B_other_content_is_an_update(self, base, delete):
            step = step_for(pair(entry("k", 1), entry("k", 2), base), delete=delete)
            assert step == Action("update", "k", "size", entry("k", 1), entry("k", 2))

        def test_only_on_target_is_a_delete_where_the_job_deletes(self, base, delete):
            step = step_for(pair(None, entry("k"), base), delete=delete)
            if delete:
                assert step == Action("delete", "k", "not-on-source", target=entry("k"))
            else:
                assert step == Settled("unchanged", "only-on-target", "k", on_target=1)

        @pytest.mark.parametrize(("gap", "status"), [(SKIPPED, "skipped"), (UNKNOWN, "unknown")])
        def test_A22_unknown_on_source_leaves_its_image_alone(self, base, delete, gap, status):
            step = step_for(pair(gap, entry("k"), base), delete=delete)
            assert step == Settled(status, f"{gap.reason} (source)", "k", on_target=1)

        @pytest.mark.parametrize("gap", [SKIPPED, UNKNOWN])
        def test_unknown_on_target_is_not_overwritten(self, base, delete, gap):
            step = step_for(pair(entry("k"), gap, base), delete=delete)
            assert step == Settled("unknown", f"{gap.reason} (target)", "k", on_source=1)

    @pytest.mark.parametrize("sides", [(None, None), (SKIPPED, None), (None, UNKNOWN), (UNKNOWN, UNKNOWN)])
    def test_on_neither_side_is_forgotten(self, sides):
        assert step_for(pair(*sides, BASE)) == Settled("forgotten", "gone", "k")

    def test_as_the_base_says_is_unchanged_and_nothing_is_learnt(self):
        step = step_for(pair(entry("k"), entry("k"), BASE))
        assert step == Settled("unchanged", "unchanged", "k", on_source=1, on_target=1)

    def test_a_run_of_unchanged_keys_is_one_step(self):
        assert plan([Unchanged(7)]) == [Settled("unchanged", "unchanged", count=7, on_source=7, on_target=7)]

    def test_B19_equality_by_evidence_is_learnt(self):
        source, target = memory(), memory()
        first, second = store(source, "k", b"1"), store(target, "k", b"1")
        step = step_for(Pair("k", first, second), source=source, target=target)
        assert step.status == "unchanged"
        assert step.learnt == BaseRow(first.fingerprint, second.fingerprint, str(first.digests[0]))

    def test_B07_a_fingerprint_that_cannot_tell_is_learnt_as_none(self):
        step = step_for(pair(entry("k", 0, ""), entry("k", 0, "2")))
        assert step.learnt == BaseRow(None, "2", None)


class TestGaps:
    @pytest.mark.parametrize("side", ["source", "target"])
    def test_A07_an_unreadable_part_hinders_deletes(self, side):
        assert plan([Met(side, UNKNOWN)]) == [
            Settled("unknown", f"cannot be read ({side})", "k", hinders_deletes=True),
        ]

    def test_what_is_left_out_by_rule_hinders_none(self):
        assert plan([Met("source", SKIPPED)]) == [Settled("skipped", "a symbolic link (source)", "k")]


class TestWhatTheTargetCannotHold:
    def tree(self, **capabilities):
        return Shaped(memory(), hierarchical=True, **capabilities)

    @pytest.mark.parametrize("key", ["a//b", "../x", "a/./b", "/lead", "nul\0"])
    def test_P10_a_key_that_a_tree_cannot_hold_is_unknown(self, key):
        step = step_for(Pair(key, entry(key)), target=self.tree())
        assert (step.status, step.key, step.on_source) == ("unknown", key, 1)
        assert not step.hinders_deletes

    def test_C12_a_key_that_is_too_long_is_unknown(self):
        step = step_for(Pair("k" * 5, entry("k" * 5)), target=Shaped(memory(), max_key_bytes=4))
        assert (step.status, step.reason) == ("unknown", "the name is longer than 4 bytes")

    @pytest.mark.parametrize("size", [3, 4, 5])
    @pytest.mark.parametrize("there", [False, True])
    def test_an_object_beyond_the_largest_is_unknown_whatever_it_would_replace(self, size, there):
        old = entry("k", 1) if there else None
        step = step_for(pair(entry("k", size), old), target=Shaped(memory(), max_object_size=4))
        if size <= 4:
            assert step.kind == ("update" if there else "add")
        else:
            assert step == Settled(
                "unknown", "larger than the 4 bytes that the target takes", "k", on_source=1, on_target=int(there)
            )

    @pytest.mark.parametrize("there", [False, True])
    def test_C06_a_marker_with_bytes_is_unknown_to_a_tree(self, there):
        old = entry("k/", 0) if there else None
        step = step_for(Pair("k/", entry("k/", 5), old), target=self.tree())
        assert (step.status, step.reason) == ("unknown", "a folder of the target cannot hold bytes")

    def test_C06_a_marker_with_bytes_is_an_object_like_any_other_elsewhere(self):
        assert step_for(Pair("k/", entry("k/", 5))).kind == "add"


class TestMarkers:
    """ADR 0005: a tree shows a marker for an empty folder only."""

    def tree(self):
        return Shaped(memory(), hierarchical=True)

    def test_the_marker_of_an_empty_folder_is_added(self):
        assert step_for(Pair("k/", entry("k/", 0)), target=self.tree()).kind == "add"

    def test_the_marker_of_a_folder_that_the_target_has_is_kept_as_the_folder(self):
        step = step_for(Pair("k/", entry("k/", 0), target_folder=True), target=self.tree())
        assert (step.status, step.on_source) == ("skipped", 1)

    def test_the_marker_of_a_folder_with_excluded_objects_is_kept_as_the_folder(self):
        tree = self.tree()
        store(tree, "k/", b"")
        step = step_for(Pair("k/", entry("k/", 0)), target=tree)
        assert (step.status, step.on_source) == ("skipped", 1)

    def test_a_markers_target_that_is_no_tree_gets_it_beside_the_objects(self):
        assert step_for(Pair("k/", entry("k/", 0), target_folder=True)).kind == "add"

    def test_the_marker_of_a_folder_that_a_tree_has_is_kept(self):
        step = step_for(Pair("k/", None, entry("k/", 0), source_folder=True), source=self.tree())
        assert step == Settled("unchanged", "folder-on-source", "k/", on_target=1)

    def test_the_marker_of_a_folder_that_is_no_tree_s_is_deleted(self):
        assert step_for(Pair("k/", None, entry("k/", 0), source_folder=True)).kind == "delete"

    def test_the_marker_of_a_folder_that_nobody_has_is_deleted(self):
        assert step_for(Pair("k/", None, entry("k/", 0)), source=self.tree()).kind == "delete"


class Slow:
    """A comparator whose thorough answers come when the test says so, in an order of its own."""

    trusts_base = True

    def __init__(self, keys):
        self.gates = {key: threading.Event() for key in keys}
        self.asked = threading.Semaphore(0)

    def quick(self, pair):
        return None if pair.key in self.gates else Verdict(True, "quick")

    def thorough(self, pair, evidence):
        self.asked.release()
        assert self.gates[pair.key].wait(10)
        return Verdict(False, "slow")


def both(key):
    return Pair(key, entry(key), entry(key))


class TestOrder:
    def test_steps_come_in_the_order_of_the_keys_whatever_is_slow(self):
        comparator = Slow(["b", "d"])
        steps = Planner(memory(), memory(), comparator, delete=True, workers=2, stop=threading.Event()).steps(
            map(both, "abcde")
        )
        assert next(steps).key == "a"
        release = threading.Thread(
            target=lambda: [
                comparator.asked.acquire() and comparator.asked.acquire(),
                comparator.gates["d"].set(),
                comparator.gates["b"].set(),
            ]
        )
        release.start()
        assert [step.key for step in steps] == ["b", "c", "d", "e"]
        release.join()

    def test_pairs_wait_in_bounded_number(self):
        comparator = Slow(["a"])
        pulled = []

        def items():
            for number in range(1000):
                pulled.append(number)
                yield both("a" if number == 0 else f"b{number}")

        steps = Planner(memory(), memory(), comparator, delete=True, workers=2, stop=threading.Event()).steps(items())
        opener = threading.Timer(0.05, comparator.gates["a"].set)
        opener.start()
        next(steps)
        opener.join()
        assert len(pulled) <= 8
        steps.close()


class TestTrouble:
    class Failing:
        trusts_base = True

        def __init__(self, error):
            self.error = error

        def quick(self, pair):
            return None

        def thorough(self, pair, evidence):
            raise self.error

    @pytest.mark.parametrize("error", [AccessDeniedError, UnavailableError])
    def test_an_object_that_cannot_be_compared_is_unknown(self, error):
        failing = self.Failing(error("no luck", operation="stat", location="memory://x", key="k"))
        step = step_for(pair(entry("k"), entry("k")), comparator=failing)
        assert step == Settled("unknown", "no luck", "k", on_source=1, on_target=1)

    def test_an_error_that_nothing_survives_ends_the_planning(self):
        with pytest.raises(UnauthenticatedError):
            plan([pair(entry("k"), entry("k"))], comparator=self.Failing(UnauthenticatedError("expired")))

    @pytest.mark.parametrize("gone", ["source", "target"])
    def test_D19_an_object_that_vanishes_meanwhile_is_unknown(self, gone):
        sides = {"source": Shaped(memory(), listed=bare), "target": Shaped(memory(), listed=bare)}
        for side in sides.values():
            store(side, "k")
        found = Pair("k", listed(sides["source"])["k"], listed(sides["target"])["k"])
        sides[gone].delete("k")
        step = step_for(found, **sides)
        assert step == Settled("unknown", "it vanished while it was compared", "k", on_source=1, on_target=1)

    def test_a_stopped_run_plans_nothing_more(self):
        stop = threading.Event()
        stop.set()
        with pytest.raises(CancelledError):
            plan([both("a")], stop=stop)

    def test_no_thread_is_left_behind(self):
        before = set(threading.enumerate())
        plan([pair(entry("k"), entry("k"))], comparator=self.Failing(UnavailableError("no")))
        for thread in set(threading.enumerate()) - before:
            thread.join(10)
            assert not thread.is_alive()


def test_P12_planning_asks_questions_only():
    """Both sides refuse to be written; every kind of step comes out all the same."""
    source, target = plain(local_reads=True), Shaped(plain(local_reads=True), hierarchical=True)
    for key in ("same", "other", "new", "new/"):
        store(source, key, b"" if key.endswith("/") else b"1")
    for key in ("same", "other", "old"):
        store(target, key, b"2" if key == "other" else b"1")
    first, second = listed(source), listed(target)
    items = [Pair(key, first.get(key), second.get(key)) for key in sorted({*first, *second})]
    steps = plan(items, source=ReadOnly(source), target=ReadOnly(target))
    kinds = {step.key: step.kind if isinstance(step, Action) else step.status for step in steps}
    assert kinds == {"same": "unchanged", "other": "update", "new": "add", "new/": "add", "old": "delete"}
