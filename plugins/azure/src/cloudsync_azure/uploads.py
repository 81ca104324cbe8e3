"""Uploads in blocks: a few on their way at a time, and an object only when the list of them is put.

Blocks that nobody lists are no objects, and no listing shows them. The service removes those of an object a week after
the last one came, and at once when somebody writes the object
(https://learn.microsoft.com/rest/api/storageservices/put-block); nothing else can.
"""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, Self

from cloudsync_azure import operations, versions
from cloudsync_azure.place import Place
from cloudsync_azure.resuming import encoded, held_blocks, name_of, new_random, random_of, token_of
from cloudsync_core.backends.objectstore.parts import Part, in_flight
from cloudsync_core.backends.objectstore.sending import AbandonedError, Content, Sender
from cloudsync_core.backends.objectstore.wire import Answer
from cloudsync_core.crashpoints import hit
from cloudsync_core.errors import Disposition, UnsupportedOperationError
from cloudsync_core.models import Digest
from cloudsync_core.unfinished import Resumption

MOST_BLOCKS: Final = 50_000
"""Blocks of one object (https://learn.microsoft.com/azure/storage/blobs/scalability-targets)."""

SECONDS_TO_SETTLE: Final = 5.0
"""How long blocks on their way may take to arrive before an upload that failed is left."""

COPIES_IN_FLIGHT: Final = 4
"""Blocks of one copy that the service copies at a time."""


class BlockUpload:
    """One upload in blocks; as a context it waits on every exit for what is on its way.

    The names of its blocks begin at random, so that writers of one object at the same time never list a block of each
    other's. Whoever lists first wins: the service drops the others' blocks, and their lists are refused.

    Args:
        place: where to.
        key: the object.
        verb: of the contract, for messages.
        part: bytes of each block but the last.
        sender: sends the blocks.
        resumption: what is remembered of the upload beyond this process, `None` for nothing.

    Attributes:
        size: bytes that were sent.
    """

    def __init__(
        self,
        place: Place,
        key: str,
        verb: str,
        *,
        part: int,
        sender: Sender,
        resumption: Resumption | None = None,
    ) -> None:
        self._connection = place.connection
        self._path = place.path(key)
        self._errors = functools.partial(place.errors, verb, key)
        self._part = part
        self._sender = sender
        self._resumption = resumption
        self._random = new_random()
        self._held: Mapping[bytes, int] = {}
        self._names: dict[int, bytes] = {}
        self._pending: set[Future[Any]] = set()
        self._count = 0
        self._abandoned = threading.Event()
        self.size = 0

    def __enter__(self) -> Self:
        if self._resumption is not None:
            self._go_on(self._resumption)
        hit("put.temp.opened")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandoned.set()
        # What was brought stays until it expires, and what remembers it stays for a later put to go on from.
        try:
            concurrent.futures.wait(self._pending, SECONDS_TO_SETTLE)
        finally:
            for request in self._pending:
                request.cancel()

    def send(self, contents: Iterable[Part]) -> None:
        """Upload blocks as they come, a few at a time; the server compares each with its MD5.

        Raises:
            IntegrityError: the server received another block than was sent.
            BackendError: a block cannot be uploaded.
        """
        for part in contents:
            self._settle(in_flight(self._part) - 1)
            self.size += part.size
            begin = functools.partial(self._begin, self._next(), part)
            self._pending.add(self._sender.begin(part, self._abandoned, begin))

    def copy(self, source: Mapping[str, str], size: int) -> None:
        """Fill the upload with the bytes of another object, inside the provider.

        Args:
            source: the headers that name that object, and the version that it must be at every block (D17).
            size: its bytes.
        """
        for start in range(0, size, self._part):
            self._settle(COPIES_IN_FLIGHT - 1)
            span = f"bytes={start}-{min(start + self._part, size) - 1}"
            number = self._next()
            name = self._names[number] = name_of(self._random, number)
            request = operations.put_block_from_url(self._path, encoded(name), source, span)
            self._pending.add(self._connection.start(request))

    def complete(self, headers: Mapping[str, str]) -> Answer:
        """Make the object visible and return the answer.

        Args:
            headers: what the object carries, and under which condition it is written.
        """
        self._settle(0)
        blocks = [encoded(self._names[number]) for number in range(self._count)]
        hit("put.complete.sent")
        with self._errors():
            answer = self._connection.call(operations.put_block_list(self._path, blocks, headers))
        hit("put.complete.acked")
        if self._resumption is not None:
            self._resumption.forget()
        return answer

    def _go_on(self, resumption: Resumption) -> None:
        """Find the blocks of the upload that a crash has cut short; those of one of another size are left to expire."""
        token = resumption.token
        if token is not None and token == token_of(random_of(token), self._part):
            self._random = random_of(token)
            with self._errors():
                self._held = {block.name: block.size for block in held_blocks(self._connection, self._path)}
        else:
            resumption.save(token_of(self._random, self._part))

    def _begin(self, number: int, part: Part, content: Content) -> Future[Answer | None]:
        return self._connection.submit(functools.partial(self._send, number, part, content))

    def _send(self, number: int, part: Part, content: Content) -> Answer | None:
        """Send a block unless it is there; its MD5 is computed here, in a thread of its own, while others are read."""
        if self._abandoned.is_set():
            raise AbandonedError
        hasher = hashlib.md5(usedforsecurity=False)
        for piece in part.pieces:
            hasher.update(piece)
        digest = hasher.digest()
        name = self._names[number] = name_of(self._random, number, digest)
        if self._resumption is not None and self._held.get(name) == part.size:
            self._resumption.kept(part.size)
            return None
        request = operations.put_block(self._path, encoded(name), content, part.size, operations.in_base64(digest))
        answer = self._connection.call(request)
        versions.check(answer.headers.get("content-md5"), Digest("md5", digest.hex()), "a block")
        return answer

    def _next(self) -> int:
        """Return the number of the next block."""
        if self._count == MOST_BLOCKS:
            with self._errors():
                raise UnsupportedOperationError(
                    f"the content is longer than {MOST_BLOCKS} blocks",
                    hint="Set a larger part_size: the size of this content was not known when its upload began.",
                    disposition=Disposition.SKIP,
                )
        self._count += 1
        return self._count - 1

    def _settle(self, most: int) -> None:
        """Wait until at most so many blocks are on their way."""
        while len(self._pending) > most:
            ended, _ = concurrent.futures.wait(self._pending, return_when=concurrent.futures.FIRST_COMPLETED)
            for request in ended:
                with self._errors():
                    request.result()
                self._pending.discard(request)
                hit("put.part.sent")
