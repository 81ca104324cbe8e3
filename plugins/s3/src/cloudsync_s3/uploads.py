"""Multipart uploads: parts in order, a few on their way at a time, and nothing left behind when anything fails."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from cloudsync_core.backends.objectstore.parts import Part, in_flight
from cloudsync_core.backends.objectstore.sending import Content, Sender
from cloudsync_core.crashpoints import hit
from cloudsync_core.errors import (
    BackendError,
    Disposition,
    IntegrityError,
    UnexpectedBackendError,
    UnsupportedOperationError,
)
from cloudsync_core.models import Digest
from cloudsync_core.unfinished import Resumption
from cloudsync_s3 import versions
from cloudsync_s3.errors import FAILURES, is_code
from cloudsync_s3.place import Place, content_md5
from cloudsync_s3.resuming import HeldPart, held_parts, token_of, upload_of

MOST_PARTS = 10_000
"""Parts of one upload (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)."""

SECONDS_TO_SETTLE = 5.0
"""How long parts on their way may take to arrive before an upload that failed is aborted."""

ABORT_ATTEMPTS = 3

COPIES_IN_FLIGHT = 4
"""Parts of one copy that the provider copies at a time."""


@dataclasses.dataclass(slots=True)
class Proofs:
    """What is known about the proofs of parts, shared by the uploads of a backend.

    What a part arrived as is proven by its ETag, which is its MD5, before the upload is completed. Until a server has
    shown that its ETags tell that, parts carry Content-MD5, which makes it hash them twice.

    Attributes:
        by_etag: the ETag of the latest part that was stored was its MD5.
    """

    by_etag: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Where an upload goes.

    Attributes:
        place: the place.
        key: the object.
        errors: a context that turns the failures of requests into errors of the contract.
        sender: sends the parts.
        proofs: what is known about those of the parts.
    """

    place: Place
    key: str
    errors: Callable[[], AbstractContextManager[None]]
    sender: Sender
    proofs: Proofs


@dataclasses.dataclass(frozen=True, slots=True)
class _Pending:
    """A part on its way.

    Attributes:
        number: from 1.
        request: the result is botocore's response.
        part: what is sent, `None` where the provider copies it.
        vouched: Content-MD5 goes with it, so that the server refuses other bytes.
    """

    number: int
    request: Future[dict[str, Any]]
    part: Part | None = None
    vouched: bool = False


