"""copy: inside the provider, in as many requests as the server wants for it."""

from __future__ import annotations

from typing import Any

from cloudsync_core.errors import (
    Disposition,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnexpectedBackendError,
)
from cloudsync_core.models import Attributes, IfAbsent, ObjectInfo, PutCondition
from cloudsync_gcs import attributes as carrying
from cloudsync_gcs import conditions, operations, versions
from cloudsync_gcs.errors import Refusal, meaning
from cloudsync_gcs.place import Place

MOST_REQUESTS = 100_000
"""Requests of one copy: more than the largest object needs where each copies no more than 64 MiB."""


class Copier:
    """Copies objects to one place from places on the same server; safe to use from many threads.

    Args:
        place: where to.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def copy(
        self, source: Place, info: ObjectInfo, key: str, attributes: Attributes | None, condition: PutCondition
    ) -> ObjectInfo:
        """Copy an object inside the provider; see `Backend.copy`."""
        with self._place.errors("copy", key):
            name = self._place.named(key)
            wanted = conditions.parameters(condition, honoured=self._place.conditional)
            version = conditions.generation(info.version)
            if not self._place.conditional:
                _require_still(source, info)
            query = {**self._place.common, **wanted, "ifSourceGenerationMatch": version}
            resource = None if attributes is None else carrying.to_resource(attributes)
            try:
                told = self._rewrite(source, info, name, resource, query)
            except Refusal as refusal:
                if isinstance(meaning(refusal, key), PreconditionFailedError) and isinstance(condition, IfAbsent):
                    # Of the two conditions, the server does not say which did not hold.
                    _require_still(source, info)
                    raise ObjectExistsError("there is an object of that name") from refusal
                raise
            digests = versions.digests(told)
            if not _agree(info, digests):
                raise PreconditionFailedError(conditions.STALE)
            proven = tuple(digest for digest in digests if digest in info.digests)
            return self._place.written(key, told, proven, info.attributes if attributes is None else attributes)

    def _rewrite(
        self, source: Place, info: ObjectInfo, name: str, resource: dict[str, Any] | None, query: dict[str, str]
    ) -> dict[str, Any]:
        """Ask until the copy is done, and return its resource; until then nobody sees it."""
        origin, target = (source.address, source.named(info.key)), (self._place.address, name)
        token: dict[str, str] = {}
        for _ in range(MOST_REQUESTS):
            answer = self._place.connection.request(operations.rewrite(origin, target, resource, {**query, **token}))
            told = operations.document(answer)
            if told.get("done") is True and isinstance(told.get("resource"), dict):
                found: dict[str, Any] = told["resource"]
                return found
            if not isinstance(told.get("rewriteToken"), str):
                break
            token = {"rewriteToken": told["rewriteToken"]}
        raise UnexpectedBackendError(
            "the server does not say that the copy is done, nor how it goes on", disposition=Disposition.RETRY
        )


def _require_still(source: Place, info: ObjectInfo) -> None:
    """Raise `PreconditionFailedError` if the object is not the version any more that is to be copied."""
    try:
        found = versions.version(source.look(source.named(info.key)))
    except Refusal as refusal:
        if isinstance(meaning(refusal, info.key), ObjectNotFoundError):
            raise PreconditionFailedError("the object is gone") from refusal
        raise
    if found.id != conditions.generation(info.version):
        raise PreconditionFailedError("the object changed after it was listed")


def _agree(info: ObjectInfo, digests: tuple[Any, ...]) -> bool:
    """Tell whether no digest of the copy contradicts one that was listed of the object."""
    listed = {digest.algorithm: digest for digest in info.digests}
    return all(listed.get(digest.algorithm, digest) == digest for digest in digests)
