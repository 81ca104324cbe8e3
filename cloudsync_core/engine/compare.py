"""Whether two objects of one key are the same: the comparators, and the evidence that they may ask for.

A comparator answers in two steps. `quick` looks at what the listings and the base say, does no I/O, and may decline;
`thorough` is asked only then, in a worker thread, and may gather `Evidence`. Every answer has a reason that machines
can read. Nothing is ever taken for equal without evidence, and no clock's direction is trusted.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import Protocol

from cloudsync_core.backend import Backend
from cloudsync_core.body import computable
from cloudsync_core.engine.diff import BaseRow, Pair
from cloudsync_core.engine.digests import alike, in_algorithm
from cloudsync_core.errors import CancelledError, PreconditionFailedError
from cloudsync_core.models import Digest, ObjectInfo

MTIME_WINDOW_NS = 1_000_000_000
"""Modification times that differ by less are equal: some stores keep whole seconds."""


_DIGEST = "md5"
"""What is computed of both sides where neither has a digest: any algorithm tells accidents apart."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the two objects of a pair are the same.

    Attributes:
        same: whether the target needs nothing.
        reason: why, machine-readable.
        digest: of the content, where one was seen; as `Digest` prints it.
        learnt: the answer rests on more than the base: worth recording, so that the next run is free.
    """

    same: bool
    reason: str
    digest: str | None = None
    learnt: bool = False


class Comparator(Protocol):
    """A way to tell whether two objects are the same. Both are present in every pair it is asked about.

    Attributes:
        trusts_base: objects that are on both sides just as the base says are the same: it need not be asked about them.
    """

    trusts_base: bool

    def quick(self, pair: Pair) -> Verdict | None:
        """Answer from the listings and the base alone, or return `None` to be asked `thorough`."""

    def thorough(self, pair: Pair, evidence: Evidence) -> Verdict:
        """Answer with I/O; called in a worker thread, for many pairs at once."""


class Evidence:
    """What can be found out about a pair beyond its listing; each fact is looked up once, when it is asked for.

    Args:
        pair: the pair.
        source: the side read.
        target: the side written.
        stop: ends the reading of content with `CancelledError`.
    """

    def __init__(self, pair: Pair, source: Backend, target: Backend, stop: threading.Event | None = None) -> None:
        assert pair.source is not None
        assert pair.target is not None
        self._key = pair.key
        self._backends = (source, target)
        self._infos = [pair.source, pair.target]
        self._stop = stop

    @property
    def source(self) -> ObjectInfo:
        """The source's object, as far as it is known by now."""
        return self._infos[0]

    @property
    def target(self) -> ObjectInfo:
        """The target's object, as far as it is known by now."""
        return self._infos[1]

    def common_digest(self) -> tuple[Digest, Digest] | None:
        """Return a digest of each side, of one algorithm, or `None` where there is no cheap way to them.

        Cheap is what the listings tell, what a `stat` of an object tells, and the content of a store that is read
        without a network.

        Raises:
            BackendError: a side cannot be asked.
        """
        return (
            self._shared()
            or self._shared_after_reading()
            or self._shared_after_stat()
            or self._shared_after_reading()
            or self._shared_after_reading_both()
        )

    def downloaded_digests(self) -> tuple[Digest, Digest]:
        """Return a digest of each side's content, read in full, whatever that costs.

        Raises:
            BackendError: a side cannot be read.
        """
        return self._read(0, _DIGEST), self._read(1, _DIGEST)

    def content_digest(self, algorithm: str) -> Digest | None:
        """Return the source's digest of that algorithm, where reading it costs no network."""
        if not computable(algorithm):
            return None
        told = (in_algorithm(digest, algorithm, self.source.size) for digest in self.source.digests)
        known = next((digest for digest in told if digest is not None), None)
        if known is None and self._backends[0].capabilities.local_reads:
            known = self._read(0, algorithm)
        return known

    def mtimes(self) -> tuple[int, int]:
        """Return both modification times, ns since the epoch: those kept with the objects, else the stores' own."""
        for index in (0, 1):
            if self._infos[index].attributes is None:
                self._stat(index)
        first, second = (
            info.modified_ns
            if info.attributes is None or info.attributes.mtime_ns is None
            else info.attributes.mtime_ns
            for info in self._infos
        )
        return first, second

    def _shared(self) -> tuple[Digest, Digest] | None:
        return _shared_digest(self.source, self.target)

    def _shared_after_stat(self) -> tuple[Digest, Digest] | None:
        # The side that has told none first: what the other has told may be enough.
        for index in sorted((0, 1), key=lambda index: bool(self._infos[index].digests)):
            if self._infos[index].attributes is None:
                self._stat(index)
                if (found := self._shared()) is not None:
                    return found
        return None

    def _shared_after_reading(self) -> tuple[Digest, Digest] | None:
        """Compute the digest that one side has and the other, read locally, lacks."""
        for index in (0, 1):
            if self._backends[index].capabilities.local_reads:
                for digest in self._infos[1 - index].digests:
                    if computable(digest.algorithm):
                        own = self._read(index, digest.algorithm)
                        return (own, digest) if index == 0 else (digest, own)
        return None

    def _shared_after_reading_both(self) -> tuple[Digest, Digest] | None:
        local = all(backend.capabilities.local_reads for backend in self._backends)
        return self.downloaded_digests() if local else None

    def _stat(self, index: int) -> None:
        """Learn more about the listed object; a changed or vanished one is an error that the caller reports."""
        listed = self._infos[index]
        found = self._backends[index].stat(self._key)
        if listed.fingerprint and found.fingerprint and found.fingerprint != listed.fingerprint:
            raise PreconditionFailedError("the object changed after it was listed", operation="stat", key=self._key)
        self._infos[index] = dataclasses.replace(found, fingerprint=listed.fingerprint)

    def _read(self, index: int, algorithm: str) -> Digest:
        with self._backends[index].get(self._key) as reader:
            body = reader.body(on_chunk=self._on_chunk)
            body.require(algorithm)
            for _ in body.chunks():
                pass
            return body.digest(algorithm)

    def _on_chunk(self, _: int) -> None:
        if self._stop is not None and self._stop.is_set():
            raise CancelledError("interrupted")


