"""Keys that may have changed are looked at once they are quiet, and are never forgotten before they were."""

import pytest

from cloudsync_core.engine.dirty import Dirty, Pace
from cloudsync_core.engine.state import State

PACE = Pace(quiet=1.0, longest=5.0)


@pytest.fixture
def base(tmp_path):
    with State(tmp_path / "state.db") as state:
        job = state.open_job("job", "source", "target")
        yield job
        job.close()


@pytest.fixture
def dirty(base):
    return Dirty(base, PACE)


def names(due):
    return list(due.part.names), list(due.part.folders)


class TestWhenItIsLookedAt:
    def test_a_key_is_due_when_nothing_was_heard_of_it_for_a_moment(self, dirty):
        dirty.add(["a"], now=100)
        assert (names(dirty.due(100.9)), dirty.wait(100.5)) == (([], []), 0.5)
        assert (names(dirty.due(101)), dirty.wait(101)) == ((["a"], []), 0)

    def test_what_is_heard_again_is_waited_for_again(self, dirty):
        dirty.add(["a"], now=100)
        dirty.add(["a"], now=100.9)
        assert names(dirty.due(101.5)) == ([], [])
        assert names(dirty.due(101.9)) == (["a"], [])

    def test_what_is_heard_of_all_the_time_is_looked_at_all_the_same(self, dirty):
        for tenths in range(60):
            dirty.add(["a"], now=100 + tenths / 10)
        assert names(dirty.due(104.9)) == ([], [])
        assert names(dirty.due(105)) == (["a"], [])

    def test_nothing_is_waited_for_where_nothing_is_dirty(self, dirty):
        assert dirty.wait(100) is None

    def test_folders_are_due_with_all_that_lies_in_them(self, dirty):
        dirty.add(["b/1", "c"], ["b/", "b/2/"], now=100)
        due = dirty.due(101)
        assert names(due) == (["c"], ["b"])
        dirty.settle(due, now=101)
        assert dirty.count() == (0, None)

    def test_names_are_exact(self, dirty):
        odd = ["nul\0here", " ", "é", "e\u0301", "a//b", "'", "%_"]
        dirty.add(odd, now=100)
        due = dirty.due(101)
        assert names(due) == (sorted(odd), [])
        dirty.settle(due, now=101)
        assert dirty.count() == (0, None)


class TestSettling:
    def test_what_was_looked_at_is_clean(self, dirty):
        dirty.add(["a", "b"], now=100)
        dirty.settle(dirty.due(101), now=101)
        assert dirty.count() == (0, None)

    def test_what_was_heard_of_meanwhile_is_dirty_again(self, dirty):
        dirty.add(["a", "b"], now=100)
        due = dirty.due(101)
        dirty.add(["a"], now=101)
        dirty.settle(due, now=101)
        assert names(dirty.due(102)) == (["a"], [])

    def test_what_could_not_be_done_is_put_off(self, dirty):
        dirty.add(["a", "b"], now=100)
        dirty.settle(dirty.due(101), now=101, put_off={"a": 130})
        assert (names(dirty.due(129)), dirty.wait(120)) == (([], []), 10)
        assert dirty.due(130).heard == {"a": 100}

    def test_a_whole_look_is_done_again_where_it_came_to_nothing(self, dirty):
        dirty.add(["a"], ["b"], now=100)
        dirty.again(dirty.due(101), until=130)
        assert names(dirty.due(129)) == ([], [])
        assert names(dirty.due(130)) == (["a"], ["b"])

    def test_what_is_heard_again_is_put_off_no_longer(self, dirty):
        dirty.add(["a"], now=100)
        dirty.settle(dirty.due(101), now=101, put_off={"a": 130})
        dirty.add(["a"], now=110)
        assert names(dirty.due(111)) == (["a"], [])

    def test_a_key_of_a_folder_is_put_off_by_itself(self, dirty):
        dirty.add([], ["b"], now=100)
        dirty.settle(dirty.due(101), now=101, put_off={"b/1": 130})
        assert names(dirty.due(129)) == ([], [])
        assert names(dirty.due(130)) == (["b/1"], [])

    def test_what_is_put_off_was_heard_of_when_it_was_looked_at(self, dirty):
        dirty.add([], ["b"], now=100)
        dirty.settle(dirty.due(101), now=101, put_off={"b/1": 130})
        assert dirty.due(130).heard == {"b/1": 101}

    def test_what_only_a_look_at_everything_has_met_can_be_put_off_too(self, dirty):
        dirty.put_off({"a": 130}, now=100)
        assert names(dirty.due(129)) == ([], [])
        assert names(dirty.due(130)) == (["a"], [])

    def test_a_look_at_everything_cleans_all_that_was_heard_of_before_it(self, dirty):
        dirty.add(["a"], ["b"], now=100)
        serial = dirty.serial
        dirty.add(["c"], now=100)
        dirty.settle_everything(serial)
        assert names(dirty.due(101)) == (["c"], [])


