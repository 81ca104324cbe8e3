"""Fetching a release: a tree is filled beside the one that is live, and takes its place when every file of it is right.

What the live tree has already is linked, everything else goes the way of every transfer and is held to the digest in
the manifest. Whatever happens before the last step leaves the directory as it was, and the next fetch goes on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.engine.concurrency import Concurrency
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.progress import Progress
from cloudsync_core.errors import CancelledError, ConfigError, ManifestError, RunError
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.models import Digest
from cloudsync_core.releases import manifest, pointer
from cloudsync_core.releases.filling import Filling, Means
from cloudsync_core.releases.names import LIVE, check_id
from cloudsync_core.releases.swapping import Place
from cloudsync_core.releases.tree import sync_tree, write_record
from cloudsync_core.runs import Outcome

KEEP: Final = 2
"""Trees that are kept unless somebody wants it otherwise: the one that is live, and the one before."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fetched:
    """What became of a fetch.

    Attributes:
        release: the release that was wanted.
        before: the one that the directory was, or `None`.
        live: the one that the directory is now, or `None`.
        files: how many the release has; `None` where nobody had to look, because the directory was that release.
        present: files that were there, or were linked from the tree that was live.
        fetched: files that were read from the store.
        copied: files that were copied from the tree that was live, as they could not be linked.
        gone: files of the tree that was live which the release has not.
        failed: files that could not be had; the directory then is what it was.
        removed: releases whose old trees were removed.
    """

    release: str
    before: str | None
    live: str | None
    files: int | None = None
    present: int = 0
    fetched: int = 0
    copied: int = 0
    gone: int = 0
    failed: int = 0
    removed: tuple[str, ...] = ()

    @property
    def moved(self) -> bool:
        """Whether the directory has become another release."""
        return self.live != self.before


def fetch(
    backend: Backend,
    directory: str | Path,
    *,
    name: str = LIVE,
    release: str | None = None,
    keep: int = KEEP,
    check: bool = False,
    means: Means | None = None,
    told: Callable[[Outcome], None] = lambda _: None,
) -> Fetched:
    """Let a directory be a release, and return what was done.

    Where the directory is that release already, the pointer is all that is read.

    Args:
        backend: the location of the releases.
        directory: becomes a symbolic link to the release's tree; see `cloudsync_core.releases.swapping`.
        name: the pointer that is followed.
        release: the id of a release, in place of the one that the pointer names.
        keep: how many trees stay, the live one included.
        check: read every file that is there, and mend what is not what the manifest says.
        means: with what files are moved.
        told: is told what became of each file that was not there, in the caller's thread.

    Raises:
        ManifestError: there is no such release, or its manifest is refused.
        UnsupportedFormatError: a newer cloudsync has written it.
        ConfigError: the directory, the pointer or the release is none.
        RunError: there is something in the place of the directory; or the trees cannot be written.
        StateError: another process fetches to the directory.
        CancelledError: it was stopped.
        BackendError: the pointer or the manifest cannot be read.
    """
    means = means or default_means()
    if keep < 1:
        raise ConfigError("keep counts the tree that is live, too: it is at least 1")
    place = Place(directory)
    with _naming(place):
        place.live()
        wanted = _wanted(backend, name, release)
        if not check and _is_there(place, wanted.release):
            return Fetched(wanted.release, wanted.release, wanted.release)
        with place.locked():
            # Another process may have fetched it meanwhile.
            if not check and _is_there(place, wanted.release):
                return Fetched(wanted.release, wanted.release, wanted.release)
            return _fetch(backend, place, wanted, keep=keep, check=check, means=means, told=told)


def default_means() -> Means:
    """Return means for programs that have no wishes."""
    progress = Progress()
    policy = RetryPolicy()
    concurrency = Concurrency(_TRANSFERS, passed=lambda: progress.done_bytes)
    return Means(policy, concurrency, _TRANSFERS, _MEMORY, Stop(), progress)


_TRANSFERS: Final = 16
_MEMORY: Final = 256 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class _Wanted:
    """A release, and what its pointer tells of its manifest."""

    release: str
    manifest: str | None = None
    digest: Digest | None = None


def _wanted(backend: Backend, name: str, release: str | None) -> _Wanted:
    if release is not None:
        return _Wanted(check_id(release))
    seen = pointer.read(backend, name)
    if seen is None:
        raise ManifestError(
            f"{backend.location} has no pointer {name!r}: no release was published there by that name yet",
            hint="Publish one by `cloudsync release create SOURCE LOCATION`, or name another pointer by --pointer.",
        )
    return _Wanted(seen.pointer.release, seen.pointer.manifest, seen.pointer.digest)


def _is_there(place: Place, release: str) -> bool:
    return place.live() == release and place.is_whole(release)


def _fetch(
    backend: Backend,
    place: Place,
    wanted: _Wanted,
    *,
    keep: int,
    check: bool,
    means: Means,
    told: Callable[[Outcome], None],
) -> Fetched:
    live = place.live()
    place.collect(wanted.release)
    with manifest.read(backend, wanted.release, key=wanted.manifest, expected=wanted.digest) as found:
        with Filling(backend, place, found, live=live, check=check, means=means, told=told) as filling:
            counts = filling.fill()
        if means.stop.is_set():
            raise CancelledError("interrupted")
        values = dataclasses.asdict(counts)
        files = found.header.files
        if counts.failed:
            return Fetched(wanted.release, live, live, files, **values)
        sync_tree(place.tree(wanted.release))
        write_record(place.record(wanted.release), wanted.release, place.tree(wanted.release), found.entries())
    if live != wanted.release:
        place.swap(wanted.release)
    return Fetched(wanted.release, live, wanted.release, files, **values, removed=tuple(place.prune(keep)))


@contextlib.contextmanager
def _naming(place: Place) -> Iterator[None]:
    """Say of what the operating system refuses what it was for."""
    try:
        yield
    except OSError as error:
        where = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, str | bytes) else ""
        raise RunError(
            f"the tree for {place.directory} cannot be written: {error.strerror or error}{where}",
            hint=f"The trees lie in {place.store}; it and the folder around it have to be writable.",
        ) from error
