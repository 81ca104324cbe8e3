"""What a release is made of: the source's files, each with the digest that is remembered or found out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.config.jobs.release import ReleaseJob
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.base import JobState
from cloudsync_core.engine.diff import BaseRow
from cloudsync_core.engine.events import ActionFinished, KeyLeftOut
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.listing import list_side
from cloudsync_core.engine.plan import Settled
from cloudsync_core.engine.report import Tally
from cloudsync_core.engine.transfer import failed
from cloudsync_core.errors import (
    CancelledError,
    EmptySourceError,
    InvalidKeyError,
    ListingOrderError,
    RunError,
)
from cloudsync_core.keys import is_marker
from cloudsync_core.models import Digest, ObjectInfo
from cloudsync_core.releases.draft import Draft
from cloudsync_core.releases.entries import Sequence
from cloudsync_core.releases.fields import WrongFieldError
from cloudsync_core.releases.names import path_problem
from cloudsync_core.releases.reading import read_digests
from cloudsync_core.runs import Action, Outcome, RunInfo
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.sides import Sides

_ALGORITHM: Final = "sha256"

_READERS: Final = 32
"""Files that are read at once at most, to tell what they hold: each takes a chunk of memory."""


class Intake:
    """Takes the files of a source into a draft.

    Args:
        run: the run.
        job: its rules.
        context: its surroundings.
        sides: its two sides.
        base: what is remembered of the source's files, and will be.
        tally: where everything is counted.
        own: the new tree, which has to be able to hold the files.
    """

    def __init__(
        self,
        run: RunInfo,
        job: ReleaseJob,
        context: Context,
        *,
        sides: Sides,
        base: JobState,
        tally: Tally,
        own: Backend,
    ) -> None:
        self._run = run
        self._transfers = job.transfers
        self._scope = Filter(job.include, job.exclude, job.exclude_regex)
        self._context = context
        self._sides = sides
        self._base = base
        self._tally = tally
        self._own = own

    def list(self, draft: Draft) -> None:
        """Take in the files. Those that no release can hold are counted as failed.

        Raises:
            EmptySourceError: there is none.
            BackendError, ListingOrderError, CancelledError: the listing cannot be completed.
        """
        try:
            self._list(draft, sort=False)
        except ListingOrderError:
            # The server does not keep its promise of order: begin again, and sort it ourselves.
            self._tally.restart()
            draft.begin_anew()
            self._list(draft, sort=True)
        if not draft.count() and not self._tally.partial:
            raise EmptySourceError(
                f"the source {self._run.source} is empty, and no release was made of it",
                hint="See that it is the right place, and that include and exclude leave something of it.",
            )
        hit("list.done")

    def read(self, draft: Draft, paced: Callable[[int], None] | None) -> None:
        """Find out what those files hold that may be what an earlier release has.

        Args:
            draft: the files.
            paced: called with the bytes that are about to pass; it waits until they may.

        Raises:
            CancelledError, RunError: the run was stopped.
        """
        actions = (Action("add", info.key, "unknown-content", source=info) for info in draft.unread())
        self._sides.concurrency.begin(min(self._transfers, _READERS))
        outcomes = read_digests(
            self._sides.source,
            actions,
            concurrency=self._sides.concurrency,
            retry=self._sides.policy,
            stop=self._context.stop,
            paced=paced,
        )
        for outcome in outcomes:
            if outcome.status != "done":
                self._fail(outcome)
                continue
            assert outcome.source is not None
            assert outcome.digest is not None
            self._base.record(outcome.action.key, BaseRow(outcome.source.fingerprint or None, None, outcome.digest))
            draft.learn(outcome.source, Digest.parse(outcome.digest))
        if self._context.stop.is_set():
            raise CancelledError("interrupted")

    def _list(self, draft: Draft, *, sort: bool) -> None:
        progress = self._context.progress
        progress.phase, progress.source_listed = "comparing", 0
        known, sequence = _Known(self._base), Sequence()
        pages = list_side(
            self._sides.source,
            "source",
            self._scope,
            sort=sort,
            include=self._context.plugins.include_object(self._run),
            stop=self._context.stop,
            progress=progress,
        )
        with contextlib.closing(pages):
            for page in pages:
                for gap in page.gaps:
                    self._tally.settled(Settled(gap.kind, gap.reason, gap.key, on_source=1))
                    self._context.listener(KeyLeftOut(gap.kind, gap.key, gap.reason))
                for entry in page:
                    # A release consists of files: folders are there with them, and empty ones are not.
                    if is_marker(entry.key) and not entry.size:
                        continue
                    digest = known.digest(entry)
                    if (why := self._problem(entry, sequence)) is None:
                        draft.add(entry, digest)
                    else:
                        self._refuse(entry, why)
        known.forget_the_rest()

    def _problem(self, entry: ObjectInfo, sequence: Sequence) -> str | None:
        """Say why no release can hold the file, or return `None` when one can."""
        if (why := path_problem(entry.key)) is not None:
            return why
        try:
            sequence.take(entry.key)
            self._own.check_key(entry.key)
        except WrongFieldError as error:
            return str(error)
        except InvalidKeyError as error:
            return error.reason
        return None

    def _refuse(self, entry: ObjectInfo, why: str) -> None:
        error = InvalidKeyError(why, operation="release", location=self._run.source, key=entry.key)
        self._fail(failed(Action("add", entry.key, "refused", source=entry), error))

    def _fail(self, outcome: Outcome) -> None:
        self._tally.finished(outcome)
        self._context.listener(ActionFinished(outcome))
        if outcome.fatal:
            raise RunError(f"the run was stopped, nothing else could have succeeded: {outcome.error}")


class _Known:
    """What is remembered of the files of a source, read beside their listing; what is not listed is forgotten."""

    def __init__(self, base: JobState) -> None:
        self._base = base
        self._rows = self._read()
        self._next = next(self._rows, None)

    def digest(self, entry: ObjectInfo) -> Digest | None:
        """Return the digest of a file that has not changed since it was last read, or `None`."""
        while self._next is not None and self._next[0] < entry.key:
            self._forget()
        if self._next is None or self._next[0] != entry.key:
            return None
        _, fingerprint, digest = self._next
        self._next = next(self._rows, None)
        if not digest or not fingerprint or fingerprint != entry.fingerprint:
            return None
        known = Digest.parse(digest)
        return known if known.algorithm == _ALGORITHM else None

    def forget_the_rest(self) -> None:
        """Forget what comes after the last file."""
        while self._next is not None:
            self._forget()

    def _forget(self) -> None:
        assert self._next is not None
        self._base.forget(self._next[0])
        self._next = next(self._rows, None)

    def _read(self) -> Iterator[tuple[str, str | None, str | None]]:
        for page in self._base.pages():
            yield from zip(page.keys, page.sources, page.digests, strict=True)
