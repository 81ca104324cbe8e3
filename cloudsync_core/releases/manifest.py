"""What a release consists of: a manifest that is written last, once, and is believed only as a whole.

A manifest is JSON lines: a header, then one line a file, in the order of the paths. It is read into a temporary file
and held to its digest, to that of its lines and to the rules of a tree before anybody sees a line of it; memory is
flat, whatever the number of files.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import IO, Final, Self

from cloudsync_core.backend import Backend
from cloudsync_core.errors import ManifestError, ObjectNotFoundError, printable
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.models import Digest
from cloudsync_core.releases.entries import Entry, Sequence, decode
from cloudsync_core.releases.fields import WrongFieldError
from cloudsync_core.releases.header import Header
from cloudsync_core.releases.names import is_compressed, manifest_key

LONGEST_LINE: Final = 256 * 1024
"""Bytes of a line at most: names and metadata are shorter in every store."""

_RATIO: Final = 1024
"""How many times the size of its object the lines of a compressed manifest may have. Each holds a digest, which is of
32 bytes that cannot be compressed; more is no manifest, but an attempt to fill the reader's time."""

_LEAST: Final = 1024 * 1024
_BLOCK: Final = 256 * 1024
_WINDOW: Final = 8 * 1024 * 1024
"""Bytes that decompressing may hold."""


class Manifest:
    """A manifest that was read whole and found right; a context that removes what it keeps on the disk.

    Args:
        release: the release that it has to be of.
        key: its object.
        file: the object's bytes; closed with the manifest.
        digest: theirs.
        what: names the object in messages.

    Raises:
        ManifestError: something about it is wrong.
        UnsupportedFormatError: a newer cloudsync has written it.

    Attributes:
        key: of its object.
        header: its first line.
        digest: of the object.
    """

    def __init__(self, release: str, key: str, file: IO[bytes], digest: Digest, what: str) -> None:
        self.key = key
        self.digest = digest
        self._file = file
        self._what = what
        self.header = self._checked(release)

    def entries(self) -> Iterator[Entry]:
        """Yield the files in the order of their paths; may be called any number of times, one at a time."""
        with contextlib.closing(self._lines()) as lines:
            next(lines)
            for line in lines:
                yield decode(line, self.header.release)

    def close(self) -> None:
        """Remove what it keeps on the disk."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _checked(self, release: str) -> Header:
        """Return the header when every line is right."""
        sequence, hasher, files, content = Sequence(), hashlib.sha256(), 0, 0
        try:
            with contextlib.closing(self._lines()) as lines:
                header = Header.decode(next(lines), self._what)
                for line in lines:
                    hasher.update(line)
                    files += 1
                    entry = decode(line, release)
                    sequence.take(entry.path)
                    content += entry.size
        except WrongFieldError as error:
            raise ManifestError(f"{self._what} is refused: line {files + 1}: {error}") from error
        if header.release != release:
            raise ManifestError(f"{self._what} is refused: it is that of {printable(header.release)}")
        if Digest("sha256", hasher.hexdigest()) != header.digest:
            raise ManifestError(f"{self._what} is damaged: its lines have not the digest that its first line tells")
        if (files, content) != (header.files, header.size):
            raise ManifestError(
                f"{self._what} is damaged: it has {files} files of {content} bytes, "
                f"its first line tells {header.files} of {header.size}"
            )
        return header

    def _lines(self) -> Generator[bytes]:
        """Yield the lines with their newlines; at least one."""
        self._file.seek(0)
        begun, empty = b"", True
        for block in self._blocks():
            *lines, begun = (begun + block).split(b"\n")
            if len(begun) > LONGEST_LINE:
                raise WrongFieldError("it is longer than any line of a manifest")
            for line in lines:
                yield line + b"\n"
            empty = False
        if begun or empty:
            raise WrongFieldError("it is cut short")

    def _blocks(self) -> Iterator[bytes]:
        if not is_compressed(self.key):
            while block := self._file.read(_BLOCK):
                yield block
            return
        # Loaded where it is needed: it takes longer than all else here.
        import zstandard  # noqa: PLC0415

        most, passed = _LEAST + _RATIO * os.fstat(self._file.fileno()).st_size, 0
        reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(self._file, closefd=False)
        try:
            while block := reader.read(_BLOCK):
                passed += len(block)
                if passed > most:
                    raise WrongFieldError("what was compressed is larger than any manifest")
                yield block
        except zstandard.ZstdError as error:
            raise WrongFieldError("what is compressed there is damaged") from error


def read(backend: Backend, release: str, *, key: str | None = None, expected: Digest | None = None) -> Manifest:
    """Return the manifest of a release, read whole and found right; close it.

    Args:
        backend: the location of the releases.
        release: which one.
        key: of the manifest, where a pointer tells it; otherwise it is looked for.
        expected: the digest of the object, where a pointer tells it.

    Raises:
        ManifestError: there is none, or something about it is wrong.
        UnsupportedFormatError: a newer cloudsync has written it.
        BackendError: it cannot be read.
    """
    tried = [manifest_key(release, compressed=True), manifest_key(release, compressed=False)] if key is None else [key]
    for name in tried:
        with contextlib.suppress(ObjectNotFoundError):
            return _read(backend, release, name, expected)
    raise ManifestError(
        f"{backend.location} has no manifest of release {release}",
        hint="`cloudsync release ls` shows the releases that there are.",
    )


def header(backend: Backend, key: str) -> Header:
    """Return the first line of a manifest, for overviews: what follows it is not looked at.

    Raises:
        ManifestError: it is none.
        UnsupportedFormatError: a newer cloudsync has written it.
        ObjectNotFoundError: there is no such object.
        BackendError: it cannot be read.
    """
    what = f"the manifest {backend.location}/{key}"
    with backend.get(key) as reader:
        start = next(reader.chunks(), b"")
    try:
        return Header.decode(_first_line(start, compressed=is_compressed(key)), what)
    except WrongFieldError as error:
        raise ManifestError(f"{what} is refused: line 1: {error}") from error


def _first_line(start: bytes, *, compressed: bool) -> bytes:
    if compressed:
        import zstandard  # noqa: PLC0415 - see above

        reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(start)
        try:
            start = reader.read(LONGEST_LINE)
        except zstandard.ZstdError as error:
            raise WrongFieldError("what is compressed there is damaged") from error
    line, newline, _ = start.partition(b"\n")
    if not newline:
        raise WrongFieldError("it is cut short")
    return line


def _read(backend: Backend, release: str, key: str, expected: Digest | None) -> Manifest:
    what = f"the manifest {backend.location}/{key}"
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile(prefix="cloudsync-manifest-"))
        # A whole object, or another attempt at it: what breaks off in the middle no layer mends.
        found = RetryPolicy().call(lambda: _download(backend, key, file))
        if expected is not None and found != expected:
            raise ManifestError(
                f"{what} is not the one that the pointer tells of: it has the digest {found}, not {expected}",
                hint="Somebody has replaced it. Publish anew, or roll back to another release.",
            )
        manifest = Manifest(release, key, file, found, what)
        stack.pop_all()
    return manifest


def _download(backend: Backend, key: str, file: IO[bytes]) -> Digest:
    file.seek(0)
    file.truncate()
    hasher = hashlib.sha256()
    with backend.get(key) as reader:
        for chunk in reader.chunks():
            hasher.update(chunk)
            file.write(chunk)
    file.flush()
    return Digest("sha256", hasher.hexdigest())
