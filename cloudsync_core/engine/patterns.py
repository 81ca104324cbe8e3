"""gitignore patterns over keys, decided as git decides: one level of the tree at a time.

The grammar is that of gitignore(5) and of git's wildmatch. It is our own because a library that matches whole paths
cannot tell a pattern about a folder from one about what lies in it: `!keep/` takes no `keep/x.tmp` back from `*.tmp`.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Iterator

from cloudsync_core import keys


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    regex: re.Pattern[str]
    takes_in: bool
    names_only: bool
    folders_only: bool


def problem(line: str) -> str | None:
    """Say why a pattern matches nothing, or return `None` when it can match something."""
    try:
        _rule(line)
    except _EmptyError:
        return "matches nothing"
    except _MalformedError:
        return "is not a valid gitignore pattern"
    return None


class Patterns:
    """An ordered list of gitignore patterns; of several that match one name, the last decides.

    A line of which `problem` has something to say matches nothing, as in git.

    Args:
        lines: the patterns.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._rules = [_rule(line) for line in reversed(tuple(lines)) if problem(line) is None]
        # Keys come in order, so consecutive keys share their folders: a small cache answers nearly all of them.
        self._match_folder = functools.lru_cache(maxsize=1024)(self._find_match_folder)
        self._ignore_folder = functools.lru_cache(maxsize=1024)(self._find_ignore_folder)

    def match(self, key: str) -> bool:
        """Tell whether the patterns take in `key`: what they say of it, else of the innermost folder they know."""
        path = key.removesuffix(keys.MARKER_SUFFIX)
        decision = self._decide(path, folder=keys.is_marker(key))
        return self._match_folder(_parent(path)) if decision is None else decision

    def ignore(self, key: str) -> bool:
        """Tell whether git would ignore `key`: what lies in an ignored folder is, and nothing takes it back."""
        path = key.removesuffix(keys.MARKER_SUFFIX)
        return self.ignore_folder(_parent(path)) or bool(self._decide(path, folder=keys.is_marker(key)))

    def ignore_folder(self, folder: str) -> bool:
        """Tell whether git would ignore `folder` (without trailing slash) and thereby everything in it."""
        return folder != "" and self._ignore_folder(folder)

    def _find_match_folder(self, folder: str) -> bool:
        if folder == "":
            return False
        decision = self._decide(folder, folder=True)
        return self._match_folder(_parent(folder)) if decision is None else decision

    def _find_ignore_folder(self, folder: str) -> bool:
        return self.ignore_folder(_parent(folder)) or bool(self._decide(folder, folder=True))

    def _decide(self, path: str, *, folder: bool) -> bool | None:
        """Return what the last pattern that matches `path` itself says, or `None` when none does."""
        name = path.rpartition("/")[2]
        for rule in self._rules:
            if (folder or not rule.folders_only) and rule.regex.fullmatch(name if rule.names_only else path):
                return rule.takes_in
        return None


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


class _EmptyError(ValueError):
    """The line is blank, or a comment."""


class _MalformedError(ValueError):
    """git matches nothing by the pattern."""


def _rule(line: str) -> _Rule:
    pattern = _without_trailing_spaces(line)
    if pattern.startswith("#"):
        raise _EmptyError
    negated, pattern = pattern.startswith("!"), pattern.removeprefix("!")
    folders_only, pattern = pattern.endswith("/"), pattern.removesuffix("/")
    names_only, pattern = "/" not in pattern, pattern.removeprefix("/")
    if not pattern:
        raise _EmptyError
    return _Rule(re.compile("".join(_translate(pattern)), re.DOTALL), not negated, names_only, folders_only)


def _without_trailing_spaces(line: str) -> str:
    kept = line.rstrip(" ")
    escaped = (len(kept) - len(kept.rstrip("\\"))) % 2 and len(kept) < len(line)
    return kept + " " if escaped else kept


def _translate(pattern: str) -> Iterator[str]:
    """Yield the regular expression that a whole path, or name, has to match."""
    place = 0
    while place < len(pattern):
        char = pattern[place]
        if char == "*":
            end = place + len(pattern[place:]) - len(pattern[place:].lstrip("*"))
            whole_segment = pattern[place - 1 : place] in {"", "/"} and pattern[end : end + 1] in {"", "/"}
            if end - place == 1 or not whole_segment:
                yield "[^/]*"
            elif end == len(pattern):
                yield ".*"
            else:
                yield "(?:.*/)?"
                end += 1
            place = end
        elif char == "[":
            expression, place = _translate_class(pattern, place + 1)
            yield expression
        else:
            escaped = char == "\\"
            literal = pattern[place + escaped : place + escaped + 1]
            if not literal:
                raise _MalformedError
            yield "[^/]" if char == "?" else re.escape(literal)
            place += 1 + escaped


_POSIX_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "space": r"\x09-\x0d\x20",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}

_CLASS_MEMBER = re.compile(
    r"""\[:(?P<posix>[a-z]*):\]
      | (?P<first>\\.|[^\\]) (?: - (?P<last>\\.|[^\\\]]) )?""",
    re.DOTALL | re.VERBOSE,
)


def _translate_class(pattern: str, place: int) -> tuple[str, int]:
    """Return the expression for `[...]`, and the place after it; `place` is that after the opening bracket."""
    negated = pattern[place : place + 1] in {"!", "^"}
    place += negated
    members: list[str] = []
    begin = place
    while place == begin or pattern[place : place + 1] != "]":
        member = _CLASS_MEMBER.match(pattern, place)
        if member is None:
            raise _MalformedError
        members.append(_class_member(member))
        place = member.end()
    return f"(?!/)[{'^' * negated}{''.join(members)}]", place + 1


def _class_member(member: re.Match[str]) -> str:
    if (name := member["posix"]) is not None:
        if name not in _POSIX_CLASSES:
            raise _MalformedError
        return _POSIX_CLASSES[name]
    first = member["first"][-1]
    last = first if member["last"] is None else member["last"][-1]
    # Of a range that runs backwards, git takes the first character.
    return f"{re.escape(first)}-{re.escape(max(first, last))}"
