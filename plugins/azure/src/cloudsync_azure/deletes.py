"""Deletes: of one object, and of many in batches whose answer tells what became of each (clause D3)."""

from __future__ import annotations

import collections
import itertools
import re
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Final

from cloudsync_azure import conditions, operations
from cloudsync_azure.errors import FAILURES, RefusedError, meaning
from cloudsync_azure.operations import MOST_IN_BATCH
from cloudsync_azure.place import Place
from cloudsync_azure.signing import dated
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

IN_FLIGHT: Final = 4
"""Batches that are on their way at a time."""

SINGLES_IN_FLIGHT: Final = 32
"""Requests for single objects that are on their way at a time, where the server takes no batches."""

Item = tuple[str, Version | None]
"""A key, and the version that the object must still be."""

_BOUNDARY = re.compile(r'boundary="?([^";]+)', re.IGNORECASE)
_NUMBER = re.compile(r"^content-id:[ \t]*(\d{1,3})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(r"HTTP/1\.[01] (\d{3})")
_HEADER = re.compile(r"([!-9;-~]+):[ \t]*([^\r\n]*)\r?\n")
_TAKES_NO_BATCHES = frozenset({400, 401, 403, 404, 405, 409, 415, 501})
"""What a server answers to a batch that it does not take as such; a refused delete is said inside the answer."""

_BROKEN = 500


class Deleter:
    """Removes objects of one place; safe to use from many threads.

    A blob that has snapshots is not removed: they would have to go with it, and are left alone.

    Args:
        place: where from.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._in_batches = True

    def delete(self, key: str, version: Version | None) -> None:
        """Remove one object; see `Backend.delete`."""
        try:
            with self._place.errors("delete", key):
                self._place.connection.call(self._request(key, version))
        except (ObjectNotFoundError, PreconditionFailedError) as error:
            if not self._is_gone(key, error):
                raise

    def delete_many(self, items: Sequence[Item]) -> Iterator[DeleteResult]:
        """Remove objects and report every one; see `Backend.delete_many`."""
        good: list[tuple[str, Request]] = []
        for key, version in items:
            try:
                with self._place.errors("delete", key):
                    good.append((key, self._request(key, version)))
            except BackendError as error:
                yield DeleteResult(key, error)
        batches = (good[start : start + MOST_IN_BATCH] for start in range(0, len(good), MOST_IN_BATCH))
        while self._in_batches and (some := list(itertools.islice(batches, IN_FLIGHT))):
            for batch, answer in [(batch, self._begin(batch)) for batch in some]:
                yield from self._finish(batch, answer)
        for batch in batches:
            yield from self._one_by_one(batch)

    def _request(self, key: str, version: Version | None) -> Request:
        return operations.delete_blob(self._place.path(key), None if version is None else conditions.if_match(version))

    def _begin(self, batch: list[tuple[str, Request]]) -> Future[Answer]:
        return self._place.connection.submit(lambda: self._send(batch))

    def _send(self, batch: list[tuple[str, Request]]) -> Answer:
        """Send a batch; each of its requests is signed by itself."""
        authorise = self._place.connection.authorise
        parts = []
        for _, request in batch:
            query, headers = authorise.signed(request, dated(request.headers))
            target = f"{request.path}?{query}" if query else request.path
            lines = [f"{request.method} {target} HTTP/1.1"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            parts.append("\r\n".join([*lines, "content-length: 0", "", ""]).encode())
        boundary = f"batch_{uuid.uuid4()}"
        return self._place.connection.call(operations.batch(self._place.address.path(None), boundary, parts))

    def _finish(self, batch: list[tuple[str, Request]], answer: Future[Answer]) -> Iterator[DeleteResult]:
        place = self._place
        try:
            found = answers(place.connection.wait(answer))
        except FAILURES as failure:
            if isinstance(failure, RefusedError) and _takes_no_batches(failure):
                self._in_batches = False
                yield from self._one_by_one(batch)
                return
            for key, _ in batch:
                yield DeleteResult(key, self._judged(failure, key))
            return
        hit("del.sent")
        for number, (key, _) in enumerate(batch):
            yield DeleteResult(key, self._problem(key, found.get(number)))

    def _one_by_one(self, batch: list[tuple[str, Request]]) -> Iterator[DeleteResult]:
        pending: collections.deque[tuple[str, Future[Answer]]] = collections.deque()
        for key, request in batch:
            pending.append((key, self._place.connection.start(request)))
            if len(pending) >= SINGLES_IN_FLIGHT:
                yield self._single(*pending.popleft())
        while pending:
            yield self._single(*pending.popleft())

    def _single(self, key: str, answer: Future[Answer]) -> DeleteResult:
        try:
            self._place.connection.wait(answer)
        except FAILURES as failure:
            error = self._judged(failure, key)
            return DeleteResult(key, None if self._is_gone(key, error) else error)
        hit("del.sent")
        return DeleteResult(key)

    def _problem(self, key: str, answer: Answer | None) -> BackendError | None:
        """Return the error for what a batch answered about a key: `None` where it did not mention it."""
        if answer is None:
            return named(UNMENTIONED.failure(), "delete", self._place.location, key)
        if answer.is_success:
            return None
        error = self._judged(RefusedError(answer), key)
        return None if self._is_gone(key, error) else error

    def _is_gone(self, key: str, error: BackendError) -> bool:
        """Tell whether a delete was refused because there is nothing to delete, which is what was wanted (clause D1).

        A condition does not hold for an object that is not there: some servers say of it only that.
        """
        if not isinstance(error, PreconditionFailedError):
            return isinstance(error, ObjectNotFoundError)
        try:
            self._place.connection.call(operations.get_blob_properties(self._place.path(key)))
        except FAILURES as failure:
            return isinstance(meaning(failure, key), ObjectNotFoundError)
        return False

    def _judged(self, failure: BaseException, key: str) -> BackendError:
        error = meaning(failure, key)
        assert error is not None
        return named(error, "delete", self._place.location, key)


def _takes_no_batches(failure: RefusedError) -> bool:
    """Tell whether a batch was refused as such. Azurite, by a shared access signature, breaks down over it."""
    status = failure.answer.status
    return status in _TAKES_NO_BATCHES or (status == _BROKEN and not failure.code)


def answers(answer: Answer) -> dict[int, Answer]:
    """Return the answers that the answer to a batch holds, by the numbers of their requests (A15).

    Raises:
        RefusedError: it holds none, but an error of the batch as a whole.
    """
    match = _BOUNDARY.search(answer.headers.get("content-type", ""))
    text = answer.body.decode("utf-8", "replace")
    found: dict[int, Answer] = {}
    for part in text.split(f"--{match[1]}") if match else ():
        about, _, told = part.partition("\r\n\r\n")
        head, _, body = told.partition("\r\n\r\n")
        number, status = _NUMBER.search(about), _STATUS.match(head)
        if status is None:
            continue
        headers = {name.lower(): value for name, value in _HEADER.findall(f"{head}\r\n")}
        one = Answer(int(status[1]), headers, body.encode())
        if number is None and not one.is_success:
            raise RefusedError(one)
        if number is not None:
            found[int(number[1])] = one
    return found
