"""What plugins are asked and told in a run."""

import threading

import pytest

from cloudsync_core.engine.state import State
from cloudsync_core.errors import PlanRejectedError, PluginError, UnauthenticatedError
from cloudsync_core.plugins import hookimpl
from cloudsync_core.runs import Counts
from cloudsync_core.workflows import execution
from tests.engine.stores import Watched, contents, store
from tests.unit.layers.scripted import Fault
from tests.workflows.world import FilePlace, Lasting, MemoryPlace, Paged, World


class Observer:
    """A plugin that writes down what it is told."""

    def __init__(self):
        self.calls = []

    @hookimpl
    def cloudsync_run_started(self, run):
        self.calls.append(("started", run))

    @hookimpl
    def cloudsync_outcomes(self, run, outcomes):
        self.calls.append(("outcomes", list(outcomes)))

    @hookimpl
    def cloudsync_run_finished(self, run, report):
        self.calls.append(("finished", report))

    @property
    def outcomes(self):
        return [outcome for what, told in self.calls if what == "outcomes" for outcome in told]

    @property
    def order(self):
        return [what for what, _ in self.calls]


@pytest.fixture
def observer():
    return Observer()


def fill(backend, *keys, data=b"content"):
    for key in keys:
        store(backend, key, data)


class TestNotifications:
    def test_frame_the_run(self, memory_world, observer):
        fill(memory_world.source(), "a", "b")
        fill(memory_world.target(), "old")
        report = memory_world.mirror(plugins=[observer], delete=True)
        assert (observer.order[0], observer.order[-1]) == ("started", "finished")
        assert observer.calls[0][1] == report.run
        assert observer.calls[-1][1] == report

    def test_tell_every_outcome_once(self, memory_world, observer, monkeypatch):
        monkeypatch.setattr(execution, "OUTCOMES_TOLD", 3)
        fill(memory_world.source(), *"abcdefg")
        fill(memory_world.target(), "old")
        memory_world.mirror(plugins=[observer], delete=True)
        assert sorted(outcome.action.key for outcome in observer.outcomes) == [*"abcdefg", "old"]
        assert all(told for what, told in observer.calls if what == "outcomes"), "an empty notification"
        assert max(len(told) for what, told in observer.calls if what == "outcomes") <= 3

    def test_tell_every_outcome_of_a_run_that_fails_later(self, state, observer):
        source, target = MemoryPlace(), MemoryPlace()
        fill(source.open(), *"abcd")
        error = UnauthenticatedError("expired")
        world = World(lambda: Paged(source.open(), fail_after=2, error=error), target.open, state)
        report = world.mirror(plugins=[observer])
        assert report.status == "aborted"
        assert len(observer.outcomes) == report.counts.added == len(contents(target.open()))
        assert observer.order[-1] == "finished"

    def test_tell_of_an_object_that_was_blocked_only_what_became_of_it(self, tmp_path, state, observer):
        place = FilePlace(tmp_path / "target")
        world = World(MemoryPlace().open, place.open, state, {"delete": True})
        fill(world.source(), "x")
        world.mirror()
        world.source().delete("x")
        fill(world.source(), "x/a")
        world.mirror(plugins=[observer])
        assert sorted((outcome.action.key, outcome.status) for outcome in observer.outcomes) == [
            ("x", "done"),
            ("x/a", "done"),
        ]

    def test_that_fail_end_nothing(self, memory_world):
        class Broken(Observer):
            @hookimpl
            def cloudsync_outcomes(self, run, outcomes):
                raise ZeroDivisionError

        fill(memory_world.source(), "a")
        assert memory_world.mirror(plugins=[Broken()]).status == "done"

    def test_cannot_change_the_report(self, memory_world):
        class Forger:
            @hookimpl
            def cloudsync_run_finished(self, run, report):
                report.counts.added = 99

        fill(memory_world.source(), "a")
        assert memory_world.mirror(plugins=[Forger()]).counts == Counts(added=1)

    @pytest.mark.parametrize("how", ["aborted", "refused", "dry"])
    def test_come_however_the_run_ends(self, state, observer, how):
        target = Watched(Lasting(MemoryPlace().open()))
        world = World(MemoryPlace().open, lambda: target, state, {"delete": True})
        fill(target.inner, "a")
        if how == "aborted":
            fill(world.source(), "b")
            target.faults["copy"] = [Fault(UnauthenticatedError("expired"))]
        report = world.mirror(plugins=[observer], dry_run=how == "dry")
        assert observer.order[0] == "started"
        assert observer.calls[-1] == ("finished", report)
        assert report.status == ("refused" if how == "dry" else how)

    def test_come_when_the_run_ends_by_an_error_that_nobody_expected(self, memory_world, observer, state):
        fill(memory_world.source(), "a")
        fill(memory_world.target(), "0-old")

        def broken(event):
            if type(event).__name__ == "ActionFinished":
                raise ZeroDivisionError("a secret")

        with pytest.raises(ZeroDivisionError):
            memory_world.mirror(plugins=[observer], listener=broken, delete=True)
        assert observer.order[-1] == "finished"
        report = observer.calls[-1][1]
        assert (report.status, report.counts.added, report.deletes_withheld) == ("aborted", 1, 1)
        assert report.message == "the run ended by an error that nobody expected: ZeroDivisionError"
        assert "0-old" in contents(memory_world.target())
        with State(state, read_only=True) as database:
            assert [run.status for run in database.runs()] == ["aborted"]


