"""The directory that becomes one release after another, in one step each: a symbolic link, and the trees beside it.

    site -> .site.cloudsync/20261120T203540.123456Z-1a2b3c4d
    .site.cloudsync/
        20261120T203540.123456Z-1a2b3c4d/         a tree, which is never changed once it was live
        20261120T203540.123456Z-1a2b3c4d.json     its record: without one, the tree is not complete
        history                                   which trees were live, the latest first
        lock                                      is held while a release is fetched

The link is replaced by a rename, which no reader sees half done.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from cloudsync_core.engine.lock import lock_job
from cloudsync_core.errors import ConfigError, RunError, printable
from cloudsync_core.releases.names import is_id
from cloudsync_core.releases.tree import sync_folder

_LOG: Final = logging.getLogger(__name__)
_RECORD: Final = ".json"


class Place:
    """A directory that follows a release.

    Args:
        directory: the path that programs read. It is taken as it is written: the last segment is not resolved.

    Raises:
        ConfigError: the path has no name to put trees beside.

    Attributes:
        directory: the path, absolute.
        store: the folder of the trees, beside it.
    """

    def __init__(self, directory: str | Path) -> None:
        # `Path.resolve` would follow the very link that is replaced.
        self.directory = Path(os.path.abspath(directory))  # noqa: PTH100
        if not self.directory.name:
            raise ConfigError(
                f"{printable(str(directory))} cannot follow a release: it is the root of a file system",
                hint="Name a directory in one that can be written.",
            )
        self.store = self.directory.parent / f".{self.directory.name}.cloudsync"

    def tree(self, release: str) -> Path:
        """Return where the tree of a release is."""
        return self.store / release

    def record(self, release: str) -> Path:
        """Return where the record of a tree is."""
        return self.store / f"{release}{_RECORD}"

    def is_whole(self, release: str) -> bool:
        """Tell whether the tree of a release is there, and was complete when it was last fetched."""
        return self.record(release).is_file() and self.tree(release).is_dir()

    def live(self) -> str | None:
        """Return the release that the directory is, or `None` where there is nothing.

        Raises:
            RunError: there is something that is not ours to replace.
        """
        try:
            leads_to = os.readlink(self.directory)  # noqa: PTH115 - as it is written, and no path made of it
        except FileNotFoundError:
            return None
        except OSError as error:
            if not os.path.lexists(self.directory):
                raise
            raise self._in_the_way("it exists, and is no symbolic link") from error
        release = leads_to.removeprefix(f"{self.store.name}/")
        if not is_id(release) or release == leads_to:
            raise self._in_the_way(f"it is a symbolic link to {printable(leads_to)}")
        return release

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process fetch to this directory for the length of the block.

        Raises:
            StateError: another one does.
            RunError: there is something in the place of the trees.
            OSError: the folder of the trees cannot be made.
        """
        self.store.mkdir(parents=True, exist_ok=True)
        if self.store.is_symlink():
            raise RunError(
                f"{printable(str(self.store))} is a symbolic link, and the trees of releases would lie elsewhere",
                hint="Move it away; cloudsync makes the folder.",
            )
        lock: IO[str] = lock_job(f"fetch to {printable(str(self.directory))}", self.store / "lock")
        with lock:
            yield

    def collect(self, wanted: str) -> None:
        """Remove what fetches have left that were cut short, but for the tree of the release that is wanted now.

        Args:
            wanted: its id.
        """
        live = self.live()
        for release in self._trees():
            if release not in {wanted, live} and not self.is_whole(release):
                self._remove(release)
        for name in os.listdir(self.store):  # noqa: PTH208 - names
            if name.startswith("record-") or name == "next":
                with contextlib.suppress(FileNotFoundError):
                    (self.store / name).unlink()
            release = name.removesuffix(_RECORD)
            if release != name and is_id(release) and not self.tree(release).is_dir():
                self.record(release).unlink()

    def swap(self, release: str) -> None:
        """Let the directory be a release whose tree is complete; what reads the directory sees the old one or the new.

        Raises:
            RunError: there is something that is not ours to replace.
            OSError: the link cannot be made.
        """
        self.live()
        self._remember(release)
        link = self.store / "next"
        with contextlib.suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(f"{self.store.name}/{release}", target_is_directory=True)
        try:
            link.replace(self.directory)
        except OSError:
            # It has come there since: a rename replaces no folder by a link.
            self.live()
            raise
        sync_folder(self.directory.parent)

    def prune(self, keep: int) -> list[str]:
        """Remove the trees that were live longest ago, and return their releases.

        Args:
            keep: how many trees stay, the live one included, which always does.
        """
        live = self.live()
        history = [release for release in self._history() if release != live]
        trees = set(self._trees())
        order = [live, *history, *sorted(trees.difference(history, {live}), reverse=True)]
        old = [release for release in order if release in trees and release is not None][max(keep, 1) :]
        return [release for release in old if release != live and self._remove(release)]

    def _trees(self) -> list[str]:
        with os.scandir(self.store) as items:
            return sorted(item.name for item in items if is_id(item.name) and item.is_dir(follow_symlinks=False))

    def _history(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return [line for line in (self.store / "history").read_text("utf-8").splitlines() if is_id(line)]
        return []

    def _remember(self, release: str) -> None:
        trees = {*self._trees()}
        history = [release, *(one for one in self._history() if one != release and one in trees)]
        new = self.store / "record-history"
        new.write_text("".join(f"{one}\n" for one in history), "utf-8")
        new.replace(self.store / "history")

    def _remove(self, release: str) -> bool:
        """Remove a tree; one that cannot be removed stays, and is tried again the next time."""
        try:
            # From here on it is not complete.
            self.record(release).unlink(missing_ok=True)
            shutil.rmtree(self.tree(release))
        except OSError as error:
            where, why = printable(str(self.tree(release))), error.strerror or error
            _LOG.warning("the old tree %s cannot be removed: %s", where, why)
            return False
        return True

    def _in_the_way(self, why: str) -> RunError:
        kind = "directory" if stat.S_ISDIR(os.lstat(self.directory).st_mode) else "file"
        return RunError(
            f"{printable(str(self.directory))} cannot become a release: {why}, which cloudsync does not replace",
            hint=f"Move that {kind} away, or name a path at which there is nothing: cloudsync makes a symbolic link "
            "there that leads to the tree of the release.",
        )
