"""Objects made of objects: copies, rewrites in several calls, and compositions.

https://cloud.google.com/storage/docs/json_api/v1/objects/copy, …/rewrite, …/compose and
https://cloud.google.com/storage/docs/composite-objects: metadata in the body replaces the source's, an empty body keeps
it; what is composed has a component count and no MD5; a condition may be put on the source and on the target.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any

from tests.servers.gcs_conditions import check, check_kept
from tests.servers.gcs_errors import condition_not_met, invalid, required
from tests.servers.gcs_objects import Hashes, Stored, check_name
from tests.servers.gcs_store import Bucket, Store

SOURCES_MOST = 32
_MIB = 1024 * 1024


@dataclasses.dataclass(slots=True)
class _Rewrite:
    """A rewrite that is under way: from what to where, and how many bytes are done."""

    source: Stored
    target: tuple[str, str]
    done: int = 0


class Copies:
    """What is copied between and within buckets.

    Args:
        store: of both.
        bytes_per_call: what one call of a rewrite does at most, as the service does between places; `None`: all.
    """

    def __init__(self, store: Store, bytes_per_call: int | None) -> None:
        self._store = store
        self._bytes_per_call = bytes_per_call
        self._rewrites: dict[str, _Rewrite] = {}

    def copy(
        self, source: tuple[str, str], target: tuple[str, str], query: Mapping[str, str], body: Mapping[str, Any]
    ) -> Stored:
        """Copy an object in one call."""
        with self._store.lock:
            return self._finish(self._source(source, query), target, query, body)

    def rewrite(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        query: Mapping[str, str],
        body: Mapping[str, Any],
        url: str,
    ) -> dict[str, Any]:
        """Do as much as one call does, and return the answer."""
        with self._store.lock:
            rewrite = self._resumed(source, target, query)
            size = len(rewrite.source.content)
            rewrite.done = min(size, rewrite.done + self._limit(query, size))
            answer = {
                "kind": "storage#rewriteResponse",
                "totalBytesRewritten": str(rewrite.done),
                "objectSize": str(size),
                "done": rewrite.done == size,
            }
            if rewrite.done < size:
                token = query.get("rewriteToken") or uuid.uuid4().hex
                self._rewrites[token] = rewrite
                return {**answer, "rewriteToken": token}
            made = self._finish(rewrite.source, target, query, body)
            self._rewrites.pop(query.get("rewriteToken", ""), None)
            return {**answer, "resource": made.resource(url)}

    def move(self, bucket: Bucket, source: str, target: str, query: Mapping[str, str]) -> Stored:
        """Give an object another name: https://cloud.google.com/storage/docs/json_api/v1/objects/move."""
        with self._store.lock:
            found = self._source((bucket.name, source), query)
            if source == target:
                raise invalid("The source and the target of a move must differ.")
            check_kept(bucket, found)
            made = self._finish(found, (bucket.name, target), query, {})
            bucket.remove(found, for_good=not bucket.versioned)
            return made

    def compose(self, bucket: Bucket, name: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Stored:
        """Make an object of up to 32 others of the same bucket, one after the other."""
        named = body.get("sourceObjects") or []
        if not named:
            raise required("sourceObjects")
        if len(named) > SOURCES_MOST:
            raise invalid(f"The number of source components provided ({len(named)}) exceeds the maximum (32)")
        with self._store.lock:
            sources = [_part(bucket, each) for each in named]
            current = bucket.find(check_name(name))
            check(query, current)
            check_kept(bucket, current)
            content = b"".join(source.content for source in sources)
            components = sum(source.components or 1 for source in sources)
            fields = body.get("destination") or {}
            return self._store.add(bucket, name, content, fields, Hashes.of(content), components=components)

    def _source(self, place: tuple[str, str], query: Mapping[str, str]) -> Stored:
        found = self._store.bucket(place[0]).existing(place[1], query.get("sourceGeneration"))
        check(query, found, "ifSource")
        return found

    def _resumed(self, source: tuple[str, str], target: tuple[str, str], query: Mapping[str, str]) -> _Rewrite:
        token = query.get("rewriteToken")
        if token is None:
            found = self._source(source, query)
            check(query, self._store.bucket(target[0]).find(check_name(target[1])))
            return _Rewrite(found, target)
        rewrite = self._rewrites.get(token)
        if rewrite is None or (rewrite.source.bucket, rewrite.source.name) != source or rewrite.target != target:
            raise invalid("Invalid rewrite token.", "rewriteToken")
        if self._store.bucket(source[0]).find(source[1], rewrite.source.generation) is None:
            raise condition_not_met()
        return rewrite

    def _limit(self, query: Mapping[str, str], size: int) -> int:
        limit = size if self._bytes_per_call is None else self._bytes_per_call
        asked = query.get("maxBytesRewrittenPerCall")
        if asked is None:
            return limit
        if not asked.isdecimal() or not int(asked) or int(asked) % _MIB:
            raise invalid(
                "maxBytesRewrittenPerCall must be an integral multiple of 1 MiB (1048576).", "maxBytesRewrittenPerCall"
            )
        # Within one place and storage class the service does everything at once, whatever is asked for.
        return limit if self._bytes_per_call is None else min(limit, int(asked))

    def _finish(
        self, source: Stored, target: tuple[str, str], query: Mapping[str, str], body: Mapping[str, Any]
    ) -> Stored:
        bucket, name = self._store.bucket(target[0]), check_name(target[1])
        current = bucket.find(name)
        check(query, current)
        check_kept(bucket, current)
        fields = dict(body) or {key: value for key, value in source.fields.items() if not key.endswith("Hold")}
        hashes = Hashes(source.crc32c, source.md5 or "")
        return self._store.add(bucket, name, source.content, fields, hashes, components=source.components)


def _part(bucket: Bucket, named: Mapping[str, Any]) -> Stored:
    found = bucket.existing(named.get("name", ""), named.get("generation"))
    wanted = (named.get("objectPreconditions") or {}).get("ifGenerationMatch")
    if wanted is not None and str(wanted) != str(found.generation):
        raise condition_not_met()
    return found
