"""Content that is too large to be inside its update: an object of its own, written before it and checked when read."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from cloudsync_core.backend import Backend
from cloudsync_core.body import CHUNK_SIZE
from cloudsync_core.channels import compression
from cloudsync_core.errors import IntegrityError

DIGEST: Final = "sha256"


@dataclasses.dataclass(frozen=True, slots=True)
class Payload:
    """Where the content of an update is, and what it is.

    Attributes:
        key: of its object.
        size: bytes of the content, whatever is stored.
        digest: of the content: `sha256:` and 64 hexadecimal digits.
        compressed: whether the object holds it compressed by zstd.
    """

    key: str
    size: int
    digest: str
    compressed: bool


def chunks(backend: Backend, payload: Payload) -> Iterator[bytes]:
    """Yield the content, in chunks of some 1 MiB; what is wrong with it raises before the last of them.

    Raises:
        ObjectNotFoundError: there is no such object.
        IntegrityError: it is not what was published.
        BackendError: it could not be read.
    """
    hasher, size, held = hashlib.sha256(), 0, b""
    with backend.get(payload.key) as reader, judged(backend, payload):
        stored = reader.chunks()
        for chunk in compression.expanded(stored, CHUNK_SIZE) if payload.compressed else stored:
            size += len(chunk)
            if size > payload.size:
                raise _wrong(backend, payload, f"it has more than the {payload.size} bytes that were published")
            hasher.update(chunk)
            if held:
                yield held
            held = chunk
    if size != payload.size:
        raise _wrong(backend, payload, f"it has {size} of the {payload.size} bytes that were published")
    if f"{DIGEST}:{hasher.hexdigest()}" != payload.digest:
        raise _wrong(backend, payload, f"its {DIGEST} is not that of what was published")
    if held:
        yield held


@contextlib.contextmanager
def judged(backend: Backend | None, payload: Payload) -> Iterator[None]:
    """Turn what is wrong with the bytes of a payload into an `IntegrityError` that names it."""
    try:
        yield
    except compression.DamagedError as error:
        raise _wrong(backend, payload, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _wrong(backend, payload, "it is not of the kind that was published") from error


def parse_json(text: str) -> Any:
    """Return the JSON value that a text is.

    Raises:
        ValueError, RecursionError: it is none; NaN and infinity, which Python alone writes, are none either.
    """
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


def _wrong(backend: Backend | None, payload: Payload, why: str) -> IntegrityError:
    location = "" if backend is None else backend.location
    return IntegrityError(why, operation="get", location=location, key=payload.key)
