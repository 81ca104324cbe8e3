"""The `fsspec` backend: any filesystem that fsspec knows, by its protocol. The only module that imports fsspec."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Final

import fsspec
from fsspec.registry import known_implementations, registry

from cloudsync_core import keys
from cloudsync_core.backend import NO_ATTRIBUTES, Backend, Prune
from cloudsync_core.backends._fsspec_address import REFUSED, Address, FsspecOptions
from cloudsync_core.backends._fsspec_entry import Entry, as_object
from cloudsync_core.backends._fsspec_errors import translate
from cloudsync_core.backends._fsspec_files import Files, LocalFiles, MemoryFiles, WebdavFiles
from cloudsync_core.backends._fsspec_ftp import FtpFiles
from cloudsync_core.backends._fsspec_pool import Pool
from cloudsync_core.backends._fsspec_sftp import SftpFiles
from cloudsync_core.backends._fsspec_temporary import Leftovers, Temporary
from cloudsync_core.backends._fsspec_tree import Tree
from cloudsync_core.backends._fsspec_walk import Walk, pages
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.errors import (
    BackendError,
    ConfigError,
    Disposition,
    InvalidKeyError,
    PluginLoadError,
    PreconditionFailedError,
    UnavailableError,
    UnexpectedBackendError,
    UnknownBackendError,
    UnsupportedOperationError,
)
from cloudsync_core.location import Location
from cloudsync_core.models import (
    ALWAYS,
    Always,
    Attributes,
    ByteRange,
    Gap,
    Identity,
    ObjectInfo,
    Page,
    PutCondition,
    Version,
)
from cloudsync_core.unfinished import Leftover

__all__ = ["FsspecBackend", "FsspecOptions", "available"]

_FILES: Final[dict[str, type[Files]]] = {
    "file": LocalFiles,
    "ftp": FtpFiles,
    "memory": MemoryFiles,
    "sftp": SftpFiles,
    "webdav": WebdavFiles,
}
"""What is known of a protocol beyond what fsspec says."""

_LOCAL: Final = frozenset({"file", "memory"})
"""Protocols of filesystems that are read without a network."""

_REMOVES_EMPTY_ONLY: Final = frozenset({"file", "ftp", "memory", "sftp", "smb"})
"""Protocols of filesystems that are known not to remove a folder that holds something.

