"""Whether two objects are the same: every comparator, and never without evidence."""

import dataclasses
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsync_core.engine.compare import Always, Auto, Checksum, Evidence, Mtime, Size, Verdict
from cloudsync_core.engine.diff import BaseRow, Pair
from cloudsync_core.errors import CancelledError, ObjectNotFoundError, PreconditionFailedError
from cloudsync_core.models import Attributes, Digest
from tests.engine.objects import entry
from tests.engine.stores import Shaped, bare, listed, memory, plain, store, without_digests
from tests.unit.layers.scripted import Scripted

COMPARATORS = [Auto, Size, Mtime, Checksum, Always]
MD5_OF_ONE = Digest("md5", "c4ca4238a0b923820dcc509a6f75849b")


def pair(source, target, base=None):
    return Pair("k", source, target, base)


def compare(comparator, source, target, base=None):
    """Return the verdict on the object `k` of two stores, as the planner finds it."""
    found = pair(listed(source)["k"], listed(target)["k"], base)
    quick = comparator.quick(found)
    return quick or comparator.thorough(found, Evidence(found, source, target))


@pytest.fixture
def source():
    return memory()


@pytest.fixture
def target():
    return memory()


class TestQuick:
    """What the listings and the base decide alone."""

    HOLDS = BaseRow("1", "1", None)

    @pytest.mark.parametrize("comparator", [Auto, Size, Mtime, Checksum])
    @pytest.mark.parametrize("base", [None, HOLDS])
    def test_other_sizes_are_other_objects(self, comparator, base):
        verdict = comparator().quick(pair(entry("k", 1), entry("k", 2), base))
        assert verdict == Verdict(False, "size")

    @pytest.mark.parametrize("comparator", [Auto, Mtime])
    def test_both_sides_as_the_base_says_are_the_same(self, comparator):
        assert comparator().quick(pair(entry("k"), entry("k"), self.HOLDS)) == Verdict(True, "unchanged")

    @pytest.mark.parametrize("comparator", [Auto, Mtime])
    @pytest.mark.parametrize(
        ("source", "target", "base"),
        [
            ("1", "1", None),
            ("2", "1", HOLDS),
            ("1", "2", HOLDS),
            ("2", "2", HOLDS),
            ("", "1", BaseRow(None, "1", None)),
            ("1", "", BaseRow("1", None, None)),
            ("", "", BaseRow(None, None, None)),
            ("", "1", BaseRow("", "1", None)),
        ],
    )
    def test_anything_else_takes_a_closer_look(self, comparator, source, target, base):
        assert comparator().quick(pair(entry("k", 1, source), entry("k", 1, target), base)) is None

    @pytest.mark.parametrize("comparator", [Auto, Checksum])
    @pytest.mark.parametrize(("other", "same"), [(MD5_OF_ONE, True), (Digest("md5", "0" * 32), False)])
    def test_digests_that_both_listings_tell_decide_without_a_closer_look(self, comparator, other, same):
        source = dataclasses.replace(entry("k", 1, "1"), digests=(Digest("crc32c", "00"), MD5_OF_ONE))
        target = dataclasses.replace(entry("k", 1, "2"), digests=(other,))
        reason = "same-digest" if same else "digest"
        verdict = Verdict(same, reason, str(MD5_OF_ONE), learnt=True)
        assert comparator().quick(pair(source, target)) == verdict

    @pytest.mark.parametrize("comparator", [Auto, Checksum])
    def test_digests_of_different_algorithms_take_a_closer_look(self, comparator):
        source = dataclasses.replace(entry("k", 1), digests=(MD5_OF_ONE,))
        target = dataclasses.replace(entry("k", 1), digests=(Digest("crc32c", MD5_OF_ONE.value),))
        assert comparator().quick(pair(source, target)) is None

    def test_B15_two_empty_objects_are_the_same_which_is_learnt(self):
        assert Auto().quick(pair(entry("k", 0), entry("k", 0, "2"))) == Verdict(True, "empty", learnt=True)

    def test_checksum_does_not_ask_the_base(self):
        assert Checksum().quick(pair(entry("k"), entry("k"), self.HOLDS)) is None

    def test_size_looks_at_nothing_else(self):
        assert Size().quick(pair(entry("k", 1, "1"), entry("k", 1, "2"))) == Verdict(True, "same-size")

    @pytest.mark.parametrize("base", [None, HOLDS])
    def test_always_finds_nothing_equal(self, base):
        assert Always().quick(pair(entry("k"), entry("k"), base)) == Verdict(False, "always")


