"""The operations of Azure's Blob service: its requests, and what a refusal looks like.

https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from cloudsync_azure.errors import RefusedError
from cloudsync_core.backends.objectstore.wire import Answer, Request

MOST_IN_BATCH: Final = 256
"""Deletes that one Blob Batch takes (https://learn.microsoft.com/rest/api/storageservices/blob-batch)."""

Body = bytes | Iterable[bytes | memoryview]


def checked(answer: Answer) -> Answer:
    """Return a success.

    Raises:
        RefusedError: the answer is none.
    """
    if not answer.is_success:
        raise RefusedError(answer)
    return answer


def list_blobs(path: str, prefix: str, marker: str | None) -> Request:
    """Ask for a page of a listing: without snapshots, versions, deleted and uncommitted objects.

    Metadata is asked for because of the directories that tools without a hierarchical namespace make do with.
    """
    query = {"restype": "container", "comp": "list", "include": "metadata"}
    if prefix:
        query["prefix"] = prefix
    if marker is not None:
        query["marker"] = marker
    return Request("GET", path, query)


def list_uncommitted(path: str, prefix: str, marker: str | None) -> Request:
    """Ask for a page of a listing that shows objects of which there are only blocks, too."""
    query = {"restype": "container", "comp": "list", "include": "uncommittedblobs"}
    if prefix:
        query["prefix"] = prefix
    if marker is not None:
        query["marker"] = marker
    return Request("GET", path, query)


def get_blob_properties(path: str) -> Request:
    """Ask what an object is."""
    return Request("HEAD", path)


def get_blob(path: str, byte_range: str | None = None, if_match: str | None = None) -> Request:
    """Ask for the content of an object.

    Args:
        path: of the object.
        byte_range: in the form of a Range header.
        if_match: a quoted ETag.
    """
    headers = {} if byte_range is None else {"x-ms-range": byte_range}
    if if_match is not None:
        headers["if-match"] = if_match
    return Request("GET", path, {}, headers)


def put_blob(path: str, content: bytes, md5: str, headers: Mapping[str, str]) -> Request:
    """Write an object in one request.

    Args:
        path: of the object.
        content: all of it.
        md5: of the content, in base64. The server compares it with what came, and keeps it with the object.
        headers: what it carries, and under which condition.
    """
    named = {**headers, "x-ms-blob-type": "BlockBlob", "content-md5": md5}
    return Request("PUT", path, {}, named, content, len(content))


def put_block(path: str, block: str, content: Body, size: int, md5: str) -> Request:
    """Bring a block of an object, which nobody sees before the list of its blocks is put."""
    return Request("PUT", path, {"comp": "block", "blockid": block}, {"content-md5": md5}, content, size)


def put_block_from_url(path: str, block: str, source: Mapping[str, str], byte_range: str) -> Request:
    """Let the server bring a block itself, of another object that `source` names."""
    headers = {**source, "x-ms-source-range": byte_range}
    return Request("PUT", path, {"comp": "block", "blockid": block}, headers)


def get_block_list(path: str) -> Request:
    """Ask for the blocks that were brought for an object and are in no list."""
    return Request("GET", path, {"comp": "blocklist", "blocklisttype": "uncommitted"})


def put_block_list(path: str, blocks: Iterable[str], headers: Mapping[str, str]) -> Request:
    """Make an object of the blocks that were brought for it, in this order."""
    listed = "".join(f"<Uncommitted>{block}</Uncommitted>" for block in blocks)
    body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()
    named = {**headers, "content-type": "application/xml", "content-md5": md5_of(body)}
    return Request("PUT", path, {"comp": "blocklist"}, named, body, len(body))


def copy_blob(path: str, source: Mapping[str, str], headers: Mapping[str, str]) -> Request:
    """Copy an object of up to 256 MiB; the answer comes when it is done."""
    return Request("PUT", path, {}, {**source, **headers, "x-ms-requires-sync": "true"})


def delete_blob(path: str, if_match: str | None) -> Request:
    """Remove an object that has no snapshots."""
    return Request("DELETE", path, {}, {} if if_match is None else {"if-match": if_match})


def batch(path: str, boundary: str, parts: Iterable[bytes]) -> Request:
    """Send several requests about objects of a container in one.

    Args:
        path: of the container.
        boundary: what stands between the parts.
        parts: each a whole request as it would go over the wire, with its own authorisation.
    """
    pieces = []
    for number, part in enumerate(parts):
        head = (
            f"--{boundary}\r\ncontent-type: application/http\r\n"
            f"content-transfer-encoding: binary\r\ncontent-id: {number}\r\n\r\n"
        )
        pieces += [head.encode("ascii"), part, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode("ascii"))
    body = b"".join(pieces)
    headers = {"content-type": f"multipart/mixed; boundary={boundary}"}
    return Request("POST", path, {"restype": "container", "comp": "batch"}, headers, body, len(body))


def md5_of(content: bytes) -> str:
    """Return the MD5 of some content as headers have it."""
    return in_base64(hashlib.md5(content, usedforsecurity=False).digest())


def in_base64(digest: bytes) -> str:
    """Return a digest as headers have it."""
    return base64.b64encode(digest).decode("ascii")
