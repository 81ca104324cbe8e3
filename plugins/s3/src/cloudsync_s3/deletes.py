"""Deletes of many objects: which keys share a request, and what its answer says of each (clause D3)."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from cloudsync_core.backends.objectstore.rules import UNMENTIONED
from cloudsync_core.crashpoints import hit
from cloudsync_core.errors import (
    BackendError,
    ObjectNotFoundError,
    UnsupportedOperationError,
)
from cloudsync_core.keys import problem
from cloudsync_core.models import DeleteResult, Version
from cloudsync_s3.conditions import Honoured, if_match
from cloudsync_s3.errors import FAILURES, of_code, translate
from cloudsync_s3.place import Place

MOST_KEYS = 1000
"""Keys that one DeleteObjects takes (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html)."""

IN_FLIGHT = 32
"""Requests for single keys that are on their way at a time."""

_NOT_IN_XML = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
"""What XML 1.0 cannot say, or what its readers change: such a key would come out as another one (C10)."""

Item = tuple[str, Version | None]
"""A key, and the version that the object must still be."""


def batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield the items that may share a DeleteObjects in groups, every other one alone.

    Alone go names that XML cannot carry, names that occur twice, and conditions: servers exist that honour If-Match in
    DeleteObject and delete in DeleteObjects whatever the ETag beside the key.
    """
    batch: list[str] = []
    seen: set[str] = set()
    for key, version in items:
        if version is not None or key in seen or problem(key) or _NOT_IN_XML.search(key):
            yield [(key, version)]
            continue
        seen.add(key)
        batch.append(key)
        if len(batch) == MOST_KEYS:
            yield [(name, None) for name in batch]
            batch = []
    if batch:
        yield [(name, None) for name in batch]


def answers(response: Mapping[str, Any]) -> dict[str, str | None]:
    """Return for each whole key of a DeleteObjects response its error code, `None` where it was deleted (A15)."""
    found: dict[str, str | None] = {str(entry.get("Key")): None for entry in response.get("Deleted", [])}
    found.update({str(entry.get("Key")): str(entry.get("Code")) for entry in response.get("Errors", [])})
    return found


class Deleter:
    """Removes objects of one place; safe to use from many threads.

    Args:
        place: where from.
        honoured: the conditions that the server honours.
    """

    def __init__(self, place: Place, honoured: Honoured) -> None:
        self._place = place
        self._honoured = honoured

    def delete(self, key: str, version: Version | None) -> None:
        """Remove one object; see `Backend.delete`."""
        try:
            with self._place.errors("delete", key):
                self._place.connection.call("delete_object", **self._request(key, version))
        except ObjectNotFoundError:
            # With If-Match, S3 says so of a key that is not there; it is what was wanted (clause D1).
            return

    def delete_many(self, items: Sequence[Item]) -> Iterator[DeleteResult]:
        """Remove objects and report every one; see `Backend.delete_many`."""
        pending: collections.deque[tuple[str, Future[Any] | BackendError]] = collections.deque()
        for batch in batches(items):
            if len(batch) > 1:
                yield from self._delete_batch([key for key, _ in batch])
                continue
            [(key, version)] = batch
            pending.append((key, self._begin(key, version)))
            if len(pending) >= IN_FLIGHT:
                yield self._finish(*pending.popleft())
        while pending:
            yield self._finish(*pending.popleft())

    def _request(self, key: str, version: Version | None) -> dict[str, Any]:
        request = self._place.named(key)
        if version is not None:
            request["IfMatch"] = self._condition(version)
        return request

    def _begin(self, key: str, version: Version | None) -> Future[Any] | BackendError:
        try:
            with self._place.errors("delete", key):
                request = self._request(key, version)
        except BackendError as error:
            return error
        return self._place.connection.start("delete_object", **request)

    def _finish(self, key: str, deleting: Future[Any] | BackendError) -> DeleteResult:
        if isinstance(deleting, BackendError):
            return DeleteResult(key, deleting)
        try:
            with self._place.errors("delete", key):
                self._place.connection.wait(deleting)
        except ObjectNotFoundError:
            return DeleteResult(key)
        except BackendError as error:
            return DeleteResult(key, error)
        hit("del.sent")
        return DeleteResult(key)

    def _delete_batch(self, names: list[str]) -> Iterator[DeleteResult]:
        place = self._place
        wanted = {"Objects": [{"Key": place.root + key} for key in names], "Quiet": False}
        try:
            response = place.connection.call("delete_objects", Bucket=place.bucket, Delete=wanted)
        except FAILURES as failure:
            for key in names:
                yield DeleteResult(key, translate(failure, operation="delete", location=place.location, key=key))
            return
        hit("del.sent")
        found = answers(response)
        for key in names:
            yield DeleteResult(key, self._problem(key, found.get(place.root + key, "")))

    def _problem(self, key: str, code: str | None) -> BackendError | None:
        """Return the error for what a bulk delete answered about a key: "" where it did not mention it."""
        if code is None or code == "NoSuchKey":
            return None
        error = of_code(code) if code else UNMENTIONED.failure()
        error.operation, error.location, error.key = "delete", self._place.location, key
        return error

    def _condition(self, version: Version) -> str:
        if not self._honoured.deletes:
            raise UnsupportedOperationError(
                "this server is not known to honour conditions on deletes",
                hint="If it does, set the option conditional_deletes.",
            )
        return if_match(version)