@pytest.mark.parametrize(
    ("comparator", "trusts"), [(Auto, True), (Size, True), (Mtime, True), (Checksum, False), (Always, False)]
)
def test_only_comparators_that_ask_the_base_have_it_asked_for_them(comparator, trusts):
    assert comparator.trusts_base is trusts


class TestAuto:
    def test_without_a_base_equal_digests_are_evidence_which_is_learnt(self, source, target):
        store(source, "k", b"1")
        store(target, "k", b"1")
        assert compare(Auto(), source, target) == Verdict(True, "same-digest", str(MD5_OF_ONE), learnt=True)

    def test_without_a_base_other_digests_are_a_change(self, source, target):
        store(source, "k", b"1")
        store(target, "k", b"2")
        assert compare(Auto(), source, target).reason == "digest"
        assert not compare(Auto(), source, target).same

    def test_without_a_base_and_without_evidence_it_is_a_change(self):
        source, target = plain(), plain()
        store(source, "k", b"1")
        store(target, "k", b"1")
        assert compare(Auto(), source, target) == Verdict(False, "no-base")

    def test_a_changed_source_without_evidence_is_a_change(self):
        source, target = plain(), plain()
        store(source, "k", b"1")
        old = store(target, "k", b"1")
        assert compare(Auto(), source, target, BaseRow("gone", old.fingerprint, None)) == Verdict(
            False, "source-changed"
        )

    def test_a_drifted_target_without_evidence_is_a_change(self):
        source, target = plain(), plain()
        old = store(source, "k", b"1")
        store(target, "k", b"1")
        assert compare(Auto(), source, target, BaseRow(old.fingerprint, "gone", None)) == Verdict(False, "target-drift")

    def test_B04_a_touched_source_of_known_content_is_the_same_without_a_look_at_the_target(self, source):
        target = Shaped(plain(), listed=bare)
        store(source, "k", b"1")
        old = store(target, "k", b"1")
        verdict = compare(Auto(), source, target, BaseRow("before the touch", old.fingerprint, str(MD5_OF_ONE)))
        assert verdict == Verdict(True, "same-content", str(MD5_OF_ONE), learnt=True)

    def test_B01_other_content_of_the_same_size_is_a_change(self, source):
        target = plain()
        store(source, "k", b"2")
        old = store(target, "k", b"1")
        base = BaseRow("before", old.fingerprint, str(MD5_OF_ONE))
        assert not compare(Auto(), source, target, base).same

    def test_a_digest_in_the_base_says_nothing_of_a_target_that_drifted(self, source):
        target = plain()
        store(source, "k", b"1")
        store(target, "k", b"2")
        base = BaseRow("before", "before", str(MD5_OF_ONE))
        assert not compare(Auto(), source, target, base).same

    def test_a_digest_of_an_unknown_algorithm_in_the_base_is_no_evidence(self):
        source, target = plain(local_reads=True), plain()
        store(source, "k", b"1")
        old = store(target, "k", b"1")
        assert not compare(Auto(), source, target, BaseRow("before", old.fingerprint, "crc99:00")).same

    @pytest.mark.parametrize("local", ["source", "target"])
    def test_a_side_that_is_read_locally_is_hashed_the_way_the_other_is(self, local):
        digest = Digest("md5/4", "")
        read, reported = plain(local_reads=True), memory()
        store(read, "k", b"12345678")
        store(reported, "k", b"12345678")
        body = digest_in_parts(b"12345678", 4)
        reported = Shaped(reported, listed=bare, known=lambda info: dataclasses.replace(info, digests=(body,)))
        sides = (read, reported) if local == "source" else (reported, read)
        assert digest.algorithm == body.algorithm
        assert compare(Auto(), *sides) == Verdict(True, "same-digest", str(body), learnt=True)

    @pytest.mark.parametrize("local", ["source", "target"])
    def test_a_store_is_not_asked_for_the_digest_that_its_listing_told(self, local):
        read, told = plain(local_reads=True), Scripted(Shaped(memory(), listed=without_attributes))
        store(read, "k", b"1")
        store(told, "k", b"1")
        sides = (read, told) if local == "source" else (told, read)
        assert compare(Auto(), *sides) == Verdict(True, "same-digest", str(MD5_OF_ONE), learnt=True)
        assert told.called("stat") == []

    @pytest.mark.parametrize("silent", ["source", "target"])
    def test_only_the_store_whose_listing_told_no_digest_is_asked_for_it(self, silent):
        quiet, told = Scripted(Shaped(memory(), listed=bare)), Scripted(Shaped(memory(), listed=without_attributes))
        for store_of in (quiet, told):
            store(store_of, "k", b"1")
        sides = (quiet, told) if silent == "source" else (told, quiet)
        remote = [Shaped(side, local_reads=False) for side in sides]
        assert compare(Auto(), *remote) == Verdict(True, "same-digest", str(MD5_OF_ONE), learnt=True)
        assert (quiet.called("stat"), told.called("stat")) == (["k"], [])

    def test_two_local_sides_are_both_read(self):
        source, target = plain(local_reads=True), plain(local_reads=True)
        store(source, "k", b"1")
        store(target, "k", b"1")
        assert compare(Auto(), source, target) == Verdict(True, "same-digest", str(MD5_OF_ONE), learnt=True)
        store(target, "k", b"2")
        assert compare(Auto(), source, target).reason == "digest"


