"""Patterns mean what they mean in a .gitignore, with git itself as the judge."""

import itertools
import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsync_core.engine.patterns import Patterns, problem

SEGMENTS = ["a", "b", "ab", "*", "a*", "?", "**", "***", "*.c", "[ab]", "[!a]", "[^ab]", "[a-c]*", "[c-a]", "[]]"]
SEGMENTS += ["\\a", "\\*", "[[:alpha:]]", "[a", "a\\ ", "x.[]c]", "[!]-]", "#a", "\\#a", "[a\\]b]", "[--0]", "**c"]
NAMES = ["a", "b", "ab", "x.c", "#a", "a ", "]", "a-b"]
PATHS = [
    "/".join(path)
    for depth in (1, 2, 3)
    for number, path in enumerate(itertools.product(NAMES, repeat=depth))
    if depth < 3 or number % 3 == 0
]


@st.composite
def pattern_lists(draw):
    lines = []
    for _ in range(draw(st.integers(1, 4))):
        line = "/".join(draw(st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=3)))
        line = draw(st.sampled_from(["", "", "/"])) + line + draw(st.sampled_from(["", "", "/"]))
        lines.append(draw(st.sampled_from(["", "", "!"])) + line)
    return lines


@pytest.fixture(scope="module")
def git(tmp_path_factory):
    """Return which paths git ignores by some lines."""
    repository = tmp_path_factory.mktemp("repository")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}

    def run(*arguments, **options):
        return subprocess.run(
            ["git", *arguments], cwd=repository, env=environment, stdout=subprocess.PIPE, check=False, **options
        )

    assert run("init", "--quiet").returncode == 0

    def ignored(lines, paths):
        (repository / ".gitignore").write_text("\n".join(lines) + "\n")
        found = run("check-ignore", "--no-index", "--stdin", "-z", input="\0".join(paths).encode())
        assert found.returncode in {0, 1}
        return [path for path in found.stdout.decode().split("\0") if path]

    return ignored


@settings(max_examples=100, deadline=None)
@given(lines=pattern_lists())
def test_a_key_is_ignored_exactly_when_git_ignores_the_path(git, lines):
    patterns = Patterns(lines)
    assert [path for path in PATHS if patterns.ignore(path)] == git(lines, PATHS)


@settings(max_examples=100, deadline=None)
@given(lines=pattern_lists())
def test_everything_under_an_ignored_folder_is_ignored(lines):
    patterns = Patterns(lines)
    for path in PATHS:
        if patterns.ignore_folder(path):
            assert patterns.ignore(f"{path}/x"), path
            assert patterns.ignore(f"{path}/"), path


class TestIgnore:
    @pytest.mark.parametrize(
        ("lines", "ignored", "kept"),
        [
            (["*.tmp"], ["x.tmp", "a/b/x.tmp", "x.tmp/y"], ["x.tmp2", "tmp"]),
            (["/x"], ["x", "x/y"], ["a/x", "/x"]),
            (["a/x"], ["a/x", "a/x/y"], ["b/a/x"]),
            (["cache/"], ["cache/", "cache/x", "a/cache/x"], ["cache", "a/cache"]),
            (["a/**"], ["a/x", "a/b/c", "a/b/"], ["a", "a/", "b/a/x"]),
            (["**/x"], ["x", "a/x", "a/b/x"], ["a/xy"]),
            (["a/**/x"], ["a/x", "a/b/x", "a/b/c/x"], ["x", "b/a/x"]),
            (["*.log", "!keep.log"], ["x.log"], ["keep.log", "a/keep.log"]),
            (["!keep.log", "*.log"], ["keep.log"], []),
            (["a/", "!a/keep"], ["a/keep"], []),
            (["a/**", "!a/keep"], ["a/x"], ["a/keep"]),
            (["*.tmp", "!keep/"], ["keep/x.tmp"], ["keep/x"]),
            (["\\#x", "\\!y"], ["#x", "!y"], ["x", "y"]),
            (["# x", "", " "], [], ["# x", "x", " "]),
            (["x  ", "y\\ "], ["x", "y "], ["x  ", "y"]),
            (["?"], ["x", "é", "\U0001f600"], ["xy"]),
            (["[a", "b\\"], [], ["[a", "a", "b\\", "b"]),
        ],
    )
    def test_gitignore_rules(self, lines, ignored, kept):
        patterns = Patterns(lines)
        assert [key for key in (*ignored, *kept) if patterns.ignore(key)] == ignored

    @pytest.mark.parametrize("key", ["a\nb/x.tmp", "x\n.tmp", "\n.tmp", "a\rb\u2028c/x.tmp"])
    def test_a_line_break_is_a_character_like_any_other(self, key):
        assert Patterns(["*.tmp"]).ignore(key)
        assert not Patterns(["*.tmp"]).ignore(key + "\n")

    @pytest.mark.parametrize("key", ["/x", "a//x", "./x", "a/./x", "a/../x"])
    def test_keys_are_not_tidied_before_they_are_matched(self, key):
        assert not Patterns(["/x", "/a/x"]).ignore(key)
        assert Patterns(["x"]).ignore(key)


class TestMatch:
    @pytest.mark.parametrize(
        ("lines", "taken", "left"),
        [
            (["photos/"], ["photos/", "photos/a", "b/photos/c/d"], ["photos", "a"]),
            (["*.jpg"], ["a.jpg", "x/a.jpg"], ["a.png"]),
            (["photos/", "!raw/"], ["photos/a", "photos/x/b"], ["photos/raw/a", "raw/a"]),
            (["*.jpg", "!raw/"], ["raw/a.jpg"], ["raw/a.png"]),
            (["*", "!*.tmp"], ["a", "a.txt", "x/b"], ["a.tmp", "x/a.tmp"]),
        ],
    )
    def test_the_key_itself_decides_then_its_innermost_folder(self, lines, taken, left):
        patterns = Patterns(lines)
        assert [key for key in (*taken, *left) if patterns.match(key)] == taken


class TestProblem:
    @pytest.mark.parametrize("line", ["*.tmp", "a/", "!a", "[z-a]", "\\#x", "**", "a\\ "])
    def test_there_is_none_with_a_pattern_that_can_match(self, line):
        assert problem(line) is None

    @pytest.mark.parametrize("line", ["", " ", "# x", "/", "!", "!/"])
    def test_of_a_line_that_says_nothing(self, line):
        assert problem(line) == "matches nothing"

    @pytest.mark.parametrize("line", ["[a", "[", "[]", "a\\", "[[:letter:]]", "[a-", "x[!"])
    def test_of_a_pattern_that_git_takes_for_malformed(self, line):
        assert problem(line) == "is not a valid gitignore pattern"
