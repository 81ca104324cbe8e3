"""What changes the tree on the server: only what was looked at is replaced or removed, because a lock holds it."""

from __future__ import annotations

import contextlib
import time
from typing import Final

import urllib3
from cloudsync_core import keys
from cloudsync_core.errors import (
    ContainerNotFoundError,
    KeyBlockedError,
    ObjectExistsError,
    PreconditionFailedError,
)
from cloudsync_core.models import IfAbsent, IfMatch, PutCondition, Version

from cloudsync_webdav.client import AnswerError, Client
from cloudsync_webdav.multistatus import Entry

NO_FOLDER: Final = frozenset({403, 404, 409})
"""What servers answer where a folder is missing; RFC 4918 (9.9.4) says 409."""

_PRECONDITION_FAILED: Final = 412
_PAUSES: Final = (0.0, 0.05, 0.2, 0.5)


def is_version(entry: Entry, version: Version) -> bool:
    """Tell whether what is there is that version; a version that says nothing is that of no object."""
    return bool(version) and version == Version(entry.etag)


class Tree:
    """The files and folders below a root.

    Args:
        client: of the server.
        root: the path of the root; it ends in `/`.
        create: whether a root that does not exist may be made.
    """

    def __init__(self, client: Client, root: str, *, create: bool) -> None:
        self._client = client
        self._root = root
        self._create = create

    def has_root(self) -> bool:
        """Tell whether the root is there; raises `ContainerNotFoundError` where it is not and may not be made."""
        entry = self._client.look(self._root)
        if entry is None and self._create:
            return False
        if entry is None or not entry.is_folder:
            raise ContainerNotFoundError("there is no such folder on the server", hint="make it, or check the address")
        return True

    def install(self, temporary: str, key: str, condition: PutCondition) -> None:
        """Give the temporary file its name, if the condition holds (clause P4)."""
        while isinstance(condition, IfMatch) or not self._is_new(temporary, key):
            with self._client.hold(self._root + key) as (entry, token):
                if entry is not None and entry.is_folder:
                    raise KeyBlockedError("there is a folder of that name")
                if isinstance(condition, IfAbsent) and entry is not None:
                    raise ObjectExistsError("there is an object of that name")
                if isinstance(condition, IfMatch) and (entry is None or not is_version(entry, condition.version)):
                    raise PreconditionFailedError("it is another version now")
                if entry is not None:
                    self._client.move(temporary, self._root + key, token=token)
                    return

    def remove(self, key: str, version: Version | None) -> bool:
        """Remove exactly what the key names; tell whether it was there. A folder that holds something is not."""
        path = self._root + key
        if keys.is_marker(key) and (not self._client.look(path) or self._client.below(path)):
            return False
        with self._client.hold(path) as (entry, token):
            if entry is None or entry.is_folder != keys.is_marker(key):
                return False
            if version is not None and not is_version(entry, version):
                raise PreconditionFailedError("it is another version now")
            if entry.is_folder and self._client.below(path):
                return False
            self._client.remove(path, token=token)
        return True

    def make_folders(self, path: str) -> None:
        """Make the folders above `path`, and the folder that it is if it ends in `/`."""
        ends = [index + 1 for index, character in enumerate(path) if character == "/" and index > 0]
        for folder in (path[:end] for end in ends):
            entry = self._client.look(folder.rstrip("/"))
            if entry is None:
                self._client.make_folder(folder)
            elif not entry.is_folder:
                raise KeyBlockedError("a file is where a folder must be")

    def abandon(self, temporary: str) -> None:
        """Remove what a failed put has left, also when the server is still about to write it."""
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            for pause in _PAUSES:
                time.sleep(pause)
                with contextlib.suppress(AnswerError):
                    self._client.remove(temporary)
                    return

    def _is_new(self, temporary: str, key: str) -> bool:
        """Give the temporary file its name unless something has it, and tell whether that was so."""
        for turn in ("as it is", "with its folders"):
            try:
                self._client.move(temporary, self._root + key, token=None)
            except AnswerError as error:
                if error.status == _PRECONDITION_FAILED:
                    return False
                if error.status not in NO_FOLDER or turn == "with its folders":
                    raise
                self.make_folders(self._root + key)
            else:
                break
        return True
