"""A job that watches: the target follows what is heard of, at the cost of that, and nothing is deleted on a doubt."""

import contextlib
import queue
import sqlite3
import threading
import time

import pytest

from cloudsync_core.config.model import WatchJob
from cloudsync_core.engine.events import KeyLeftOut
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.opposite import CONFLICT
from cloudsync_core.engine.state import State
from cloudsync_core.engine.vigil import resume, vigils
from cloudsync_core.errors import ContainerNotFoundError, UnauthenticatedError, UnavailableError
from cloudsync_core.event_source import EventSource, Hints
from cloudsync_core.layers.layer import Layer
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.watching import watch
from tests.engine.stores import content, contents, store
from tests.workflows.world import PLAIN, FilePlace, MemoryPlace, no_plugins

QUICK = {"settle": 0.02, "grace": 0.1, "longest": 1.0, "reconcile": 3600.0, "delete": True}


def until(condition, seconds=8):
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


class Told(EventSource):
    """Tells what a test says."""

    def __init__(self):
        self.hints = queue.Queue()
        self.closed = threading.Event()

    def wait(self, timeout):
        with contextlib.suppress(queue.Empty):
            return self.hints.get(timeout=min(timeout, 0.05))
        return None

    def close(self):
        self.closed.set()


class Asked(Layer):
    """Counts what is asked, and fails while a test wants it to."""

    def __init__(self, inner):
        super().__init__(inner)
        self.counts = {"list": 0, "stat": 0, "put": 0, "delete": 0}
        self.trouble = None

    def _ask(self, what):
        self.counts[what] += 1
        if self.trouble is not None:
            raise self.trouble

    def list(self, prefix="", *, start_after=None, prune=None):
        self._ask("list")
        return self.inner.list(prefix, start_after=start_after, prune=prune)

    def stat(self, key):
        self._ask("stat")
        return self.inner.stat(key)

    def put(self, key, body, **options):
        self._ask("put")
        return self.inner.put(key, body, **options)

    def delete(self, key, *, if_match=None):
        self._ask("delete")
        return self.inner.delete(key, if_match=if_match)

    def delete_many(self, items):
        self.counts["delete"] += len(items)
        return self.inner.delete_many(items)

    def close(self):
        pass


class Job:
    """A job that watches in a thread of its own.

    Attributes:
        source: the side that is read; likewise `target`.
        told: its source of events.
    """

    def __init__(self, source, target, state, *, name="job", opposites=None, **rules):
        self.source, self.target = Asked(source), Asked(target)
        self.state = state
        self.name = name
        self.told = Told()
        self.stop = Stop()
        self.events = []
        self.rules = {"source": "memory://source", "target": "memory://target", **PLAIN, **QUICK, **rules}
        self.opposites = opposites or {}
        self.report = None
        self.error = None
        self._thread = threading.Thread(target=self._run)

    def _run(self, *, once=False):
        try:
            with State(self.state) as state:
                job = WatchJob(**self.rules)
                context = Context(
                    plugins=no_plugins(),
                    open=lambda side, _: self.source if side == "source" else self.target,
                    open_events=lambda backend, prune: self.told,
                    opposites=self.opposites,
                    state=state,
                    stop=self.stop,
                    once=once,
                    listener=self.events.append,
                )
                self.report = watch(self.name, job, context)
        except Exception as error:  # noqa: BLE001 - raised in the thread of the test
            self.error = error

    def once(self):
        self._run(once=True)
        if self.error is not None:
            raise self.error
        return self.report

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.stop.set()
        self._thread.join()
        if self.error is not None:
            raise self.error
        return self.report

    def hint(self, *keys, **rest):
        done = threading.Event()
        self.told.hints.put(Hints(keys=keys, done=done.set, **rest))
        return done

    @property
    def status(self):
        with State(self.state, read_only=True) as state:
            return dict(vigils(state)).get(self.name)

    def is_equal(self):
        return contents(self.source.inner) == contents(self.target.inner)

    def settles(self):
        """Wait until both sides are equal."""
        until(self.is_equal)


@pytest.fixture
def world(tmp_path):
    """Make a job between two places, which hold the same three objects when it has begun."""
    source, target = MemoryPlace().open(), MemoryPlace().open()
    for name in ("a", "b", "c/1"):
        store(source, name, name.encode())

    def make(**rules):
        return Job(source, target, tmp_path / "state.db", **rules)

    return make


@contextlib.contextmanager
def running(job):
    with job:
        job.settles()
        until(lambda: job.status is not None and job.status.reconciled is not None)
        yield job


