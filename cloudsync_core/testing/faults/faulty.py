"""A layer that disturbs calls of the backend below it, as rules say or by chance."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from cloudsync_core.backend import NO_ATTRIBUTES, Backend, Prune
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.errors import BackendError, ThrottledError, UnavailableError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.models import (
    ALWAYS,
    Attributes,
    ByteRange,
    DeleteResult,
    ObjectInfo,
    Page,
    PutCondition,
    Version,
)
from cloudsync_core.testing.faults.troubles import CutOff, FailOnPage, Flip, LoseAnswer, Raise, Shorten, Trouble, Verb

T = TypeVar("T")

_DOWN = Raise(UnavailableError("the server cannot serve the request now"))
_THROTTLED = Raise(ThrottledError("the server asks for fewer requests"))

PASSING: tuple[Trouble, ...] = (_DOWN, _THROTTLED, LoseAnswer(), CutOff(1), Shorten(1), Flip(), FailOnPage(2))
"""Troubles of networks and servers that a later attempt is likely to mend."""


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call of a verb.

    Attributes:
        verb: which.
        key: the object; `None` of a listing and of a bulk delete as a whole.
        number: how many calls of the same verb for the same key came before it.
    """

    verb: Verb
    key: str | None
    number: int


Choose = Callable[[Call], Trouble | None]
"""Says what happens to a call, `None` for nothing; called once for each, one after the other."""


def at(verb: Verb | None, trouble: Trouble, key: str | None = None, *, after: int = 0, times: int | None = 1) -> Choose:
    """Choose calls by what they are and by their number.

    Args:
        verb: which verb; `None` for each to which the trouble can happen.
        trouble: what happens.
        key: only calls for this object.
        after: so many of these calls go well first.
        times: so many go wrong then; `None` for all.
    """
    seen = 0

    def choose(call: Call) -> Trouble | None:
        nonlocal seen
        if call.verb not in ((verb,) if verb else trouble.verbs) or key not in {None, call.key}:
            return None
        seen += 1
        return trouble if after < seen and (times is None or seen <= after + times) else None

    return choose


def at_random(seed: object, rate: float, troubles: Sequence[Trouble] = PASSING) -> Choose:
    """Choose calls by chance, which depends on the seed and on the call alone.

    Whichever thread calls first, the same seed brings the same trouble to the same call.

    Args:
        seed: anything whose text tells it from others.
        rate: the share of calls that go wrong, from 0 to 1.
        troubles: one of those that can happen to the verb is drawn.
    """

    def choose(call: Call) -> Trouble | None:
        chance = random.Random(f"{seed}/{call.verb}/{call.key}/{call.number}")  # noqa: S311 - repeatable on purpose
        possible = [trouble for trouble in troubles if call.verb in trouble.verbs]
        return chance.choice(possible) if possible and chance.random() < rate else None

    return choose


class Faulty(Layer):
    """A backend of which some calls go wrong.

    It stands where the store stands: inside `Retry`, so that what it does is retried like anything a store does.

    Args:
        inner: the backend.
        *rules: asked in this order; the first that has a trouble for a call decides.

    Attributes:
        met: which calls went wrong, and how, in the order in which they came.
    """

    def __init__(self, inner: Backend, *rules: Choose) -> None:
        super().__init__(inner)
        self._rules = rules
        self._lock = threading.Lock()
        self._numbers: collections.Counter[tuple[Verb, str | None]] = collections.Counter()
        self.met: list[tuple[Call, Trouble]] = []

    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Yield the inner backend's pages as the trouble lets them through."""
        trouble = self._trouble("list")
        pages = trouble.call(lambda: self.inner.list(prefix, start_after=start_after, prune=prune))
        yield from trouble.pages(pages)

    def stat(self, key: str) -> ObjectInfo:
        """Ask the inner backend."""
        return self._trouble("stat", key).call(lambda: self.inner.stat(key))

    @contextlib.contextmanager
    def get(
        self, key: str, *, byte_range: ByteRange | None = None, if_match: Version | None = None
    ) -> Iterator[ObjectReader]:
        """Open the inner backend's object, whose content comes as the trouble lets it through."""
        trouble = self._trouble("get", key)
        with trouble.call(lambda: self.inner.get(key, byte_range=byte_range, if_match=if_match)) as reader:
            yield _disturbed(reader, trouble)

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Read the inner backend's object, likewise."""
        trouble = self._trouble("get", key)
        reader = trouble.call(lambda: self.inner.read(key, limit))
        return None if reader is None else _disturbed(reader, trouble).held()

    def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes = NO_ATTRIBUTES,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Write to the inner backend what the trouble lets through."""
        trouble = self._trouble("put", key)
        # Otherwise the inner backend gets the body itself, and may know shorter ways for some of them.
        sent = Body(trouble.content(body.chunks()), body.size) if _changes_content(trouble) else body
        return trouble.call(lambda: self.inner.put(key, sent, attributes=attributes, condition=condition))

    def delete(self, key: str, *, if_match: Version | None = None) -> None:
        """Delete from the inner backend."""
        self._trouble("delete", key).call(lambda: self.inner.delete(key, if_match=if_match))

    def delete_many(self, items: Sequence[tuple[str, Version | None]]) -> Iterator[DeleteResult]:
        """Delete from the inner backend: by its bulk request what goes well, and one by one what does not."""
        results = self._trouble("delete_many").call(lambda: list(self._delete_many(items)))
        yield from results

    def copy(
        self,
        source: Backend,
        info: ObjectInfo,
        key: str,
        *,
        attributes: Attributes | None = None,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Have the inner backend copy."""
        copy = super().copy
        return self._trouble("copy", key).call(
            lambda: copy(source, info, key, attributes=attributes, condition=condition)
        )

    def _trouble(self, verb: Verb, key: str | None = None) -> Trouble:
        with self._lock:
            call = Call(verb, key, self._numbers[verb, key])
            self._numbers[verb, key] += 1
            found = [trouble for rule in self._rules if (trouble := rule(call)) is not None]
            if not found:
                return Trouble()
            if verb not in found[0].verbs:
                raise ValueError(f"{found[0]} cannot happen to a {verb}")
            self.met.append((call, found[0]))
            return found[0]

    def _delete_many(self, items: Sequence[tuple[str, Version | None]]) -> Iterator[DeleteResult]:
        troubles = [self._trouble("delete", key) for key, _ in items]
        untroubled = [item for item, trouble in zip(items, troubles, strict=True) if type(trouble) is Trouble]
        yield from self.inner.delete_many(untroubled)
        for (key, version), trouble in zip(items, troubles, strict=True):
            if type(trouble) is not Trouble:
                yield self._deleted(key, version, trouble)

    def _deleted(self, key: str, version: Version | None, trouble: Trouble) -> DeleteResult:
        try:
            trouble.call(lambda: self.inner.delete(key, if_match=version))
        except BackendError as error:
            return DeleteResult(key, error)
        return DeleteResult(key)


def _changes_content(trouble: Trouble) -> bool:
    return type(trouble).content is not Trouble.content


def _disturbed(reader: ObjectReader, trouble: Trouble) -> ObjectReader:
    if not _changes_content(trouble):
        return reader
    return ObjectReader(reader.info, trouble.content(reader.chunks()), reader.size)