def without_attributes(info):
    return dataclasses.replace(info, attributes=None)


def digest_in_parts(data, size):
    from cloudsync_core.body import Body

    body = Body(data)
    body.require(f"md5/{size}")
    body.read()
    return body.digest(f"md5/{size}")


class TestMtime:
    def compare(self, source, target):
        first, second = memory(), memory()
        store(first, "k", b"1", attributes=Attributes(mtime_ns=source))
        store(second, "k", b"2", attributes=Attributes(mtime_ns=target))
        return compare(Mtime(), first, second)

    @pytest.mark.parametrize("difference", [1, 3600 * 10**9, 10**9])
    @pytest.mark.parametrize("sign", [1, -1])
    def test_B18_a_time_that_differs_in_either_direction_is_a_change(self, difference, sign):
        verdict = self.compare(10**18, 10**18 + sign * max(difference, 10**9))
        assert verdict == Verdict(False, "mtime")

    @pytest.mark.parametrize("difference", [0, 1, 999_999_999, -999_999_999])
    def test_B05_times_within_the_same_second_are_equal(self, difference):
        assert self.compare(10**18, 10**18 + difference).same

    def test_equal_times_are_no_proof_so_nothing_is_learnt(self):
        assert self.compare(5, 5) == Verdict(True, "same-mtime")

    def test_times_that_a_listing_does_not_tell_are_looked_up(self):
        source, target = Shaped(memory(), listed=bare), Shaped(memory(), listed=bare)
        store(source, "k", b"1", attributes=Attributes(mtime_ns=10**18))
        store(target, "k", b"2", attributes=Attributes(mtime_ns=10**18))
        assert compare(Mtime(), source, target).same

    def test_the_stores_own_time_is_what_there_is_without_a_kept_one(self, source, target):
        written = store(source, "k", b"1")
        store(target, "k", b"1", attributes=Attributes(mtime_ns=written.modified_ns))
        assert compare(Mtime(), source, target).same


class TestChecksum:
    def test_equal_digests_are_the_same(self, source, target):
        store(source, "k", b"1")
        store(target, "k", b"1")
        assert compare(Checksum(), source, target).same

    def test_a_target_that_rotted_behind_an_unchanged_fingerprint_is_found(self):
        source, target = plain(local_reads=True), plain(local_reads=True)
        first, second = store(source, "k", b"1"), store(target, "k", b"2")
        truthful_once = BaseRow(first.fingerprint, second.fingerprint, str(MD5_OF_ONE))
        assert compare(Auto(), source, target, truthful_once).same
        assert not compare(Checksum(), source, target, truthful_once).same

    def test_without_a_common_digest_it_is_a_change(self):
        source, target = plain(), memory()
        store(source, "k", b"1")
        store(target, "k", b"1")
        assert compare(Checksum(), source, target) == Verdict(False, "no-digest")


