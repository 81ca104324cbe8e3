"""Deletes: one object, or many whose requests share one, and what the answer says of each (clause D3)."""

from __future__ import annotations

import collections
import functools
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from cloudsync_core.backends.judging import named
from cloudsync_core.backends.objectstore.rules import UNMENTIONED
from cloudsync_core.backends.objectstore.wire import Answer, Request
from cloudsync_core.crashpoints import hit
from cloudsync_core.errors import (
    BackendError,
    ObjectNotFoundError,
    PreconditionFailedError,
)
from cloudsync_core.models import DeleteResult, Version
from cloudsync_gcs import conditions, operations
from cloudsync_gcs.errors import FAILURES, Refusal, meaning
from cloudsync_gcs.place import Place

MOST_KEYS = 100
"""Requests that one batch takes (https://cloud.google.com/storage/docs/batch)."""

IN_FLIGHT = 4
"""Batches of one call that are on their way at a time."""

_NO_BATCHES = {404, 405, 501}

Item = tuple[str, Version | None]
"""A key, and the version that the object must still be."""

_Together = Future[list[DeleteResult] | None]
"""What becomes of a batch; `None` where the server knows no batches."""


class Deleter:
    """Removes objects of one place; safe to use from many threads.

    Args:
        place: where from.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._batches = True

    def delete(self, key: str, version: Version | None) -> None:
        """Remove one object; see `Backend.delete`."""
        with self._place.errors("delete", key):
            try:
                self._place.answer(self._request(key, version))
            except (Refusal, PreconditionFailedError) as failure:
                self._accept(key, failure)

    def delete_many(self, items: Sequence[Item]) -> Iterator[DeleteResult]:
        """Remove objects and report every one; see `Backend.delete_many`."""
        left = iter(items)
        pending: collections.deque[tuple[list[Item], _Together | None]] = collections.deque()
        try:
            while batch := list(itertools.islice(left, MOST_KEYS)):
                pending.append((batch, self._begin_together(batch)))
                if len(pending) >= IN_FLIGHT:
                    yield from self._results(*pending.popleft())
            while pending:
                yield from self._results(*pending.popleft())
        finally:
            for _, deleting in pending:
                if deleting is not None:
                    deleting.cancel()

    def _begin_together(self, batch: list[Item]) -> _Together | None:
        """Begin one request for a batch; `None` where each object has a request of its own."""
        if not self._batches or len(batch) == 1:
            return None
        return self._place.connection.submit(functools.partial(self._delete_together, batch))

    def _results(self, batch: list[Item], deleting: _Together | None) -> Iterator[DeleteResult]:
        """Yield what became of a batch; without a request for all of it, its objects are deleted side by side."""
        if deleting is not None:
            results = deleting.result()
            hit("del.sent")
            if results is not None:
                yield from results
                return
            self._batches = False
        begun = [self._place.connection.submit(functools.partial(self._delete_one, *item)) for item in batch]
        try:
            for one in begun:
                result = one.result()
                hit("del.sent")
                yield result
        finally:
            for one in begun:
                one.cancel()

    def _request(self, key: str, version: Version | None) -> Request:
        query = dict(self._place.common)
        name = self._place.named(key)
        if version is not None:
            conditions.refuse_unless(honoured=self._place.conditional)
            query["ifGenerationMatch"] = conditions.generation(version)
        return operations.remove(self._place.address, name, query)

    def _accept(self, key: str, failure: Refusal | PreconditionFailedError) -> None:
        """Return if the object is not there, which is what was wanted (clause D1), else raise the failure.

        Of an object that is not there a server may also say that it is not the version that was expected.
        """
        error = meaning(failure, key) if isinstance(failure, Refusal) else failure
        if isinstance(error, ObjectNotFoundError):
            return
        if isinstance(error, PreconditionFailedError) and self._is_gone(key):
            return
        raise failure

    def _is_gone(self, key: str) -> bool:
        try:
            self._place.look(self._place.named(key))
        except Refusal as refusal:
            return isinstance(meaning(refusal, key), ObjectNotFoundError)
        return False

    def _delete_together(self, batch: Sequence[Item]) -> list[DeleteResult] | None:
        """Return what became of the keys of one batch; `None` where the server knows no batches and did nothing."""
        requests: dict[int, Request] = {}
        results: dict[int, DeleteResult] = {}
        for number, (key, version) in enumerate(batch):
            try:
                with self._place.errors("delete", key):
                    requests[number] = self._request(key, version)
            except BackendError as error:
                results[number] = self._refused(key, error)
        if requests:
            try:
                asked = operations.batch(self._place.address, list(requests.values()))
                answers = operations.batched(self._place.connection.request(asked))
            except FAILURES as failure:
                if isinstance(failure, Refusal) and failure.status in _NO_BATCHES:
                    return None
                results.update((number, self._failed(batch[number][0], failure)) for number in requests)
            else:
                told = ((number, answers.get(place)) for place, number in enumerate(requests))
                results.update((number, self._result(batch[number][0], answer)) for number, answer in told)
        return [results[number] for number in range(len(batch))]

    def _result(self, key: str, answer: Answer | None) -> DeleteResult:
        """Return what the answer to one request of a batch says (A15)."""
        if answer is None:
            return DeleteResult(key, named(UNMENTIONED.failure(), "delete", self._place.location, key))
        if answer.is_success:
            return DeleteResult(key)
        try:
            with self._place.errors("delete", key):
                refusal = operations.refusal(answer)
                self._place.tell_what_is_missing(refusal)
                self._accept(key, refusal)
        except BackendError as error:
            return DeleteResult(key, error)
        return DeleteResult(key)

    def _refused(self, key: str, error: BackendError) -> DeleteResult:
        """Return what becomes of a key of which no request can be made: what is not there is no error either."""
        if isinstance(error, PreconditionFailedError):
            try:
                with self._place.errors("delete", key):
                    if self._is_gone(key):
                        return DeleteResult(key)
            except BackendError as other:
                return DeleteResult(key, other)
        return DeleteResult(key, error)

    def _delete_one(self, key: str, version: Version | None) -> DeleteResult:
        try:
            self.delete(key, version)
        except BackendError as error:
            return DeleteResult(key, error)
        return DeleteResult(key)

    def _failed(self, key: str, failure: BaseException) -> DeleteResult:
        error = meaning(failure, key)
        assert error is not None
        return DeleteResult(key, named(error, "delete", self._place.location, key))
