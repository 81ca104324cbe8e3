"""The directory that a `file` backend serves, and the way to its folders without leaving it."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from cloudsync_core import keys
from cloudsync_core.backends._file_info import kind_of
from cloudsync_core.backends._file_names import name_held, require_name_kept, require_own_name
from cloudsync_core.errors import ContainerNotFoundError, Disposition, InvalidKeyError, UnavailableError, printable

_OPEN_FOLDER: Final = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)

_ATTEMPTS: Final = 100

KEPT_FOLDERS: Final = 16
KEPT_SECONDS: Final = 1.0
"""How many folders are kept open, and for how long, for the next operations in them: keys come in order, so that
neighbours share a folder."""

NAME_MAX: Final = 255
"""Bytes in the longest name that common file systems hold."""

_Result = TypeVar("_Result")


@functools.lru_cache(maxsize=4096)
def place(key: str) -> tuple[str, str]:
    """Return the folder in which the file or folder that `key` names lies, and its name there.

    It is kept for a while, because it is asked for when a key is planned, checked and written.

    Raises:
        InvalidKeyError: no file below the root can be named so.
    """
    why = keys.tree_problem(key)
    path = key.removesuffix(keys.MARKER_SUFFIX)
    if why is None and any(len(segment.encode()) > NAME_MAX for segment in path.split("/")):
        why = f"a name between slashes is longer than {NAME_MAX} bytes"
    if why is not None:
        raise InvalidKeyError(why)
    folder, _, name = path.rpartition("/")
    return folder, name


class Folder:
    """An open folder, closed when nobody refers to it any more.

    Args:
        descriptor: of the folder; good for walking only, which needs no permission to read it.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.expires = time.monotonic() + KEPT_SECONDS
        self._readable: int | None = None
        self._lock = threading.Lock()

    def sync(self) -> None:
        """Make the names in the folder durable."""
        with self._lock:
            if self._readable is None:
                self._readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.descriptor)
        try:
            os.fsync(self._readable)
        except OSError as error:
            # Some network file systems have nothing to sync a directory with.
            if error.errno != errno.EINVAL:
                raise

    def __del__(self) -> None:
        os.close(self.descriptor)
        if self._readable is not None:
            os.close(self._readable)


