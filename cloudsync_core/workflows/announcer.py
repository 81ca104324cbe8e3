"""Publishes objects as updates of a channel, each version of each object once, whatever ends the process.

Before an update is written its id is recorded; after a crash the channel is asked whether it is there. Content is read
once: what is published, what is recorded and what is compared with the next version are the same bytes (P8).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal

from cloudsync_core import content_types
from cloudsync_core.backend import Backend
from cloudsync_core.body import ObjectReader
from cloudsync_core.channels import envelope
from cloudsync_core.channels.drafts import Message
from cloudsync_core.channels.publisher import Publisher, StaleIdError
from cloudsync_core.channels.topic_template import TopicTemplate
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.base import JobState
from cloudsync_core.engine.diff import BaseRow
from cloudsync_core.engine.intents import Intent, Intents, published_size
from cloudsync_core.errors import (
    BackendError,
    CloudSyncError,
    ConfigError,
    Disposition,
    IntegrityError,
    ObjectNotFoundError,
    PreconditionFailedError,
    printable,
)
from cloudsync_core.models import ObjectInfo

_LOG = logging.getLogger(__name__)

SMALL: Final = 64 * 1024
"""Bytes of content that is held in memory, and shares an object of the channel with others."""

BATCH_LENGTH: Final = 500
BATCH_BYTES: Final = 512 * 1024
"""Updates in one object, and bytes of their content, at most."""

READ_AT_ONCE: Final = 16
"""Small objects that are read at the same time where that takes a network."""

_IDS_TRIED: Final = 3

_DIGEST: Final = "sha256"


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A version of an object that may have to be published.

    Attributes:
        info: the object, as it was looked at.
        base: what was published of it before, or `None`.
    """

    info: ObjectInfo
    base: BaseRow | None = None


Fate = Literal["published", "unchanged", "again", "gone", "failed"]


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What became of a candidate.

    Attributes:
        candidate: the candidate.
        fate: "unchanged" where the content is what was published last; "again" where it changed while it was read;
            "gone" where it is no longer there.
        size: bytes that were published.
        error: why it failed, or is to be looked at again.
        row: what the base is to remember of an unchanged object.
    """

    candidate: Candidate
    fate: Fate
    size: int = 0
    error: CloudSyncError | None = None
    row: BaseRow | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Ready:
    """A candidate that is to be published, and the message that does it."""

    candidate: Candidate
    message: Message
    source: str | None
    size: int
    digest: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What a job says of its updates.

    Attributes:
        topic: makes topics.
        metadata: goes with every update.
        content_type: of every update; `None` guesses it.
        same_version: whether only the version that was looked at may be published: it is the one that is quiet.
        paced: called with numbers of bytes before they pass.
    """

    topic: TopicTemplate
    metadata: Mapping[str, str]
    content_type: str | None
    same_version: bool
    paced: Callable[[int], None]


