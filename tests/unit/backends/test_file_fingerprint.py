"""A fingerprint changes with the content; where it might not, it says that it cannot tell (catalogue B07)."""

import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core.backends._file_info import RESOLUTION_NS, just_changed, settled, stamp
from cloudsync_core.testing.clauses.setting import entries, store

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND + 123_456_789


def status(*, size=1, mtime_ns=0, ctime_ns=0, ino=1):
    return os.stat_result(
        (0o100644, ino, 1, 1, 0, 0, size, 0, mtime_ns // SECOND, ctime_ns // SECOND),
        {"st_mtime_ns": mtime_ns, "st_ctime_ns": ctime_ns},
    )


class TestRule:
    @pytest.mark.parametrize(
        ("age_ns", "told"),
        [
            (0, False),
            (RESOLUTION_NS, False),
            (RESOLUTION_NS + 1, True),
            (3600 * SECOND, True),
            (-1, False),
            (-3600 * SECOND, False),
        ],
        ids=["now", "within the resolution", "beyond it", "old", "a moment ahead", "ahead of the clock"],
    )
    def test_B07_a_change_is_told_once_it_is_older_than_the_resolution(self, age_ns, told):
        assert settled(status(ctime_ns=NOW - age_ns), NOW) is told

    @pytest.mark.parametrize(("age", "told"), [(1, False), (2, False), (3, True)])
    def test_B05_times_of_whole_seconds_are_not_trusted_for_two(self, age, told):
        assert settled(status(ctime_ns=NOW // SECOND * SECOND - age * SECOND), NOW // SECOND * SECOND) is told

    def test_B18_a_modification_time_in_the_future_says_nothing(self):
        assert settled(status(mtime_ns=NOW + 3600 * SECOND, ctime_ns=NOW - SECOND), NOW)

    @given(age=st.integers(-10 * RESOLUTION_NS, 10 * RESOLUTION_NS))
    def test_waiting_settles_what_has_just_changed(self, age):
        young = status(ctime_ns=NOW - age)
        later = NOW + 2 * RESOLUTION_NS + RESOLUTION_NS // 10
        if just_changed(young, NOW):
            assert settled(young, later)
        elif age < 0:
            assert not settled(young, NOW)

    @given(
        one=st.tuples(*[st.integers(0, 2**63 - 1)] * 4),
        other=st.tuples(*[st.integers(0, 2**63 - 1)] * 4),
    )
    def test_two_states_have_one_stamp_only_if_they_are_one(self, one, other):
        fields = ("size", "mtime_ns", "ctime_ns", "ino")
        stamps = [stamp(status(**dict(zip(fields, values, strict=True)))) for values in (one, other)]
        assert (stamps[0] == stamps[1]) == (one == other)


class TestListings:
    def test_B07_a_file_of_this_moment_is_looked_at_again(self, tree):
        tree.write("file")
        [listed] = entries(tree.open())
        status = (tree.path / "file").stat()
        assert listed.fingerprint == stamp(status)
        assert settled(status, time.time_ns()), "nobody waited until a further change would show"

    def test_B07_a_file_that_changes_all_the_time_cannot_be_told(self, tree):
        path = tree.path / "file"
        path.touch()
        done = threading.Event()

        def change():
            while not done.is_set():
                os.utime(path)

        changing = threading.Thread(target=change)
        changing.start()
        try:
            # The other thread may rest for a moment; it does not rest a hundred times.
            listings = (entries(tree.open()) for _ in range(100))
            untold = next((listed for [listed] in listings if listed.fingerprint == ""), None)
        finally:
            done.set()
            changing.join()
        assert untold is not None
        assert untold.version

    def test_P7_what_a_put_returned_is_what_the_next_listing_says(self, tree):
        backend = tree.open()
        for number in range(20):
            written = store(backend, "folder/file", b"%d" % number)
            [listed] = entries(backend)
            assert listed.fingerprint == written.fingerprint

    @pytest.mark.parametrize("change", ["content", "time", "permissions", "replaced"])
    def test_B01_any_change_changes_the_fingerprint(self, tree, change):
        tree.write("file", data=b"old")
        path = tree.path / "file"
        [before] = entries(tree.open())
        if change == "content":
            path.write_bytes(b"new")
            os.utime(path, ns=(before.modified_ns, before.modified_ns))
        elif change == "time":
            os.utime(path, ns=(0, 0))
        elif change == "permissions":
            path.chmod(0o600)
        else:
            path.with_name("other").write_bytes(b"old")
            path.with_name("other").rename(path)
        [after] = entries(tree.open())
        assert "" not in {before.fingerprint, after.fingerprint}
        assert before.fingerprint != after.fingerprint
