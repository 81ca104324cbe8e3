"""The scope of a job: one answer, for both sides and every backend."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsync_core.engine.filters import Filter

SEGMENT = st.sampled_from(["a", "b", "x.tmp", "cache", ".cloudsync", "keep"])
KEY = st.builds(
    lambda segments, marker: "/".join(segments) + "/" * marker,
    st.lists(SEGMENT, min_size=1, max_size=4),
    st.booleans(),
)
PATTERN = st.sampled_from(["*.tmp", "cache/", "/a", "a/b", "a/**", "**/keep", "!keep", "!a/", "*", ".cloudsync"])
FILTERS = st.builds(
    Filter,
    include=st.lists(PATTERN, max_size=2),
    exclude=st.lists(PATTERN, max_size=3),
    exclude_regex=st.lists(st.sampled_from([r"b$", r"^a/", r"(?i)KEEP", r"(a|b)/\1"]), max_size=2),
)


@settings(max_examples=200, deadline=None)
@given(scope=FILTERS, folder=st.lists(SEGMENT, min_size=1, max_size=3), below=KEY)
def test_what_is_pruned_holds_nothing_that_is_wanted(scope, folder, below):
    name = "/".join(folder)
    if scope.prunes(name):
        assert not scope.wants(f"{name}/{below}")
        assert not scope.admits(f"{name}/{below}")


@settings(max_examples=200, deadline=None)
@given(scope=FILTERS, names=st.lists(KEY, max_size=8))
def test_select_is_wants_for_each_key(scope, names):
    assert list(scope.select(names)) == [index for index, name in enumerate(names) if scope.wants(name)]


@settings(max_examples=200, deadline=None)
@given(scope=FILTERS, key=KEY)
def test_what_is_wanted_is_admitted(scope, key):
    if scope.wants(key):
        assert scope.admits(key)


def test_without_rules_everything_is_in_scope():
    names = ["a", "/lead", "a//b", "trail/", ".", "a\nb", ".cloudsync", "x.cloudsync/a"]
    assert list(Filter().select(names)) == list(range(len(names)))


@pytest.mark.parametrize(
    "scope", [Filter(), Filter(exclude=["x", "!.cloudsync/"]), Filter(include=["*"]), Filter(include=[".cloudsync/"])]
)
@pytest.mark.parametrize("folder", [".cloudsync", "a/.cloudsync"])
def test_the_folder_of_the_state_is_never_in_scope(scope, folder):
    assert not scope.wants(f"{folder}/state.db")
    assert not scope.wants(f"{folder}/")
    assert list(scope.select([f"{folder}/state.db"])) == []
    assert scope.prunes(folder)


class TestRegularExpressions:
    def test_are_searched_for_in_the_whole_key(self):
        scope = Filter(exclude_regex=[r"\d{4}/"])
        assert not scope.wants("logs/2026/x")
        assert scope.wants("logs/x")

    def test_keep_their_flags_and_groups_to_themselves(self):
        scope = Filter(exclude_regex=["(?i)readme", r"(x)\1", r"(?P<n>y)(?P=n)", r"(?P<n>z)"])
        assert [key for key in ["README", "xx", "yy", "z"] if scope.wants(key)] == []
        assert scope.wants("X")

    def test_never_prune(self):
        assert not Filter(exclude_regex=["."]).prunes("a")


def test_include_restricts_and_exclude_takes_away():
    scope = Filter(include=["photos/", "*.jpg"], exclude=["raw/"])
    assert [key for key in ["photos/a", "x.jpg", "photos/raw/a", "raw/x.jpg", "a"] if scope.wants(key)] == [
        "photos/a",
        "x.jpg",
    ]
