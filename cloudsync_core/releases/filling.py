"""Filling a tree: a file is there and right, or is linked from the live tree, or is fetched and held to its digest."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Final, Literal, Self

from cloudsync_core.backend import Backend
from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.engine.attributes import AttributeRules
from cloudsync_core.engine.concurrency import Concurrency
from cloudsync_core.engine.executor import Stop, execute
from cloudsync_core.engine.memory import MemoryBudget, held_by
from cloudsync_core.engine.progress import Progress
from cloudsync_core.engine.spool import ActionSpool
from cloudsync_core.engine.transfer import Transfer, TransferRules
from cloudsync_core.errors import BackendError, CancelledError, RunError
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.location import Location
from cloudsync_core.models import ObjectInfo
from cloudsync_core.releases.content import Content, info_of
from cloudsync_core.releases.entries import Entry
from cloudsync_core.releases.manifest import Manifest
from cloudsync_core.releases.swapping import Place
from cloudsync_core.releases.tree import Beside, Put, read_record
from cloudsync_core.runs import Action, Outcome

_DIGEST: Final = "sha256"


@dataclasses.dataclass(frozen=True, slots=True)
class Means:
    """With what files are moved.

    Attributes:
        policy: when a file is tried again.
        concurrency: how many at once, which is found out meanwhile.
        transfers: how many at most.
        memory: bytes of content that may be held at a time.
        stop: ends the work early.
        progress: where files and bytes are counted.
        paced: called with the bytes that are about to pass; it waits until they may.
    """

    policy: RetryPolicy
    concurrency: Concurrency
    transfers: int
    memory: int
    stop: Stop
    progress: Progress
    paced: Callable[[int], None] | None = None


@dataclasses.dataclass(slots=True)
class Filled:
    """Files by what became of them; see `cloudsync_core.releases.fetching.Fetched`."""

    present: int = 0
    fetched: int = 0
    copied: int = 0
    gone: int = 0
    failed: int = 0


class Filling:
    """Makes one tree what a manifest says; a context that closes what it has opened.

    Args:
        backend: the location of the releases.
        place: where the trees are; this process holds its lock.
        found: the manifest.
        live: the release whose tree is live, or `None`.
        check: believe nothing but content of what is there.
        means: with what files are moved.
        told: is told what became of each file that was not there.
    """

    def __init__(
        self,
        backend: Backend,
        place: Place,
        found: Manifest,
        *,
        live: str | None,
        check: bool,
        means: Means,
        told: Callable[[Outcome], None],
    ) -> None:
        release = found.header.release
        self._manifest = found
        self._means = means
        self._told = told
        self._check = check
        self._tree = place.tree(release)
        self._record = place.record(release)
        self._target = _directory(place, release)
        # A tree is mended out of itself by nothing: what is wrong in it is fetched.
        self._before = _directory(place, live) if live not in {None, release} else None
        self._before_record = place.record(live) if live is not None else None
        self._counts = Filled()
        self._content = Content(backend, self._before)
        self._memory = MemoryBudget(means.memory, means.stop)
        self._put_memory = self._target.capabilities.put_memory
        self._fatal: str | None = None
        self._transfer = Transfer(
            self._content,
            self._target,
            TransferRules(retry=means.policy, attributes=AttributeRules(), server_copy=False),
            means.progress,
            means.stop,
            paced=means.paced,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._target.close()
        if self._before is not None:
            self._before.close()

    def fill(self) -> Filled:
        """Return what became of the files; without a failed one the tree is what the manifest says.

        Raises:
            RunError: an error that nothing survives.
            CancelledError: it was stopped.
            OSError: the tree cannot be made.
        """
        progress, concurrency = self._means.progress, self._means.concurrency
        existed = self._tree.is_dir()
        self._tree.mkdir(parents=True, exist_ok=True)
        progress.phase = "comparing"
        with ActionSpool() as surplus, contextlib.closing(self._missing(surplus, existed=existed)) as missing:
            concurrency.begin(self._means.transfers)
            for outcome in execute(missing, self._perform, concurrency=concurrency, stop=self._means.stop):
                self._finished(outcome)
            progress.phase = "deleting"
            if self._fatal is not None:
                raise RunError(f"the fetch was stopped, nothing else could have succeeded: {self._fatal}")
            if existed and not self._means.stop.is_set():
                self._tidy(surplus)
        return self._counts

    def _missing(self, surplus: ActionSpool, *, existed: bool) -> Generator[Action]:
        """Yield what has to be put into the tree, and note what is in it that the release has not."""
        progress = self._means.progress

        def gone(_path: str, _put: Put) -> None:
            self._counts.gone += 1

        def extra(key: str, info: ObjectInfo) -> None:
            surplus.append(Action("delete", key, "not-in-release", target=info))

        listed = ((info.key, info) for page in self._target.list() for info in page) if existed else iter(())
        here = Beside(listed, extra)
        known = Beside(((put.path, put) for put in read_record(self._record)) if existed else iter(()))
        record = self._before_record if self._before is not None else None
        before = Beside(((put.path, put) for put in read_record(record)) if record else iter(()), gone)
        for entry in self._manifest.entries():
            if self._fatal is not None:
                return
            info, put, earlier = here.at(entry.path), known.at(entry.path), before.at(entry.path)
            if info is not None and self._is_right(entry, info, put):
                self._counts.present += 1
                continue
            linked = self._link(entry, earlier) if info is None else None
            if linked == "linked":
                self._counts.present += 1
                continue
            action = self._action(entry, earlier, replaces=info is not None or linked == "other")
            progress.planned_objects += 1
            progress.planned_bytes += entry.size
            yield action
        here.end()
        before.end()
        progress.phase = "transferring"

    def _is_right(self, entry: Entry, info: ObjectInfo, put: Put | None) -> bool:
        """Tell whether a file that is in the tree is that of the release."""
        if info.size != entry.size:
            return False
        if put is not None and not self._check:
            return put.is_of(entry) and put.is_still(info.size, info.modified_ns)
        # Of a fetch that was cut short, or of one that nobody shall believe: its content tells.
        with contextlib.suppress(BackendError), self._target.get(entry.path) as reader:
            body = reader.body(on_chunk=self._on_chunk)
            body.require(_DIGEST)
            for _ in body.chunks():
                pass
            return body.digest(_DIGEST) == entry.digest
        return False

    def _on_chunk(self, _size: int) -> None:
        if self._means.stop.is_set():
            raise CancelledError("interrupted")

    def _link(self, entry: Entry, earlier: Put | None) -> Literal["linked", "other"] | None:
        """Link a file from the live tree; "other" where what was linked is not what was put there."""
        if self._before is None or earlier is None or not earlier.is_of(entry):
            return None
        try:
            info = self._target.link(entry.path, self._before)
        except BackendError:
            # It is copied, or fetched; what stands in the way is reported then.
            return None
        return "linked" if earlier.is_still(info.size, info.modified_ns) else "other"

    def _action(self, entry: Entry, earlier: Put | None, *, replaces: bool) -> Action:
        local = earlier is not None and (earlier.size, earlier.digest) == (entry.size, entry.digest)
        self._content.expect(entry, local=local and not self._check and not replaces)
        reason = "not-in-tree" if earlier is None else "copied" if local else "changed"
        target = self._target.stat(entry.path) if replaces else None
        kind: Literal["add", "update"] = "add" if earlier is None else "update"
        return Action(kind, entry.path, reason, source=info_of(entry), target=target)

    def _perform(self, action: Action) -> list[Outcome]:
        if self._fatal is not None:
            return []
        held = held_by(action.size, self._put_memory)
        self._memory.take(held)
        try:
            outcome = self._transfer.write(action)
            if outcome.status == "failed" and self._content.was_local(action.key):
                # The live tree has it no more, or has something else: from here on it is what was published.
                outcome = self._transfer.write(action)
        finally:
            self._memory.give_back(held)
        if outcome.status == "done" and self._content.was_local(action.key):
            outcome = dataclasses.replace(outcome, bytes=0)
        return [outcome]

    def _finished(self, outcome: Outcome) -> None:
        self._means.progress.done_objects += 1
        local = self._content.settle(outcome.action.key)
        if outcome.status != "done":
            self._counts.failed += 1
        elif local:
            self._counts.copied += 1
        else:
            self._counts.fetched += 1
        if outcome.fatal and self._fatal is None:
            self._fatal = outcome.error
        self._told(outcome)

    def _tidy(self, surplus: ActionSpool) -> None:
        """Remove what is in the tree and not in the release."""
        for action in surplus:
            self._target.delete(action.key)
        for leftover in self._target.leftovers():
            self._target.discard(leftover.key, leftover.token)


def _directory(place: Place, release: str | None) -> FileBackend:
    assert release is not None
    return FileBackend(Location("file", str(place.tree(release))), FileOptions())