class TestIncludeObject:
    class Chooser:
        def __init__(self, answer):
            self.answer = answer
            self.asked = []
            self.threads = set()

        @hookimpl
        def cloudsync_include_object(self, run, entry):
            self.asked.append(entry.key)
            self.threads.add(threading.get_ident())
            return self.answer(entry)

    def test_leaves_objects_of_both_sides_out_as_if_excluded(self, memory_world):
        fill(memory_world.source(), "a", "b-secret")
        fill(memory_world.target(), "c-secret", "old")
        chooser = self.Chooser(lambda entry: not entry.key.endswith("secret"))
        report = memory_world.mirror(plugins=[chooser], delete=True)
        assert report.counts == Counts(added=1, deleted=1)
        assert set(contents(memory_world.target())) == {"a", "c-secret"}

    def test_is_asked_once_an_object_and_side_in_one_thread(self, memory_world):
        fill(memory_world.source(), "a", "b", "x.tmp")
        fill(memory_world.target(), "b", "c")
        chooser = self.Chooser(lambda _: None)
        memory_world.mirror(plugins=[chooser], exclude=["*.tmp"])
        assert sorted(chooser.asked) == ["a", "b", "b", "c"]
        assert len(chooser.threads) == 1

    def test_that_fails_aborts_the_run_before_any_delete(self, memory_world):
        fill(memory_world.source(), "a")
        fill(memory_world.target(), "old")

        def refuse(entry):
            raise ZeroDivisionError

        report = memory_world.mirror(plugins=[self.Chooser(refuse)], delete=True)
        assert (report.status, report.counts.deleted) == ("aborted", 0)
        assert isinstance(report.error, PluginError)
        assert "old" in contents(memory_world.target())


class TestReviewPlan:
    class Reviewer:
        def __init__(self, verdict=lambda plan: None):
            self.verdict = verdict
            self.seen = None

        @hookimpl
        def cloudsync_review_plan(self, run, plan):
            self.seen = [(action.kind, action.key) for action in plan]
            assert len(plan) == len(self.seen)
            self.verdict(plan)

    def test_sees_the_whole_plan_before_the_first_write(self, memory_world):
        fill(memory_world.source(), "a", "b")
        fill(memory_world.target(), "b", "old", data=b"other")
        target = memory_world.target()
        reviewer = self.Reviewer(lambda _: self.assert_untouched(target))
        report = memory_world.mirror(plugins=[reviewer], delete=True)
        assert reviewer.seen == [("add", "a"), ("update", "b"), ("delete", "old")]
        assert report.counts == Counts(added=1, updated=1, deleted=1)

    def assert_untouched(self, target):
        assert contents(target) == {"b": b"other", "old": b"other"}

    @pytest.mark.parametrize("error", [PlanRejectedError("not on a Friday"), ZeroDivisionError("a defect")])
    def test_a_veto_or_a_failure_refuses_the_run_with_nothing_written(self, memory_world, error):
        fill(memory_world.source(), "a")
        fill(memory_world.target(), "old")

        def refuse(plan):
            raise error

        report = memory_world.mirror(plugins=[self.Reviewer(refuse)], delete=True)
        assert (report.status, report.exit_code) == ("refused", 4)
        assert report.counts == Counts()
        assert report.deletes_withheld == 1
        assert set(contents(memory_world.target())) == {"old"}

    def test_is_asked_in_a_dry_run_too(self, memory_world):
        fill(memory_world.source(), "a")
        reviewer = self.Reviewer()
        memory_world.mirror(plugins=[reviewer], dry_run=True)
        assert reviewer.seen == [("add", "a")]