CONTENTS = st.sampled_from([b"1", b"2", b"22", b""])


@st.composite
def histories(draw):
    """Two stores, and a base that is true of some moment in their past."""
    shapes = [
        memory,
        plain,
        lambda: plain(local_reads=True),
        lambda: Shaped(memory(), listed=bare),
        lambda: Shaped(memory(), listed=without_digests, local_reads=True),
        lambda: Shaped(memory(), listed=lambda info: dataclasses.replace(info, fingerprint="")),
    ]
    sides = [draw(st.sampled_from(shapes))() for _ in range(2)]
    base = None
    for step in draw(st.lists(st.sampled_from(["source", "target", "sync"]), min_size=1, max_size=5)):
        if step == "sync":
            data = draw(CONTENTS)
            rows = [store(side, "k", data) for side in sides] and [listed(side)["k"] for side in sides]
            digest = draw(st.sampled_from([None, str(listed(memory_of(data))["k"].digests[0])]))
            base = BaseRow(rows[0].fingerprint or None, rows[1].fingerprint or None, digest)
        else:
            store(sides[step == "target"], "k", draw(CONTENTS))
    for side in sides:
        if "k" not in listed(side):
            store(side, "k", draw(CONTENTS))
    return (*sides, base)


def memory_of(data):
    backend = memory()
    store(backend, "k", data)
    return backend


@pytest.mark.parametrize("comparator", [Auto, Checksum, Always])
@settings(max_examples=150, deadline=None)
@given(history=histories())
def test_other_content_is_never_taken_for_the_same(comparator, history):
    source, target, base = history
    verdict = compare(comparator(), source, target, base)
    with source.get("k") as first, target.get("k") as second:
        equal = first.read() == second.read()
    assert equal or not verdict.same, verdict
    assert verdict.reason


class TestEvidence:
    def test_nothing_is_asked_for_what_the_listings_tell(self, source, target):
        store(source, "k", b"1")
        store(target, "k", b"1")
        found = pair(listed(source)["k"], listed(target)["k"])
        source.delete("k")
        target.delete("k")
        assert Evidence(found, source, target).common_digest() == (MD5_OF_ONE, MD5_OF_ONE)

    @pytest.mark.parametrize("gone", [0, 1])
    def test_D19_an_object_that_vanishes_meanwhile_is_an_error(self, gone):
        sides = (Shaped(memory(), listed=bare), Shaped(memory(), listed=bare))
        for side in sides:
            store(side, "k", b"1")
        evidence = Evidence(pair(*(listed(side)["k"] for side in sides)), *sides)
        sides[gone].delete("k")
        with pytest.raises(ObjectNotFoundError):
            evidence.common_digest()

    @pytest.mark.parametrize("changed", [0, 1])
    def test_an_object_that_changes_meanwhile_is_an_error(self, changed):
        sides = (Shaped(memory(), listed=bare), Shaped(memory(), listed=bare))
        for side in sides:
            store(side, "k", b"1")
        evidence = Evidence(pair(*(listed(side)["k"] for side in sides)), *sides)
        store(sides[changed], "k", b"2")
        with pytest.raises(PreconditionFailedError, match="changed after it was listed"):
            evidence.common_digest()

    def test_D25_a_stopped_run_does_not_wait_for_a_large_object_to_be_read(self):
        source, target = plain(local_reads=True), plain(local_reads=True)
        store(source, "k", b"1" * 3_000_000)
        store(target, "k", b"1" * 3_000_000)
        stop = threading.Event()
        stop.set()
        evidence = Evidence(pair(listed(source)["k"], listed(target)["k"]), source, target, stop)
        with pytest.raises(CancelledError):
            evidence.common_digest()

    def test_both_sides_are_read_where_that_is_asked_for(self):
        source, target = plain(), plain()
        store(source, "k", b"1")
        store(target, "k", b"1")
        found = pair(listed(source)["k"], listed(target)["k"])
        assert Evidence(found, source, target).downloaded_digests() == (MD5_OF_ONE, MD5_OF_ONE)