class TestFollowing:
    def test_everything_is_made_equal_at_the_start(self, world):
        with running(world()) as job:
            assert contents(job.target.inner) == {"a": b"a", "b": b"b", "c/1": b"c/1"}

    def test_what_is_heard_of_is_looked_at_and_nothing_else(self, world):
        with running(world()) as job:
            lists, stats = job.source.counts["list"], job.source.counts["stat"]
            store(job.source.inner, "a", b"new")
            store(job.source.inner, "d", b"unheard of")
            assert job.hint("a").wait(5)
            assert contents(job.target.inner) == {"a": b"new", "b": b"b", "c/1": b"c/1"}
            assert (job.source.counts["list"] - lists, job.source.counts["stat"] - stats) == (0, 1)

    def test_a_hint_is_no_instruction(self, world):
        with running(world()) as job:
            writes = job.target.counts["put"] + job.target.counts["delete"]
            assert job.hint("a", "gone", "c/1").wait(5)
            assert job.target.counts["put"] + job.target.counts["delete"] == writes
            assert job.is_equal()

    def test_a_folder_is_looked_at_with_all_that_lies_in_it(self, world):
        with running(world()) as job:
            store(job.source.inner, "c/2", b"2")
            store(job.source.inner, "c/d/3", b"3")
            job.hint(folders=("c/",))
            job.settles()

    def test_a_doubt_is_a_look_at_everything(self, world):
        with running(world()) as job:
            store(job.source.inner, "d", b"d")
            assert job.hint(everything="a queue overflowed").wait(5)
            assert job.is_equal()

    def test_everything_is_looked_at_from_time_to_time(self, world):
        with running(world(reconcile=0.2)) as job:
            store(job.source.inner, "d", b"d")
            job.settles()

    def test_excluded_keys_are_not_looked_at(self, world):
        with running(world(exclude=["*.tmp"])) as job:
            stats = job.source.counts["stat"]
            store(job.source.inner, "x.tmp", b"x")
            assert job.hint("x.tmp").wait(5)
            assert job.source.counts["stat"] == stats

    def test_hints_are_acknowledged_when_their_effect_is_there(self, world):
        with running(world()) as job:
            job.target.trouble = UnavailableError("no answer")
            store(job.source.inner, "a", b"new")
            done = job.hint("a")
            until(lambda: job.target.counts["stat"])
            assert not done.is_set()
            job.target.trouble = None
            assert done.wait(10)
            assert content(job.target.inner, "a") == b"new"

    def test_the_report_says_what_was_done_in_all(self, world):
        with running(world()) as job:
            store(job.source.inner, "a", b"new")
            job.hint("a").wait(5)
            job.source.inner.delete("b")
            job.hint("b")
            job.settles()
        assert (job.report.status, job.report.run.workflow) == ("done", "watch")
        counts = job.report.counts
        assert (counts.added, counts.updated, counts.deleted, counts.failed) == (3, 1, 1, 0)

    def test_once_catches_up_and_ends(self, world):
        job = world()
        assert job.once().counts.added == 3
        assert job.told.closed.is_set()
        assert job.is_equal()


