"""Which keys are in the scope of a job: the same answer on both sides and for every backend."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cloudsync_core.engine.patterns import Patterns

_OWN_FOLDER = ".cloudsync/"
"""Where cloudsync keeps its own files (the state database) when they lie inside a synchronised directory."""


class Filter:
    """The scope of a job.

    A key is in scope when it matches some pattern of `include` (or there are none), and no pattern of `exclude` and no
    expression of `exclude_regex`. Patterns are gitignore patterns over the key: as in git, what lies in an excluded
    folder is excluded, and no later pattern brings it back. A folder `.cloudsync` is never in scope.

    Args:
        include: gitignore patterns.
        exclude: gitignore patterns.
        exclude_regex: regular expressions, searched for in the whole key.
        apart: a folder, ended by a slash, that is never in scope either; "" for none.
    """

    def __init__(
        self,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        exclude_regex: Sequence[str] = (),
        *,
        apart: str = "",
    ) -> None:
        self._include = Patterns(include) if include else None
        self._exclude = Patterns(exclude) if exclude else None
        # One by one: joined, an expression's flags and numbered groups would become those of all.
        self._regexes = [re.compile(text) for text in exclude_regex]
        self._apart = apart
        self._trivial = not (include or exclude or exclude_regex or apart)

    def wants(self, key: str) -> bool:
        """Tell whether the object of that key is in scope."""
        return (self._include is None or self._include.match(key)) and self.admits(key)

    def admits(self, key: str) -> bool:
        """Tell whether nothing excludes `key`, whatever the patterns of `include` say."""
        if _is_own(key) or self._is_apart(key) or any(regex.search(key) for regex in self._regexes):
            return False
        return self._exclude is None or not self._exclude.ignore(key)

    def prunes(self, folder: str) -> bool:
        """Tell whether nothing under `folder` (without trailing slash) is in scope, so that no walk need enter it."""
        if _is_own(folder + "/") or self._is_apart(folder + "/"):
            return True
        return self._exclude is not None and self._exclude.ignore_folder(folder)

    def select(self, names: Sequence[str]) -> Sequence[int]:
        """Return the indexes of the keys that are in scope."""
        if self._trivial and _OWN_FOLDER not in "\n".join(names):
            return range(len(names))
        wants = self.wants
        return [index for index, name in enumerate(names) if wants(name)]

    def _is_apart(self, key: str) -> bool:
        return self._apart != "" and key.startswith(self._apart)


def _is_own(key: str) -> bool:
    return key.startswith(_OWN_FOLDER) or f"/{_OWN_FOLDER}" in key
