"""Which keys are in the scope of a job: the same answer on both sides and for every backend."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from pathspec import GitIgnoreSpec

from cloudsync_core import keys

_OWN_FOLDER = ".cloudsync/"

ALWAYS_EXCLUDED = (_OWN_FOLDER,)
"""Where cloudsync keeps its own files (the state database) when they lie inside a synchronised directory."""


class Filter:
    """The scope of a job.

    A key is in scope when it matches some pattern of `include` (or there are none), and no pattern of `exclude` and no
    expression of `exclude_regex`. Patterns are gitignore patterns over the key: as in git, what lies in an excluded
    folder is excluded, and no later pattern brings it back.

    Args:
        include: gitignore patterns.
        exclude: gitignore patterns, after those that are always excluded.
        exclude_regex: regular expressions, searched for in the whole key.
    """

    def __init__(
        self, include: Sequence[str] = (), exclude: Sequence[str] = (), exclude_regex: Sequence[str] = ()
    ) -> None:
        self._include = GitIgnoreSpec.from_lines(include) if include else None
        self._exclude = GitIgnoreSpec.from_lines((*ALWAYS_EXCLUDED, *exclude))
        self._regex = re.compile("|".join(f"(?:{text})" for text in exclude_regex)) if exclude_regex else None
        # Keys come in order, so consecutive keys share their folders: a small cache answers nearly all of them.
        self._folder_excluded = functools.lru_cache(maxsize=1024)(self._find_folder_excluded)
        self._patterns = bool(exclude)
        self._trivial = not (include or exclude or exclude_regex)

    def wants(self, key: str) -> bool:
        """Tell whether the object of that key is in scope."""
        return (self._include is None or self._include.match_file(key)) and self.admits(key)

    def admits(self, key: str) -> bool:
        """Tell whether nothing excludes `key`, whatever the patterns of `include` say."""
        if self._regex is not None and self._regex.search(key):
            return False
        if not self._patterns:
            return not (key.startswith(_OWN_FOLDER) or f"/{_OWN_FOLDER}" in key)
        folder = key.removesuffix(keys.MARKER_SUFFIX).rpartition("/")[0]
        if folder and self._folder_excluded(folder):
            return False
        return not self._exclude.match_file(key)

    def prunes(self, folder: str) -> bool:
        """Tell whether nothing under `folder` (without trailing slash) is in scope, so that no walk need enter it."""
        return self._folder_excluded(folder)

    def select(self, names: Sequence[str]) -> Sequence[int]:
        """Return the indexes of the keys that are in scope."""
        if self._trivial and _OWN_FOLDER not in "\n".join(names):
            return range(len(names))
        wants = self.wants
        return [index for index, name in enumerate(names) if wants(name)]

    def _find_folder_excluded(self, folder: str) -> bool:
        parent = folder.rpartition("/")[0]
        if parent and self._folder_excluded(parent):
            return True
        return self._exclude.match_file(folder + "/")
