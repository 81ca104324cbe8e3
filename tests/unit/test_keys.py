"""Keys are exact names: in byte order, matched by whole segments, and in a tree one name for one place."""

import posixpath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cloudsync_core import keys
from cloudsync_core.testing import CORPUS

ANY_TEXT = st.text(st.characters(), max_size=30)
SEGMENT = st.text(st.sampled_from("ab./ \u00e9\U00010000"), max_size=8)
KEY = st.text(min_size=1, max_size=30)
PATH = st.lists(st.text(st.sampled_from("ab.-\u00e9"), min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)


class TestProblem:
    @given(ANY_TEXT)
    def test_a_key_is_any_text_that_has_bytes(self, text):
        has_bytes = text != "" and not any("\ud800" <= char <= "\udfff" for char in text)
        assert (keys.problem(text) is None) == has_bytes

    @given(KEY, KEY)
    def test_L1_the_order_of_keys_is_the_order_of_their_bytes(self, one, other):
        assert (one < other) == (one.encode() < other.encode())


class TestTreeProblem:
    @pytest.mark.parametrize(
        "key",
        [
            "a",
            "a/b",
            "a/",
            "a/..b",
            "...",
            ".hidden",
            "a/b./c",
            " ",
            "a\nb",
            "*",
            "~",
            "\\",
            "C:\\x",
            "\uff0e\uff0e/x",
            "a/b/",
        ],
    )
    def test_C01_names_of_one_place_below_the_root_pass(self, key):
        assert keys.tree_problem(key) is None

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "/",
            "//",
            "/lead",
            "a//b",
            "a//",
            ".",
            "..",
            "./a",
            "../x",
            "a/.",
            "a/..",
            "a/./b",
            "a/../b",
            "../",
            "x\0y",
            "x/../../../.bashrc",
        ],
    )
    def test_C01_names_that_lead_elsewhere_do_not(self, key):
        assert keys.tree_problem(key)

    def test_C24_names_like_our_temporary_files_do_not(self):
        assert "temporary" in keys.tree_problem("a/.cs-0123456789ab.tmp")

    @given(st.lists(SEGMENT, max_size=5).map("/".join))
    def test_C01_a_key_that_passes_stays_below_the_root_and_means_one_path(self, key):
        assume(keys.tree_problem(key) is None)
        path = posixpath.normpath(posixpath.join("/root", key))
        assert path.startswith("/root/")
        assert path == "/root/" + key.removesuffix("/")

    @pytest.mark.parametrize("case", CORPUS, ids=str)
    def test_every_case_of_the_corpus_is_judged(self, case):
        for key in case.keys:
            assert keys.problem(key) is None
            why = keys.tree_problem(key)
            assert why is None or why.isprintable()


class TestMarkersAndTemporaries:
    @pytest.mark.parametrize(("key", "is_one"), [("a/", True), ("a/b/", True), ("a", False), ("/a", False)])
    def test_C05_a_marker_ends_with_a_slash(self, key, is_one):
        assert keys.is_marker(key) is is_one

    @pytest.mark.parametrize("key", [".cs-0123456789ab.tmp", "a/.cs-ffffffffffff.tmp"])
    def test_C24_temporary_files_are_known_by_their_last_segment(self, key):
        assert keys.is_temporary(key)

    @pytest.mark.parametrize(
        "key",
        [
            ".cs-0123456789ab.tmp/a",
            ".cs-0123456789ab.tmp/",
            ".cs-0123456789AB.tmp",
            ".cs-0123456789a.tmp",
            ".cs-0123456789abc.tmp",
            "x.cs-0123456789ab.tmp",
            ".cs-0123456789ab.tmp.txt",
            ".cs-0123456789ab.tmp\n",
            "cs-0123456789ab.tmp",
        ],
    )
    def test_C24_what_looks_nearly_so_is_the_users(self, key):
        assert not keys.is_temporary(key)


class TestPrefixes:
    @pytest.mark.parametrize(
        ("key", "prefix", "is_under"),
        [
            ("foo/x", "foo", True),
            ("foo/x", "foo/", True),
            ("foobar/x", "foo", False),
            ("foo", "foo", False),
            ("foo.txt", "foo", False),
            ("foo/", "foo", True),
            ("anything", "", True),
        ],
    )
    def test_A23_a_prefix_is_matched_by_whole_segments(self, key, prefix, is_under):
        assert keys.under(key, prefix) is is_under

    @given(PATH)
    def test_a_key_is_under_each_of_its_parents_and_no_other_prefix_of_that_length(self, path):
        found = keys.parents(path)
        assert found == [path[:at] for at, char in enumerate(path) if char == "/"]
        assert all(keys.under(path, parent) for parent in found)

    def test_the_parents_of_a_marker_are_those_of_its_folder(self):
        assert keys.parents("a/b/c/") == keys.parents("a/b/c") == ["a", "a/b"]
        assert keys.parents("a/") == keys.parents("a") == []

    @given(PATH)
    def test_a_folder_ends_with_one_slash(self, path):
        assert keys.folder(path) == keys.folder(path + "/") == path + "/"
        assert keys.folder("") == ""
