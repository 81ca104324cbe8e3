"""Pointers: one of two publishers moves them, and nobody moves them by mistake."""

import json
import threading

import pytest

from cloudsync_core.errors import (
    ConfigError,
    IntegrityError,
    ManifestError,
    ReleaseConflictError,
    UnavailableError,
    UnsupportedFormatError,
)
from cloudsync_core.layers.layer import Layer
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.models import Digest
from cloudsync_core.releases import moving, pointer
from cloudsync_core.releases.names import manifest_key, new_id
from cloudsync_core.testing.faults import Faulty, Flip, LoseAnswer, Raise, at
from tests.engine.stores import Watched, content, memory, plain, store

NOW = 1_800_000_000.0
RELEASES = [new_id(NOW + number) for number in range(30)]
AT_ONCE = RetryPolicy(first_wait=0)
KEY = "current.json"


def point(backend, release, *, seen="look", by="me", now=NOW, retry=AT_ONCE):
    before = pointer.read(backend, "current") if seen == "look" else seen
    digest = Digest("sha256", "0" * 64)
    new = pointer.point(
        "current", release, manifest_key(release, compressed=False), digest, before=before, now=now, by=by
    )
    moving.move(backend, new, before, retry=retry)
    return new


def test_what_is_pointed_to_is_read():
    backend = memory()
    assert pointer.read(backend, "current") is None
    moved = point(backend, RELEASES[0])
    assert pointer.read(backend, "current").pointer == moved
    assert json.loads(content(backend, KEY)) == {
        "format": 1, "release": RELEASES[0], "manifest": f"manifests/{RELEASES[0]}.json",
        "digest": f"sha256:{'0' * 64}", "moved": "2027-01-15T08:00:00.000000Z", "by": "me", "previous": [],
    }  # fmt: skip


def test_it_is_never_cached():
    backend = memory()
    point(backend, RELEASES[0])
    attributes = backend.stat(KEY).attributes
    assert (attributes.content_type, attributes.cache_control) == ("application/json", "no-cache")


def test_it_remembers_the_last_releases_each_once():
    backend = memory()
    for release in RELEASES:
        point(backend, release)
    assert pointer.read(backend, "current").pointer.previous == tuple(reversed(RELEASES[9:29]))
    point(backend, RELEASES[20])
    previous = pointer.read(backend, "current").pointer.previous
    assert previous[:2] == (RELEASES[29], RELEASES[28])
    assert RELEASES[20] not in previous
    assert len(previous) == len(set(previous)) == 20


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "a" * 65, "ü", "a b", "-x"])
def test_a_name_that_no_pointer_can_have_is_refused(name):
    with pytest.raises(ConfigError, match="cannot be the name of a pointer"):
        pointer.read(memory(), name)


@pytest.mark.parametrize(
    "change",
    [
        {"release": "x"}, {"release": RELEASES[1]}, {"manifest": "../x"}, {"digest": "x"}, {"moved": "x"}, {"by": 1},
        {"previous": None}, {"previous": ["x"]}, {"previous": [1]}, {"format": None},
    ],
)  # fmt: skip
def test_what_is_no_pointer_is_refused(change):
    backend = memory()
    point(backend, RELEASES[0])
    store(backend, KEY, json.dumps({**json.loads(content(backend, KEY)), **change}).encode())
    with pytest.raises(ManifestError, match=r"the pointer memory://.*/current\.json is refused"):
        pointer.read(backend, "current")


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b"\xff", b" " * (pointer.LONGEST + 1)])
def test_what_is_damaged_is_refused(damaged):
    backend = memory()
    store(backend, KEY, damaged)
    with pytest.raises(ManifestError, match="is refused"):
        pointer.read(backend, "current")


