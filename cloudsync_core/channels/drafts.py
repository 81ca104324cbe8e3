"""What is to be published, made ready: checked, and its content put inside its update or beside it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, Final

from cloudsync_core import content_types
from cloudsync_core.body import CHUNK_SIZE, Body, ObjectReader
from cloudsync_core.channels import compression, envelope, topics
from cloudsync_core.channels.update import Kind, compact
from cloudsync_core.errors import ConfigError, IntegrityError, printable

Opened = Callable[[], AbstractContextManager[ObjectReader]]
"""Opens an object of any location, anew each time: content that is elsewhere."""

_SAMPLE: Final = 128 * 1024
"""Bytes of large content from which is told whether it is worth compressing."""

_WORTH: Final = 0.9
"""What a sample must shrink to."""

_ENVELOPE: Final = 400
"""Bytes of an envelope without its content, its topic and its metadata, about."""

_BINARY: Final = "application/octet-stream"
_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"


@dataclasses.dataclass(frozen=True)
class Message:
    """An update that is to be published.

    Attributes:
        topic: 1 to 255 bytes of printable text, with `/` between its segments.
        content: a string, bytes, a JSON value, a `Path` whose file is sent, or a function that opens an object of some
            location.
        metadata: text by name, 16 KiB in all at most.
        content_type: the media type; by default told by the kind of the content, or by the name of the file.
    """

    topic: str
    content: Any
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    content_type: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Large:
    """Content that goes beside its update.

    Attributes:
        open: opens it, anew for each attempt to send it.
        compress: whether it is sent compressed.
    """

    open: Callable[[], AbstractContextManager[Body]]
    compress: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Draft:
    """A message that can be published.

    Attributes:
        topic: see `Message`; likewise the content type and the metadata.
        kind: what the content is.
        inline: the content, where it goes inside.
        large: the content, where it goes beside.
        size: bytes of the content, where it goes inside.
        weight: bytes of the update in its object, about.
    """

    topic: str
    content_type: str
    metadata: Mapping[str, str]
    kind: Kind
    inline: Any
    large: Large | None
    size: int
    weight: int


@dataclasses.dataclass(frozen=True, slots=True)
class Drafter:
    """Makes messages ready.

    Attributes:
        inline_max: bytes of content that go inside an update, at most.
        compress_above: bytes of content above which it is worth compressing.
    """

    inline_max: int
    compress_above: int

    def draft(self, message: Message) -> Draft:
        """Return a message made ready.

        Raises:
            ConfigError: its topic, metadata, content type or content cannot be published; or its file cannot be read.
            BackendError: the object that is its content cannot be read.
        """
        topics.checked(message.topic)
        if (why := envelope.metadata_problem(message.metadata)) is not None:
            raise ConfigError(f"the metadata of an update of {message.topic}: {why}")
        if message.content_type is not None and (why := envelope.content_type_problem(message.content_type)):
            raise ConfigError(f"the content type of an update of {message.topic}: {why}")
        kind, guessed, data = self._content(message)
        large = data if isinstance(data, Large) else None
        size = 0 if isinstance(data, Large) else len(data)
        told = sum(len(name) + len(value) for name, value in message.metadata.items())
        return Draft(
            topic=message.topic,
            content_type=message.content_type or guessed,
            metadata=dict(message.metadata),
            kind=kind,
            inline=None if large else data if kind == "bytes" else message.content,
            large=large,
            size=size,
            weight=_ENVELOPE + len(message.topic) + told + size * 4 // 3,
        )

    def _content(self, message: Message) -> tuple[Kind, str, bytes | Large]:
        """Return the kind of the content, its media type, and its bytes, or what opens them."""
        content = message.content
        if isinstance(content, Path):
            return "bytes", content_types.guess(content.name) or _BINARY, self._of_file(content)
        if isinstance(content, bytes | bytearray | memoryview):
            return "bytes", _BINARY, self._held(bytes(content))
        if callable(content):
            return "bytes", _BINARY, self._of_object(content)
        try:
            data = (content if isinstance(content, str) else _json(content)).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(
                f"the content of an update of {message.topic} is neither text nor a JSON value nor bytes: {error}",
                hint="a JSON value is made of dict with text as keys, list, str, int, float, bool and None; not of NaN",
            ) from error
        return ("text", _TEXT, self._held(data)) if isinstance(content, str) else ("json", _JSON, self._held(data))

    def _held(self, data: bytes) -> bytes | Large:
        if len(data) <= self.inline_max:
            return data
        return Large(lambda: contextlib.nullcontext(Body(data)), self._shrinks(data[:_SAMPLE], len(data)))

    def _of_file(self, path: Path) -> bytes | Large:
        with _reading(path), _opened(path) as file:
            data = file.read(max(_SAMPLE, self.inline_max + 1))
            size = os.fstat(file.fileno()).st_size
        if len(data) <= self.inline_max:
            return data
        return Large(lambda: _file_body(path), self._shrinks(data[:_SAMPLE], size))

    def _of_object(self, opened: Opened) -> bytes | Large:
        with opened() as reader:
            if reader.size <= self.inline_max:
                return reader.read()
            sample, size = next(reader.chunks(), b"")[:_SAMPLE], reader.size
        return Large(lambda: _object_body(opened), self._shrinks(sample, size))

    def _shrinks(self, sample: bytes, size: int) -> bool:
        return size > self.compress_above and len(compression.compressed(sample)) < _WORTH * len(sample)


def _json(value: Any) -> str:
    _check_keys(value)
    return compact(value)


def _check_keys(value: Any) -> None:
    """Refuse what JSON would silently make something else of: keys that are no text."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is no text")
            _check_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_keys(item)


@contextlib.contextmanager
def _file_body(path: Path) -> Iterator[Body]:
    with _reading(path):
        file = _opened(path)
    with file:
        yield Body(_file_chunks(path, file), os.fstat(file.fileno()).st_size)


def _file_chunks(path: Path, file: IO[bytes]) -> Iterator[bytes]:
    before = os.fstat(file.fileno())
    while True:
        with _reading(path):
            chunk = file.read(CHUNK_SIZE)
        if not chunk:
            break
        yield chunk
    after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise IntegrityError(f"{printable(str(path))} changed while it was read")


@contextlib.contextmanager
def _object_body(opened: Opened) -> Iterator[Body]:
    with opened() as reader:
        yield reader.body()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{printable(str(path))} cannot be read: {error.strerror or type(error).__name__}") from error


def _opened(path: Path) -> IO[bytes]:
    # Without O_NONBLOCK, a pipe that nobody writes to would be waited for.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ConfigError(f"{printable(str(path))} is no file", hint="publish what a pipe brings as bytes")
    return file
