"""One server as one location reaches it: each request goes the lightest way that says it exactly.

Requests go over the wire (`cloudsync_core.backends.objectstore.wire`), from the calling thread. What has no words there
goes to the client that s3fs connects (`cloudsync_s3.exact`), at the first such request: importing it takes as long as a
whole run of some objects. Both answer in botocore's words.

Nothing here repeats a request, but for one that the server has refused because its bucket is in another region. Nothing
here survives a fork: open backends in the process that uses them (start workers by "spawn"), anything else raises
`RuntimeError`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError
from botocore.httpsession import where

from cloudsync_core.backends.objectstore.pool import Pool, secure_context
from cloudsync_core.backends.objectstore.proxies import UnknownProxyError, proxy_for
from cloudsync_core.backends.objectstore.threads import Threads
from cloudsync_core.backends.objectstore.wire import Answer, Request, Stream, Wire
from cloudsync_s3 import operations
from cloudsync_s3.address import Address, is_plain
from cloudsync_s3.config import S3Options
from cloudsync_s3.environment import USER_AGENT, Environment
from cloudsync_s3.errors import is_elsewhere
from cloudsync_s3.signing import Signer, authorising

if TYPE_CHECKING:
    from cloudsync_s3.exact import ExactClient

T = TypeVar("T")

IN_FLIGHT = 32
"""Requests at most that were begun over the wire and not waited for yet; more wait for their turn."""

_OVER_THE_WIRE = operations.OPERATIONS.keys() - {"get_object", "list_objects_v2"}


class Connection:
    """The requests to one server; safe to use from many threads.

    Opening it resolves the credentials and the endpoint, and asks nothing of the server.

    Raises:
        ConfigError: the options or the AWS environment cannot be used.

    Attributes:
        url: of the server.
        region: for signatures.
        endpoint: the server's host, with its port where it is not the scheme's own: equal for equal places.
        is_amazon: whether it is one of Amazon's.
        ca_bundle: file of the certificate authorities to trust, `None` for the system's.
    """

    def __init__(self, options: S3Options, location: str) -> None:
        self._options = options
        self._environment = Environment(options, location)
        self.url = self._environment.url
        self.region = self._environment.region
        self.endpoint = self._environment.endpoint
        self.is_amazon = self._environment.is_amazon
        self.ca_bundle = self._environment.ca_bundle
        self._authorise = authorising(Signer(self.region), self.credentials)
        self._tls = functools.cache(
            functools.partial(secure_context, self.ca_bundle, verify=options.verify_tls, brought=where())
        )
        self._addresses: dict[str, Address] = {}
        self._wires: dict[str, Wire | None] = {}
        self._exact_client: ExactClient | None = None
        self._lock = threading.Lock()
        self._threads = Threads(IN_FLIGHT, "cloudsync-s3")
        self._process = os.getpid()

    def address(self, bucket: str) -> Address:
        """Return how requests about a bucket of a plain name are addressed."""
        return Address.of(bucket, self.url, path_style=self._environment.path_style)

    def credentials(self) -> ReadOnlyCredentials | None:
        """Return the credentials of now, refreshed where they had to be; `None` for anonymous requests.

        Raises:
            botocore.exceptions.BotoCoreError: there are none, or they cannot be refreshed.
        """
        return self._environment.credentials()

    def wire(self, bucket: str) -> Wire | None:
        """Return what makes light requests about a bucket, `None` where they must go the exact way."""
        self._refuse_after_a_fork()
        try:
            return self._wires[bucket]
        except KeyError:
            # Of two that are made at once one stays, unused.
            return self._wires.setdefault(bucket, self._new_wire(bucket))

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make one request and return botocore's parsed response; what fails raises as botocore raises it.

        Args:
            operation: the name of botocore's method.
            parameters: botocore's; the body of a part may be an iterable of pieces of it, with their ContentLength.
        """
        self._refuse_after_a_fork()
        if operation in _OVER_THE_WIRE:
            answer = self._ask(operation, parameters, operations.response)
            if answer is not None:
                return answer
        if not isinstance(parameters.get("Body", b""), bytes):
            parameters["Body"] = b"".join(parameters["Body"])
        return self.wait(self._exact().start(operation, parameters))

    def start(self, operation: str, **parameters: Any) -> Future[dict[str, Any]]:
        """Begin one request; see `call`."""
        self._refuse_after_a_fork()
        if operation in _OVER_THE_WIRE:
            return self._threads.submit(functools.partial(self.call, operation, **parameters))
        return self._exact().start(operation, parameters)

    def list_page(self, **parameters: Any) -> Future[bytes]:
        """Begin a ListObjectsV2 request; the result is the answer's body, unparsed."""
        self._refuse_after_a_fork()
        return self._threads.submit(functools.partial(self._list_page, parameters))

    def fetch(self, most: int, **parameters: Any) -> tuple[dict[str, Any], bytes]:
        """Make a GetObject request; return its response, and its body unless that has more than `most` bytes."""
        self._refuse_after_a_fork()
        found = self._ask("get_object", parameters, _with_body, functools.partial(Wire.request, most=most))
        if found is not None:
            return found
        with self.stream(**parameters) as (response, read):
            size = response.get("ContentLength", 0)
            return response, read(size) if size <= most else b""

    def probe(self, **parameters: Any) -> None:
        """Make a GetObject request for nothing but the reason why it fails: the content stays where it is.

        Raises:
            botocore.exceptions.ClientError: the server refused.
        """
        self._refuse_after_a_fork()
        with self.stream(**parameters):
            pass

    @contextlib.contextmanager
    def stream(self, **parameters: Any) -> Iterator[tuple[dict[str, Any], Callable[[int], bytes]]]:
        """Make a GetObject request; yield its response, and what reads so many bytes of its body.

        Fewer bytes come only at the end of the body. What is left at the end of the block is not waited for.
        """
        self._refuse_after_a_fork()
        with contextlib.ExitStack() as stack:
            opened: list[Stream] = []

            def begin(wire: Wire, request: Request) -> Answer:
                opened.append(stack.enter_context(wire.open(request)))
                answer = opened[0].answer
                return answer if answer.is_success else dataclasses.replace(answer, body=opened[0].read())

            response = self._ask("get_object", parameters, operations.response, begin)
            if response is not None:
                yield response, opened[0].read
                return
            response = self.wait(self._exact().start("get_object", parameters))
            body = response["Body"]
            stack.callback(self._exact().drop, body)
            yield response, lambda size: self.wait(self._exact().read(body, size))

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Begin work that makes requests, in a thread of the connection's."""
        self._refuse_after_a_fork()
        return self._threads.submit(work)

    def wait(self, future: Future[T]) -> T:
        """Return what the work returns; an interrupt of this thread cancels it."""
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Close the connections: what is under way fails. A second call does nothing."""
        if self._process != os.getpid():
            return
        self._threads.close()
        for wire in list(self._wires.values()):
            if wire is not None:
                wire.close()
        if self._exact_client is not None:
            self._exact_client.close()

    def _list_page(self, parameters: Mapping[str, Any]) -> bytes:
        page = self._ask("list_objects_v2", parameters, _page)
        return self.wait(self._exact().list_page(parameters)) if page is None else page

    def _ask(
        self,
        name: str,
        parameters: Mapping[str, Any],
        read: Callable[[operations.Operation, Answer], T],
        send: Callable[[Wire, Request], Answer] = Wire.request,
    ) -> T | None:
        """Make a request over the wire and return what `read` makes of the answer; `None` if it must go the exact way.

        That way knows where to go with a request that was refused because the bucket is in another region; from then
        on all about this bucket goes there.
        """
        operation = operations.OPERATIONS[name]
        bucket = parameters["Bucket"]
        wire = self.wire(bucket)
        if wire is None:
            return None
        request = operations.request(operation, parameters, self._addresses[bucket])
        if request is None:
            return None
        try:
            return read(operation, send(wire, request))
        except ClientError as failure:
            if not is_elsewhere(failure):
                raise
            self._wires[bucket] = None
            return None

    def _new_wire(self, bucket: str) -> Wire | None:
        try:
            proxy = proxy_for(self.url)
        except UnknownProxyError:
            return None
        if not is_plain(bucket):
            return None
        address = self._addresses[bucket] = self.address(bucket)
        pool = Pool(
            address,
            self._tls,
            proxy,
            connect_timeout=self._options.connect_timeout,
            read_timeout=self._options.read_timeout,
        )
        return Wire(address, pool, authorise=self._authorise, proxy=proxy, user_agent=USER_AGENT)

    def _exact(self) -> ExactClient:
        self._refuse_after_a_fork()
        with self._lock:
            if self._exact_client is None:
                from cloudsync_s3.exact import ExactClient  # noqa: PLC0415 - aiobotocore is slow to import

                self._exact_client = ExactClient(self._options)
            return self._exact_client

    def _refuse_after_a_fork(self) -> None:
        if self._process != os.getpid():
            raise RuntimeError("this backend was opened before a fork: open it in the process that uses it")


def _with_body(operation: operations.Operation, answer: Answer) -> tuple[dict[str, Any], bytes]:
    return operations.response(operation, answer), answer.body


def _page(operation: operations.Operation, answer: Answer) -> bytes:
    if not answer.is_success:
        operations.response(operation, answer)
    return answer.body