class TestDeletes:
    def test_what_is_gone_is_deleted_after_a_while(self, world):
        with running(world()) as job:
            job.source.inner.delete("a")
            job.hint("a")
            job.settles()

    def test_what_comes_back_within_the_while_is_never_deleted(self, world):
        with running(world(grace=0.5)) as job:
            job.source.inner.delete("a")
            job.hint("a")
            until(lambda: job.target.counts["stat"])
            store(job.source.inner, "a", b"saved anew")
            job.hint("a")
            job.settles()
            assert job.target.counts["delete"] == 0

    def test_what_is_back_although_nobody_said_so_is_not_deleted(self, world):
        with running(world(grace=0.3)) as job:
            job.source.inner.delete("a")
            job.hint("a")
            store(job.source.inner, "a", b"back")
            job.settles()
            assert job.target.counts["delete"] == 0

    def test_what_a_look_at_everything_misses_for_a_moment_is_not_deleted(self, world):
        with running(world(grace=0.5)) as job:
            stats, lists = job.source.counts["stat"], job.target.counts["list"]
            job.source.inner.delete("a")
            done = job.hint(everything="a test")
            until(lambda: job.target.counts["list"] > lists)
            store(job.source.inner, "a", b"back")
            assert done.wait(5)
            job.settles()
            assert job.source.counts["stat"] > stats
            assert job.target.counts["delete"] == 0

    @pytest.mark.parametrize("of", [{"keys": ("c/1",)}, {"folders": ("c/",)}], ids=str)
    def test_what_is_heard_of_while_it_is_missed_waits_from_then_on(self, world, of):
        with running(world(grace=0.6)) as job:
            lists = job.target.counts["list"]
            job.source.inner.delete("c/1")
            job.hint(everything="a test")
            until(lambda: job.target.counts["list"] > lists)
            time.sleep(0.3)
            job.told.hints.put(Hints(**of))
            heard = time.monotonic()
            job.settles()
            assert time.monotonic() - heard >= 0.6

    def test_a_doubt_in_the_middle_of_a_look_holds_no_delete_back(self, world):
        with running(world(grace=0.4)) as job:
            lists = job.target.counts["list"]
            job.source.inner.delete("a")
            job.hint(everything="a test")
            until(lambda: job.target.counts["list"] > lists)
            assert job.hint(everything="another").wait(5)
            assert job.is_equal()
        assert job.report.counts.failed == 0

    def test_what_a_look_at_everything_misses_is_deleted_after_a_while(self, world):
        with running(world(grace=0.3)) as job:
            job.source.inner.delete("a")
            begun = time.monotonic()
            assert job.hint(everything="a test").wait(5)
            assert time.monotonic() - begun >= 0.3
            assert job.is_equal()

    def test_a_job_that_waits_to_delete_ends_at_once_when_it_is_told_to(self, world):
        with running(world(grace=60)) as job:
            lists = job.target.counts["list"]
            job.source.inner.delete("a")
            job.hint(everything="a test")
            until(lambda: job.target.counts["list"] > lists)
            begun = time.monotonic()
        assert time.monotonic() - begun < 10
        assert job.target.counts["delete"] == 0

    def test_none_without_the_rule(self, world):
        with running(world(delete=False)) as job:
            job.source.inner.delete("a")
            assert job.hint("a").wait(5)
            assert content(job.target.inner, "a") == b"a"

    def test_those_that_a_failure_has_held_back_are_done_soon(self, world):
        with running(world(server_copy=False, settle=0.3, grace=0.1)) as job:
            original, failures = job.target.put, [UnavailableError("not now")] * 2

            def put(key, body, **options):
                if failures:
                    raise failures.pop()
                return original(key, body, **options)

            job.target.put = put
            store(job.source.inner, "a", b"new")
            job.source.inner.delete("b")
            job.hint("a", "b")
            job.settles()
            assert not failures


class TestStandingStill:
    def test_a_source_that_is_empty_all_of_a_sudden_deletes_nothing(self, world):
        with running(world()) as job:
            for name in ("a", "b", "c/1"):
                job.source.inner.delete(name)
            job.hint("a", "b", "c/1")
            until(lambda: job.status.halted)
            assert "is empty" in job.status.halted
            assert len(contents(job.target.inner)) == 3

    def test_deletes_of_many_small_looks_are_counted_together(self, world):
        with running(world(max_delete=1)) as job:
            job.source.inner.delete("a")
            job.hint("a")
            job.settles()
            job.source.inner.delete("b")
            job.hint("b")
            until(lambda: job.status.halted)
            assert "more than max_delete (1)" in job.status.halted
            assert sorted(contents(job.target.inner)) == ["b", "c/1"]

    def test_a_job_stands_still_until_somebody_resumes_it(self, world):
        job = world(max_delete=1)
        with running(job):
            job.source.inner.delete("a")
            job.source.inner.delete("b")
            job.hint("a", "b")
            until(lambda: job.status.halted)
        again = world(max_delete=1)
        again.rules["reconcile"] = 0.2
        with again:
            until(lambda: again.status.started > job.status.reconciled)
            assert again.target.counts["list"] == 0
            with State(again.state) as state:
                assert resume(state, "job")
            again.settles()
            until(lambda: not again.status.permitted)
            assert again.status.halted is None

    def test_resuming_one_that_does_not_stand_still_changes_nothing(self, world):
        with running(world()) as job, State(job.state) as state:
            assert not resume(state, "job")
            assert not resume(state, "another")

    def test_a_source_that_was_empty_only_when_it_was_listed_is_none(self, tmp_path):
        """The job that goes the other way has filled it since, and is known to have."""
        here, there, state = FilePlace(tmp_path / "here"), MemoryPlace(), tmp_path / "state.db"
        store(here.open(), "new", b"new")
        time.sleep(0.03)  # a file that was just written cannot be told from one that is written again
        pull = Job(there.open(), here.open(), state, name="pull", opposites={"push": True}, max_delete="100%")
        push = Job(here.open(), there.open(), state, name="push", opposites={"pull": True}, max_delete="100%")
        listing = pull.source.list

        def listed_before(prefix="", **rest):
            pages = list(listing(prefix, **rest))
            if push.report is None:
                push.once()
            return iter(pages)

        pull.source.list = listed_before
        with pull:
            until(lambda: pull.status is not None and (pull.status.reconciled or pull.status.halted))
            assert pull.status.halted is None
        assert contents(here.open()) == {"new": b"new"}