class Root:
    """The directory under which every object of one backend lies.

    Each operation walks from here to the folder that it works in, one descriptor after the other, and follows no
    symbolic link on the way: whatever others do to the tree meanwhile, nothing is read or written outside (P5, C22).
    What a walk has reached is kept for a moment, as the descriptor of that very folder: a link that takes its place
    leads nobody astray.

    Args:
        path: absolute and without symbolic links.
        create: whether the first write makes the directory.
        sync: whether new folders are made durable.
    """

    def __init__(self, path: str, *, create: bool, sync: bool) -> None:
        self.path = path
        self._create = create
        self._sync = sync
        self._identity: tuple[int, int] | None = None
        self._kept: dict[str, Folder] = {}

    @contextlib.contextmanager
    def folder(self, folder: str, *, made: list[str] | None = None) -> Iterator[int]:
        """Open a folder for work relative to its descriptor.

        Args:
            folder: segments from the root, without trailing slash; "" is the root.
            made: missing folders are made, and added here, outermost first; and so is the root where the options allow
                it, which is not added. Without it nothing is made.

        Raises:
            FileNotFoundError: there is no such folder, or a root that the first write will make.
            NotADirectoryError: a segment is a file.
            InvalidKeyError: a segment is a symbolic link, or a new folder gets another name than it was given.
            KeyBlockedError: a segment would have to be made where one lies that counts as the same name.
            ContainerNotFoundError: the root does not exist (L2).
        """
        current = self._open(make=made is not None)
        try:
            done = ""
            for segment in folder.split("/") if folder else ():
                done = f"{done}/{segment}" if done else segment
                inner = self._enter(current, segment, done, made)
                os.close(current)
                current = inner
            yield current
        finally:
            os.close(current)

    def in_folder(self, folder: str, action: Callable[[Folder], _Result]) -> _Result:
        """Return what `action` returns on the open folder; raises as `folder` does, and what `action` raises."""
        kept = self._kept.get(folder)
        if kept is not None and time.monotonic() < kept.expires:
            # What is not there may be in the folder that has taken the place of the kept one.
            with contextlib.suppress(FileNotFoundError):
                return action(kept)
        return action(self._keep(folder))

    def in_made_folder(
        self, folder: str, action: Callable[[Folder], _Result], made: list[str] | None = None
    ) -> _Result:
        """Return what `action` returns on the open folder, which is made anew as often as others remove it meanwhile.

        Args:
            folder: see `folder`.
            action: what is done in it.
            made: takes the folders that had to be made, outermost first.

        Raises:
            UnavailableError: there is no end to it.
        """
        with contextlib.suppress(FileNotFoundError):
            return self.in_folder(folder, action)
        made = [] if made is None else made
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(FileNotFoundError):
                return action(self._keep(folder, made))
        raise UnavailableError("its folder is removed again and again while it is written")

    def let_go(self) -> None:
        """Keep no folder open."""
        self._kept.clear()

    def check(self) -> None:
        """Make sure that the root is still there and still the same directory.

        Raises:
            ContainerNotFoundError: it is gone.
            UnavailableError: another directory has taken its place.
        """
        with contextlib.suppress(FileNotFoundError):
            os.close(self._open(make=False))

    def remove_folder(self, folder: str) -> bool:
        """Remove a folder if it is empty; tell whether it was removed."""
        parent, _, name = folder.rpartition("/")
        try:
            with self.folder(parent) as opened:
                os.rmdir(name, dir_fd=opened)
        except (OSError, InvalidKeyError):
            return False
        return True

    def _keep(self, folder: str, made: list[str] | None = None) -> Folder:
        with self.folder(folder, made=made) as opened:
            found = Folder(os.dup(opened))
        kept = self._kept
        while len(kept) >= KEPT_FOLDERS:
            with contextlib.suppress(KeyError, RuntimeError, StopIteration):
                # Other threads do the same at the same time.
                del kept[next(iter(kept))]
        kept[folder] = found
        return found

    def _open(self, *, make: bool) -> int:
        # Asked once: another thread may make the root while this one finds that there is none.
        unmade = self._create and self._identity is None
        if make and unmade:
            Path(self.path).mkdir(parents=True, exist_ok=True)
        try:
            root = os.open(self.path, _OPEN_FOLDER)
        except FileNotFoundError:
            if unmade:
                raise
            raise self._missing("there is no such directory") from None
        except NotADirectoryError:
            raise self._missing("it is no directory") from None
        status = os.fstat(root)
        found = (status.st_dev, status.st_ino)
        if self._identity is None:
            self._identity = found
        if found != self._identity:
            os.close(root)
            raise UnavailableError(
                "another directory has taken the place of the one that was opened",
                disposition=Disposition.ABORT,
                hint="is a file system mounted or unmounted here while cloudsync works?",
            )
        return root

    def _missing(self, reason: str) -> ContainerNotFoundError:
        return ContainerNotFoundError(reason, hint=f"make it, or correct the location: {printable(self.path)}")

    def _enter(self, folder: int, segment: str, key: str, made: list[str] | None) -> int:
        try:
            return _open_exactly(folder, segment, make=made is not None)
        except FileNotFoundError:
            if made is None:
                raise
        except OSError as error:
            # Without O_PATH a symbolic link is ELOOP on some systems, EMLINK or EFTYPE on others.
            status = os.stat(segment, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                reason = f"{printable(key)} is a symbolic link here, through which nothing is read or written"
                raise InvalidKeyError(reason) from None
            if isinstance(error, NotADirectoryError):
                reason = f"{printable(key)} is {kind_of(status)} here, in which nothing can lie"
                raise NotADirectoryError(errno.ENOTDIR, reason) from None
            raise
        with contextlib.suppress(FileExistsError):
            make_directory(folder, segment)
            made.append(key)
            if self._sync:
                Folder(os.dup(folder)).sync()
        return _open_exactly(folder, segment, make=True)


def make_directory(folder: int, name: str) -> None:
    """Make a directory in the one of a descriptor.

    Raises:
        FileExistsError: there is something of that name.
        InvalidKeyError: the file system would give it another name.
    """
    os.mkdir(name, dir_fd=folder)
    try:
        require_name_kept(folder, name)
    except InvalidKeyError:
        with contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=folder)
        raise


def _open_exactly(folder: int, name: str, *, make: bool) -> int:
    """Open the directory that is listed under that very name; for others see `Root.folder`."""
    opened = os.open(name, _OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    with contextlib.ExitStack() as unless_exact:
        unless_exact.callback(os.close, opened)
        if make:
            require_own_name(folder, name)
        elif name_held(folder, name) != name:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        unless_exact.pop_all()
    return opened
