"""One run at a time writes to a target: the lease is taken, kept, respected, taken over, lost, and given back (F06)."""

import dataclasses
import threading
import time
import uuid

import pytest

from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
from cloudsync_core.body import Body
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.holder import Holder
from cloudsync_core.engine.lease import KEY, Lease, Pace
from cloudsync_core.errors import (
    AccessDeniedError,
    CancelledError,
    LeaseHeldError,
    LeaseLostError,
    RunError,
    UnavailableError,
)
from cloudsync_core.layers.layer import Layer
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.location import Location
from cloudsync_core.runs import RunInfo
from tests.engine.transfers import DOWN, LOST
from tests.unit.layers.scripted import Scripted

FAST = Pace(renewed=0.05, stale=0.4, look=0.02, settle=0.05)


def run_of(name="one"):
    return RunInfo(f"{name}-{uuid.uuid4()}", name, "mirror", "source", "target", dry_run=False, started=0.0)


@pytest.fixture(params=["memory", "file"])
def target(request, tmp_path):
    """A store that can replace one version of an object, and one that cannot."""
    if request.param == "file":
        return FileBackend(Location.parse(str(tmp_path)), FileOptions(fsync=False))
    return MemoryBackend(Location.parse(f"memory://{uuid.uuid4()}"), MemoryOptions())


def lease(target, run=None, *, wait=0, stop=None, pace=FAST, **how):
    return Lease(target, run or run_of(), wait=wait, stop=stop or threading.Event(), pace=pace, **how)


def write(target, holder, renewals=0):
    target.put(KEY, Body(holder.written(renewals)))


def exists(target):
    return KEY in [key for page in target.list() for key in page.keys]


def other(**changed):
    """Return a holder on another machine."""
    return dataclasses.replace(Holder.of(run_of("other")), host="elsewhere", machine="elsewhere/1/2", **changed)


@pytest.mark.parametrize("fault", [DOWN, LOST])
def test_F01_a_write_that_fails_in_passing_is_made_again(target, fault):
    failing = Scripted(target)
    failing.faults["put"] = [fault]
    with lease(failing, retry=RetryPolicy(attempts=2, first_wait=0)) as held:
        held.hold()
        assert exists(target)
    assert not exists(target)


def test_no_run_mirrors_it():
    assert not Filter().wants(KEY)
    assert not Filter(include=["*"]).admits(KEY)


def test_it_is_there_while_it_is_held_and_gone_afterwards(target):
    with lease(target) as held:
        assert not exists(target)
        held.hold()
        held.hold()
        assert exists(target)
    assert not exists(target)


def test_a_run_that_writes_nothing_leaves_no_trace(target):
    with lease(target):
        pass
    assert not exists(target)


def test_without_one_nothing_is_written(target):
    with lease(target, wanted=False) as held:
        held.hold()
        assert not exists(target)


def test_a_second_run_is_refused_and_told_who_is_first(target):
    first = run_of("first")
    with lease(target, first) as held:
        held.hold()
        with (
            lease(target) as second,
            pytest.raises(LeaseHeldError, match=rf"{first.id} of job 'first'.*changed nothing"),
        ):
            second.hold()
        held.hold()
    assert not exists(target)


def test_a_second_run_that_waits_goes_on_when_the_first_has_ended(target):
    first = lease(target)
    first.hold()
    ending = threading.Timer(0.15, first.__exit__)
    ending.start()
    with lease(target, wait=20) as second:
        second.hold()
        assert exists(target)
    ending.join()
    assert not exists(target)


def test_a_wait_ends_with_the_run(target):
    stop = threading.Event()
    with lease(target) as first:
        first.hold()
        threading.Timer(0.1, stop.set).start()
        with lease(target, wait=60, stop=stop) as second, pytest.raises(CancelledError):
            second.hold()


def test_a_lease_that_is_renewed_is_never_taken_over(target):
    with lease(target) as first:
        first.hold()
        began = time.monotonic()
        with lease(target, wait=2.5 * FAST.stale) as second, pytest.raises(LeaseHeldError, match=r"waited"):
            second.hold()
        assert time.monotonic() - began >= 2 * FAST.stale
        first.check()


def test_F07_a_lease_that_nobody_renews_is_taken_over(target):
    write(target, other())
    with lease(target, wait=20) as held:
        held.hold()
        assert Holder.read(target.read(KEY, 10_000).read()).host != "elsewhere"
    assert not exists(target)


def test_one_whose_holder_cannot_be_read_is_respected_until_it_is_stale(target):
    target.put(KEY, Body(b'{"format": 2}'))
    with lease(target) as held, pytest.raises(LeaseHeldError, match="this version cannot read"):
        held.hold()
    with lease(target, wait=20) as held:
        held.hold()