class TestAcknowledging:
    """Whoever sent a hint is told when its effect is durable, and not before."""

    def test_when_all_of_its_keys_are_settled(self, dirty):
        told = []
        dirty.add(["a", "b"], now=100, done=lambda: told.append(1))
        due = dirty.due(101)
        dirty.settle(due, now=101, put_off={"b": 110})
        assert told == []
        dirty.settle(dirty.due(110), now=110)
        assert told == [1]

    def test_in_the_order_of_the_hints(self, dirty):
        told = []
        for number, key in enumerate("ab"):
            dirty.add([key], now=100, done=lambda number=number: told.append(number))
        dirty.settle(dirty.due(101), now=101)
        assert told == [0, 1]

    def test_not_for_what_is_dirty_again(self, dirty):
        told = []
        dirty.add(["a"], now=100, done=lambda: told.append("first"))
        due = dirty.due(101)
        dirty.add(["a"], now=101, done=lambda: told.append("second"))
        dirty.settle(due, now=101)
        assert told == ["first"]
        dirty.settle(dirty.due(102), now=102)
        assert told == ["first", "second"]

    def test_when_everything_was_looked_at(self, dirty):
        told = []
        dirty.add(["a"], now=100, done=lambda: told.append(1))
        dirty.settle_everything(dirty.serial)
        assert told == [1]

    def test_at_once_where_there_is_nothing_to_look_at(self, dirty):
        told = []
        dirty.add([], now=100, done=lambda: told.append(1))
        assert told == [1]

    def test_after_what_was_heard_before_it(self, dirty):
        told = []
        dirty.add(["a"], now=100, done=lambda: told.append(1))
        dirty.add([], now=100, done=lambda: told.append(2))
        assert told == []
        dirty.settle(dirty.due(101), now=101)
        assert told == [1, 2]


def test_what_is_dirty_outlives_the_process(tmp_path):
    for expected in ([], ["a"]):
        with State(tmp_path / "state.db") as state:
            job = state.open_job("job", "source", "target")
            dirty = Dirty(job, PACE)
            assert list(dirty.due(200).part.names) == expected
            dirty.add(["a"], now=100)
            job.close()


def test_jobs_have_their_own(tmp_path):
    with State(tmp_path / "state.db") as state:
        one, other = (state.open_job(name, "source", "target") for name in ("one", "other"))
        Dirty(one, PACE).add(["a"], now=100)
        assert Dirty(other, PACE).count() == (0, None)
        one.close()
        other.close()


def test_a_part_is_bounded(dirty, monkeypatch):
    monkeypatch.setattr("cloudsync_core.engine.dirty.LOOKED_AT_ONCE", 2)
    dirty.add(["a", "b", "c"], now=100)
    due = dirty.due(101)
    assert names(due) == (["a", "b"], [])
    dirty.settle(due, now=101)
    assert names(dirty.due(101)) == (["c"], [])