class Auto:
    """The default: sizes, then the base, then digests; without evidence of equality the object is transferred."""

    trusts_base = True

    def quick(self, pair: Pair) -> Verdict | None:
        """See `Comparator.quick`."""
        source, target, base = _both(pair)
        if source.size != target.size:
            return Verdict(False, "size")
        if base is not None and _fingerprints_hold(source, target, base):
            return Verdict(True, "unchanged")
        if source.size == 0:
            return Verdict(True, "empty", learnt=True)
        # A first run over copies that are there already: what both listings tell costs nothing to compare.
        return _by_shared_digest(source, target) if base is None else None

    def thorough(self, pair: Pair, evidence: Evidence) -> Verdict:
        """See `Comparator.thorough`."""
        source, target, base = _both(pair)
        reason = "no-base"
        if base is not None:
            source_holds = source.fingerprint != "" and source.fingerprint == base.source
            target_holds = target.fingerprint != "" and target.fingerprint == base.target
            reason = "target-drift" if source_holds else "source-changed"
            # The target is still what was last synchronised: the source's content alone decides.
            if target_holds and base.digest is not None:
                known = Digest.parse(base.digest)
                if (now := evidence.content_digest(known.algorithm)) is not None:
                    return Verdict(now == known, "same-content" if now == known else reason, str(now), learnt=True)
        return _by_digest(evidence, reason)


class Size:
    """Equal sizes are equal objects. Misses every edit that keeps the size."""

    trusts_base = True

    def quick(self, pair: Pair) -> Verdict | None:
        """See `Comparator.quick`."""
        source, target, _ = _both(pair)
        return Verdict(source.size == target.size, "same-size" if source.size == target.size else "size")

    def thorough(self, pair: Pair, evidence: Evidence) -> Verdict:
        """Never asked: `quick` always answers."""
        raise AssertionError((pair, evidence))


class Mtime:
    """Equal sizes and modification times are equal objects; a time that differs in either direction is a change."""

    trusts_base = True

    def quick(self, pair: Pair) -> Verdict | None:
        """See `Comparator.quick`."""
        source, target, base = _both(pair)
        if source.size != target.size:
            return Verdict(False, "size")
        if base is not None and _fingerprints_hold(source, target, base):
            return Verdict(True, "unchanged")
        return None

    def thorough(self, pair: Pair, evidence: Evidence) -> Verdict:
        """See `Comparator.thorough`."""
        del pair
        first, second = evidence.mtimes()
        same = abs(first - second) < MTIME_WINDOW_NS
        # Not learnt: equal times are no proof, and what stands in the base is proof to the other comparators.
        return Verdict(same, "same-mtime" if same else "mtime")


class Checksum:
    """Equal digests are equal objects; the base is not asked."""

    trusts_base = False

    def quick(self, pair: Pair) -> Verdict | None:
        """See `Comparator.quick`."""
        source, target, _ = _both(pair)
        return Verdict(False, "size") if source.size != target.size else _by_shared_digest(source, target)

    def thorough(self, pair: Pair, evidence: Evidence) -> Verdict:
        """See `Comparator.thorough`."""
        del pair
        return _by_digest(evidence, "no-digest")


class Always:
    """Nothing is equal: every object is transferred."""

    trusts_base = False

    def quick(self, pair: Pair) -> Verdict | None:
        """See `Comparator.quick`."""
        del pair
        return Verdict(False, "always")

    def thorough(self, pair: Pair, evidence: Evidence) -> Verdict:
        """Never asked: `quick` always answers."""
        raise AssertionError((pair, evidence))


def _both(pair: Pair) -> tuple[ObjectInfo, ObjectInfo, BaseRow | None]:
    assert pair.source is not None
    assert pair.target is not None
    return pair.source, pair.target, pair.base


def _fingerprints_hold(source: ObjectInfo, target: ObjectInfo, base: BaseRow) -> bool:
    return (
        source.fingerprint != ""
        and target.fingerprint != ""
        and source.fingerprint == base.source
        and target.fingerprint == base.target
    )


def _shared_digest(source: ObjectInfo, target: ObjectInfo) -> tuple[Digest, Digest] | None:
    """Return a digest of each side, of one algorithm, where both are known."""
    for digest in source.digests:
        for other in target.digests:
            if (pair := alike(digest, other, source.size)) is not None:
                return pair
    return None


def _by_shared_digest(source: ObjectInfo, target: ObjectInfo) -> Verdict | None:
    pair = _shared_digest(source, target)
    return None if pair is None else _by_pair(*pair)


def _by_digest(evidence: Evidence, reason: str) -> Verdict:
    pair = evidence.common_digest()
    return Verdict(False, reason) if pair is None else _by_pair(*pair)


def _by_pair(first: Digest, second: Digest) -> Verdict:
    return Verdict(first == second, "same-digest" if first == second else "digest", str(first), learnt=True)
