"""A layer that makes writing impossible: the net under sources and dry runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NoReturn

from cloudsync_core.backend import NO_ATTRIBUTES, Backend
from cloudsync_core.body import Body
from cloudsync_core.errors import UnsupportedOperationError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.models import ALWAYS, Attributes, DeleteResult, ObjectInfo, PutCondition, Version


class ReadOnly(Layer):
    """Refuses every operation that writes, before it reaches the backend.

    The capabilities stay those of the backend, so that a dry run plans what a run would do (P12).

    Raises:
        UnsupportedOperationError: from put, copy, delete, delete_many, probe and discard.
    """

    def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes = NO_ATTRIBUTES,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Raise `UnsupportedOperationError`."""
        del body, attributes, condition
        self._refuse("put", key)

    def copy(
        self,
        source: Backend,
        info: ObjectInfo,
        key: str,
        *,
        attributes: Attributes | None = None,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Raise `UnsupportedOperationError`."""
        del source, info, attributes, condition
        self._refuse("copy", key)

    def delete(self, key: str, *, if_match: Version | None = None) -> None:
        """Raise `UnsupportedOperationError`."""
        del if_match
        self._refuse("delete", key)

    def delete_many(self, items: Sequence[tuple[str, Version | None]]) -> Iterator[DeleteResult]:
        """Raise `UnsupportedOperationError`."""
        self._refuse("delete", items[0][0] if items else None)

    def probe(self, known: str | None = None) -> str | None:
        """Raise `UnsupportedOperationError`."""
        del known
        self._refuse("probe", None)

    def discard(self, key: str, token: str) -> None:
        """Raise `UnsupportedOperationError`."""
        del token
        self._refuse("discard", key)

    def _refuse(self, operation: str, key: str | None) -> NoReturn:
        raise UnsupportedOperationError(
            "this side is read-only in this run", operation=operation, location=self.location, key=key
        )
