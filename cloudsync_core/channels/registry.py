"""Who subscribes to a channel, and how far each has got: what pruning asks before it removes anything.

    subscribers/<name>.json     {"format": 1, "name", "instance", "floor", "newest", "at", "parked": [...]}

A subscriber writes it when it begins, and from time to time when it has got further; an idle one writes nothing. A name
belongs to the *instance* whose state database made it: a second one of that name would have updates pruned that the
first has not seen.
"""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.channels import ids, names
from cloudsync_core.channels.update import rfc3339
from cloudsync_core.errors import (
    AccessDeniedError,
    ChannelError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
)
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.models import ALWAYS, IF_ABSENT, Attributes, IfMatch, PutCondition, Version

FORMAT: Final = 1

STALE_SECONDS: Final = 3600.0
"""After so long without a word, another instance may take over the name of a subscriber."""

PARKED: Final = 1000
"""Objects of parked updates that a registration names, at most."""

_LONGEST: Final = 1024 * 1024
_SUFFIX: Final = ".json"
_SECOND_NS: Final = 1_000_000_000
_TIES: Final = 3

_FLOOR_STEP_NS: Final = 60 * _SECOND_NS
"""How far the floor has to move to be worth a request, where nothing else is new."""


@dataclasses.dataclass(frozen=True, slots=True)
class Registration:
    """A subscriber, as the channel knows it.

    Attributes:
        name: of the subscriber.
        instance: which of that name; "" where the registration cannot be read.
        floor: every update with an id below it was settled; `None` where none is known to be.
        newest: so was every one up to this id, when the subscriber last wrote; "" where it had not got so far.
        at: when that was, by its host's clock: RFC 3339, UTC.
        parked: ids of the objects that hold what could not be delivered.
        modified_ns: when that was, by the store's clock: nanoseconds since the epoch, UTC.
        version: of the object.
        problem: why it cannot be read, in words for the user; `None` where it can.
    """

    name: str
    instance: str
    floor: str | None
    newest: str
    at: str
    parked: tuple[str, ...]
    modified_ns: int
    version: Version
    problem: str | None = None


def registered(backend: Backend) -> Iterator[Registration]:
    """Yield the subscribers of a channel; one that cannot be read has seen nothing, as far as anybody knows.

    Raises:
        BackendError: they cannot be listed or read.
    """
    for page in backend.list(names.SUBSCRIBERS):
        for key in page.keys:
            name = key.removeprefix(f"{names.SUBSCRIBERS}/").removesuffix(_SUFFIX)
            if key == names.subscriber_key(name) and names.problem(name) is None:
                found = read(backend, name)
                if found is not None:
                    yield found


def read(backend: Backend, name: str) -> Registration | None:
    """Return the subscriber of a name, or `None` where there is none.

    Raises:
        BackendError: that cannot be told.
    """
    try:
        reader = backend.read(names.subscriber_key(name), _LONGEST)
        if reader is None:
            info = backend.stat(names.subscriber_key(name))
            return Registration(
                name, "", None, "", "", (), info.modified_ns, info.version, f"it has more than {_LONGEST} bytes"
            )
        return _parsed(name, reader.read(), reader.info.modified_ns, reader.info.version)
    except ObjectNotFoundError:
        return None


def forget(backend: Backend, name: str) -> bool:
    """Remove a subscriber from a channel: nothing is kept for it any more; return whether there was one.

    One that lives registers again when it gets further.

    Raises:
        ConfigError: it cannot be the name of a subscriber.
        BackendError: the channel cannot be written.
    """
    names.checked(name, "subscriber")
    found = read(backend, name) is not None
    if found:
        backend.delete(names.subscriber_key(name))
    return found


