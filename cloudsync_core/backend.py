"""The contract of a storage backend.

A backend is a class with five verbs over one root: a directory, or a prefix of a container. The engine drives
every backend through this interface alone, and `cloudsync_core.testing` has a test for each clause below.

=====  ==========================================================================================================
L1     A listing is in ascending order of the keys' UTF-8 bytes, or `ordered_listing` is false.
L2     A missing container raises `ContainerNotFoundError`; it is never an empty listing.
L3     An error in the middle of a listing raises; a listing never ends early.
L4     Keys are exact: never normalised, decoded twice or silently dropped.
S1     A missing object raises `ObjectNotFoundError`.
G1     The bytes of a get belong to one version; a change in mid-read raises.
G2     Fewer bytes than promised is an error, never a short object.
P1     A put is atomic: readers see the old object or the new one, never a part.
P2     If the body raises, nothing becomes visible and no upload is left behind.
P3     A put returns the version and the fingerprint of what was written.
P4     `IF_ABSENT` that meets an object raises `ObjectExistsError`, a stale `IfMatch` `PreconditionFailedError`.
P5     A put that finds what an earlier one has left stores exactly its own content, and leaves nothing to find.
D1     Deleting a missing key succeeds.
D2     A delete whose `if_match` is stale raises `PreconditionFailedError` and deletes nothing.
D3     A bulk delete reports every key.
D4     Discarding what a put has left touches no object; what is gone already is no error.
E1     Only `BackendError`s escape (and what the body's own iteration raises).
C1     What the capabilities do not declare raises `UnsupportedOperationError`; it never degrades.
T1     One instance serves many threads at once.
=====  ==========================================================================================================

Backends are synchronous, keep no cache of listings and never retry: layers do (`cloudsync_core.layers`).
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from cloudsync_core import keys
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.errors import BackendError, InvalidKeyError, UnsupportedOperationError
from cloudsync_core.models import (
    ALWAYS,
    Attributes,
    ByteRange,
    DeleteResult,
    Identity,
    ObjectInfo,
    Page,
    PutCondition,
    Version,
)
from cloudsync_core.unfinished import Leftover

Prune = Callable[[str], bool]
"""Tells of a folder (without trailing slash) whether nothing under it is wanted."""

NO_ATTRIBUTES = Attributes()


class Backend(abc.ABC):
    """A store of objects under one root.

    Attributes:
        location: the root as users write it, without credentials: `scheme://container/prefix`.
    """

    location: str

    @property
    @abc.abstractmethod
    def capabilities(self) -> Capabilities:
        """What this backend can do."""

    @property
    @abc.abstractmethod
    def identity(self) -> Identity:
        """Where the root really is, for comparing places."""

    @property
    def boundaries(self) -> Sequence[int]:
        """Sizes in bytes at which this backend goes another way: in parts instead of at once, in one part more.

        The conformance suite moves objects of just these sizes, of one byte less and of one more.
        """
        return ()

    @abc.abstractmethod
    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Yield every object under `prefix` (clauses L1-L4).

        A key is under `prefix` when it starts with `keys.folder(prefix)`. The marker of the root itself is not
        an object of the backend.

        Args:
            prefix: "" for everything, else one or more whole segments.
            start_after: only keys greater than this one; needs `ordered_listing`.
            prune: a hint: a backend that walks directories leaves out those for which it returns true. Others
                ignore it: the engine filters what comes.

        Raises:
            ContainerNotFoundError: the root's container does not exist (L2).
            BackendError: the listing cannot be completed (L3).
        """

    @abc.abstractmethod
    def stat(self, key: str) -> ObjectInfo:
        """Return what the object is, with attributes and every digest known.

        Raises:
            ObjectNotFoundError: there is no such object (S1).
        """

    @abc.abstractmethod
    def get(
        self, key: str, *, byte_range: ByteRange | None = None, if_match: Version | None = None
    ) -> AbstractContextManager[ObjectReader]:
        """Open the object for reading (clauses G1, G2).

        Args:
            key: the object.
            byte_range: only these bytes; needs `range_get`.
            if_match: only if the object is this version.

        Raises:
            ObjectNotFoundError: there is no such object.
            PreconditionFailedError: it is another version than `if_match`.
        """

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Return a small object that is read already, or `None` when it has more than `limit` bytes.

        The same clauses hold as for `get`, and it raises the same; for thousands of small objects a backend may have a
        shorter way than to open, read and close. What is returned holds its bytes in memory and needs no closing.

        Args:
            key: the object.
            limit: bytes.
        """
        with self.get(key) as reader:
            return reader.held() if reader.size <= limit else None

    @abc.abstractmethod
    def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes = NO_ATTRIBUTES,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Write an object and return what was written (clauses P1-P5).

        The returned `digests` are those that the provider itself reported for what it stored *and* that were found
        equal to the body's (`Body.require`, `Body.digest`); a difference raises `IntegrityError`, which tells by
        `written` what is there now where the object is visible all the same. A backend whose provider reports none
        returns none.

        Args:
            key: the object.
            body: its content.
            attributes: what it carries; a backend stores what its capabilities say.
            condition: `ALWAYS`, `IF_ABSENT` or `IfMatch(version)`.

        Raises:
            ObjectExistsError: `IF_ABSENT`, and there is an object.
            PreconditionFailedError: `IfMatch`, and the object is another version or gone.
            InvalidKeyError: the backend cannot hold that key.
            IntegrityError: the provider did not store what was sent.
        """

    @abc.abstractmethod
    def delete(self, key: str, *, if_match: Version | None = None) -> None:
        """Remove one object, exactly that key; a missing one is no error (clauses D1, D2).

        Args:
            key: the object.
            if_match: only if it is this version; needs `delete_if_match`.
        """

    def delete_many(self, items: Sequence[tuple[str, Version | None]]) -> Iterator[DeleteResult]:
        """Remove objects, each if it is still the version given, and report every one (clause D3).

        The default deletes one by one. `items` may be longer than `Capabilities.bulk_delete_max`.
        """
        for key, version in items:
            try:
                self.delete(key, if_match=version)
            except BackendError as error:
                yield DeleteResult(key, error)
            else:
                yield DeleteResult(key)

    def can_copy_from(self, source: Backend) -> bool:
        """Tell whether `copy` can take objects from `source` without moving their bytes through this machine.

        Promises only that it is worth trying: a copy that the credentials do not allow raises.
        """
        del source
        return False

    def copy(
        self,
        source: Backend,
        info: ObjectInfo,
        key: str,
        *,
        attributes: Attributes | None = None,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Copy an object of `source` to `key` here, inside the provider; P1, P3 and P4 hold as for `put`.

        Not every provider can be asked for a version. Where it turns out after the fact that another one was copied,
        this raises all the same: what is at `key` then is whole, and nobody takes it for what was listed.

        Args:
            source: a backend for which `can_copy_from` is true.
            info: the object and the version that is copied; another version raises (G1).
            key: the object here.
            attributes: what the copy carries; `None` takes what the source's object carries.
            condition: as for `put`.

        Raises:
            UnsupportedOperationError: the backend does not declare `server_copy` (C1).
            AccessDeniedError: the credentials of the target cannot read the source.
        """
        del source, info, attributes, condition
        raise UnsupportedOperationError(
            "this backend has no server-side copy", operation="copy", location=self.location, key=key
        )

    def probe(self, known: str | None = None) -> str | None:
        """Find out by trying what the store can do and nobody has said; from then on `capabilities` tell it.

        Called by one thread, before the first write of a run. What is written for it goes under names of its own in the
        folder `.cloudsync`, and is gone when the backend is closed. The default, for stores of which everything is
        known, does nothing.

        Args:
            known: what an earlier call has returned for the same place: nothing is tried that it tells.

        Returns:
            A text that tells what was found, for `known`; `None` where there is nothing to find out.

        Raises:
            BackendError: the store could not be asked, or does not allow it; the capabilities stay as they were.
        """
        del known
        return None

    def leftovers(self, recorded: Sequence[tuple[str, str]] = ()) -> Iterator[Leftover]:
        """Yield what puts have left behind under the root: nothing of it is an object.

        What is being written at this moment may be among it, unless the backend can tell. The default, for stores in
        which a put leaves nothing, yields nothing.

        Args:
            recorded: keys and tokens that `Body.resumption` was given. Those that still exist come with `recorded` set;
                those that do not come are gone.

        Raises:
            BackendError: the store cannot be asked; what was yielded is not all.
        """
        del recorded
        return iter(())

    def discard(self, key: str, token: str) -> None:
        """Remove what a put has left behind, and no object (clause D4).

        The default, for stores in which a put leaves nothing, does nothing.

        Args:
            key: of a `Leftover`, or that of the put that saved the token.
            token: likewise.

        Raises:
            UnavailableError: another process is writing it.
        """
        del key, token

    def check_key(self, key: str) -> None:
        """Raise `InvalidKeyError` when this backend cannot hold an object of that name exactly.

        The planner asks before a transfer, so that a dry run and a run say the same (P10, P12).
        """
        caps = self.capabilities
        why = keys.tree_problem(key) if caps.hierarchical else keys.problem(key)
        if why is None and caps.max_key_bytes is not None and len(key.encode()) > caps.max_key_bytes:
            why = f"the name is longer than {caps.max_key_bytes} bytes"
        if why is not None:
            raise InvalidKeyError(why, operation="put", location=self.location, key=key)

    def close(self) -> None:  # noqa: B027 - nothing to release is the common case
        """Release connections; the backend is not used afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.location}>"
