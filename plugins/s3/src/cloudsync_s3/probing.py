"""probe: which conditions a server honours that is not Amazon's, found out by trying them (catalogue E11).

A condition is honoured if the server refuses a request for which it does not hold, and does not refuse one for which
it holds. Each is tried on a small object of its own, side by side, so that all of it takes as long as three requests
do; the fourth, which removes the objects, is not waited for.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import logging
import uuid
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import Any, Final, Literal

from cloudsync_core.backend import NO_ATTRIBUTES
from cloudsync_core.errors import BackendError, Disposition, PreconditionFailedError
from cloudsync_core.models import IfAbsent, IfMatch
from cloudsync_s3 import attributes as headers
from cloudsync_s3 import versions
from cloudsync_s3.conditions import Honoured, Kinds
from cloudsync_s3.place import Place

_LOG = logging.getLogger(__name__)

NAMES: Final = ".cloudsync/probe-"
"""How the keys of the objects begin."""

CLEANING_ATTEMPTS: Final = 3

_CONTENT: Final = b"cloudsync finds out what this server can do\n"
_MD5: Final = hashlib.md5(_CONTENT, usedforsecurity=False).hexdigest()
_ETAG_OF_NOTHING: Final = "0" * 32
_KINDS: Final[Mapping[str, Kinds]] = {"if-absent": (IfAbsent,), "if-match": (IfMatch,)}

About = Literal["writes", "deletes"]


@dataclasses.dataclass(frozen=True, slots=True)
class _Check:
    """An object is made, and then something is asked of it under a condition.

    Attributes:
        about: the option that it is for.
        kind: the condition.
        holds: whether it holds.
    """

    about: About
    kind: Literal["if-absent", "if-match"]
    holds: bool


_CHECKS: Final = (
    # Here it is the making of the object for which the condition holds.
    _Check("writes", "if-absent", holds=False),
    _Check("writes", "if-match", holds=False),
    _Check("writes", "if-match", holds=True),
    _Check("deletes", "if-match", holds=False),
    _Check("deletes", "if-match", holds=True),
)


class Prober:
    """Finds out what the server of a place honours; used by one thread.

    Args:
        place: where.
        honoured: is told what was found.
        about: what is to be found out; nothing where all is known.
    """

    def __init__(self, place: Place, honoured: Honoured, about: Collection[About]) -> None:
        self._place = place
        self._honoured = honoured
        self._about = frozenset(about)
        self._cleaning: dict[str, Future[None]] = {}

    def probe(self, known: str | None) -> str | None:
        """Find out what nobody has said; see `Backend.probe`."""
        if not self._about:
            return None
        found = _read(known)
        if not self._about <= found.keys():
            found = self._try()
        if "writes" in self._about:
            self._honoured.puts = tuple(kind for name in found["writes"] for kind in _KINDS.get(name, ()))
        if "deletes" in self._about:
            self._honoured.deletes = "if-match" in found["deletes"]
        return json.dumps(found, sort_keys=True)

    def close(self) -> None:
        """Wait until the objects are gone."""
        for key, deleting in self._cleaning.items():
            try:
                self._place.connection.wait(deleting)
            except BackendError as error:
                _LOG.warning("what cloudsync has tried the server with is left, for cloudsync gc to remove: %s", error)
                _LOG.debug("it is %s", key)
        self._cleaning.clear()

    def _try(self) -> dict[str, list[str]]:
        # Who may not delete would leave behind what follows.
        self._delete(_new_key())
        checks = [check for check in _CHECKS if check.about in self._about]
        trying = [self._place.connection.submit(functools.partial(self._passes, check)) for check in checks]
        failures = [failure for one in trying if (failure := one.exception()) is not None]
        if failures:
            raise failures[0]
        failed = {(check.about, check.kind) for check, one in zip(checks, trying, strict=True) if not one.result()}
        kept = [(check.about, check.kind) for check in checks if (check.about, check.kind) not in failed]
        return {about: sorted({kind for of, kind in kept if of == about}) for about in sorted(self._about)}

    def _passes(self, check: _Check) -> bool:
        """Return whether the server does what the condition says.

        Raises:
            BackendError: no object can be made, or the server could not be asked.
        """
        key = _new_key()
        try:
            made = self._made(key, check)
            return made is not None and self._answers(key, check, made)
        finally:
            self._cleaning[key] = self._place.connection.submit(functools.partial(self._clean, key))

    def _answers(self, key: str, check: _Check, made: Mapping[str, Any]) -> bool:
        """Return whether the server refuses what it should refuse, and nothing else."""
        etag = versions.plain(made.get("ETag")) if check.holds else _ETAG_OF_NOTHING
        try:
            with self._place.errors("probe", key):
                if check.kind == "if-absent":
                    self._put(key, IfNoneMatch="*")
                elif check.about == "writes":
                    self._put(key, IfMatch=f'"{etag}"')
                else:
                    self._place.call(key, "delete_object", IfMatch=f'"{etag}"')
        except PreconditionFailedError:
            return not check.holds
        except BackendError as error:
            if error.disposition is Disposition.RETRY:
                raise
            # The server does not know the condition, and says so.
            return False
        return check.holds

    def _made(self, key: str, check: _Check) -> dict[str, Any] | None:
        """Make an object; return `None` where only the condition is in the way."""
        if check.kind == "if-match":
            with self._place.errors("probe", key):
                return self._put(key)
        try:
            with self._place.errors("probe", key):
                return self._put(key, IfNoneMatch="*")
        except BackendError as error:
            if error.disposition is Disposition.RETRY:
                raise
            return None

    def _put(self, key: str, **wanted: str) -> dict[str, Any]:
        return self._place.put_object(key, _CONTENT, _MD5, headers.to_request(NO_ATTRIBUTES), wanted)

    def _delete(self, key: str) -> None:
        with self._place.errors("probe", key):
            self._place.call(key, "delete_object")

    def _clean(self, key: str) -> None:
        for _ in range(CLEANING_ATTEMPTS - 1):
            try:
                self._delete(key)
            except BackendError as error:
                if error.disposition is not Disposition.RETRY:
                    raise
            else:
                return
        self._delete(key)


def _new_key() -> str:
    return NAMES + uuid.uuid4().hex[:12]


def _read(known: str | None) -> dict[str, list[str]]:
    """Return what was found earlier; nothing where another version of this program has told it in another way."""
    try:
        found = json.loads(known or "{}")
        return {str(about): [str(kind) for kind in kinds] for about, kinds in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