class MultipartUpload:
    """One upload in parts; as a context it is aborted on every exit without `complete` (P2, catalogue D08).

    Only an upload whose creation was cut off before its name was known cannot be aborted: a lifecycle rule of the
    bucket that removes unfinished uploads is what takes care of those.

    Args:
        target: where to.
        carried: the parameters that say what the object carries.
        part: bytes of each part but the last; kept with the object, because it tells what the ETag is the digest of.
        resumption: what is remembered of the upload beyond this process, `None` for nothing.

    Attributes:
        size: bytes that were sent.
    """

    def __init__(
        self, target: Target, carried: dict[str, Any], part: int, resumption: Resumption | None = None
    ) -> None:
        self._target = target
        self._connection = target.place.connection
        self._place = target.place.named(target.key)
        metadata = {**carried["Metadata"], versions.PART_SIZE_METADATA: str(part)}
        self._create = {**carried, "Metadata": metadata}
        self._part = part
        self._resumption = resumption
        self._held: Mapping[int, HeldPart] = {}
        self._pending: list[_Pending] = []
        self._etags: dict[int, str] = {}
        self._count = 0
        self._digests = hashlib.md5(usedforsecurity=False)
        self._comparable = self._proven = target.place.etag_is_md5
        self._completed = False
        self._abandoned = threading.Event()
        self.size = 0

    def __enter__(self) -> Self:
        if self._goes_on():
            return self
        creating = self._connection.start("create_multipart_upload", **self._place, **self._create)
        try:
            with self._target.errors():
                self._place["UploadId"] = creating.result()["UploadId"]
        except BaseException as error:
            # An interrupt does not unmake the upload: wait for its name, to abort it by.
            if creating.exception() is None:
                self._place["UploadId"] = creating.result()["UploadId"]
                self._abort(error)
            raise
        if self._resumption is not None:
            self._resumption.save(token_of(self._place["UploadId"], self._part, self._create))
        hit("put.temp.opened")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._completed:
            self._abort(error)
        elif self._resumption is not None:
            self._resumption.forget()

    def send(self, contents: Iterable[Part]) -> None:
        """Upload parts as they come, a few at a time; each is compared with what the server says it stored.

        Raises:
            IntegrityError: the server stored another part than was sent.
            BackendError: a part cannot be uploaded.
        """
        for part in contents:
            self._settle(in_flight(self._part) - 1)
            self._digests.update(part.md5)
            self.size += part.size
            number = self._next()
            held = self._held.get(number)
            if self._resumption is not None and held is not None and held.is_part(part):
                self._etags[number] = held.etag
                self._resumption.kept(part.size)
            else:
                self._send(number, part, vouched=not self._target.proofs.by_etag)

    def copy(self, origin: dict[str, Any], size: int) -> None:
        """Fill the upload with the bytes of another object, inside the provider.

        Args:
            origin: the parameters that name that object, and the ETag that it must have at every part (D17).
            size: its bytes, at least 1.
        """
        for start in range(0, size, self._part):
            self._settle(COPIES_IN_FLIGHT - 1)
            number = self._next()
            span = f"bytes={start}-{min(start + self._part, size) - 1}"
            copying = self._connection.start(
                "upload_part_copy", **self._place, PartNumber=number, **origin, CopySourceRange=span
            )
            self._pending.append(_Pending(number, copying))

    def complete(self, conditions: dict[str, Any]) -> dict[str, Any]:
        """Make the object visible and return the response.

        Args:
            conditions: parameters of CompleteMultipartUpload.

        Raises:
            BackendError: the server refused, in the answer's status or in its body (D11).
        """
        self._settle(0)
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(self._etags.items())]
        hit("put.complete.sent")
        with self._target.errors():
            response = self._connection.call(
                "complete_multipart_upload", **self._place, MultipartUpload={"Parts": parts}, **conditions
            )
        hit("put.complete.acked")
        self._completed = True
        return response

    @property
    def digest(self) -> Digest:
        """The digest of what was sent."""
        return Digest(f"md5/{self._part}", self._digests.hexdigest())

    def proven(self, response: dict[str, Any]) -> bool:
        """Return whether digests of the server's own prove that the object holds what was sent; ask after `complete`.

        The ETag of the object is one that tells. But where the server gave every part, as it stored it, the MD5 of what
        was sent, and then took exactly these parts in their order, an ETag of another form takes nothing from that:
        `rclone serve s3` makes one of the file that it put together.

        Raises:
            IntegrityError: the server made another object of the parts.
        """
        confirmed = self.confirms(response, self.digest.value)
        return confirmed or (self._proven and not versions.encrypted_apart(response))

    def confirms(self, response: dict[str, Any], digest: str) -> bool:
        """Return whether the response of `complete` confirms the MD5 of the parts' MD5s; `False` if it cannot tell.

        Raises:
            IntegrityError: the server made another object of the parts.
        """
        etag = versions.plain(response.get("ETag")) or ""
        if not self._comparable or versions.encrypted_apart(response) or not versions.is_composite(etag):
            return False
        wanted = f"{digest}-{self._count}"
        if etag != wanted:
            with self._target.errors():
                raise IntegrityError(
                    f"the server's ETag is {etag}, that of the content is {wanted}", hint=versions.OPAQUE_HINT
                )
        return True

    def _goes_on(self) -> bool:
        """Find the parts of the upload that a crash has cut short; abort one that this put would not have begun."""
        if self._resumption is None or (token := self._resumption.token) is None:
            return False
        upload = {**self._place, "UploadId": upload_of(token)}
        if token == token_of(upload["UploadId"], self._part, self._create):
            held = None
            try:
                with self._target.errors():
                    held = held_parts(self._connection, upload)
            except BackendError as error:
                # Where nobody may look at it, it is begun anew.
                if error.disposition is Disposition.RETRY:
                    raise
            if held is not None:
                self._place, self._held = upload, held
                return True
        # Without a name, a server might take the request for one to delete the object.
        if not upload["UploadId"] or self._aborted(upload) is None:
            self._resumption.forget()
        return False

    def _send(self, number: int, part: Part, *, vouched: bool) -> None:
        vouched = vouched and self._target.place.takes_md5
        begin = functools.partial(self._begin, number, part, vouched)
        sending = self._target.sender.begin(part, self._abandoned, begin)
        self._pending.append(_Pending(number, sending, part, vouched))

    def _begin(self, number: int, part: Part, vouched: bool, content: Content) -> Future[dict[str, Any]]:  # noqa: FBT001
        """Begin the request that uploads a part."""
        parameters: dict[str, Any] = {**self._place, "PartNumber": number, "ContentLength": part.size, "Body": content}
        if vouched:
            parameters["ContentMD5"] = content_md5(part.md5.hex())
        return self._connection.start("upload_part", **parameters)

    def _next(self) -> int:
        """Return the number of the next part."""
        if self._count == MOST_PARTS:
            with self._target.errors():
                raise UnsupportedOperationError(
                    f"the content is longer than {MOST_PARTS} parts",
                    hint="Set a larger part_size: the size of this content was not known when its upload began.",
                    disposition=Disposition.SKIP,
                )
        self._count += 1
        return self._count

    def _settle(self, most: int) -> None:
        """Wait until at most so many parts are on their way, and check that the server stored what was sent."""
        while len(self._pending) > most:
            ended, _ = concurrent.futures.wait(
                [pending.request for pending in self._pending], return_when=concurrent.futures.FIRST_COMPLETED
            )
            for pending in [pending for pending in self._pending if pending.request in ended]:
                with self._target.errors():
                    self._take(pending)

    def _take(self, pending: _Pending) -> None:
        """Take in the answer about a part; a part that nothing vouches for is sent once more, with its MD5."""
        response = pending.request.result()
        self._pending.remove(pending)
        number, part = pending.number, pending.part
        etag = (response["CopyPartResult"] if part is None else response).get("ETag")
        if etag is None:
            raise UnexpectedBackendError(f"the server does not tell the ETag of part {number}")
        self._comparable = self._comparable and not versions.encrypted_apart(response)
        confirmed = False
        if part is not None:
            confirmed = self._comparable and versions.check(etag, part.md5.hex(), f"part {number}")
            self._target.proofs.by_etag = confirmed
            if not (confirmed or pending.vouched) and self._target.place.takes_md5:
                self._send(number, part, vouched=True)
                return
        self._proven = self._proven and confirmed
        self._etags[number] = etag
        hit("put.part.sent")

    def _abort(self, error: BaseException | None) -> None:
        """Remove every part, once none is on its way any more: one that arrived after an abort would stay."""
        self._abandoned.set()
        sendings = [pending.request for pending in self._pending]
        try:
            concurrent.futures.wait(sendings, SECONDS_TO_SETTLE)
        finally:
            for sending in sendings:
                sending.cancel()
            failure = self._aborted(self._place)
            if failure is None and self._resumption is not None:
                self._resumption.forget()
            if failure is not None and error is not None:
                error.add_note(f"The unfinished upload could not be aborted ({type(failure).__name__}).")

    def _aborted(self, upload: Mapping[str, Any]) -> BaseException | None:
        """Abort an upload, persistently: no retry from outside knows of it. Return the last failure."""
        last: BaseException | None = None
        for _ in range(ABORT_ATTEMPTS):
            try:
                self._connection.call("abort_multipart_upload", **upload)
            except FAILURES as failure:
                last = failure
                if is_code(failure, "NoSuchUpload"):
                    return None
            else:
                return None
        return last
