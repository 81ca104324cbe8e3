"""Uploads by a session: content of any length, in chunks, and nothing left behind when anything fails.

A session takes its chunks one after the other (https://cloud.google.com/storage/docs/resumable-uploads). The object
becomes visible with the last one, which carries the digest of the whole content: the server compares it before. So the
last chunk is held in memory until all that comes before it has passed. What comes before it is sent as it comes, in
requests of `SEGMENT` bytes that are acknowledged, where the length of the content is known; else chunk by chunk.

Objects are not composed of parts that were uploaded side by side: what a crash left of those would be objects beside
the user's own, and a composed object has no MD5.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from cloudsync_core.crashpoints import hit
from cloudsync_core.errors import Disposition, UnavailableError, UnexpectedBackendError
from cloudsync_core.models import Digest
from cloudsync_core.unfinished import Resumption
from cloudsync_gcs import operations
from cloudsync_gcs.config import UNIT
from cloudsync_gcs.errors import FAILURES, Refusal
from cloudsync_gcs.place import Place
from cloudsync_gcs.resuming import GONE, about, held_bytes, session_of, token_of

CANCEL_ATTEMPTS = 3

SEGMENT = 16 * 1024 * 1024
"""Bytes of one request. Google keeps what it has of one that is cut off; what stands between, not always."""

_LOST = "the server did not keep all that was sent"


class Upload:
    """One upload by a session; as a context it is cancelled on every exit without `complete` (P2, catalogue D08).

    Only a session whose beginning was cut off before its name was known cannot be cancelled: it holds nothing that
    anybody sees or pays for, and Google drops it after a week.

    Args:
        place: where to.
        resource: what the object is and carries.
        size: bytes of the content, `None` where nobody knows.
        chunk: bytes that are held in memory at a time.
        query: conditions.
        errors: a context that turns the failures of requests into errors of the contract.
        resumption: what is remembered of the upload beyond this process, `None` for nothing.
    """

    def __init__(
        self,
        place: Place,
        resource: Mapping[str, Any],
        size: int | None,
        *,
        chunk: int,
        query: Mapping[str, str],
        errors: Callable[[], AbstractContextManager[None]],
        resumption: Resumption | None = None,
    ) -> None:
        self._place = place
        self._begin = operations.begin_upload(place.address, resource, size, {**place.common, **query})
        self._chunk = chunk
        self._errors = errors
        self._resumption = None if size is None else resumption
        self._session: operations.Session | None = None
        self._completed = False
        self._size = size
        self._sent = 0

    def __enter__(self) -> Self:
        if self._goes_on():
            return self
        beginning = self._place.connection.submit(lambda: operations.session(self._place.answer(self._begin)))
        try:
            with self._errors():
                self._session = beginning.result()
        except BaseException as error:
            # An interrupt does not unmake the session: wait for its name, to cancel it by.
            if beginning.exception() is None:
                self._session = beginning.result()
                self._cancel(error)
            raise
        if self._resumption is not None:
            self._resumption.save(token_of(self._session, about(self._begin)))
        hit("put.temp.opened")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._completed:
            self._cancel(error)
        elif self._resumption is not None:
            self._resumption.forget()

    def complete(self, content: Iterator[bytes], digest: Callable[[], Digest]) -> dict[str, Any]:
        """Send the content and return the object's resource, once the object is visible.

        Args:
            content: all of it, at least one byte, in chunks of any size.
            digest: returns the digest of what has passed; it is asked when everything has.

        Raises:
            BackendError: the server refused, or lost a part of what was sent.
        """
        pieces = _Pieces(content)
        # What the server has is read all the same: the digest is that of the whole content.
        collections.deque(pieces.up_to(self._sent), maxlen=0)
        if self._size is not None:
            # All but the last chunk, which has at least one byte.
            ahead = (self._size - 1) // self._chunk * self._chunk
            while self._sent < ahead:
                # What is kept of a request that was cut off may end anywhere (D15): from there on, multiples again.
                length = min(SEGMENT - self._sent % UNIT, ahead - self._sent)
                self._stream(pieces.up_to(length), length)
            last = b"".join(pieces.up_to(self._chunk))
        else:
            last = b"".join(pieces.up_to(self._chunk))
            while following := b"".join(pieces.up_to(self._chunk)):
                self._send(last, len(last))
                last = following
        # To ask for more is what makes a body check itself to its end.
        for _ in pieces.up_to(1):
            raise AssertionError("more content than its size")
        return self._finish(last, digest())

    def _goes_on(self) -> bool:
        """Find what the server has of the session that a crash has cut short; cancel one that is of no use here."""
        if self._resumption is None or (token := self._resumption.token) is None:
            return False
        found = session_of(token)
        if found is not None:
            session, begun = found
            if begun == about(self._begin):
                with self._errors():
                    held = held_bytes(self._place.connection, session, self._size)
                # D14: with more bytes than there are it has other ones.
                if held is not None and held < (self._size or 0):
                    self._session, self._sent = session, held
                    self._resumption.kept(held)
                    return True
            if self._cancelled(session) is not None:
                return False
        self._resumption.forget()
        return False

    def _stream(self, content: Iterator[bytes | memoryview], size: int) -> None:
        """Send content that more follows, as it comes."""
        watched = _Watched(content)
        try:
            self._send(watched, size)
        except Exception:
            if watched.error is not None:
                raise watched.error from None
            raise

    def _send(self, content: bytes | _Watched, size: int) -> None:
        """Send content that more follows."""
        assert self._session is not None
        span = (self._sent, self._sent + size)
        request = operations.chunk(self._session, content, span, None)
        with self._errors():
            answer = self._place.connection.request(request, also=(operations.INCOMPLETE,))
            held = operations.held(answer)
            if answer.status != operations.INCOMPLETE or held > span[1]:
                # D14: to go on from there would leave a hole.
                raise UnexpectedBackendError("the server has other bytes than were sent", disposition=Disposition.RETRY)
            if held < span[1]:
                raise UnavailableError(_LOST)
        self._sent = span[1]
        hit("put.part.sent")

    def _finish(self, content: bytes, digest: Digest) -> dict[str, Any]:
        assert self._session is not None
        hit("put.complete.sent")
        total = self._sent + len(content)
        request = operations.chunk(self._session, content, (self._sent, total), total, (digest,))
        with self._errors():
            answer = self._place.connection.request(request, also=(operations.INCOMPLETE,))
            if answer.status == operations.INCOMPLETE:
                raise UnavailableError(_LOST)
            self._completed = True
            hit("put.complete.acked")
            return operations.document(answer)

    def _cancel(self, error: BaseException | None) -> None:
        failure = None if self._session is None else self._cancelled(self._session)
        if failure is None and self._resumption is not None:
            self._resumption.forget()
        if failure is not None and error is not None:
            error.add_note(f"The unfinished upload could not be cancelled ({type(failure).__name__}).")

    def _cancelled(self, session: operations.Session) -> BaseException | None:
        """Cancel a session, persistently: no retry from outside knows of it. Return the last failure."""
        last: BaseException | None = None
        for _ in range(CANCEL_ATTEMPTS):
            try:
                self._place.connection.request(operations.cancel(session))
            except FAILURES as failure:
                last = failure
                if isinstance(failure, Refusal) and failure.status in GONE:
                    return None
            else:
                return None
        return last


class _StoppedError(Exception):
    """The content of a request ended early."""


class _Watched:
    """Content on its way into a request: what it raises is no failure of the server's, whatever its class.

    Attributes:
        error: what it raised, if it did.
    """

    def __init__(self, content: Iterator[bytes | memoryview]) -> None:
        self._content = content
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[bytes | memoryview]:
        try:
            yield from self._content
        except Exception as error:  # noqa: BLE001 - raised where the request was made
            self.error = error
            raise _StoppedError from None


class _Pieces:
    """Content that is taken in portions; what of a chunk is not in one is kept for the next."""

    def __init__(self, content: Iterator[bytes]) -> None:
        self._content = content
        self._kept = memoryview(b"")

    def up_to(self, most: int) -> Iterator[bytes | memoryview]:
        """Yield the next `most` bytes, fewer only at the end of the content; nothing is copied."""
        while most:
            if not self._kept:
                self._kept = memoryview(next(self._content, b""))
            if not self._kept:
                return
            piece, self._kept = self._kept[:most], self._kept[most:]
            most -= len(piece)
            yield piece
