"""One fsspec filesystem as the few single-file primitives that the backend builds on.

fsspec's bulk calls take names for glob patterns, and `walk` and `find` leave out what they cannot list, so neither
is used here. Paths are what `ls` and `info` of the filesystem take: absolute, `/`-separated, never decoded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final, Literal

from cloudsync_core.body import CHUNK_SIZE
from cloudsync_core.errors import UnexpectedBackendError

_CONTENT: Final = (
    "etag",
    "checksum",
    "md5",
    "md5hash",
    "md5checksum",
    "content_hash",
    "sha256",
    "crc32c",
    "generation",
)
"""Facts that change with the content, as filesystems name them, in lower case."""

_IDENTITY: Final = ("ino", "fileid", "unique")
"""Facts that change when another file takes the name."""

_ORIGIN_TIMES: Final = ("mtime", "modify", "modified", "modificationtime")
"""Times of the last change of the content, which a copy within the filesystem keeps."""

_TIMES: Final = (*_ORIGIN_TIMES, "lastmodified", "last_modified", "updated", "created", "creation_time", "ctime")

_MILLISECONDS_FROM: Final = 100_000_000_000
"""A whole number of at least this is a time in milliseconds: in seconds it would be after the year 5000."""

_SECOND_NS: Final = 1_000_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """What a filesystem says of one path.

    Attributes:
        name: the last segment.
        kind: "other" is a link, a device, whatever else.
        size: bytes, or `None` where the filesystem does not tell.
        stamp: changes when the content does, as far as the filesystem can tell; "" where it tells nothing but a size.
        modified_ns: when the content last changed, or when the file was made: ns since the epoch; `None` if unknown.
        is_origin_time: whether it is the former.
        is_coarse: whether the stamp rests on times of whole seconds.
    """

    name: str
    kind: Literal["file", "folder", "other"]
    size: int | None
    stamp: str = ""
    modified_ns: int | None = None
    is_origin_time: bool = False
    is_coarse: bool = False

    @classmethod
    def of(cls, name: str, info: Mapping[str, Any]) -> Entry:
        """Return the entry that an `info` dictionary of fsspec describes."""
        kinds: dict[str, Literal["file", "folder"]] = {"file": "file", "directory": "folder"}
        kind: Literal["file", "folder", "other"] = "other" if info.get("islink") else kinds.get(info["type"], "other")
        facts = {fact.lower(): value for fact, value in info.items() if value is not None}
        content = [str(facts[fact]) for fact in _CONTENT if fact in facts]
        identity = [str(facts[fact]) for fact in _IDENTITY if fact in facts]
        times = {fact: _nanoseconds(facts[fact]) for fact in _TIMES if fact in facts}
        known = {fact: time for fact, time in times.items() if time is not None}
        size = None if info.get("size") is None else int(info["size"])
        stamp = "-".join([f"{size}", *content, *identity, *(f"{time // 1000:x}" for time in known.values())])
        origin = next((fact for fact in known if fact in _ORIGIN_TIMES), None)
        return cls(
            name=name,
            kind=kind,
            size=size,
            stamp=stamp if content or known else "",
            modified_ns=known[origin] if origin is not None else next(iter(known.values()), None),
            is_origin_time=origin is not None,
            is_coarse=not content and all(time % _SECOND_NS == 0 for time in known.values()),
        )


class Writer:
    """A file in the making under a temporary name; `close` finishes it, `abandon` gives it up."""

    def __init__(self, target: Any) -> None:
        self._target = target
        # paramiko waits for the answer to every 32 KiB unless told otherwise; the size is checked afterwards.
        if hasattr(target, "set_pipelined"):
            target.set_pipelined(True)

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
        forbidden: characters that no path of this filesystem can have.
        broken: whether the connection must not be used again.
    """

    forbidden: ClassVar[str] = ""

    def __init__(self, filesystem: Any) -> None:
        self._fs = filesystem
        self._ls: Callable[..., Any] = filesystem.ls
        parameters = inspect.signature(filesystem.ls).parameters.values()
        takes_refresh = any(it.name == "refresh" or it.kind is it.VAR_KEYWORD for it in parameters)
        self._ls_arguments = {"detail": True, **({"refresh": True} if takes_refresh else {})}
        # Without a `mv` of its own a filesystem has fsspec's, a bulk copy and a bulk delete.
        self._renames = inspect.unwrap(filesystem.mv).__module__ not in {"fsspec.spec", "fsspec.asyn"}
        self.broken = False

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
            OSError: the filesystem did not do what it said.
        """
        self._require_no_folder_at(new)
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
        try:
            self._fs.makedirs(path, exist_ok=True)
        except Exception:
            self._require_no_file_in(path)
            raise
        # Some take a file for the folder that exists.
        self._require_no_file_in(path)

    def _require_no_folder_at(self, path: str) -> None:
        """Raise `IsADirectoryError` for a folder, whose name some filesystems take for "into that folder"."""
        with contextlib.suppress(FileNotFoundError):
            if self.entry(path).kind == "folder":
                raise IsADirectoryError("a folder has that name")

    def _require_no_file_in(self, path: str) -> None:
        """Raise `NotADirectoryError` when `path`, or the nearest thing above it that exists, is no folder."""
        while path.strip("/"):
            try:
                if self.entry(path).kind != "folder":
                    raise NotADirectoryError("a file has the name of a folder")
            except FileNotFoundError:
                path = path.rstrip("/").rpartition("/")[0]
            else:
                return

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder; only where the filesystem is known to refuse when it holds something."""
        self._fs.rmdir(path)

    def close(self) -> None:
        """Close the connection that the filesystem keeps, where it has one that can be closed."""
        for name in ("ftp", "client"):
            connection = getattr(self._fs, name, None)
            if connection is not None and hasattr(connection, "close"):
                connection.close()


class MemoryFiles(Files):
    """fsspec's filesystem in memory: every reader of a file shares one position, so it is read without opening."""

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


def _nanoseconds(time: object) -> int | None:
    """Return a time as filesystems tell them, ns since the epoch to the microsecond, or `None` for a text."""
    if isinstance(time, dt.datetime):
        time = time.timestamp()
    if isinstance(time, bool) or not isinstance(time, int | float):
        return None
    if isinstance(time, int):
        return time * (1_000_000 if time >= _MILLISECONDS_FROM else _SECOND_NS)
    return round(time * 1_000_000) * 1000
