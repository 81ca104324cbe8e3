"""Doing one action: moving one object, verified, or removing some, re-checked."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.engine.attributes import AttributeRules
from cloudsync_core.engine.progress import Progress
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
from cloudsync_core.models import ALWAYS, IF_ABSENT, Attributes, Digest, IfMatch, ObjectInfo, PutCondition, Version
from cloudsync_core.runs import Action, Outcome

_DIGEST = "md5"
"""What is computed of content that no store has a digest of. MD5 guards against accidents, which is what happens
between two stores, and is the digest that most of them report."""


@dataclasses.dataclass(frozen=True, slots=True)
class TransferRules:
    """How objects are moved.

    Attributes:
        retry: when a transfer is tried again.
        attributes: what the written objects carry.
        read_back: what neither store confirms by a digest is read from the target and compared.
        server_copy: let the provider copy where it can.
    """

    retry: RetryPolicy
    attributes: AttributeRules
    read_back: bool = True
    server_copy: bool = True


class Transfer:
    """Performs actions, in many threads at once; every error of a backend becomes the outcome of its action.

    Args:
        source: the side read.
        target: the side written.
        rules: how.
        progress: where passing bytes are counted.
        stop: ends transfers in the middle of their content with `CancelledError`, leaving nothing behind.
    """

    def __init__(
        self, source: Backend, target: Backend, rules: TransferRules, progress: Progress, stop: threading.Event
    ) -> None:
        self._source = source
        self._target = target
        self._rules = rules
        self._progress = progress
        self._stop = stop
        self._target_capabilities = target.capabilities
        self._source_capabilities = source.capabilities
        self._server_copy = rules.server_copy and target.can_copy_from(source)

    def write(self, action: Action) -> Outcome:
        """Write the target's object of an add or an update.

        Raises:
            CancelledError: the run was stopped.
        """
        attempt = _Attempt()
        try:
            return self._rules.retry.call(lambda: self._write_once(action, attempt), self._stop)
        except BackendError as error:
            if self._stop.is_set():
                raise CancelledError("interrupted") from error
            return failed(action, error)

    def delete(self, actions: Sequence[Action]) -> list[Outcome]:
        """Remove objects that are still what was listed; one outcome an action, in any order."""
        outcomes = []
        wanted: dict[str, Action] = {}
        items: list[tuple[str, Version | None]] = []
        for action in actions:
            version = _listed_version(action) if self._target_capabilities.delete_if_match else None
            changed = self._target_change(action) if version is None else None
            if changed is None:
                wanted[action.key] = action
                items.append((action.key, version))
            else:
                outcomes.append(failed(action, changed))
        try:
            for result in self._target.delete_many(items):
                action = wanted.pop(result.key)
                outcomes.append(Outcome(action, "done") if result.error is None else failed(action, result.error))
        except BackendError as error:
            outcomes.extend(failed(action, error) for action in wanted.values())
        return outcomes

    def _write_once(self, action: Action, attempt: _Attempt) -> Outcome:
        attempt.number += 1
        if self._stop.is_set():
            raise CancelledError("interrupted")
        condition = self._condition(action)
        if self._server_copy:
            try:
                return self._copy(action, condition)
            except (AccessDeniedError, UnsupportedOperationError):
                # The target's credentials cannot read the source: from here on, the bytes pass through this machine.
                self._server_copy = False
        with self._source.get(action.key) as reader:
            return self._stream(action, condition, reader, attempt)

    def _condition(self, action: Action) -> PutCondition:
        """Return the condition that protects what another writer put there since the listing (D20)."""
        if action.kind == "add":
            return IF_ABSENT if self._target_capabilities.put_if_absent else ALWAYS
        version = _listed_version(action)
        if version is not None and self._target_capabilities.put_if_match:
            return IfMatch(version)
        if (changed := self._target_change(action)) is not None:
            raise changed
        return ALWAYS

    def _copy(self, action: Action, condition: PutCondition) -> Outcome:
        assert action.source is not None
        attributes = None
        if self._rules.attributes.matches(action.key):
            found = self._source.stat(action.key)
            attributes = self._attributes(found)
        written = self._target.copy(self._source, action.source, action.key, attributes=attributes, condition=condition)
        if written.size != action.source.size:
            raise IntegrityError(
                f"{written.size} bytes were copied of {action.source.size}",
                operation="copy",
                location=self._target.location,
                key=action.key,
            )
        return Outcome(action, "done", verified="server-copy", written=written, source=action.source)

    def _stream(self, action: Action, condition: PutCondition, reader: ObjectReader, attempt: _Attempt) -> Outcome:
        info = reader.info
        body = Body(reader.chunks(), reader.size, expect=info.digests, on_chunk=self._on_chunk)
        if not body.expected:
            body.require(_DIGEST)
        try:
            written = self._target.put(action.key, body, attributes=self._attributes(info), condition=condition)
        except (ObjectExistsError, PreconditionFailedError):
            # An earlier attempt may have succeeded and only its answer been lost (F01): then this is our own object.
            if attempt.number == 1 or (own := self._own_object(action, info, attempt)) is None:
                raise
            return own
        except BackendError:
            attempt.remember(body)
            raise
        try:
            verified = self._verify(action, body, written)
        except CancelledError:
            # It is there, and nobody knows whether it is right: the report says so, and the base does not take it.
            return dataclasses.replace(failed(action, self._unverified(action)), bytes=body.bytes_passed)
        digest = body.digests()[0]
        return Outcome(
            action,
            "done",
            bytes=body.bytes_passed,
            verified=verified,
            written=written,
            source=info,
            digest=str(digest),
        )

    def _attributes(self, info: ObjectInfo) -> Attributes:
        return self._rules.attributes.attributes(info, keeps_headers=self._source_capabilities.user_metadata)

    def _on_chunk(self, size: int) -> None:
        if self._stop.is_set():
            raise CancelledError("interrupted")
        self._progress.add_bytes(size)

    def _verify(self, action: Action, body: Body, written: ObjectInfo) -> str:
        """Return how the written content is known to be right; read it back where no store has confirmed it."""
        confirmed = written.digests or body.expected
        if confirmed:
            return confirmed[0].algorithm.partition("/")[0]
        if not self._rules.read_back or body.bytes_passed == 0:
            return "size"
        sent = body.digests()[0]
        with self._target.get(action.key) as reader:
            back = Body(reader.chunks(), reader.size)
            back.require(sent.algorithm)
            for _ in back.chunks():
                if self._stop.is_set():
                    raise CancelledError("interrupted")
        if back.digest(sent.algorithm) != sent:
            raise IntegrityError(
                "the target holds other bytes than were sent",
                operation="get",
                location=self._target.location,
                key=action.key,
            )
        return "readback"

    def _unverified(self, action: Action) -> IntegrityError:
        return IntegrityError(
            "it was written, and the run was interrupted before it was verified",
            operation="put",
            location=self._target.location,
            key=action.key,
        )

    def _own_object(self, action: Action, info: ObjectInfo, attempt: _Attempt) -> Outcome | None:
        """Return the outcome when the target's object is what an earlier attempt of ours has sent."""
        found = self._target.stat(action.key)
        sent = {digest.algorithm: digest for digest in attempt.digests}
        ours = [digest for digest in found.digests if sent.get(digest.algorithm) == digest]
        if not ours or found.size != attempt.size:
            return None
        return Outcome(
            action,
            "done",
            bytes=attempt.size,
            verified=ours[0].algorithm.partition("/")[0],
            written=found,
            source=info,
            digest=str(ours[0]),
        )

    def _target_change(self, action: Action) -> BackendError | None:
        """Return an error when the target's object is no longer the one that was listed."""
        assert action.target is not None
        try:
            found = self._target.stat(action.key)
        except ObjectNotFoundError:
            if action.kind == "delete":
                return None
            found = None
        except BackendError as error:
            return error
        if found is not None and found.fingerprint == action.target.fingerprint:
            return None
        listed = action.target
        # Where the listing could not tell versions apart, size and time are what there is.
        if found is not None and not listed.fingerprint and _traits(found) == _traits(listed):
            return None
        return PreconditionFailedError(
            "the target's object changed after it was listed; the next run compares it again",
            operation=action.kind,
            location=self._target.location,
            key=action.key,
        )


class _Attempt:
    """What earlier attempts at one action have sent."""

    def __init__(self) -> None:
        self.number = 0
        self.digests: tuple[Digest, ...] = ()
        self.size = -1

    def remember(self, body: Body) -> None:
        if body.finished:
            self.digests = body.digests()
            self.size = body.bytes_passed


def _traits(info: ObjectInfo) -> tuple[int, int]:
    return info.size, info.modified_ns


def _listed_version(action: Action) -> Version | None:
    assert action.target is not None
    return action.target.version or None


def failed(action: Action, error: Exception) -> Outcome:
    """Return the outcome of an action that ended by `error`."""
    fatal = isinstance(error, BackendError) and error.disposition is Disposition.ABORT
    return Outcome(action, "failed", error=str(error), cause=type(error).__name__, fatal=fatal)