def test_an_unknown_format_is_refused_with_the_version_needed():
    backend = memory()
    store(backend, KEY, json.dumps({"format": 7, "release": "?", "manifest": "?"}).encode())
    with pytest.raises(UnsupportedFormatError, match="format 7"):
        pointer.read(backend, "current")
    with pytest.raises(UnsupportedFormatError, match="format 7"):
        list(pointer.read_all(backend))


class TestAll:
    def names(self, backend):
        return [seen.pointer.name for seen in pointer.read_all(backend)]

    @pytest.mark.parametrize("place", [memory, plain, lambda: plain(ordered_listing=False)])
    def test_finds_those_beside_the_folders(self, place):
        backend = place()
        moved = point(backend, RELEASES[0])
        for key in ("canary.json", "zeta.json", "folder/inner.json", "releases.json"):
            store(backend, key, moved.encode())
        for number in range(3):
            store(backend, f"manifests/{number}")
            store(backend, f"releases/{number}")
        assert sorted(self.names(backend)) == ["canary", "current", "releases", "zeta"]

    def test_asks_no_more_however_many_objects_there_are(self):
        backend = memory()
        point(backend, RELEASES[0])
        for number in range(3000):
            store(backend, f"releases/{number:05}", b"")
        pages = []

        class Counting(Layer):
            def list(self, prefix="", *, start_after=None, prune=None):
                for page in self.inner.list(prefix, start_after=start_after, prune=prune):
                    pages.append(page)
                    yield page

        assert self.names(Counting(backend)) == ["current"]
        assert len(pages) <= 3

    def test_leaves_out_what_is_something_else(self):
        backend = memory()
        point(backend, RELEASES[0])
        store(backend, "package.json", b'{"name": "x"}')
        store(backend, "list.json", b"[1]")
        store(backend, "large.json", b"[" + b" " * pointer.LONGEST)
        store(backend, "readme.txt", b"text")
        assert self.names(backend) == ["current"]

    def test_does_not_leave_out_what_may_be_one(self):
        backend = memory()
        store(backend, "canary.json", b'{"release": "2026')
        with pytest.raises(ManifestError, match=r"canary\.json"):
            self.names(backend)


