"""The `file` backend: a directory of this machine, whose files are objects and whose empty folders are markers."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from cloudsync_core import keys
from cloudsync_core.backend import NO_ATTRIBUTES, Backend, Prune
from cloudsync_core.backends._file_errors import naming
from cloudsync_core.backends._file_info import entry, marker_entry
from cloudsync_core.backends._file_leftovers import Leftovers, find, remove
from cloudsync_core.backends._file_read import Lookup
from cloudsync_core.backends._file_root import Root, place
from cloudsync_core.backends._file_scan import Scanner
from cloudsync_core.backends._file_walk import Walk
from cloudsync_core.backends._file_write import Writer
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.crashpoints import hit
from cloudsync_core.errors import (
    ConfigError,
    InvalidKeyError,
    PreconditionFailedError,
    UnsupportedOperationError,
    printable,
)
from cloudsync_core.location import Location
from cloudsync_core.models import (
    ALWAYS,
    Attributes,
    ByteRange,
    Gap,
    Identity,
    IfAbsent,
    IfMatch,
    ObjectInfo,
    Page,
    PutCondition,
    Version,
)
from cloudsync_core.options import BackendOptions
from cloudsync_core.unfinished import Leftover

_Folders = list[str]
"""Folders by their paths; in the class below `list` is a verb."""

_CAPABILITIES: Final = Capabilities(
    ordered_listing=True, hierarchical=True, put_if_absent=True, range_get=True, stores_mtime=True, local_reads=True
)


class FileOptions(BackendOptions):
    """Options of a directory.

    Attributes:
        symlinks: "skip" leaves symbolic links out of listings, reports them, and refuses to read or write through
            them. "follow" lists and reads what they lead to; nothing is ever written through one.
        fsync: whether a put returns only when file and name are on the disk (catalogue D05).
        create: whether a directory that does not exist is made, with its parents, by the first put, and is empty
            until then. Without it, a missing directory is an error (clause L2).
    """

    symlinks: Literal["skip", "follow"] = "skip"
    fsync: bool = True
    create: bool = False


class FileBackend(Backend):
    """The files under a directory.

    A key is a path below the directory. An empty folder `x` is the marker `x/`; a folder that holds something can be
    asked for by that name and is not listed. Removing the last object of a folder removes the folder, unless it was
    put as a marker through the same instance. A marker is deleted only where its folder is empty.

    The directory is recognised by its identity: when another one takes its place while the backend is open (a file
    system is mounted or unmounted), operations fail instead of taking the new one for the old; for a second at most
    some still work in a folder of the old one, which was kept open.

    Args:
        location: `file:///path`, or a path; relative ones are relative to the working directory.
        options: see `FileOptions`.

    Raises:
        ConfigError: the location is no path, or this Python does not take file names for UTF-8.
    """

    def __init__(self, location: Location, options: FileOptions | None = None) -> None:
        options = options or FileOptions()
        if not location.rest or "\0" in location.rest:
            raise ConfigError(
                f"{printable(location.rest)!r} is no path of a directory", hint="write . for the working directory"
            )
        if sys.getfilesystemencoding() != "utf-8":
            raise ConfigError(
                f"file names are taken for {sys.getfilesystemencoding()} here and would be altered",
                hint="set PYTHONUTF8=1 in the environment",
            )
        path = os.path.realpath(location.rest)
        self.location = f"file://{printable(str(Path(location.rest).absolute()))}"
        self._identity = Identity("file", path.rstrip("/") + "/")
        self._root = Root(path, create=options.create, sync=options.fsync)
        self._follow = options.symlinks == "follow"
        self._lookup = Lookup(self._root, follow=self._follow)
        self._leftovers = Leftovers(self._root)
        self._writer = Writer(self._root, follow=self._follow, sync=options.fsync)

    @property
    def capabilities(self) -> Capabilities:
        """A tree in order, with its own times; no conditions on versions, which no file system can check."""
        return _CAPABILITIES

    @property
    def identity(self) -> Identity:
        """The directory's path without symbolic links."""
        return self._identity

    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Yield the files and empty folders; what cannot be listed or told is a gap. See `Backend.list`.

        A file whose last change is so young that the next one might not show has the fingerprint "" (B07).
        """
        with naming("list", self.location):
            scanner = Scanner(follow=self._follow, start_after=start_after or "", leftover=self._leftovers.note)
            start = keys.folder(prefix)
            try:
                status = self._lookup.folder(start)
            except InvalidKeyError as error:
                yield Page.of((), (Gap(prefix, error.reason, subtree=True, kind="skipped"),))
            else:
                if status is not None and (not start or scanner.wanted(start)):
                    yield from Walk(self._root.path, scanner, follow=self._follow, prune=prune).pages(start, status)
            self._root.check()

    def stat(self, key: str) -> ObjectInfo:
        """Return what the file or folder is. See `Backend.stat`."""
        with naming("stat", self.location, key):
            return self._lookup.entry(key)

    @contextlib.contextmanager
    def get(
        self, key: str, *, byte_range: ByteRange | None = None, if_match: Version | None = None
    ) -> Iterator[ObjectReader]:
        """Open the file; a marker has no bytes. See `Backend.get`."""
        with contextlib.ExitStack() as stack:
            with naming("get", self.location, key):
                reader = self._lookup.reader(stack, key, byte_range, self.location)
                if if_match is not None and if_match != reader.info.version:
                    raise PreconditionFailedError("it is another version now")
            yield reader

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Return a small file that is read already. See `Backend.read`."""
        if self._follow or keys.is_marker(key):
            return super().read(key, limit)
        with naming("get", self.location, key):
            return self._lookup.read(key, limit)

    def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes = NO_ATTRIBUTES,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Write the file under a temporary name, then give it its own; a marker makes a folder. See `Backend.put`.

        A file that is replaced passes on its permissions; a new one has those of any new file.
        """
        with naming("put", self.location, key):
            place(key)
            if isinstance(condition, IfMatch):
                raise UnsupportedOperationError("no file system can replace one version of a file and no other")
            self._leftovers.collect()
        exclusive = isinstance(condition, IfAbsent)
        if keys.is_marker(key):
            return self._put_marker(key, body, exclusive=exclusive)
        made: list[str] = []
        try:
            return self._put_file(key, body, made, attributes.mtime_ns, exclusive=exclusive)
        except BaseException:
            self._writer.take_back(made)
            raise

    def link(self, key: str, origin: FileBackend) -> ObjectInfo:
        """Give the file that `key` names in another directory that name here, too: both are then one file.

        The new name becomes durable when its folder is synced, which is left to the caller, who may link many.

        Args:
            key: the file, in both.
            origin: the other directory.

        Raises:
            ObjectNotFoundError: there is no such file in the other directory.
            ObjectExistsError: there is one here.
            UnsupportedOperationError: the two are not on one file system, or it makes no more hard links.
            KeyBlockedError, InvalidKeyError: as of `put`.
        """
        with naming("link", self.location, key):
            return entry(key, self._writer.link(key, origin._root))

    def _put_file(self, key: str, body: Body, made: _Folders, mtime_ns: int | None, *, exclusive: bool) -> ObjectInfo:
        chunks = body.chunks()
        if exclusive and body.is_held:
            # What the body raises is its own: it does not become an error of this backend.
            data = b"".join(chunks)
            with naming("put", self.location, key):
                status = self._writer.create(key, data, made, mtime_ns=mtime_ns)
            if status is not None:
                return entry(key, status)
            chunks = iter((data,))
        with contextlib.ExitStack() as stack:
            with naming("put", self.location, key):
                temporary = stack.enter_context(
                    self._writer.begin(key, made, exclusive=exclusive, resumption=body.resumption)
                )
                if temporary.size and not body.go_on(temporary.content, temporary.size):
                    temporary.empty()
                elif body.resumption is not None:
                    body.resumption.kept(temporary.size)
            for chunk in chunks:
                with naming("put", self.location, key):
                    temporary.write(chunk)
            with naming("put", self.location, key):
                return entry(key, temporary.commit(mtime_ns=mtime_ns, exclusive=exclusive))

    def _put_marker(self, key: str, body: Body, *, exclusive: bool) -> ObjectInfo:
        filled = any(True for _ in body.chunks())
        with naming("put", self.location, key):
            if filled:
                raise InvalidKeyError("a folder has no bytes of its own, so no object of this name can have any")
            return marker_entry(key, self._writer.make_folder(key, exclusive=exclusive))

    def delete(self, key: str, *, if_match: Version | None = None) -> None:
        """Remove the file, or the folder of a marker if it is empty, and the folders that this empties.

        See `Backend.delete`.
        """
        with naming("delete", self.location, key):
            place(key)
            if if_match is not None:
                raise UnsupportedOperationError("no file system can remove one version of a file and no other")
            self._leftovers.collect()
            self._writer.remove(key)
        hit("del.sent")

    def leftovers(self, recorded: Sequence[tuple[str, str]] = ()) -> Iterator[Leftover]:
        """Yield the temporary files that nobody is writing. See `Backend.leftovers`."""
        with naming("list", self.location):
            yield from find(self._root, recorded)

    def discard(self, key: str, token: str) -> None:
        """Remove a temporary file. See `Backend.discard`."""
        with naming("discard", self.location, key):
            remove(self._root, key, token)

    def close(self) -> None:
        """Close the folders that are kept open for a moment."""
        self._root.let_go()

    def check_key(self, key: str) -> None:
        """Raise `InvalidKeyError` for what no path below the directory can be. See `Backend.check_key`."""
        with naming("put", self.location, key):
            place(key)
