"""Compression by zstd, with a bound on what anything may expand to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Final, cast

_WINDOW: Final = 8 * 1024 * 1024
"""Bytes of what was expanded before that a decompressor keeps, at most: what RFC 8878 asks every one to support."""

_LEVEL: Final = 3


class DamagedError(Exception):
    """The bytes are not what zstd writes, or expand to more than they may; the message says which."""


def compressed(data: bytes) -> bytes:
    """Return `data` compressed."""
    # zstandard takes 15 ms to import, and most commands need none.
    import zstandard  # noqa: PLC0415

    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(data)


def compressed_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks of some content, compressed."""
    import zstandard  # noqa: PLC0415

    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    for chunk in chunks:
        if out := compressor.compress(chunk):
            yield out
    yield compressor.flush()


def expanded_whole(data: bytes, limit: int) -> bytes:
    """Return what was compressed.

    Args:
        data: compressed by zstd, as one frame.
        limit: bytes that it may expand to; no more memory is used, whatever the data claim.

    Raises:
        DamagedError: it is not compressed by zstd, or not whole, or expands to more.
    """
    import zstandard  # noqa: PLC0415

    try:
        # What a frame says of its size is what would be allocated.
        if zstandard.frame_content_size(data) > limit:
            raise DamagedError(f"it expands to more than {limit} bytes")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=limit, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise DamagedError(
            f"it is not compressed by zstd, or damaged, or expands to more than {limit} bytes"
        ) from error


def expanded(chunks: Iterable[bytes], length: int) -> Iterator[bytes]:
    """Yield what was compressed, in chunks of at most `length` bytes, however much one chunk expands to.

    Raises:
        DamagedError: it is not compressed by zstd, or damaged. That it ends early is not always noticed: who knows how
            much it must be finds out by that.
    """
    import zstandard  # noqa: PLC0415

    # It reads, and does nothing else that a file can do.
    source = cast("IO[bytes]", _Source(chunks))
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(source, read_across_frames=False)
    try:
        while chunk := reader.read(length):
            yield chunk
    except zstandard.ZstdError as error:
        raise DamagedError("it is not compressed by zstd, or damaged") from error


class _Source:
    """Chunks, to be read as a file is."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def read(self, size: int) -> bytes:
        rest = self._rest or next(self._chunks, b"")
        self._rest = rest[size:]
        return rest[:size]
