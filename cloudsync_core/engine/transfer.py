"""Moving one object, verified: an add or an update."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator

from cloudsync_core import keys
from cloudsync_core.backend import Backend
from cloudsync_core.body import CHUNK_SIZE, ObjectReader
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.attributes import AttributeRules
from cloudsync_core.engine.progress import Progress
from cloudsync_core.engine.recheck import change_since
from cloudsync_core.engine.resuming import Resuming, kept_bytes
from cloudsync_core.engine.unfinished import Unfinished
from cloudsync_core.engine.verification import Sent, Verification, named
from cloudsync_core.errors import (
    AccessDeniedError,
    BackendError,
    CancelledError,
    Disposition,
    IntegrityError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.models import ALWAYS, IF_ABSENT, Attributes, IfMatch, ObjectInfo, PutCondition
from cloudsync_core.runs import Action, Outcome

FRESH_SECONDS = 60.0
"""How long a listing of the target is believed that showed no object, where a put cannot be told to meet none.

A look before every add would cost as much as the add; without a bound, a run of hours would replace what others wrote
in these hours."""

_DIGEST = "md5"
"""What is computed of content that no store has a digest of. MD5 guards against accidents, which is what happens
between two stores, and is the digest that most of them report."""

_AT_ONCE = CHUNK_SIZE
"""Bytes up to which an object is read by one call; larger ones are streamed."""

_CONFLICTS = (ObjectExistsError, PreconditionFailedError)


@dataclasses.dataclass(frozen=True, slots=True)
class TransferRules:
    """How objects are moved.

    Attributes:
        retry: when a transfer is tried again.
        attributes: what the written objects carry.
        read_back: what neither store confirms by a digest is read from the target and compared.
        server_copy: let the provider copy where it can.
        digest: an algorithm by which the digest of everything that passes is computed, whatever the stores tell; it is
            then the one that an outcome names.
    """

    retry: RetryPolicy
    attributes: AttributeRules
    read_back: bool = True
    server_copy: bool = True
    digest: str | None = None


class Transfer:
    """Performs actions, in many threads at once; every error of a backend becomes the outcome of its action.

    Args:
        source: the side read.
        target: the side written.
        rules: how.
        progress: where passing bytes are counted.
        stop: ends transfers in the middle of their content with `CancelledError`, leaving nothing behind.
        paced: called with the bytes of content that are about to pass; it waits until they may.
        unfinished: where puts of large objects are recorded, so that a crash loses little of them.
        origin: tells of an action which of the target's own objects has the content already, or `None`.
    """

    def __init__(
        self,
        source: Backend,
        target: Backend,
        rules: TransferRules,
        progress: Progress,
        stop: threading.Event,
        *,
        paced: Callable[[int], None] | None = None,
        unfinished: Unfinished | None = None,
        origin: Callable[[Action], ObjectInfo | None] | None = None,
    ) -> None:
        self._origin = origin
        self._source = source
        self._target = target
        self._rules = rules
        self._resuming = Resuming(source, target, unfinished)
        self._progress = progress
        self._stop = stop
        self._paced = paced
        self._source_capabilities = source.capabilities
        # Those that keep what the source's object carries, and those that replace it, which takes more of a provider.
        self._copies = frozenset({False, True} if rules.server_copy and target.can_copy_from(source) else ())
        self._look_first = False
        self._verification = Verification(target, read_back=rules.read_back, stop=stop, paced=paced)

    def write(self, action: Action) -> Outcome:
        """Write the target's object of an add or an update.

        Raises:
            CancelledError: the run was stopped.
        """
        attempts = _Attempts()
        try:
            return self._rules.retry.call(lambda: self._write_once(action, attempts), self._stop)
        except BackendError as error:
            if (left := self._left(action, attempts)) is not None:
                return dataclasses.replace(failed(action, left), fatal=failed(action, error).fatal)
            if self._stop.is_set():
                raise CancelledError("interrupted") from error
            return failed(action, error)

    def _left(self, action: Action, attempts: _Attempts) -> IntegrityError | None:
        """Withdraw what the last attempt wrote wrongly; return what to report where that fails, whatever came after."""
        if attempts.wrong is None:
            return None
        try:
            self._verification.withdraw(action.key, attempts.wrong)
        except BackendError as error:
            reason = f"the target holds other bytes than were sent, and they could not be removed: {error.reason}"
            return self._integrity_error(reason, action)
        return None

    def _write_once(self, action: Action, attempts: _Attempts) -> Outcome:
        if self._stop.is_set():
            raise CancelledError("interrupted")
        try:
            return self._move(action, attempts)
        except _CONFLICTS:
            # An earlier attempt may have succeeded and only its answer been lost (F01): then this is our own object.
            own = self._own_object(action, attempts)
            if own is None:
                raise
            return own

    def _move(self, action: Action, attempts: _Attempts) -> Outcome:
        seen = attempts.unproven or action.target
        replaces = self._rules.attributes.matches(action.key)
        if replaces in self._copies:
            conditional = self._target.capabilities.conditional_copy
            try:
                condition = self._condition(action, seen, conditional=conditional)
                return self._copy(action, condition, attempts, replaces=replaces)
            except AccessDeniedError:
                # The target's credentials cannot read the source: from here on the bytes pass through this machine.
                self._copies = frozenset()
            except UnsupportedOperationError:
                self._copies -= {replaces}
        if self._origin is not None and (kept := self._origin(action)) is not None:
            moved = self._copy_within(action, kept, attempts)
            if moved is not None:
                return moved
        most = self._target.capabilities.conditional_put_max
        condition = self._condition(action, seen, conditional=most is None or action.size <= most)
        try:
            held = self._source.read(action.key, _AT_ONCE) if action.size <= _AT_ONCE else None
            if held is not None:
                return self._stream(action, condition, held, attempts)
            with self._resuming.opened(action.key, action.size) as reader:
                return self._stream(action, condition, reader, attempts)
        except UnsupportedOperationError:
            if condition != IF_ABSENT:
                raise
            # Only the place itself knows: a directory may lie on a file system without hard links.
            self._look_first = True
            return self._move(action, attempts)

    def _condition(self, action: Action, seen: ObjectInfo | None, *, conditional: bool) -> PutCondition:
        """Return the condition that protects what another writer put there since the listing (D20).

        Args:
            action: what is written.
            seen: what is replaced.
            conditional: the way that it is written takes those conditions that the target honours at all. What they are
                is asked each time: it may have been found out since the run began.
        """
        capabilities = self._target.capabilities
        if keys.is_marker(action.key) and capabilities.hierarchical:
            # Making a folder replaces nothing, and another transfer may just have made it for what lies in it.
            return ALWAYS
        if seen is None and capabilities.put_if_absent and conditional and not self._look_first:
            return IF_ABSENT
        if seen is None and time.monotonic() - action.seen_at < FRESH_SECONDS:
            return ALWAYS
        if seen is not None and seen.version and capabilities.put_if_match and conditional:
            return IfMatch(seen.version)
        if (changed := change_since(self._target, action.key, seen, operation=action.kind)) is not None:
            raise changed
        return ALWAYS

    def _copy(self, action: Action, condition: PutCondition, attempts: _Attempts, *, replaces: bool) -> Outcome:
        assert action.source is not None
        source = action.source
        attributes = self._attributes(self._source.stat(action.key)) if replaces else None
        sent = Sent(source, source.size, source.digests, copied=True)
        with attempts.sending(lambda: sent):
            written = self._target.copy(self._source, source, action.key, attributes=attributes, condition=condition)
        hit("copy.server.acked")
        attempts.wrote(written)
        if written.size != sent.size:
            raise self._wrong(action, written, attempts)
        digest = str(written.digests[0]) if written.digests else None
        return Outcome(action, "done", verified="server-copy", written=written, source=source, digest=digest)

    def _copy_within(self, action: Action, kept: ObjectInfo, attempts: _Attempts) -> Outcome | None:
        """Copy what the target has under another name; `None` where it cannot, and the content is sent after all."""
        assert action.source is not None
        source = action.source
        condition = self._condition(action, attempts.unproven, conditional=self._target.capabilities.conditional_copy)
        try:
            written = self._target.copy(
                self._target, kept, action.key, attributes=self._attributes(source), condition=condition
            )
        except _CONFLICTS:
            raise
        except BackendError:
            return None
        hit("copy.server.acked")
        attempts.wrote(written)
        if written.size != source.size:
            raise self._wrong(action, written, attempts)
        digest = str(written.digests[0]) if written.digests else None
        return Outcome(action, "done", verified="server-copy", written=written, source=source, digest=digest)

    def _stream(self, action: Action, condition: PutCondition, reader: ObjectReader, attempts: _Attempts) -> Outcome:
        info = reader.info
        body = reader.body(on_chunk=self._on_chunk)
        vouched = body.expected[0] if body.expected else None
        if self._rules.digest is not None:
            body.require(self._rules.digest)
        if vouched is None:
            body.require_any(_DIGEST)

        def passed() -> Sent:
            return Sent(info, body.bytes_passed, body.digests(), vouched, kept=kept_bytes(reader))

        def sent() -> Sent | None:
            return passed() if body.finished else None

        with named(self._source, action.key), attempts.sending(sent):
            written = self._target.put(action.key, body, attributes=self._attributes(info), condition=condition)
        hit("put.acked")
        attempts.wrote(written)
        content = passed()
        try:
            proof = self._verification.proof(action.key, content, written, acknowledged=True)
        except CancelledError:
            # It is there, and nobody knows whether it is right: the report says so, and the base does not take it.
            return dataclasses.replace(failed(action, self._unverified(action)), bytes=content.size - content.kept)
        if proof is None:
            raise self._wrong(action, written, attempts)
        hit("put.verified")
        return _written(action, content, written, proof, self._rules.digest)

    def _own_object(self, action: Action, attempts: _Attempts) -> Outcome | None:
        """Return the outcome when the target's object is what an earlier attempt of ours has sent."""
        if not attempts.sent:
            return None
        try:
            found = self._target.stat(action.key)
        except ObjectNotFoundError:
            return None
        for attempt in reversed(attempts.sent):
            sent = self._with_digests(action, attempt)
            if (proof := self._verification.proof(action.key, sent, found, acknowledged=False)) is not None:
                return _written(action, sent, found, proof, self._rules.digest)
        return None

    def _with_digests(self, action: Action, sent: Sent) -> Sent:
        """Return what was copied with the digests that a look at the source tells, where its listing told none."""
        if sent.digests or not sent.copied:
            return sent
        found = self._source.stat(action.key)
        still = bool(found.fingerprint) and found.fingerprint == sent.source.fingerprint
        return dataclasses.replace(sent, digests=found.digests) if still else sent

    def _attributes(self, info: ObjectInfo) -> Attributes:
        return self._rules.attributes.attributes(info, keeps_headers=self._source_capabilities.user_metadata)

    def _on_chunk(self, size: int) -> None:
        if self._stop.is_set():
            raise CancelledError("interrupted")
        if self._paced is not None:
            self._paced(size)
        self._progress.add_bytes(size)

    def _wrong(self, action: Action, written: ObjectInfo, attempts: _Attempts) -> IntegrityError:
        attempts.wrong = written
        return self._integrity_error("the target holds other bytes than were sent", action)

    def _unverified(self, action: Action) -> IntegrityError:
        return self._integrity_error("it was written, and the run was interrupted before it was verified", action)

    def _integrity_error(self, reason: str, action: Action) -> IntegrityError:
        return IntegrityError(reason, operation="put", location=self._target.location, key=action.key)