class Announcer:
    """Publishes candidates; used by the thread that opened the state database.

    Args:
        source: where they are read.
        publishers: returns the publisher of a name.
        name: the name under which is published.
        base: what was published; of the job.
        rules: see there.
    """

    def __init__(
        self, source: Backend, publishers: Callable[[str], Publisher], name: str, base: JobState, rules: Rules
    ) -> None:
        self._source = source
        self._publishers = publishers
        self._name = name
        self._base = base
        self._rules = rules
        self._intents = Intents(*base.place)
        self._unreadable: BackendError | None = None

    def recover(self) -> int:
        """Find out what became of updates that a crash or an error has left open; return how many were published.

        Raises:
            BackendError: the channel cannot be asked.
            StateError: the state database cannot be used.
        """
        published = 0
        pending = self._intents.pending()
        for (name, object_id), group in itertools.groupby(pending, lambda one: (one.publisher, one.object_id)):
            intents = list(group)
            if self._publishers(name).published(object_id):
                _LOG.info("%s was published before that could be recorded", object_id)
                self._settle([(intent, None) for intent in intents])
                published += len(intents)
            else:
                self._intents.withdraw(intents)
        return published

    def would_publish(self, candidates: Iterable[Candidate]) -> Iterator[Result]:
        """Yield what `publish` would, and publish nothing."""
        for prepared in self._prepared(candidates):
            yield prepared if isinstance(prepared, Result) else Result(prepared.candidate, "published", prepared.size)

    def publish(self, candidates: Iterable[Candidate]) -> Iterator[Result]:
        """Publish candidates, many small ones at once, and yield what became of each.

        Raises:
            BackendError: the channel cannot be written; what became of what was in hand, `recover` finds out.
            StateError: the state database cannot be used.
        """
        waiting: list[_Ready] = []
        weight = 0
        for prepared in self._prepared(candidates):
            if isinstance(prepared, Result):
                yield prepared
                continue
            alone = prepared.size > SMALL
            if waiting and (alone or len(waiting) >= BATCH_LENGTH or weight + prepared.size > BATCH_BYTES):
                yield from self._publish(waiting)
                waiting, weight = [], 0
            if alone:
                yield from self._publish([prepared])
            else:
                waiting.append(prepared)
                weight += prepared.size
        if waiting:
            yield from self._publish(waiting)

    def _prepared(self, candidates: Iterable[Candidate]) -> Iterator[_Ready | Result]:
        if self._source.capabilities.local_reads:
            yield from map(self._prepare, candidates)
            return
        with ThreadPoolExecutor(READ_AT_ONCE, thread_name_prefix="cloudsync-announce") as pool:
            waiting = iter(candidates)
            while group := list(itertools.islice(waiting, READ_AT_ONCE)):
                yield from pool.map(self._prepare, group)

    def _prepare(self, candidate: Candidate) -> _Ready | Result:
        """Read a small object, look at a large one, and make the message; changes nothing."""
        info = candidate.info
        try:
            topic, metadata = self._rules.topic(info.key), self._metadata(info.key)
            reader = self._source.read(info.key, SMALL) if info.size <= SMALL else None
            if reader is None:
                return self._prepare_large(candidate, topic, metadata)
            data = reader.read()
        except ConfigError as error:
            return Result(candidate, "failed", error=error)
        except BackendError as error:
            if error.disposition is Disposition.ABORT:
                raise
            return _unread(candidate, error)
        if self._rules.same_version and reader.info.version != info.version:
            return Result(candidate, "again")
        # Of a version that came after the look nobody knows how young it was then.
        source = info.fingerprint if info.fingerprint == reader.info.fingerprint else ""
        digest = f"{_DIGEST}:{hashlib.sha256(data).hexdigest()}"
        if candidate.base is not None and candidate.base.digest == digest:
            return _unchanged(candidate, source)
        self._rules.paced(len(data))
        message = Message(topic, data, metadata, self._content_type(info.key))
        return _Ready(candidate, message, source or None, len(data), digest)

    def _prepare_large(self, candidate: Candidate, topic: str, metadata: Mapping[str, str]) -> _Ready | Result:
        info, base = candidate.info, candidate.base
        if base is not None and base.digest is not None and published_size(base) == info.size:
            digest = hashlib.sha256()
            with self._opened(info) as reader:
                for chunk in reader.chunks():
                    digest.update(chunk)
            if f"{_DIGEST}:{digest.hexdigest()}" == base.digest:
                return _unchanged(candidate, info.fingerprint)
        message = Message(topic, functools.partial(self._opened, info), metadata, self._content_type(info.key))
        return _Ready(candidate, message, info.fingerprint or None, info.size, None)

    @contextlib.contextmanager
    def _opened(self, info: ObjectInfo) -> Iterator[ObjectReader]:
        """Open the version that was looked at, and no other."""
        with contextlib.ExitStack() as stack:
            with self._reading():
                reader = stack.enter_context(self._source.get(info.key, if_match=info.version or None))
                if reader.size != info.size:
                    raise PreconditionFailedError(
                        "it is another version now", operation="get", location=self._source.location, key=info.key
                    )
            yield ObjectReader(reader.info, self._paced(reader.chunks()), reader.size)

    def _paced(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        while True:
            with self._reading():
                chunk = next(chunks, None)
            if chunk is None:
                return
            self._rules.paced(len(chunk))
            yield chunk

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Remember what goes wrong at the source: in the middle of a put it comes from where the target's errors do."""
        try:
            yield
        except BackendError as error:
            self._unreadable = error
            raise

    def _metadata(self, key: str) -> Mapping[str, str]:
        metadata = {**self._rules.metadata, "filename": key.rpartition("/")[2], "path": key}
        if (why := envelope.metadata_problem(metadata)) is not None:
            raise ConfigError(f"{printable(key)}: {why}")
        return metadata

    def _content_type(self, key: str) -> str | None:
        return self._rules.content_type or content_types.guess(key)

    def _publish(self, ready: Sequence[_Ready]) -> Iterator[Result]:
        messages = [one.message for one in ready]
        publisher = self._publishers(self._name)
        for _ in range(_IDS_TRIED):
            object_id = publisher.reserve()
            intents = [
                Intent(one.candidate.info.key, one.source, one.size, one.digest, self._name, object_id) for one in ready
            ]
            self._intents.begin(intents)
            try:
                updates = publisher.publish_as(messages, object_id)
            except StaleIdError:
                self._intents.withdraw(intents)
                continue
            except BackendError as error:
                if error is not self._unreadable:
                    raise
                # It was the content that could not be read, so nothing was published.
                self._intents.withdraw(intents)
                yield from (_unread(one.candidate, error) for one in ready)
                return
            break
        else:
            # An upload that takes longer than an id may wait for it: what a crash leaves of it is published once more.
            updates = publisher.publish_many(messages)
            intents = [dataclasses.replace(intent, object_id=updates[0].id) for intent in intents]
        hit("put.acked")
        self._settle([(intent, update.digest) for intent, update in zip(intents, updates, strict=True)])
        yield from (Result(one.candidate, "published", one.size) for one in ready)

    def _settle(self, published: Sequence[tuple[Intent, str | None]]) -> None:
        # What was noted of the same keys before must not come after.
        self._base.save()
        self._intents.settle(published)


def _unchanged(candidate: Candidate, source: str) -> Result:
    assert candidate.base is not None
    return Result(candidate, "unchanged", row=dataclasses.replace(candidate.base, source=source or None))


def _unread(candidate: Candidate, error: BackendError) -> Result:
    if isinstance(error, ObjectNotFoundError):
        return Result(candidate, "gone")
    changed = isinstance(error, IntegrityError | PreconditionFailedError)
    return Result(candidate, "again" if changed else "failed", error=error)