def test_one_that_was_written_long_ago_is_watched_without_being_asked_to(target):
    write(target, other())
    with lease(target, pace=dataclasses.replace(FAST, suspect=-1e9)) as held:
        held.hold()
    assert not exists(target)


def test_one_of_a_process_of_this_machine_that_is_gone_is_taken_over_at_once(target):
    write(target, dataclasses.replace(Holder.of(run_of("dead")), started="1"))
    with lease(target, pace=dataclasses.replace(FAST, stale=1e9)) as held:
        held.hold()
    assert not exists(target)


def test_of_many_that_take_over_at_once_one_holds_it(target):
    write(target, dataclasses.replace(Holder.of(run_of("dead")), started="1"))
    leases = [lease(target, pace=dataclasses.replace(FAST, stale=1e9)) for _ in range(8)]
    together = threading.Barrier(len(leases))
    won = []

    def take(one):
        together.wait(10)
        try:
            one.hold()
        except LeaseHeldError:
            return
        won.append(one)

    threads = [threading.Thread(target=take, args=(one,)) for one in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    won[0].check()
    for one in leases:
        one.__exit__()
    assert not exists(target)


def test_a_holder_that_lost_it_stops_and_leaves_the_others_alone(target):
    stop = threading.Event()
    with lease(target, stop=stop) as held:
        held.hold()
        target.delete(KEY)
        write(target, other())
        assert stop.wait(10)
        with pytest.raises(LeaseLostError, match="another run has taken it over"):
            held.hold()
    assert exists(target)


class _Failing(Layer):
    """Fails what it is told to, after it was done or before."""

    def __init__(self, inner):
        super().__init__(inner)
        self.fail = None
        self.written = 0

    def put(self, key, body, **how):
        if self.fail == "before":
            raise UnavailableError("down", operation="put", location=self.location, key=key)
        if self.fail == "denied":
            raise AccessDeniedError("denied", operation="put", location=self.location, key=key)
        written = self.inner.put(key, body, **how)
        self.written += 1
        if self.fail == "after":
            self.fail = None
            # The layer that retries has tried again, and met what it had written itself.
            return self.inner.put(key, Body(b"other"), **how)
        return written


def test_a_holder_that_cannot_renew_it_stops_before_others_take_it_over(target):
    failing = _Failing(target)
    stop = threading.Event()
    with lease(failing, stop=stop) as held:
        held.hold()
        began = time.monotonic()
        failing.fail = "before"
        assert stop.wait(10)
        assert time.monotonic() - began < FAST.stale
        with pytest.raises(LeaseLostError, match="could not be renewed"):
            held.check()


def test_F01_an_answer_that_was_lost_takes_nothing(target):
    failing = _Failing(target)
    with lease(failing) as held:
        failing.fail = "after"
        held.hold()
        renewed = failing.written + 3
        while failing.written < renewed:
            time.sleep(0.01)
        held.check()
    assert not exists(target)


def test_a_place_where_it_cannot_be_written_is_an_error_that_names_the_way_out(target):
    failing = _Failing(target)
    failing.fail = "denied"
    with lease(failing) as held, pytest.raises(RunError, match=r"cannot be taken: .*denied(?s:.*)--no-lease"):
        held.hold()


class _Unconditional(Layer):
    @property
    def capabilities(self):
        return dataclasses.replace(self.inner.capabilities, put_if_absent=False)


def test_a_store_without_conditions_has_none(target):
    with lease(_Unconditional(target)) as held:
        held.hold()
        assert not exists(target)


class TestHolder:
    def test_it_is_read_as_it_was_written(self):
        holder = Holder.of(run_of())
        assert Holder.read(holder.written(3)) == holder
        assert holder.written(3) != holder.written(4)

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b"7", b"null", b'{"format": 1}', b'{"format": 99}', b"\xff", b"[" * 100_000]
    )
    def test_what_is_none_is_none(self, content):
        assert Holder.read(content) is None

    def test_this_process_is_not_gone(self):
        assert not Holder.of(run_of()).is_gone()

    def test_a_number_that_another_process_has_now_is_gone(self):
        assert dataclasses.replace(Holder.of(run_of()), started="1").is_gone()

    def test_of_another_machine_nobody_knows(self):
        assert not dataclasses.replace(Holder.of(run_of()), machine="elsewhere", started="1").is_gone()

    def test_it_cannot_forge_output(self):
        assert "\x1b" not in str(dataclasses.replace(Holder.of(run_of()), host="\x1b[2J"))