class _Attempts:
    """What the attempts at one action have done so far.

    Attributes:
        sent: what they have sent whole, though perhaps no answer came.
        unproven: what the target said it wrote, and nothing has confirmed yet.
        wrong: the same, where it was found to hold something else.
    """

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.unproven: ObjectInfo | None = None
        self.wrong: ObjectInfo | None = None

    @contextlib.contextmanager
    def sending(self, sent: Callable[[], Sent | None]) -> Iterator[None]:
        """Remember what was sent, if it was sent whole, when the store's answer leaves open whether it took it."""
        try:
            yield
        except _CONFLICTS:
            raise
        except BackendError as error:
            if isinstance(error, IntegrityError) and error.written is not None:
                self.wrote(error.written)
                self.wrong = error.written
            elif (content := sent()) is not None:
                self.sent.append(content)
            raise

    def wrote(self, written: ObjectInfo) -> None:
        self.unproven, self.wrong = written, None


def _written(action: Action, sent: Sent, written: ObjectInfo, proof: str, algorithm: str | None) -> Outcome:
    digests = [str(digest) for digest in sent.digests if algorithm in {None, digest.algorithm}]
    return Outcome(
        action,
        "done",
        bytes=0 if sent.copied else sent.size - sent.kept,
        bytes_resumed=sent.kept,
        verified=proof,
        written=written,
        source=sent.source,
        digest=digests[0] if digests else None,
    )


def failed(action: Action, error: Exception) -> Outcome:
    """Return the outcome of an action that ended by `error`."""
    fatal = isinstance(error, BackendError) and error.disposition is Disposition.ABORT
    return Outcome(action, "failed", error=str(error), cause=type(error).__name__, fatal=fatal)