class TestTrouble:
    def test_passes_and_nothing_is_forgotten(self, world):
        with running(world()) as job:
            job.source.trouble = UnavailableError("no answer")
            store(job.source.inner, "a", b"new")
            job.hint("a")
            until(lambda: job.source.counts["stat"])
            job.source.trouble = None
            until(job.is_equal, 30)

    def test_at_the_start_is_waited_for(self, world):
        job = world()
        job.source.trouble = UnavailableError("no answer")
        with job:
            until(lambda: job.status is not None and job.status.error is not None)
            assert "no answer" in job.status.error
            job.source.trouble = None
            job.settles()

    @pytest.mark.parametrize("trouble", [ContainerNotFoundError("no bucket"), UnauthenticatedError("who are you")])
    def test_that_does_not_pass_ends_a_job_that_has_only_begun(self, world, trouble):
        job = world()
        job.source.trouble = trouble
        report = job.once()
        assert (report.status, report.exit_code) == ("aborted", 4)

    def test_of_the_kind_that_does_not_pass_is_waited_for_later_on(self, world):
        with running(world(reconcile=0.1)) as job:
            job.source.trouble = UnauthenticatedError("the token has expired")
            until(lambda: job.status.error is not None)
            store(job.source.inner, "d", b"d")
            job.source.trouble = None
            until(job.is_equal, 30)

    def test_an_object_that_cannot_be_read_is_tried_again_and_holds_up_no_other(self, world):
        with running(world()) as job:
            store(job.source.inner, "a", b"new")
            job.target.trouble = None
            original, failing = job.target.put, threading.Event()
            failing.set()

            def put(key, body, **options):
                if key == "a" and failing.is_set():
                    raise UnavailableError("not now")
                return original(key, body, **options)

            job.target.put = put
            store(job.source.inner, "b", b"newer")
            job.hint("a", "b")
            until(lambda: content(job.target.inner, "b") == b"newer")
            failing.clear()
            job.settles()


class TestRenames:
    """What is only renamed is copied where it is, and not sent again."""

    LARGE = bytes(range(256)) * 1024

    @pytest.fixture
    def job(self, tmp_path):
        source = FilePlace(tmp_path / "here").open()
        store(source, "old", self.LARGE)
        store(source, "other", b"other")
        with running(Job(source, MemoryPlace().open(), tmp_path / "state.db")) as job:
            job.here = tmp_path / "here"
            yield job

    def test_a_file_under_another_name_is_copied_by_the_store(self, job):
        puts = job.target.counts["put"]
        (job.here / "old").rename(job.here / "a new name")
        job.hint("old", "a new name")
        job.settles()
        assert (job.target.counts["put"] - puts, job.report) == (0, None)

    def test_so_is_a_folder_that_was_moved(self, job):
        (job.here / "folder").mkdir()
        for number in range(3):
            store(job.source.inner, f"folder/{number}", self.LARGE + bytes([number]))
        job.hint(folders=("folder/",))
        job.settles()
        puts = job.target.counts["put"]
        (job.here / "folder").rename(job.here / "moved")
        job.hint(folders=("folder/", "moved/"))
        job.settles()
        assert job.target.counts["put"] == puts

    def test_one_that_was_changed_too_is_sent(self, job):
        puts = job.target.counts["put"]
        (job.here / "old").rename(job.here / "new")
        store(job.source.inner, "new", self.LARGE[::-1])
        job.hint("old", "new")
        job.settles()
        assert job.target.counts["put"] - puts == 1

    def test_so_is_one_whose_image_somebody_has_replaced(self, job):
        puts = job.target.counts["put"]
        store(job.target.inner, "old", self.LARGE[::-1])
        (job.here / "old").rename(job.here / "new")
        job.hint("old", "new")
        until(lambda: contents(job.target.inner).get("new") == self.LARGE)
        assert job.target.counts["put"] - puts == 1

    def test_a_copy_of_a_file_that_stays_is_sent(self, job):
        puts = job.target.counts["put"]
        store(job.source.inner, "copy", self.LARGE)
        job.hint("old", "copy")
        job.settles()
        assert job.target.counts["put"] - puts == 1


def _knows(job, key):
    """Tell whether others can read of a job that the source's object of a key is on the target."""
    with contextlib.closing(sqlite3.connect(job.state)) as connection:
        query = "SELECT base.source FROM base JOIN job ON base.job = job.id WHERE name = ? AND key = ?"
        return connection.execute(query, (job.name, key)).fetchone() == (job.source.inner.stat(key).fingerprint,)


