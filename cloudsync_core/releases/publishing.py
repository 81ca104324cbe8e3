"""Writing a manifest: the last object of a release, which makes it one."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from typing import IO, Final

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.engine.recheck import is_same
from cloudsync_core.errors import (
    IntegrityError,
    ManifestError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.models import ALWAYS, IF_ABSENT, Attributes, Digest, ObjectInfo, PutCondition
from cloudsync_core.releases.entries import Entry, Sequence, encode
from cloudsync_core.releases.fields import WrongFieldError
from cloudsync_core.releases.header import Header, Tree
from cloudsync_core.releases.names import manifest_key

COMPRESSED_ABOVE: Final = 16 * 1024
"""Bytes from which on a manifest is compressed. A shorter one stays text that everybody can read."""

_BLOCK: Final = 256 * 1024
_PATIENT: Final = RetryPolicy()


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """A manifest that is in its place.

    Attributes:
        key: its object.
        digest: of the object.
        header: its first line.
    """

    key: str
    digest: Digest
    header: Header


def write(
    backend: Backend,
    entries: Iterable[Entry],
    *,
    release: str,
    publisher: str,
    source: str,
    base: str | None = None,
    tree: Tree = "shared",
    retry: RetryPolicy = _PATIENT,
    stop: threading.Event | None = None,
) -> Written:
    """Write the manifest of a release, and return when it is proven to be there.

    Every object that it names has to be there already.

    Args:
        backend: the location of the releases.
        entries: the files, in the order of their paths.
        release: the id.
        publisher: who makes it.
        source: what it is made of, without credentials.
        base: the release that was live before.
        tree: see `Header`.
        retry: when the put is tried again.
        stop: see `RetryPolicy.call`.

    Raises:
        ManifestError: no tree can be made of the files; nothing was written. Or another manifest is there.
        BackendError: it cannot be written.
    """
    with (
        tempfile.TemporaryFile(prefix="cloudsync-manifest-") as lines,
        tempfile.TemporaryFile(prefix="cloudsync-manifest-") as whole,
    ):
        files, content, digest = _write_lines(entries, release, lines)
        header = Header(release, round(time.time(), 6), publisher, source, files, content, base, tree, digest)
        compressed = lines.tell() > COMPRESSED_ABOVE
        _join(header.encode(), lines, whole, compressed=compressed)
        size, found = whole.tell(), _digest(whole)
        written = Written(manifest_key(release, compressed=compressed), found, header)
        retry.call(lambda: _put(backend, written, whole, size), stop)
    return written


def _write_lines(entries: Iterable[Entry], release: str, lines: IO[bytes]) -> tuple[int, int, Digest]:
    sequence, hasher, files, content = Sequence(), hashlib.sha256(), 0, 0
    for entry in entries:
        try:
            sequence.take(entry.path)
        except WrongFieldError as error:
            raise ManifestError(f"no release can be made of these files: {error}") from error
        line = encode(entry, release)
        hasher.update(line)
        lines.write(line)
        files, content = files + 1, content + entry.size
    return files, content, Digest("sha256", hasher.hexdigest())


def _join(header: bytes, lines: IO[bytes], whole: IO[bytes], *, compressed: bool) -> None:
    lines.seek(0)
    if not compressed:
        whole.write(header)
        for block in _blocks(lines):
            whole.write(block)
        return
    # Loaded where it is needed: it takes longer than to write a small manifest.
    import zstandard  # noqa: PLC0415

    with zstandard.ZstdCompressor(write_checksum=True).stream_writer(whole, closefd=False) as writer:
        writer.write(header)
        for block in _blocks(lines):
            writer.write(block)


def _put(backend: Backend, written: Written, whole: IO[bytes], size: int) -> None:
    """Write the manifest where there is none, and read it back: no release is worth more than its manifest."""
    condition = IF_ABSENT if backend.capabilities.put_if_absent else ALWAYS
    own: ObjectInfo | None = None
    try:
        own = _put_under(backend, written, whole, size, condition)
    except UnsupportedOperationError:
        if condition == ALWAYS:
            raise
        # Only the place itself knows: a directory may lie on a file system without hard links.
        own = _put_under(backend, written, whole, size, ALWAYS)
    except (ObjectExistsError, PreconditionFailedError):
        # Perhaps our own, of an attempt whose answer was lost (F01).
        pass
    info, found = _read_back(backend, written.key)
    if found == written.digest:
        return
    if own is not None and is_same(info, own):
        # The store keeps something else than it was sent: the next attempt writes it anew.
        backend.delete(written.key)
        raise _unkept(backend, written.key)
    raise ManifestError(
        f"{backend.location}/{written.key} is not the manifest that was written there",
        hint="Publish again: nothing points to this release.",
    )


def _read_back(backend: Backend, key: str) -> tuple[ObjectInfo, Digest]:
    try:
        with backend.get(key) as reader:
            body = reader.body()
            body.require("sha256")
            for _ in body.chunks():
                pass
            return reader.info, body.digest("sha256")
    except ObjectNotFoundError as error:
        raise _unkept(backend, key) from error


def _unkept(backend: Backend, key: str) -> IntegrityError:
    reason = "the store does not have the manifest as it was sent"
    return IntegrityError(reason, operation="put", location=backend.location, key=key)


def _put_under(backend: Backend, written: Written, whole: IO[bytes], size: int, condition: PutCondition) -> ObjectInfo:
    whole.seek(0)
    kind = "application/json" if written.key.endswith(".json") else "application/zstd"
    body = Body(_blocks(whole), size, expect=[written.digest])
    return backend.put(written.key, body, attributes=Attributes(content_type=kind), condition=condition)


def _digest(file: IO[bytes]) -> Digest:
    file.seek(0)
    hasher = hashlib.sha256()
    for block in _blocks(file):
        hasher.update(block)
    return Digest("sha256", hasher.hexdigest())


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block
