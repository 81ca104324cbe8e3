"""File systems that take several names for one, as those of other systems and of memory cards do.

None can be mounted where these tests run. So a directory is made to behave as one: every call by which a program
reaches a name in it finds what the file system would find. The calls are real, as are the files.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_BY_NAME = ("open", "stat", "mkdir", "rmdir", "unlink")
_BY_TWO_NAMES = ("link", "rename")


@dataclasses.dataclass(frozen=True)
class FileSystem:
    """How a file system treats names.

    Attributes:
        name: as tests call it.
        fold: what two names have in common that it takes for one.
        stored: the name that a new file gets.
        links: whether it has hard links, and files without names.
    """

    name: str
    fold: Callable[[str], str]
    stored: Callable[[str], str] = str
    links: bool = True

    def __str__(self) -> str:
        return self.name


def _form(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def _without_dots(name: str) -> str:
    return name.rstrip(". ")


LETTER_CASE = FileSystem("letter-case", lambda name: name.casefold())
UNICODE_FORM = FileSystem("unicode-form", _form)
BOTH = FileSystem("case-and-form", lambda name: _form(_form(name).casefold()))
DECOMPOSING = FileSystem("decomposing", lambda name: _form(_form(name).casefold()), _form)
MEMORY_CARD = FileSystem("memory-card", lambda name: _without_dots(name).casefold(), _without_dots, links=False)


class Folding:
    """Makes the names below a directory be found as a file system would.

    Args:
        monkeypatch: takes everything back.
        root: the directory.
        system: which file system it becomes.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path, system: FileSystem) -> None:
        self._root = os.path.realpath(root)
        self._system = system
        # A real file system, too, makes one name at a time in a directory.
        self._lock = threading.RLock()
        for call in _BY_NAME:
            monkeypatch.setattr(os, call, self._by_name(getattr(os, call)))
        for call in _BY_TWO_NAMES:
            monkeypatch.setattr(os, call, self._by_two_names(getattr(os, call), refused=call == "link"))

    def _by_name(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def found(path: Any, *arguments: Any, dir_fd: int | None = None, **options: Any) -> Any:
            with self._lock:
                if self._is_inside(dir_fd) and call.__name__ == "open" and not self._system.links:
                    _refuse_unnamed(arguments[0])
                return call(self._resolved(path, dir_fd), *arguments, dir_fd=dir_fd, **options)

        return found

    def _by_two_names(self, call: Callable[..., Any], *, refused: bool) -> Callable[..., Any]:
        def found(
            source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None, **options: Any
        ) -> Any:
            with self._lock:
                if refused and self._is_inside(dst_dir_fd) and not self._system.links:
                    raise OSError(errno.EPERM, os.strerror(errno.EPERM))
                paths = self._resolved(source, src_dir_fd), self._resolved(target, dst_dir_fd)
                return call(*paths, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, **options)

        return found

    def _is_inside(self, folder: int | None) -> bool:
        if folder is None:
            return False
        path = str(Path(f"/proc/self/fd/{folder}").readlink())
        return path == self._root or path.startswith(self._root + "/")

    def _resolved(self, name: Any, folder: int | None) -> Any:
        """Return the name under which a folder holds what `name` leads to, or under which it would be made."""
        if folder is None or not isinstance(name, str) or "/" in name or name == "." or not self._is_inside(folder):
            return name
        held = [path.name for path in Path(f"/proc/self/fd/{folder}").iterdir()]
        alike = self._system.fold(name)
        return next((each for each in held if self._system.fold(each) == alike), self._system.stored(name))


def _refuse_unnamed(flags: int) -> None:
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
