"""One fsspec filesystem as the few single-file primitives that the backend builds on.

fsspec's bulk calls take names for glob patterns, and `walk` and `find` leave out what they cannot list, so neither
is used here. Paths are what `ls` and `info` of the filesystem take: absolute, `/`-separated, never decoded.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from cloudsync_core import keys
from cloudsync_core.backends._fsspec_entry import Entry
from cloudsync_core.body import CHUNK_SIZE
from cloudsync_core.errors import InvalidKeyError, UnexpectedBackendError


class Writer:
    """A file in the making under a temporary name; `close` finishes it, `abandon` gives it up."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def write(self, chunk: bytes) -> None:
        """Append `chunk`."""
        self._target.write(chunk)

    def close(self) -> None:
        """Have the filesystem take what was written."""
        self._target.close()

    def abandon(self) -> None:
        """Close the file whatever it takes: fsspec's files commit on close, so the caller then removes it."""
        with contextlib.suppress(Exception):
            self._target.close()


class Files:
    """The primitives over any filesystem.

    Attributes:
        inexact: what some filesystems understand as something else than a character of a name: the syntax of URLs and
            of patterns, the separators and streams of Windows, which also drops dots and spaces at the end. A name
            that has it is neither written nor read, unless the filesystem is known to keep it; `None` for that.
        broken: whether the connection must not be used again.
    """

    inexact: ClassVar[re.Pattern[str] | None] = re.compile(r"[\x00-\x1f\x7f?#%*\[\]{}\\:]|[. ](?=/|$)")

    def __init__(self, filesystem: Any) -> None:
        self._fs = filesystem
        self._ls: Callable[..., Any] = filesystem.ls
        parameters = inspect.signature(filesystem.ls).parameters.values()
        takes_refresh = any(it.name == "refresh" or it.kind is it.VAR_KEYWORD for it in parameters)
        self._ls_arguments = {"detail": True, **({"refresh": True} if takes_refresh else {})}
        # Without a `mv` of its own a filesystem has fsspec's, a bulk copy and a bulk delete.
        self._renames = inspect.unwrap(filesystem.mv).__module__ not in {"fsspec.spec", "fsspec.asyn"}
        self.broken = False

    @classmethod
    def problem(cls, key: str) -> str | None:
        """Say why the filesystem cannot hold `key` exactly, or return `None` when it can."""
        if (why := keys.tree_problem(key)) is not None:
            return why
        if cls.inexact is not None and (found := cls.inexact.search(key)) is not None:
            return f"this kind of filesystem does not keep {found[0]!r} in a name, at least not at that place"
        return None

    def entries(self, path: str) -> list[Entry]:
        """Return what the folder holds, in no order.

        Raises:
            UnexpectedBackendError: the filesystem lists something that does not lie in the folder.
            Exception: the folder cannot be listed.
        """
        return [Entry.of(name, info) for info in self._ls(path, **self._ls_arguments) if (name := _name(info, path))]

    def entry(self, path: str) -> Entry:
        """Return what is at `path`; raises `FileNotFoundError` where there is nothing."""
        return Entry.of(path.rstrip("/").rpartition("/")[2], self._fs.info(path))

    def is_folder(self, path: str) -> bool:
        """Tell whether `path` is a folder or a link to one; raises `FileNotFoundError` where there is nothing."""
        return bool(self._fs.info(path)["type"] == "directory")

    def read(self, path: str, start: int, size: int) -> Iterator[bytes]:
        """Yield `size` bytes from `start` on, or fewer where the file ends earlier."""
        with self._fs.open(path, "rb") as source:
            if start:
                source.seek(start)
            while size > 0 and (chunk := source.read(min(CHUNK_SIZE, size))):
                size -= len(chunk)
                yield chunk

    def writer(self, path: str) -> Writer:
        """Start a new file."""
        return Writer(self._fs.open(path, "wb"))

    def replace(self, old: str, new: str) -> None:
        """Give the file `old` the name `new`, in place of a file that has it.

        A filesystem that can rename is asked to, and refuses by itself where it cannot replace a file that way. One
        that cannot rename (an object store) makes a copy, which appears there as a whole.

        Raises:
            IsADirectoryError: `new` is a folder.
            InvalidKeyError: `new` is a link or the like.
            OSError: the filesystem did not do what it said.
        """
        self._require_replaceable(new)
        if self._renames:
            self._fs.mv(old, new)
        else:
            self._fs.cp_file(old, new)
            self._fs.rm_file(old)
        # Some report no error when they refuse.
        with contextlib.suppress(FileNotFoundError):
            self.entry(old)
            raise OSError("the filesystem did not rename the file, and gave no reason")

    def remove(self, path: str) -> None:
        """Remove one file."""
        self._fs.rm_file(path)

    def make_folder(self, path: str) -> None:
        """Make a folder with its parents; one that exists is no error."""
        self._fs.makedirs(path, exist_ok=True)

    def _require_replaceable(self, path: str) -> None:
        """Raise for what is no file; some filesystems take the name of a folder, or of a link to one, for "into it"."""
        try:
            kind = self.entry(path).kind
        except FileNotFoundError:
            return
        if kind == "folder":
            raise IsADirectoryError("a folder has that name")
        if kind == "other":
            raise InvalidKeyError("it is neither a file nor a folder here, and no object replaces it")

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder; only where the filesystem is known to refuse when it holds something."""
        self._fs.rmdir(path)

    def close(self) -> None:
        """Close the connection, where the filesystem keeps one that can be closed; fsspec has no word for it."""


class LocalFiles(Files):
    """fsspec's filesystem of this machine, whose `info` takes a link that leads nowhere for nothing."""

    inexact: ClassVar = None

    def entry(self, path: str) -> Entry:
        """Return what is at `path`, a link as such; raises `FileNotFoundError` where there is nothing."""
        if self._fs.islink(path):
            return Entry(path.rpartition("/")[2], "other", None)
        return super().entry(path)


class WebdavFiles(Files):
    """The filesystem of the package webdav4, which copies where WebDAV can move, and never onto a file."""

    def replace(self, old: str, new: str) -> None:
        """Give the file `old` the name `new`, in place of a file that has it."""
        self._require_replaceable(new)
        self._fs.client.move(old, new, overwrite=True)


class MemoryFiles(Files):
    """fsspec's filesystem in memory: every reader of a file shares one position, so it is read without opening."""

    inexact: ClassVar = None
    _making = threading.Lock()

    def make_folder(self, path: str) -> None:
        """Make a folder with its parents; one that exists is no error."""
        # Two threads that make one folder would leave it there twice.
        with self._making:
            super().make_folder(path)

    def read(self, path: str, start: int, size: int) -> Iterator[bytes]:
        """Yield `size` bytes from `start` on, or fewer where the file ends earlier."""
        for at in range(start, start + size, CHUNK_SIZE):
            yield self._fs.cat_file(path, start=at, end=min(at + CHUNK_SIZE, start + size))


def _name(info: Mapping[str, Any], folder: str) -> str:
    """Return the last segment of a path listed in `folder`, or "" for the folder itself."""
    path = str(info["name"]).strip("/")
    parent, _, name = path.rpartition("/")
    if path == folder.strip("/") or name in {".", ".."}:
        return ""
    if parent != folder.strip("/"):
        raise UnexpectedBackendError(f"the listing of a folder holds {path!r}, which does not lie in it")
    return name