class TestTwoAtOnce:
    def test_the_second_is_refused_and_told_of_the_first(self):
        backend = memory()
        seen = None
        point(backend, RELEASES[0], seen=seen, by="one")
        with pytest.raises(ReleaseConflictError, match=rf"was moved to {RELEASES[0]} by one meanwhile"):
            point(backend, RELEASES[1], seen=seen, by="two")
        seen = pointer.read(backend, "current")
        point(backend, RELEASES[1], seen=seen, by="two")
        with pytest.raises(ReleaseConflictError, match=rf"was moved to {RELEASES[1]} by two meanwhile"):
            point(backend, RELEASES[2], seen=seen, by="one")

    def test_one_that_was_removed_meanwhile_is_not_made_again(self):
        backend = memory()
        point(backend, RELEASES[0])
        seen = pointer.read(backend, "current")
        backend.delete(KEY)
        with pytest.raises(ReleaseConflictError, match="was removed meanwhile"):
            point(backend, RELEASES[1], seen=seen)
        assert pointer.read(backend, "current") is None

    def test_one_that_came_back_to_where_it_was_is_not_taken_for_unmoved(self):
        backend = memory()
        point(backend, RELEASES[0])
        seen = pointer.read(backend, "current")
        point(backend, RELEASES[1])
        point(backend, RELEASES[0], now=NOW + 1)
        with pytest.raises(ReleaseConflictError):
            point(backend, RELEASES[2], seen=seen)

    @pytest.mark.parametrize("first", [True, False])
    def test_exactly_one_of_many_wins_where_the_store_takes_conditions(self, first):
        backend = memory()
        if not first:
            point(backend, RELEASES[0])
        seen = pointer.read(backend, "current")
        meeting, results = threading.Barrier(8), []

        class Meeting(Layer):
            def put(self, key, body, **how):
                meeting.wait(10)
                return self.inner.put(key, body, **how)

        def publish(number):
            try:
                point(Meeting(backend), RELEASES[number], seen=seen, by=f"p{number}")
            except ReleaseConflictError as error:
                results.append((False, str(error)))
            else:
                results.append((True, f"p{number}"))

        threads = [threading.Thread(target=publish, args=(number,)) for number in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winner = pointer.read(backend, "current").pointer
        assert [who for won, who in results if won] == [winner.by]
        assert len(results) == 8
        assert all(winner.release in told for won, told in results if not won)

    def test_without_conditions_it_is_looked_at_right_before(self):
        backend = plain()
        point(backend, RELEASES[0], seen=None)
        with pytest.raises(ReleaseConflictError):
            point(backend, RELEASES[1], seen=None)
        seen = pointer.read(backend, "current")
        point(backend, RELEASES[1], seen=seen)
        with pytest.raises(ReleaseConflictError):
            point(backend, RELEASES[2], seen=seen)
        assert pointer.read(backend, "current").pointer.release == RELEASES[1]

    def test_the_condition_is_the_version_that_was_read(self):
        backend = Watched()
        point(backend, RELEASES[0])
        seen = pointer.read(backend, "current")
        point(backend, RELEASES[1])
        assert [str(type(one).__name__) for one in backend.conditions] == ["IfAbsent", "IfMatch"]
        assert backend.conditions[1].version == seen.info.version


class TestLostAnswers:
    @pytest.mark.parametrize("times", [1, 3])
    @pytest.mark.parametrize("before", [True, False])
    def test_its_own_success_is_recognised(self, times, before):
        backend = memory()
        if before:
            point(backend, RELEASES[0])
        faulty = Faulty(backend, at("put", LoseAnswer(), KEY, times=times))
        point(faulty, RELEASES[1])
        assert pointer.read(backend, "current").pointer.release == RELEASES[1]
        assert len(faulty.met) == 1, "it is not written again"

    def test_nobody_else_s_success_is_taken_for_ones_own(self):
        backend = memory()
        point(backend, RELEASES[0])
        seen = pointer.read(backend, "current")

        class Overtaken(Layer):
            def put(self, key, body, **how):
                self.inner.put(key, body, **how)
                point(self.inner, RELEASES[2], by="other")
                raise UnavailableError("no answer")

        with pytest.raises(ReleaseConflictError, match="by other meanwhile"):
            point(Overtaken(backend), RELEASES[1], seen=seen)

    def test_where_nobody_can_tell_it_says_so(self):
        backend = memory()
        down = Raise(UnavailableError("down"))
        faulty = Faulty(backend, at("put", LoseAnswer(), KEY), at("get", down, times=None), at("put", down, times=None))
        with pytest.raises(UnavailableError, match=f"nobody can tell whether {RELEASES[1]} is live now"):
            point(faulty, RELEASES[1], seen=None)


@pytest.mark.parametrize("place", [memory, plain])
@pytest.mark.parametrize("before", [True, False])
def test_one_that_the_store_keeps_wrong_is_written_again(place, before):
    backend = place()
    if before:
        point(backend, RELEASES[0])
    faulty = Faulty(backend, at("put", Flip(5), KEY, times=2))
    point(faulty, RELEASES[1])
    assert len(faulty.met) == 2
    assert pointer.read(backend, "current").pointer.release == RELEASES[1]


def test_one_that_the_store_keeps_wrong_for_ever_is_told():
    backend = memory()
    with pytest.raises(IntegrityError, match="other bytes than were sent"):
        point(Faulty(backend, at("put", Flip(5), KEY, times=None)), RELEASES[1])


def test_one_that_arrives_wrong_is_read_again():
    backend = memory()
    moved = point(backend, RELEASES[0])
    faulty = Faulty(backend, at("get", Flip(5), KEY))
    assert pointer.read(faulty, "current").pointer == moved
    assert len(faulty.met) == 1
