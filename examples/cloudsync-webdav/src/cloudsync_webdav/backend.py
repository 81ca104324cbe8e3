"""The backend: the verbs of cloudsync's contract in the words of WebDAV.

The clauses that the comments name are those of `cloudsync_core.backend`; `tests/test_conformance.py` tests each.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Final

import urllib3
from cloudsync_core import keys
from cloudsync_core.backend import NO_ATTRIBUTES, Backend, Prune
from cloudsync_core.body import CHUNK_SIZE, Body, ObjectReader
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.errors import (
    ConfigError,
    InvalidKeyError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnavailableError,
    UnsupportedOperationError,
)
from cloudsync_core.location import Location
from cloudsync_core.models import (
    ALWAYS,
    Attributes,
    ByteRange,
    Identity,
    ObjectInfo,
    Page,
    PutCondition,
    Version,
)
from cloudsync_core.unfinished import Leftover

from cloudsync_webdav.client import AnswerError, Client
from cloudsync_webdav.config import WebdavOptions
from cloudsync_webdav.errors import translated
from cloudsync_webdav.multistatus import Entry
from cloudsync_webdav.tree import NO_FOLDER, Tree, is_version
from cloudsync_webdav.walking import Walk

# No flag lies: what is declared works, and what is not declared raises `UnsupportedOperationError` (clause C1).
CAPABILITIES: Final = Capabilities(
    ordered_listing=True,
    hierarchical=True,
    put_if_absent=True,
    put_if_match=True,
    delete_if_match=True,
    range_get=True,
)

# rclone's servers keep control characters as other ones, and U+201B twice (https://rclone.org/local/#restricted-characters).
_ALTERED: Final = re.compile("[\x00-\x1f\x7f\u201b]")
_LONGEST_NAME: Final = 255
_ABANDONED_AFTER_NS: Final = 24 * 3600 * 10**9
_PARTIAL: Final = 206


class WebdavBackend(Backend):
    """The files of `dav://HOST:PORT/FOLDER` or, with TLS, `davs://`, on a server that has locks (class 2).

    A put writes a temporary file into the root, which a MOVE gives its name: readers never see a part (clause P1).
    What replaces or removes something holds a lock meanwhile, so that what was looked at is what is changed.

    Args:
        location: the server and the root folder.
        options: see `WebdavOptions`.

    Raises:
        ConfigError: the location names no server, or holds credentials or dots.
    """

    def __init__(self, location: Location, options: WebdavOptions) -> None:
        scheme, port = ("https", ":443") if location.scheme == "davs" else ("http", ":80")
        host, folder = location.container.lower().removesuffix(port), location.prefix.strip("/")
        if not host or "@" in host or {".", ".."}.intersection(folder.split("/")):
            raise ConfigError(
                f"{location.scheme}:// needs a server, without credentials, and a folder without dots for a name",
                hint=f"write {location.scheme}://HOST/FOLDER, and the options username and password",
            )
        self.location = str(location).rstrip("/")
        self._url = f"{scheme}://{host}"
        self._root = f"/{keys.folder(folder)}"
        self._client = Client(self._url, options)
        self._tree = Tree(self._client, self._root, create=options.create)
        self._checked = False
        self._has_seen_root = False
        self._markers: set[str] = set()
        self._abandoned: set[str] = set()

    @property
    def capabilities(self) -> Capabilities:
        """What every server with locks can do."""
        return CAPABILITIES

    @property
    def identity(self) -> Identity:
        """The server and the path of the root."""
        return Identity(self._url, self._root)

    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Yield the files and empty folders, folder by folder. See `Backend.list`."""
        with self._verb("list"):
            folder = keys.folder(prefix)
            if not self._tree.has_root() or keys.tree_problem(folder or "x") is not None:
                return
            if folder and ((found := self._client.look(self._root + folder)) is None or not found.is_folder):
                return
            yield from Walk(self._below, self._described, start_after, prune).pages(folder)

    def stat(self, key: str) -> ObjectInfo:
        """Return what the file or folder is. See `Backend.stat`."""
        with self._verb("stat", key):
            return self._described(key, self._find(key))

    @contextlib.contextmanager
    def get(
        self, key: str, *, byte_range: ByteRange | None = None, if_match: Version | None = None
    ) -> Iterator[ObjectReader]:
        """Open the file, on the version that is described (clause G1); a folder has no bytes. See `Backend.get`."""
        answer: urllib3.BaseHTTPResponse | None = None
        with self._verb("get", key):
            entry = self._find(key)
            if if_match is not None and not is_version(entry, if_match):
                raise PreconditionFailedError("it is another version now")
            wanted = byte_range or ByteRange(0)
            start = min(wanted.start, entry.size)
            end = entry.size if wanted.end is None else min(wanted.end, entry.size)
            if start < end:
                try:
                    answer = self._client.open(self._root + key, etag=entry.etag, start=start, end=end)
                except AnswerError as error:
                    if error.status not in NO_FOLDER:
                        raise
                    raise PreconditionFailedError("it was replaced or removed just now") from error
        try:
            yield ObjectReader(self._described(key, entry), self._chunks(key, entry, answer, start, end), end - start)
        finally:
            if answer is not None:
                answer.close()

    def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes = NO_ATTRIBUTES,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Write the file under a temporary name, then give it its own; a marker makes a folder. See `Backend.put`."""
        del attributes  # none that servers agree on
        self.check_key(key)
        with self._verb("put", key):
            if not self._has_seen_root and not self._tree.has_root():
                self._tree.make_folders(self._root)
            self._has_seen_root = True
            while self._abandoned:
                self._tree.abandon(self._abandoned.pop())
        if keys.is_marker(key):
            return self._put_marker(key, body)
        temporary = f"{self._root}.cs-{secrets.token_hex(6)}.tmp"
        try:
            with self._verb("put", key):
                self._client.write(temporary, body.chunks(), body.size)
                self._tree.install(temporary, key, condition)
                return self._described(key, self._written(key, body.bytes_passed))
        except BaseException:
            self._has_seen_root = False
            self._tree.abandon(temporary)
            raise

    def delete(self, key: str, *, if_match: Version | None = None) -> None:
        """Remove the file, or the folder of a marker if it is empty, and the folders that this empties.

        See `Backend.delete`.
        """
        with self._verb("delete", key):
            if keys.tree_problem(key) is not None or not self._tree.remove(key, if_match):
                self._tree.has_root()
                return
            self._markers.discard(key)
            for folder in reversed(keys.parents(key)):
                # A folder put as a marker stays when what it holds goes.
                if folder + "/" in self._markers or not self._tree.remove(folder + "/", None):
                    return

    def leftovers(self, recorded: Sequence[tuple[str, str]] = ()) -> Iterator[Leftover]:
        """Yield the temporary files, also those that somebody is writing. See `Backend.leftovers`."""
        del recorded  # nothing is: a put that was cut short begins anew
        with self._verb("list"):
            for entry in self._below("") if self._tree.has_root() else ():
                if keys.is_temporary(entry.name) and not entry.is_folder:
                    name = entry.name
                    yield Leftover("temporary file", name, name, entry.modified_ns, entry.size, ours=True)

    def discard(self, key: str, token: str) -> None:
        """Remove a temporary file. See `Backend.discard`."""
        with self._verb("discard", key):
            if keys.is_temporary(token) and "/" not in token:
                self._tree.remove(token, None)

    def check_key(self, key: str) -> None:
        """Raise `InvalidKeyError` for what a server might keep as another name. See `Backend.check_key`."""
        super().check_key(key)
        why = None
        if (found := _ALTERED.search(key)) is not None:
            why = f"servers exist that keep the character U+{ord(found[0]):04X} as another one"
        elif any(len(name.encode()) > _LONGEST_NAME for name in key.split("/")):
            why = f"the file systems under servers take names of {_LONGEST_NAME} bytes at most"
        if why is not None:
            raise InvalidKeyError(why, operation="put", location=self.location, key=key)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @contextlib.contextmanager
    def _verb(self, operation: str, key: str | None = None) -> Iterator[None]:
        """Let only `BackendError`s out (clause E1), and nothing in before the server is known to have locks."""
        with translated(operation, self.location, key):
            if not self._checked:
                if not self._client.has_locks(self._root):
                    raise UnsupportedOperationError("the server has no locks (it is not of class 2 of RFC 4918)")
                self._checked = True
            yield

    def _below(self, folder: str) -> Sequence[Entry]:
        try:
            found = self._client.below(self._root + folder)
        except AnswerError as error:
            if error.status not in NO_FOLDER:
                raise
            raise UnavailableError("a folder was removed while it was listed", key=folder) from error
        if not folder:
            # What a killed run has left is removed by the next one that writes here.
            old = time.time_ns() - _ABANDONED_AFTER_NS
            self._abandoned = {each.path for each in found if keys.is_temporary(each.path) and each.modified_ns < old}
        return found

    def _find(self, key: str) -> Entry:
        entry = self._client.look(self._root + key) if keys.tree_problem(key) is None else None
        if entry is None:
            self._tree.has_root()
        if entry is None or entry.is_folder != keys.is_marker(key):
            raise ObjectNotFoundError("there is no such object")
        return entry

    def _chunks(
        self, key: str, entry: Entry, answer: urllib3.BaseHTTPResponse | None, start: int, end: int
    ) -> Iterator[bytes]:
        """Yield the bytes, and raise at the end when they need not be those of `entry` (clause G1).

        A server may look at the file for its head, `If-Match` included, and open it for its bytes a moment later.
        """
        if answer is None:
            return
        # A server without ranges begins at the first byte and goes on to the last.
        passed = start if answer.status == _PARTIAL else 0
        with self._verb("get", key):
            for chunk in answer.stream(CHUNK_SIZE, decode_content=False):
                wanted = chunk[max(start - passed, 0) : end - passed]
                passed += len(chunk)
                if wanted:
                    yield wanted
            if self._client.look(self._root + key) != entry:
                raise PreconditionFailedError("it changed while it was read")

    def _put_marker(self, key: str, body: Body) -> ObjectInfo:
        filled = any(True for _ in body.chunks())
        with self._verb("put", key):
            if filled:
                raise InvalidKeyError("a folder has no bytes of its own, so no object of this name can have any")
            self._markers.add(key)
            self._tree.make_folders(self._root + key)
            return self._described(key, self._find(key))

    def _written(self, key: str, size: int) -> Entry:
        """Return what a put has made."""
        entry = self._client.look(self._root + key)
        if entry is None or entry.size != size:
            raise UnavailableError("somebody else changed it at the same time")
        return entry

    def _described(self, key: str, entry: Entry) -> ObjectInfo:
        return ObjectInfo(
            key=key,
            size=entry.size,
            fingerprint=entry.etag or "",
            modified_ns=entry.modified_ns,
            version=Version(entry.etag),
            attributes=NO_ATTRIBUTES,
        )
