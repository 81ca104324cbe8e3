"""Sending the parts of uploads: a few at a time over all uploads of a backend, because each is held in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from cloudsync_s3.parts import Part
from cloudsync_s3.place import Place, content_md5

PARTS_IN_MEMORY = 8
"""Parts of all uploads of one backend that are on their way at a time."""


class AbandonedError(OSError):
    """The upload has failed before all of this part was sent."""


class Sender:
    """Sends parts; safe to use from many threads.

    Args:
        place: where the uploads are.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._slots = threading.BoundedSemaphore(PARTS_IN_MEMORY)

    def begin(
        self, upload: Mapping[str, str], number: int, part: Part, abandoned: threading.Event
    ) -> Future[dict[str, Any]]:
        """Begin to send a part, once there is a place in memory for one; the result is botocore's response.

        Args:
            upload: the parameters that name it.
            number: of the part, from 1.
            part: its bytes.
            abandoned: ends the request in the middle of the part, so that the server does not keep it.
        """
        parameters: dict[str, Any] = {**upload, "PartNumber": number, "ContentLength": part.size}
        parameters["Body"] = _Pieces(part, abandoned)
        if self._place.takes_md5:
            parameters["ContentMD5"] = content_md5(part.md5.hex())
        self._slots.acquire()
        try:
            sending = self._place.connection.start("upload_part", **parameters)
        except BaseException:
            self._slots.release()
            raise
        sending.add_done_callback(lambda _: self._slots.release())
        return sending


class _Pieces:
    """The bytes of a part, as often as they are needed: a request that meets a bucket of another region goes there."""

    def __init__(self, part: Part, abandoned: threading.Event) -> None:
        self._part = part
        self._abandoned = abandoned

    def __iter__(self) -> Iterator[bytes | memoryview]:
        for piece in self._part.pieces:
            if self._abandoned.is_set():
                raise AbandonedError
            yield piece