class TestTwoWays:
    """A directory that is pushed into a place and pulled from it by two jobs that run all the time."""

    @pytest.fixture
    def pair(self, tmp_path):
        here, there = FilePlace(tmp_path / "here"), MemoryPlace()
        state = tmp_path / "state.db"
        push = Job(here.open(), there.open(), state, name="push", opposites={"pull": True}, max_delete="100%")
        pull = Job(there.open(), here.open(), state, name="pull", opposites={"push": True}, max_delete="100%")
        with push, pull:
            until(lambda: all(job.status is not None and job.status.reconciled for job in (push, pull)))
            yield push, pull

    def test_what_one_writes_is_no_change_to_the_other(self, pair):
        push, pull = pair
        (push_source, puts) = push.source.inner, pull.target.counts["put"]
        store(push_source, "new", b"new")
        push.hint("new")
        push.settles()
        pull.hint("new").wait(5)
        push.hint("new").wait(5)
        assert (push.target.counts["put"], pull.target.counts["put"] - puts) == (1, 0)

    def test_a_new_file_here_outlives_a_look_at_everything_there(self, pair):
        push, pull = pair
        store(push.source.inner, "other", b"other")
        push.hint("other")
        push.settles()
        store(push.source.inner, "new", b"new")
        assert pull.hint(everything="a test").wait(5)
        assert content(push.source.inner, "new") == b"new"

    def test_what_was_deleted_here_does_not_come_back(self, pair):
        push, pull = pair
        for name in ("old", "other"):
            store(push.source.inner, name, b"old")
        push.hint("old", "other")
        push.settles()
        push.source.inner.delete("old")
        assert pull.hint(everything="a test").wait(5)
        assert sorted(contents(push.source.inner)) == ["other"]
        push.hint("old")
        push.settles()
        assert sorted(contents(push.target.inner)) == ["other"]

    def test_what_was_only_just_fetched_does_not_go_back(self, pair):
        push, pull = pair
        original, blocked, puts = pull.target.put, threading.Event(), push.target.counts["put"]

        def put(key, body, **options):
            assert key != "slow" or blocked.wait(10)
            return original(key, body, **options)

        pull.target.put = put
        for name in ("new", "slow", "kept"):
            store(pull.source.inner, name, name.encode())
        pull.hint("new", "slow", "kept")
        until(lambda: b"new" in contents(push.source.inner).values() and _knows(pull, "new"))
        # While one look still fetches, what it has fetched is gone again there, and heard of here.
        pull.source.inner.delete("new")
        stats = push.target.counts["stat"]
        push.hint("new")
        until(lambda: push.target.counts["stat"] > stats)
        blocked.set()
        pull.hint("new")
        pull.settles()
        assert sorted(contents(push.source.inner)) == ["kept", "slow"]
        assert push.target.counts["put"] == puts

    def test_what_is_fetched_while_it_is_looked_at_does_not_go_back(self, pair):
        push, pull = pair
        for name in ("text", "kept"):
            store(pull.source.inner, name, b"first")
        pull.hint("text", "kept")
        push.settles()
        original, looked, fetched = push.target.stat, threading.Event(), threading.Event()

        def stat(key):
            # The source was looked at by then: both are asked for at the same time, and this one waits.
            if key == "text":
                time.sleep(0.1)
                looked.set()
                assert fetched.wait(10)
            return original(key)

        puts, push.target.stat = push.target.counts["put"], stat
        push.hint("text")
        assert looked.wait(5)
        store(pull.source.inner, "text", b"second")
        pull.hint("text")
        until(lambda: content(push.source.inner, "text") == b"second" and _knows(pull, "text"))
        fetched.set()
        assert push.hint("kept").wait(5)
        push.settles()
        assert push.target.counts["put"] == puts

    def test_edits_of_both_sides_are_both_kept(self, pair):
        push, pull = pair
        store(push.source.inner, "text", b"first")
        push.hint("text")
        push.settles()
        time.sleep(0.03)  # a file that was just written cannot be told from one that is written again
        pull.hint(everything="a test").wait(5)
        store(push.source.inner, "text", b"mine")
        store(push.target.inner, "text", b"theirs")
        push.hint("text")
        pull.hint("text")
        for job in (push, pull):
            until(lambda job=job: KeyLeftOut("unknown", "text", CONFLICT) in job.events)
        assert (content(push.source.inner, "text"), content(push.target.inner, "text")) == (b"mine", b"theirs")
