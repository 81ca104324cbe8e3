"""The words of WebDAV (RFC 4918), each as one request; what a server answers is told, and decides nothing here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

import urllib3

from cloudsync_webdav.config import WebdavOptions
from cloudsync_webdav.multistatus import PROPERTIES, Entry, NotWebdavError, entries_of

_LOCK: Final = (
    b'<?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope>'
    b"<locktype><write/></locktype><owner>cloudsync</owner></lockinfo>"
)
_NOTHING: Final = (
    b'<?xml version="1.0"?><propertyupdate xmlns="DAV:">'
    b'<remove><prop><none xmlns="urn:cloudsync"/></prop></remove></propertyupdate>'
)
_LOCK_SECONDS: Final = 60
_CONNECTIONS: Final = 256
_SUCCESS: Final = range(200, 300)
_CREATED: Final = 201
_NOT_FOUND: Final = 404
_LOCKED: Final = 423


class AnswerError(Exception):
    """The server refused a request.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, method: str, answer: urllib3.BaseHTTPResponse) -> None:
        super().__init__(f"the server answers {method} with {answer.status} {answer.reason or ''}".rstrip())
        self.status = answer.status


class Client:
    """Connections to one server; many threads may use it.

    Paths are absolute and not encoded.

    Args:
        url: of the server, without a path.
        options: credentials, certificates and how long to wait.
    """

    def __init__(self, url: str, options: WebdavOptions) -> None:
        self._url = url
        self._patience = options.lock_timeout
        self._headers = options.headers()
        timeout = urllib3.Timeout(connect=options.connect_timeout, read=options.read_timeout)
        certificates = {"ca_certs": str(options.ca_bundle)} if options.ca_bundle else {}
        self._pool = urllib3.connection_from_url(
            url, maxsize=_CONNECTIONS, retries=False, timeout=timeout, **certificates
        )

    def has_locks(self, path: str) -> bool:
        """Tell whether the server is one of class 2: whether it has locks."""
        classes = self._ask("OPTIONS", path).headers.get("DAV", "")
        return "2" in {word.strip() for word in classes.split(",")}

    def look(self, path: str) -> Entry | None:
        """Return what is at `path`, or `None` for nothing.

        Servers remove what a MOVE replaces before they move (section 9.9.3), so for a moment there is nothing where the
        old file was and the new one will be. Meanwhile they keep the place locked, and to change a property has to wait
        for that: a 404 is believed once such a request, which would change nothing, has been told the same.
        """
        while True:
            answer = self._properties(path, "0")
            if answer.status != _NOT_FOUND:
                return entries_of(answer.data)[0]
            if self._send("PROPPATCH", path, body=_NOTHING).status not in _SUCCESS:
                return None

    def below(self, path: str) -> list[Entry]:
        """Return what is in a folder, whose path ends in `/`, in no order.

        Raises:
            NotWebdavError: the server lists something that does not lie in it.
        """
        answer = self._properties(path, "1")
        if answer.status not in _SUCCESS:
            raise AnswerError("PROPFIND", answer)
        found = [entry for entry in entries_of(answer.data) if entry.path.rstrip("/") != path.rstrip("/")]
        if any(entry.folder != path for entry in found):
            raise NotWebdavError("the listing of a folder holds what does not lie in it")
        return found

    def open(self, path: str, *, etag: str | None, start: int, end: int) -> urllib3.BaseHTTPResponse:
        """Return the answer that brings the bytes of a file from `start` up to `end`; the caller closes it.

        A server that has no ranges begins at the first byte, with status 200.

        Args:
            path: of the file.
            etag: only if the file has this one.
            start: the first byte.
            end: the one after the last; there is at least one.
        """
        headers = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        if etag is not None:
            headers["If-Match"] = f'"{etag}"'
        return self._ask("GET", path, headers=headers, stream=True)

    def write(self, path: str, chunks: Iterable[bytes], size: int | None) -> None:
        """Write a file; without its size in bytes it is sent in chunks."""
        self._ask("PUT", path, headers={} if size is None else {"Content-Length": str(size)}, body=chunks)

    def move(self, path: str, to: str, *, token: str | None) -> None:
        """Give a file another name; it replaces what has that name only where that is locked by `token`."""
        headers = {"Destination": f"{self._url}{quote(to)}", "Overwrite": "F" if token is None else "T"}
        self._ask("MOVE", path, headers=headers | self._holding(to, token))

    def make_folder(self, path: str) -> None:
        """Make a folder; one that exists is no error."""
        with contextlib.suppress(AnswerError):
            self._ask("MKCOL", path)

    def remove(self, path: str, *, token: str | None = None) -> None:
        """Remove a file, or a folder with all that is below."""
        self._ask("DELETE", path, headers=self._holding(path, token))

    @contextlib.contextmanager
    def hold(self, path: str) -> Iterator[tuple[Entry | None, str | None]]:
        """Keep others from changing what is at `path` and below; gives what that is, and the token of the lock.

        Where there is nothing there is no lock either: it would make an empty file (section 7.3).
        """
        if self.look(path) is None:
            yield None, None
            return
        headers = {"Depth": "infinity", "Timeout": f"Second-{_LOCK_SECONDS}"}
        answer = self._ask("LOCK", path, headers=headers, body=_LOCK)
        token = answer.headers.get("Lock-Token", "")
        # What was there was removed a moment ago, and the lock made an empty file.
        was_gone = answer.status == _CREATED
        try:
            if was_gone:
                self.remove(path, token=token)
            else:
                yield self.look(path), token
        finally:
            self._send("UNLOCK", path, headers={"Lock-Token": token})
        if was_gone:
            yield None, None

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _holding(self, path: str, token: str | None) -> dict[str, str]:
        return {} if token is None else {"If": f"<{self._url}{quote(path)}> ({token})"}

    def _properties(self, path: str, depth: str) -> urllib3.BaseHTTPResponse:
        answer = self._send("PROPFIND", path, headers={"Depth": depth}, body=PROPERTIES)
        if answer.status not in _SUCCESS and answer.status != _NOT_FOUND:
            raise AnswerError("PROPFIND", answer)
        return answer

    def _ask(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        answer = self._send(method, path, headers=headers, body=body, stream=stream)
        if answer.status not in _SUCCESS:
            answer.close()
            raise AnswerError(method, answer)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """Return the answer; what somebody else has locked is waited for, but not when a body can be sent only once."""
        deadline = time.monotonic() + self._patience
        while True:
            answer = self._pool.request(
                method,
                quote(path),
                body=body,
                headers={**self._headers, **(headers or {})},
                redirect=False,
                preload_content=not stream,
            )
            waits = answer.status == _LOCKED and (body is None or isinstance(body, bytes))
            if not waits or time.monotonic() >= deadline:
                return answer
            time.sleep(0.01)