Elsewhere (HDFS, WebDAV) removing a folder takes everything below with it, what was written there a moment ago included.
"""

_Folders = list[str]
"""Folders by their paths; in the class below `list` is a verb."""


def available(scheme: str) -> bool:
    """Tell whether fsspec knows a filesystem of that name; whether it can be used shows when it is opened."""
    return scheme in registry or scheme in known_implementations


class FsspecBackend(Backend):
    """The files of one fsspec filesystem below a root folder.

    A put writes a temporary sibling, checks its size and renames it: where the filesystem cannot replace a file by
    renaming, an update fails and the old object stays. What the filesystem tells of a file (size, times, etags,
    identity) is its fingerprint; where it tells nothing but the size there is none, and where its times are whole
    seconds there is none for a file that changed in the last two. Modification times and attributes are not stored.

    Local files, memory, FTP and SFTP are known well. Of other filesystems less is taken for granted: names that might
    be understood as something else are refused and reported; folders, which might be removed with what they hold, are
    never removed, empty ones are not listed, and markers are refused. Whether such a server tells names apart that
    differ in letter case or in Unicode form is not known.

    Args:
        location: `protocol://host:port/folder`, or as fsspec writes the paths of that protocol.
        options: `create`, and the arguments of the filesystem.

    Raises:
        UnknownBackendError: fsspec knows no such protocol.
        ConfigError: the protocol is none of a store, or the location or an option does not fit it.
        PluginLoadError: a package that the filesystem needs is not installed.
    """

    def __init__(self, location: Location, options: FsspecOptions | None = None) -> None:
        options = options or FsspecOptions()
        self._filesystem = _filesystem_class(location.scheme)
        self._address = Address(self._filesystem, location, options)
        self.location = self._address.location
        self._path = self._address.path
        self._files = _FILES.get(self._address.protocol, Files)
        self._keeps_folders = self._address.protocol in _REMOVES_EMPTY_ONLY
        self._capabilities = Capabilities(
            ordered_listing=True, hierarchical=True, range_get=True, local_reads=self._address.protocol in _LOCAL
        )
        self._pool = Pool(self._connect, shared=self._filesystem.async_impl)
        self._leftovers = Leftovers(self._path)
        self._tree = Tree(
            self._address, problem=self._files.problem, create=options.create, keeps_folders=self._keeps_folders
        )

    @property
    def capabilities(self) -> Capabilities:
        """A tree in order, and ranges; nothing that an fsspec filesystem does not promise."""
        return self._capabilities

    @property
    def identity(self) -> Identity:
        """The filesystem's address and the root's path."""
        return self._address.identity

    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Yield the files and empty folders, folder by folder. See `Backend.list`."""
        with self._naming("list"), self._pool.lend() as files:
            start = keys.folder(prefix)
            if not self._tree.has_root(files):
                return
            reached = self._tree.reach(files, start.removesuffix("/")) if start else "folder"
            if reached == "other":
                reason = "it is neither a file nor a folder"
                yield Page.of((), (Gap(prefix, reason, subtree=True, kind="skipped"),))
            if reached != "folder":
                return
            walk = self._walk(files, leftover=self._leftovers.note, start_after=start_after, prune=prune)
            yield from pages(walk.below(start))

    def stat(self, key: str) -> ObjectInfo:
        """Return what the file or folder is. See `Backend.stat`."""
        with self._naming("stat", key), self._pool.lend() as files:
            return as_object(key, self._tree.find(files, key))

    @contextlib.contextmanager
    def get(
        self, key: str, *, byte_range: ByteRange | None = None, if_match: Version | None = None
    ) -> Iterator[ObjectReader]:
        """Open the file; a marker has no bytes. See `Backend.get`."""
        with contextlib.ExitStack() as stack:
            with self._naming("get", key):
                files = stack.enter_context(self._pool.lend())
                found = self._tree.find(files, key)
                info = as_object(key, found)
                if if_match is not None and (not if_match or if_match != info.version):
                    raise PreconditionFailedError("it is another version now")
            wanted = byte_range or ByteRange(0)
            start = min(wanted.start, info.size)
            size = (info.size if wanted.end is None else min(wanted.end, info.size)) - start
            chunks = stack.enter_context(contextlib.closing(self._chunks(files, key, found, start, size)))
            yield ObjectReader(info, chunks, size)

    def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes = NO_ATTRIBUTES,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Write the file under a temporary name, then give it its own; a marker makes a folder. See `Backend.put`."""
        del attributes
        with self._naming("put", key):
            self.check_key(key)
            if not isinstance(condition, Always):
                raise UnsupportedOperationError("this filesystem has no conditional writes")
        if keys.is_marker(key):
            return self._put_marker(key, body)
        made: list[str] = []
        try:
            written = self._write(key, body, made)
        except BaseException:
            with contextlib.suppress(Exception), self._pool.lend() as files:
                self._tree.take_back(files, made)
            raise
        return as_object(key, written, written=True)

    def _write(self, key: str, body: Body, made: _Folders) -> Entry:
        folder = key.rpartition("/")[0]
        with contextlib.ExitStack() as stack:
            with self._naming("put", key):
                files = stack.enter_context(self._pool.lend())
                self._leftovers.collect(files)
                self._tree.make_folder(files, folder, made)
                temporary = stack.enter_context(Temporary(files, self._pool, self._path(folder), self._path(key)))
            for chunk in body.chunks():
                with self._naming("put", key):
                    temporary.write(chunk)
            with self._naming("put", key):
                return temporary.commit()

    def delete(self, key: str, *, if_match: Version | None = None) -> None:
        """Remove the file, or the folder of a marker if it is empty, and the folders that this empties.

        See `Backend.delete`.
        """
        with self._naming("delete", key):
            if if_match is not None:
                raise UnsupportedOperationError("this filesystem cannot remove one version of a file and no other")
            with self._pool.lend() as files:
                self._leftovers.collect(files)
                self._tree.remove(files, key)

    def leftovers(self, recorded: Sequence[tuple[str, str]] = ()) -> Iterator[Leftover]:
        """Yield the temporary files of all processes, those that are being written among them; see `Backend`."""
        known = {f"{key[: key.rfind('/') + 1]}{token}": key for key, token in recorded}
        with self._naming("list"), self._pool.lend() as files:
            found: list[tuple[str, Entry]] = []
            if self._tree.has_root(files):
                walk = self._walk(files, leftover=lambda path, entry: found.append((path, entry)))
                collections.deque(walk.below(""), maxlen=0)
        for path, entry in found:
            name = path.rpartition("/")[2]
            yield Leftover(
                "temporary file",
                known.get(path, path),
                name,
                entry.modified_ns,
                entry.size,
                recorded=path in known,
                ours=True,
            )

    def discard(self, key: str, token: str) -> None:
        """Remove a temporary file. See `Backend.discard`."""
        if keys.is_temporary(token) and "/" not in token:
            with self._naming("discard", key), self._pool.lend() as files, contextlib.suppress(FileNotFoundError):
                files.remove(self._path(key[: key.rfind("/") + 1] + token))

    def check_key(self, key: str) -> None:
        """Raise `InvalidKeyError` for what no path of the filesystem can be. See `Backend.check_key`."""
        super().check_key(key)
        why = self._files.problem(key)
        if keys.is_marker(key) and not self._keeps_folders:
            why = "folders cannot be removed safely here, so they are not kept as objects"
        if why is not None:
            raise InvalidKeyError(why, operation="put", location=self.location, key=key)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close()

    def _walk(
        self,
        files: Files,
        *,
        leftover: Callable[[str, Entry], None],
        start_after: str | None = None,
        prune: Prune | None = None,
    ) -> Walk:
        return Walk(
            lambda folder: files.entries(self._path(folder)),
            lambda folder: self._tree.kind(files, folder) == "folder",
            problem=self._files.problem,
            leftover=leftover,
            markers=self._keeps_folders,
            start_after=start_after,
            prune=prune,
        )

    def _connect(self) -> Files:
        try:
            filesystem = self._filesystem(**self._address.arguments, skip_instance_cache=True)
        except Exception as error:
            meaning = translate(error, self._address.secrets)
            # What is not a known, passing trouble (a wrong argument, a missing package) is none of one object.
            if type(meaning) is UnexpectedBackendError:
                meaning.disposition = Disposition.ABORT
            raise meaning from error
        # Not all constructors take `use_listings_cache`, and the cache of those that do never expires (E01).
        if hasattr(filesystem, "dircache"):
            filesystem.dircache.use_listings_cache = False
        return self._files(filesystem)

    def _chunks(self, files: Files, key: str, found: Entry, start: int, size: int) -> Generator[bytes, None, None]:
        """Yield the bytes, and raise at the end when they need not be those of `found` (clause G1)."""
        if not size:
            return
        path = self._path(key)
        # One byte more than there should be: a longer file in its place is noticed even if its times tell nothing.
        wanted = size + 1 if start + size == found.size else size
        with self._naming("get", key):
            try:
                yield from files.read(path, start, wanted)
                try:
                    after = files.entry(path)
                except FileNotFoundError:
                    after = None
            except Exception:
                files.broken = True
                raise
            if after is None or (after.size, after.stamp) != (found.size, found.stamp):
                raise PreconditionFailedError("it changed while it was read")

    def _put_marker(self, key: str, body: Body) -> ObjectInfo:
        filled = any(True for _ in body.chunks())
        with self._naming("put", key):
            if filled:
                raise InvalidKeyError("a folder has no bytes of its own, so no object of this name can have any")
            with self._pool.lend() as files:
                return as_object(key, self._tree.make_marker(files, key))

    @contextlib.contextmanager
    def _naming(self, operation: str, key: str | None = None) -> Iterator[None]:
        """Let only `BackendError`s out (clause E1), and let each say what was done to which object."""
        try:
            yield
        except BackendError as error:
            raise self._named(error, operation, key)  # noqa: B904 - it is the same error
        except Exception as error:
            raise self._named(self._meaning_of(error, operation), operation, key) from error

    def _meaning_of(self, error: Exception, operation: str) -> BackendError:
        if operation == "put":
            self._tree.forget()
            if isinstance(error, FileNotFoundError):
                return UnavailableError("the folder was removed while the object was written")
        return translate(error, self._address.secrets)

    def _named(self, error: BackendError, operation: str, key: str | None) -> BackendError:
        if not error.operation:
            error.operation, error.location, error.key = operation, self.location, key
        return error


def _filesystem_class(scheme: str) -> Any:
    if (why := REFUSED.get(scheme)) is not None:
        raise ConfigError(f"{scheme}:// cannot be kept in step: {why}")
    try:
        return fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        missing = error.__cause__.name if isinstance(error.__cause__, ImportError) else None
        raise PluginLoadError(
            f"{scheme}:// needs a package that is not installed: {error}",
            hint=f"pip install {missing.partition('.')[0]}" if missing and missing in str(error) else None,
        ) from error
    except ValueError as error:
        raise UnknownBackendError(f"fsspec knows no filesystem named {scheme!r}") from error
