"""What every clause is tested on: fresh backends, and a few words to use them with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Literal, NoReturn, Protocol

import pytest

from cloudsync_core.backend import NO_ATTRIBUTES, Backend
from cloudsync_core.body import Body
from cloudsync_core.errors import BackendError, UnavailableError
from cloudsync_core.models import ALWAYS, Attributes, ObjectInfo, PutCondition
from cloudsync_core.testing import wholeness
from cloudsync_core.testing.corpus import Case

Root = Literal["first", "second", "missing"]

_WRITERS = 8


class MakeBackend(Protocol):
    """What the fixture `make_backend` returns."""

    def __call__(self, root: Root = "first", /) -> Backend:
        """Return a backend that is opened anew.

        "first" and "second" are two roots that exist and are empty when a test begins; the same root is the same
        place at every call within one test. "missing" is a root in a container that does not exist.
        """


class Setting:
    """The one fixture that a backend's own tests override, and what they may declare; nothing else is theirs to change.

    `cloudsync_core.testing.wholeness` says how that is held.

    Attributes:
        departures: clauses that this backend, or its server, is known not to keep: the name of a test, or of one of its
            cases (`test_L4_keys_are_exact[marker]`), with the reason. Each is expected to fail: it is reported with the
            reason, and is an error as soon as it passes.
        refuses: cases of the key corpus, by name, that this backend or its server refuses with an error although the
            contract would let it hold them, each with the reason. What `Backend.check_key` refuses by itself (the
            rules of a tree, `max_key_bytes`) is not listed here.
        no_missing_container: why a container of this backend cannot be missing, for instance because the first put
            makes it. Empty where one can be.
    """

    departures: ClassVar[Mapping[str, str]] = {}
    refuses: ClassVar[Mapping[str, str]] = {}
    no_missing_container: ClassVar[str] = ""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        wholeness.keep_the_guard(cls)

    @pytest.fixture
    def make_backend(self) -> MakeBackend:
        raise NotImplementedError("the fixture `make_backend` is what a backend's own tests provide")

    @pytest.fixture
    def backend(self, make_backend: MakeBackend) -> Iterator[Backend]:
        with make_backend() as opened:
            yield opened

    @pytest.fixture
    def missing_container(self, make_backend: MakeBackend) -> Iterator[Backend]:
        with make_backend("missing") as opened:
            yield opened

    def leftovers(self, backend: Backend) -> Sequence[str]:
        """Return what the store holds beside objects: unfinished uploads, temporary files.

        Override it where the store can be asked; clause P2 then proves that a failed put leaves none.
        """
        return ()

    def refused(self, case: Case, error: BackendError) -> None:
        """Judge that the store refuses a case of the key corpus which the contract would let it hold."""
        if case.name not in self.refuses:
            raise error

    def cut_off(self, backend: Backend) -> AbstractContextManager[object] | None:
        """Return a context in which the store of `backend` cannot be reached, or `None` where that cannot be arranged.

        Override it where a proxy or the server itself can be told to drop its connections; clauses L3, G2, P2 and E1
        then prove that an operation which the store leaves alone ends by an error, and never early. Connections that
        are open when the context is entered must break, too.
        """
        return None

    @pytest.fixture(autouse=True)
    def _kept_whole(self, request: pytest.FixtureRequest) -> None:
        """Expect the departures to fail, and let no fixture skip a clause."""
        wholeness.expect_departure(type(self), request.node)
        wholeness.never_excuse_the_guard(request.node)
        if request.node.originalname != wholeness.GUARD:
            wholeness.without_skipping(request, "make_backend")

    def test_suite_is_whole(self, request: pytest.FixtureRequest) -> None:
        """No clause is overridden, removed, skipped or excused but by a declaration that gives its reason."""
        cls = type(self)
        problems = [
            *wholeness.weaknesses(cls),
            *wholeness.weaknesses_of_items(cls, request.session.items),
            *wholeness.missing_items(cls, request.session),
        ]
        assert not problems, "\n".join(["the suite is weakened:", *problems])


def not_declared(capability: str, instead: str = "what needs it is refused (C1)") -> NoReturn:
    """End a test that has shown what holds where a capability is not declared: it is reported as skipped.

    Args:
        capability: its name.
        instead: what the test has shown.
    """
    pytest.skip(f"the capability {capability} is not declared: {instead}")


def store(
    backend: Backend,
    key: str,
    data: bytes | Iterable[bytes] = b"content",
    *,
    size: int | None = None,
    attributes: Attributes = NO_ATTRIBUTES,
    condition: PutCondition = ALWAYS,
) -> ObjectInfo:
    """Put an object and return what the backend says it wrote.

    A backend never retries, and a real server drops a connection now and then: what it could not be reached for is put
    once more, as the core would.
    """
    try:
        return backend.put(key, Body(data, size), attributes=attributes, condition=condition)
    except UnavailableError:
        if not isinstance(data, bytes):
            raise
        return backend.put(key, Body(data, size), attributes=attributes, condition=condition)


def content(backend: Backend, key: str) -> bytes:
    """Return all the bytes of an object; as by `store`, what the server could not be reached for is asked once more."""
    try:
        return _content(backend, key)
    except UnavailableError:
        return _content(backend, key)


def _content(backend: Backend, key: str) -> bytes:
    with backend.get(key) as reader:
        return reader.read()


def entries(backend: Backend, prefix: str = "", *, start_after: str | None = None) -> list[ObjectInfo]:
    """Return a whole listing, in the order in which it came; one that holds gaps fails."""
    found: list[ObjectInfo] = []
    for page in backend.list(prefix, start_after=start_after):
        assert not page.gaps, f"the listing cannot tell about {page.gaps}"
        found.extend(page)
    return found


def names(backend: Backend, prefix: str = "", *, start_after: str | None = None) -> list[str]:
    """Return the keys of a whole listing: in order, or sorted where the backend promises none."""
    found = [entry.key for entry in entries(backend, prefix, start_after=start_after)]
    return found if backend.capabilities.ordered_listing else sorted(found)


def store_many(backend: Backend, wanted: Iterable[str], data: bytes = b"") -> None:
    """Put an object of that content under each of these keys, several at a time."""
    with ThreadPoolExecutor(_WRITERS) as pool:
        for finished in [pool.submit(store, backend, key, data) for key in wanted]:
            finished.result()
