"""Two jobs between the same two places, one each way: what is still the other's to carry is left alone."""

import pytest

from cloudsync_core.engine.diff import BaseRow
from cloudsync_core.engine.opposite import Opposite
from cloudsync_core.engine.state import State
from cloudsync_core.runs import Action
from tests.engine.objects import entry

HERE, THERE = "file /here/", "s3 there/"
BOTH = {"push": True, "pull": True}


@pytest.fixture
def state():
    with State(None) as database:
        yield database


@pytest.fixture
def pull(state):
    """The job from there to here; the other, `push`, has run before."""
    state.open_job("push", HERE, THERE).close()
    job = state.open_job("pull", THERE, HERE)
    yield job
    job.close()


@pytest.fixture
def push_knows(state):
    def record(**rows):
        job = state.open_job("push", HERE, THERE)
        for key, (here, there) in rows.items():
            job.record(key, BaseRow(here, there, None))
        job.close()

    return record


def action(key, *, there=None, here=None):
    """What `pull` would do about an object with these fingerprints there and here."""
    source = None if there is None else entry(key, fingerprint=there)
    target = None if here is None else entry(key, fingerprint=here)
    kind = "delete" if source is None else "add" if target is None else "update"
    return Action(kind, key, "test", source, target)


def claims(pull, planned, running=None):
    return Opposite(pull, THERE, HERE, BOTH if running is None else running).claims(planned)


class TestAnEdit:
    def test_there_is_pulled_over_what_push_has_left(self, pull, push_knows):
        push_knows(key=("here-1", "there-1"))
        assert claims(pull, action("key", there="there-2", here="here-1")) is None

    def test_there_is_pulled_over_what_pull_has_left(self, pull):
        pull.record("key", BaseRow("there-1", "here-1", None))
        pull.save()
        assert claims(pull, action("key", there="there-2", here="here-1")) is None

    def test_here_that_is_not_pushed_yet_is_left_to_push(self, pull, push_knows):
        push_knows(key=("here-1", "there-1"))
        assert claims(pull, action("key", there="there-1", here="here-2")) == "theirs"

    def test_on_both_sides_is_a_conflict(self, pull, push_knows):
        push_knows(key=("here-1", "there-1"))
        assert claims(pull, action("key", there="there-2", here="here-2")) == "conflict"

    def test_of_which_nothing_is_known_is_a_conflict(self, pull):
        assert claims(pull, action("key", there="there-1", here="here-1")) == "conflict"

    def test_of_a_file_that_cannot_tell_is_never_overwritten(self, pull, push_knows):
        push_knows(key=("", "there-1"))
        assert claims(pull, action("key", there="there-2", here="")) == "conflict"


class TestADelete:
    def test_there_is_carried_over_to_what_push_has_left(self, pull, push_knows):
        push_knows(key=("here-1", "there-1"))
        assert claims(pull, action("key", here="here-1")) is None

    def test_does_not_touch_a_new_file_here(self, pull):
        assert claims(pull, action("key", here="here-1")) == "theirs"

    def test_does_not_touch_a_file_that_was_edited_here(self, pull, push_knows):
        push_knows(key=("here-1", "there-1"))
        assert claims(pull, action("key", here="here-2")) == "theirs"

    def test_here_is_not_undone(self, pull, push_knows):
        push_knows(key=("here-1", "there-1"))
        assert claims(pull, action("key", there="there-1")) == "theirs"

    def test_here_is_undone_where_push_never_deletes(self, pull, push_knows):
        push_knows(key=("here-1", "there-1"))
        assert claims(pull, action("key", there="there-1"), {"push": False}) is None

    def test_here_gives_way_to_an_edit_there(self, pull, push_knows):
        push_knows(key=("here-1", "there-1"))
        assert claims(pull, action("key", there="there-2")) is None


class TestWhoIsOpposite:
    def test_what_is_new_there_is_pulled(self, pull):
        assert claims(pull, action("key", there="there-1")) is None

    def test_only_a_job_that_runs_all_the_time(self, pull):
        assert not Opposite(pull, THERE, HERE, {})
        assert Opposite(pull, THERE, HERE, BOTH)

    def test_not_a_job_between_other_places(self, state, pull):
        state.open_job("other", HERE, "s3 elsewhere/").close()
        assert not Opposite(pull, THERE, HERE, {"other": True})

    def test_not_the_job_itself(self, pull):
        assert not Opposite(pull, THERE, HERE, {"pull": True})

    def test_one_that_has_never_run_may_be(self, pull):
        assert claims(pull, action("new", here="here-1"), {"starting": True}) == "theirs"
