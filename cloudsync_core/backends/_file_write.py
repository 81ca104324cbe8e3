"""Changing a directory tree: what stands in the way stays, and nothing is changed through a symbolic link."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading

from cloudsync_core import keys
from cloudsync_core.backends._file_info import kind_of
from cloudsync_core.backends._file_names import name_held, require_own_name
from cloudsync_core.backends._file_root import Folder, Root, make_directory, place
from cloudsync_core.backends._file_temporary import Temporary, create, has_unnamed_files, link
from cloudsync_core.errors import BackendError, InvalidKeyError, KeyBlockedError, printable
from cloudsync_core.unfinished import Resumption


class Writer:
    """Makes and removes the files and folders that keys name.

    Args:
        root: the directory.
        follow: whether a symbolic link to a file counts as an object, which can be removed like one.
        sync: whether what is written is made durable.
    """

    def __init__(self, root: Root, *, follow: bool, sync: bool) -> None:
        self._root = root
        self._follow = follow
        self._sync = sync
        self._has_unnamed_files = has_unnamed_files()
        self._naming = threading.Lock()
        # A folder that was put as a marker is wanted empty: the deletes that empty it come after that put.
        self._markers_put: set[str] = set()

    def begin(self, key: str, made: list[str], *, exclusive: bool, resumption: Resumption | None = None) -> Temporary:
        """Return the temporary file that becomes the file of `key`; it passes the old one's permissions on.

        Args:
            key: the file.
            made: takes the folders that are made for it, for `take_back`.
            exclusive: a file that is there is an error.
            resumption: see `Temporary`.

        Raises:
            FileExistsError: there is a file, and `exclusive`.
            KeyBlockedError: there is a folder, or a file of a name that counts as the same (C08, C09).
            InvalidKeyError: there is something else, which nothing replaces.
        """
        folder, name = place(key)

        def begin(opened: Folder) -> Temporary:
            mode = None
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(name, dir_fd=opened.descriptor, follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):
                    raise _in_the_way(name, status)
                require_own_name(opened.descriptor, name)
                if exclusive:
                    raise FileExistsError(errno.EEXIST, "there is an object of that name")
                mode = status.st_mode
            return Temporary(opened, name, mode=mode, sync=self._sync, resumption=resumption, naming=self._naming)

        return self._root.in_made_folder(folder, begin, made)

    def create(self, key: str, data: bytes, made: list[str], *, mtime_ns: int | None) -> os.stat_result | None:
        """Make the file of `key` at once and return its status; `None` where only `begin` can make one.

        Args:
            key: the file.
            data: its content.
            made: see `begin`.
            mtime_ns: see `Temporary.commit`.

        Raises:
            FileExistsError, KeyBlockedError, InvalidKeyError: as of `begin`; nothing is replaced.
            UnsupportedOperationError: the file system has no hard links.
        """
        if not self._has_unnamed_files:
            return None
        folder, name = place(key)

        def make(opened: Folder) -> os.stat_result | None:
            try:
                return create(opened, name, data, mtime_ns=mtime_ns, sync=self._sync)
            except FileExistsError:
                status = os.stat(name, dir_fd=opened.descriptor, follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):
                    raise _in_the_way(name, status) from None
                require_own_name(opened.descriptor, name)
                raise

        status = self._root.in_made_folder(folder, make, made)
        self._has_unnamed_files = status is not None
        return status

    def link(self, key: str, origin: Root) -> os.stat_result:
        """Give the file that `key` names under another root that name here, too, and return its status.

        The new name is not made durable: who links many files syncs their folders once.

        Raises:
            FileExistsError, KeyBlockedError, InvalidKeyError: as of `begin`; nothing is replaced.
            FileNotFoundError: there is no such file under the other root.
            UnsupportedOperationError: the two are not on one file system, or it makes no more hard links.
        """
        folder, name = place(key)

        def give(opened: Folder) -> os.stat_result:
            try:
                origin.in_folder(folder, lambda there: link(there.descriptor, opened.descriptor, name))
            except FileExistsError:
                status = os.stat(name, dir_fd=opened.descriptor, follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):
                    raise _in_the_way(name, status) from None
                require_own_name(opened.descriptor, name)
                raise
            return os.stat(name, dir_fd=opened.descriptor, follow_symlinks=False)

        # Looked for first: a folder that is missing there is not made here.
        origin.in_folder(folder, lambda there: os.stat(name, dir_fd=there.descriptor, follow_symlinks=False))
        return self._root.in_made_folder(folder, give)

    def make_folder(self, key: str, *, exclusive: bool) -> os.stat_result:
        """Make the folder of a marker and return its status.

        Raises:
            FileExistsError: there is one, and `exclusive`.
            KeyBlockedError: there is a file, or a folder of a name that counts as the same.
            InvalidKeyError: there is something else, or the folder would get another name.
        """
        folder, name = place(key)
        self._markers_put.add(key.removesuffix(keys.MARKER_SUFFIX))

        def make(opened: Folder) -> os.stat_result:
            try:
                make_directory(opened.descriptor, name)
                if self._sync:
                    opened.sync()
            except FileExistsError:
                require_own_name(opened.descriptor, name)
                if exclusive:
                    raise
            return os.stat(name, dir_fd=opened.descriptor, follow_symlinks=False)

        status = self._root.in_made_folder(folder, make)
        if not stat.S_ISDIR(status.st_mode):
            raise _in_the_way(name, status)
        return status

    def take_back(self, made: list[str]) -> None:
        """Remove the folders that were made for a file which then could not be, unless something is in them now."""
        for folder in reversed(made):
            if folder in self._markers_put or not self._root.remove_folder(folder):
                return

    def remove(self, key: str) -> None:
        """Remove what `key` names, if it names anything, and the folders that this leaves empty."""
        folder, name = place(key)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            with self._root.folder(folder) as opened:
                self._remove(key, name, opened)
            while folder and folder not in self._markers_put and self._root.remove_folder(folder):
                folder = folder.rpartition("/")[0]

    def _remove(self, key: str, name: str, folder: int) -> None:
        """Remove exactly what `key` names in an open folder; nothing where that is no object, or a folder in use."""
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        is_folder, is_file = stat.S_ISDIR(status.st_mode), stat.S_ISREG(status.st_mode)
        is_link_to_file = self._follow and stat.S_ISLNK(status.st_mode) and not keys.is_marker(key)
        if not (is_folder or is_file or is_link_to_file):
            raise InvalidKeyError(f"it is {kind_of(status)} here, which is not removed")
        if is_folder != keys.is_marker(key) or name_held(folder, name) != name:
            return
        if not is_folder:
            os.unlink(name, dir_fd=folder)
            return
        self._markers_put.discard(key.removesuffix(keys.MARKER_SUFFIX))
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise


def _in_the_way(name: str, status: os.stat_result) -> BackendError:
    """Return the error of a put that meets what it cannot replace; only files and folders can be deleted first."""
    kind = KeyBlockedError if stat.S_IFMT(status.st_mode) in {stat.S_IFREG, stat.S_IFDIR} else InvalidKeyError
    return kind(f"{printable(name)} is {kind_of(status)} here, which it cannot replace")