class Desk:
    """Keeps the registration of one subscriber.

    Args:
        backend: the channel.
        name: of the subscriber.
        instance: which of that name.
        clock: tells nanoseconds since the epoch, UTC.
        stop: ends waits.
    """

    def __init__(
        self,
        backend: Backend,
        name: str,
        instance: str,
        *,
        clock: Callable[[], int] = time.time_ns,
        stop: threading.Event | None = None,
    ) -> None:
        self._backend = backend
        self._name = name
        self._instance = instance
        self._clock = clock
        self._stop = stop
        self._policy = RetryPolicy()
        self._written: tuple[str | None, str, tuple[str, ...]] | None = None

    def claim(self, floor: str | None, newest: str, parked: tuple[str, ...], *, anew: bool) -> int:
        """Take the name, where nobody else has it, and return when the registration was written.

        Args:
            floor: see `Registration`; likewise the others.
            newest: likewise.
            parked: likewise.
            anew: write it even where it is ours already.

        Returns:
            Nanoseconds since the epoch, by the store's clock.

        Raises:
            ChannelError: another instance has the name.
            AccessDeniedError: the channel may not be written.
            BackendError: likewise, for another reason.
        """
        for _ in range(_TIES):
            found = read(self._backend, self._name)
            if found is not None and found.instance == self._instance and not anew:
                self._written = (found.floor, found.newest, found.parked)
                return found.modified_ns
            self._check(found)
            try:
                return self._write(floor, newest, parked, found)
            except (ObjectExistsError, PreconditionFailedError):
                # Somebody else was faster; or an answer was lost, and it was this one.
                anew = False
        raise self._taken(None)

    def write(self, floor: str | None, newest: str, parked: tuple[str, ...]) -> None:
        """Write how far the subscriber is, unless it is written already, or nearly so; raises as `claim`."""
        if self._written is not None and self._written[1:] == (newest, parked) and _near(floor, self._written[0]):
            return
        self.claim(floor, newest, parked, anew=True)

    def _check(self, found: Registration | None) -> None:
        if found is None or found.instance == self._instance:
            return
        if self._clock() - found.modified_ns < STALE_SECONDS * _SECOND_NS:
            raise self._taken(found)

    def _taken(self, found: Registration | None) -> ChannelError:
        heard = "" if found is None else f", last heard of at {rfc3339(found.modified_ns / _SECOND_NS)}"
        return ChannelError(
            f"{self._backend.location}: another subscriber has the name {self._name!r}{heard}",
            hint="Give each subscriber a name of its own. If that one is gone, or its state database was lost, remove "
            f"it by `cloudsync channel forget CHANNEL {self._name}`.",
        )

    def _write(self, floor: str | None, newest: str, parked: tuple[str, ...], found: Registration | None) -> int:
        content = {
            "format": FORMAT,
            "name": self._name,
            "instance": self._instance,
            "floor": floor,
            "newest": newest,
            "at": rfc3339(self._clock() / _SECOND_NS),
            "parked": parked,
        }
        data = json.dumps(content).encode()
        condition = self._condition(found)
        key, attributes = names.subscriber_key(self._name), Attributes(content_type="application/json")
        try:
            info = self._policy.call(
                lambda: self._backend.put(key, Body(data), attributes=attributes, condition=condition), self._stop
            )
        except AccessDeniedError as error:
            error.hint = error.hint or "Who may only read a channel can subscribe without being registered."
            raise
        self._written = (floor, newest, parked)
        return info.modified_ns

    def _condition(self, found: Registration | None) -> PutCondition:
        capabilities = self._backend.capabilities
        if found is None:
            return IF_ABSENT if capabilities.put_if_absent else ALWAYS
        return IfMatch(found.version) if capabilities.put_if_match and found.version else ALWAYS


def _near(floor: str | None, written: str | None) -> bool:
    if floor is None or written is None:
        return floor == written
    return abs(ids.time_ns(floor) - ids.time_ns(written)) < _FLOOR_STEP_NS


def _parsed(name: str, content: bytes, modified_ns: int, version: Version) -> Registration:
    try:
        found = json.loads(content)
        if found["format"] != FORMAT:
            return Registration(name, "", None, "", "", (), modified_ns, version, "its format is unknown")
        floor, newest, parked = found["floor"], found["newest"], tuple(found["parked"])
        ids.time_ns(floor or ids.stamp(0))
        if found["name"] == name and all(ids.is_object_id(one) for one in (*parked, *([newest] if newest else ()))):
            return Registration(
                name, str(found["instance"]), floor, newest, str(found["at"]), parked, modified_ns, version
            )
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return Registration(name, "", None, "", "", (), modified_ns, version, "it is damaged")
