"""The tree below a root: which folders there are, and which come and go with the objects in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cloudsync_core import keys
from cloudsync_core.backends._fsspec_address import Address
from cloudsync_core.backends._fsspec_entry import Entry, Kind
from cloudsync_core.backends._fsspec_files import Files
from cloudsync_core.errors import (
    ContainerNotFoundError,
    InvalidKeyError,
    KeyBlockedError,
    ObjectNotFoundError,
    printable,
)

_MOST_REMEMBERED: Final = 10_000
"""Folders that are known to be there: what is forgotten is asked for again."""


class Tree:
    """Finds, makes and removes by key, on files that the caller lends.

    Nothing is written or removed through a link: it may lead out of the root (P5).

    Args:
        address: where the root is.
        problem: says why the filesystem cannot hold a key.
        create: whether a missing root is an empty one, which `make_folder` makes.
        keeps_folders: whether empty folders are objects, and are removed when their last object is.
    """

    def __init__(
        self, address: Address, *, problem: Callable[[str], str | None], create: bool, keeps_folders: bool
    ) -> None:
        self._root = address.root
        self._path = address.path
        self._problem = problem
        self._create = create
        self._keeps_folders = keeps_folders
        self._seen: set[str] = set()
        self._markers_put: set[str] = set()

    def has_root(self, files: Files) -> bool:
        """Tell whether the root is there.

        Raises:
            ContainerNotFoundError: it is not, and is not to be made.
        """
        if not self._root.strip("/"):
            return True
        try:
            is_folder = files.is_folder(self._root)
        except (FileNotFoundError, NotADirectoryError) as error:
            if self._create:
                return False
            raise ContainerNotFoundError("there is no such folder", hint="make it, or check the address") from error
        if not is_folder:
            raise ContainerNotFoundError("it is not a folder")
        return True

    def reach(self, files: Files, folder: str) -> Kind | None:
        """Return what is at `folder`, or what keeps it from being reached through folders alone; `None` for nothing."""
        for each in [*keys.parents(folder), folder]:
            kind = self.kind(files, each)
            if kind != "folder":
                return kind
        return "folder"

    def kind(self, files: Files, folder: str) -> Kind | None:
        """Return what is at `folder` (without trailing slash), or `None` where there is nothing."""
        if self._problem(folder) is not None:
            return None
        try:
            return files.entry(self._path(folder)).kind
        except (FileNotFoundError, NotADirectoryError):
            return None

    def find(self, files: Files, key: str) -> Entry:
        """Return what is at `key`.

        Raises:
            ObjectNotFoundError: there is no object of that name.
        """
        entry = None
        if self._problem(key) is None:
            try:
                entry = files.entry(self._path(key))
            except (FileNotFoundError, NotADirectoryError):
                self.has_root(files)
        if entry is None or entry.kind != ("folder" if keys.is_marker(key) else "file"):
            raise ObjectNotFoundError("there is no such object")
        return entry

    def make_folder(self, files: Files, folder: str, made: list[str] | None = None) -> None:
        """Make a folder ("" for the root) with its parents, unless it is known to be there.

        Args:
            files: where.
            folder: its key, without trailing slash.
            made: takes the folders below the root that were made, outermost first, for `take_back`.

        Raises:
            KeyBlockedError: a file has the name of one of them.
            InvalidKeyError: a link has.
        """
        if folder in self._seen:
            return
        if not self.has_root(files):
            files.make_folder(self._root)
        for each in [*keys.parents(folder), folder] if folder else []:
            kind = self._safe_kind(files, each)
            if kind == "file":
                raise KeyBlockedError(f"{printable(each)} is a file here, so it cannot be a folder")
            if kind is None:
                files.make_folder(self._path(each))
                if made is not None:
                    made.append(each)
            self._remember(each)
        self._remember(folder)

    def make_marker(self, files: Files, key: str) -> Entry:
        """Make the folder of a marker, and keep it when what it will hold is removed."""
        folder = key.removesuffix(keys.MARKER_SUFFIX)
        self._markers_put.add(folder)
        self.make_folder(files, folder)
        return self.find(files, key)

    def remove(self, files: Files, key: str) -> None:
        """Remove exactly what `key` names, and the folders that this empties; nothing where it names nothing.

        A folder that holds something is no object of its own and stays, and so does one put as a marker.
        """
        if self._problem(key) is not None or not self._remove_one(files, key):
            self.has_root(files)
            return
        for folder in reversed(keys.parents(key)) if self._keeps_folders else []:
            if not self._remove_empty(files, folder):
                return

    def take_back(self, files: Files, made: list[str]) -> None:
        """Remove the folders that were made for a file which then could not be, unless something is in them now."""
        for folder in reversed(made) if self._keeps_folders else []:
            if not self._remove_empty(files, folder):
                return

    def forget(self) -> None:
        """Look at every folder anew: one may have been removed by somebody else."""
        self._seen.clear()

    def _remove_empty(self, files: Files, folder: str) -> bool:
        """Remove a folder that was not put as a marker, if it is empty; tell whether it was removed."""
        if folder in self._markers_put:
            return False
        self._seen.discard(folder)
        try:
            files.remove_folder(self._path(folder))
        except Exception:  # noqa: BLE001 - it holds something, or somebody else was faster: no error either way
            return False
        return True

    def _remove_one(self, files: Files, key: str) -> bool:
        if any(self._safe_kind(files, folder) != "folder" for folder in keys.parents(key)):
            return False
        kind = self.kind(files, key)
        if kind == "other":
            raise _in_the_way(key)
        path = self._path(key)
        if kind == "file" and not keys.is_marker(key):
            files.remove(path)
            return True
        if kind == "folder" and keys.is_marker(key) and self._keeps_folders and not files.entries(path):
            folder = key.removesuffix(keys.MARKER_SUFFIX)
            self._markers_put.discard(folder)
            self._seen.discard(folder)
            files.remove_folder(path)
            return True
        return False

    def _safe_kind(self, files: Files, folder: str) -> Kind | None:
        """Return what is at `folder`, a parent of a key; raises `InvalidKeyError` for a link and the like."""
        if folder in self._seen:
            return "folder"
        kind = self.kind(files, folder)
        if kind == "other":
            raise _in_the_way(folder)
        if kind == "folder":
            self._remember(folder)
        return kind

    def _remember(self, folder: str) -> None:
        if len(self._seen) >= _MOST_REMEMBERED:
            self._seen.clear()
        self._seen.add(folder)


def _in_the_way(key: str) -> InvalidKeyError:
    return InvalidKeyError(f"{printable(key)} is neither a file nor a folder here, and is left alone")
