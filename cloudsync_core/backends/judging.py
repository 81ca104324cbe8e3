"""The context in which what goes wrong becomes what it means."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVarTuple

from cloudsync_core.errors import BackendError

About = TypeVarTuple("About")

Meaning = Callable[[BaseException, str | None], BackendError | None]
"""Returns what a failure means, about a key or about the whole location; `None` of what is a defect of the program."""


class judging(Generic[*About]):  # noqa: N801 - it reads as the verb that it is
    """Raise what a judge makes of an exception instead of it; where that is `None`, the exception itself.

    A class, because a generator costs twice as much, several times for each object.

    Args:
        judge: returns the exception to raise instead of its first argument.
        about: what else it is given.
    """

    __slots__ = ("_about", "_judge")

    def __init__(self, judge: Callable[[BaseException, *About], Exception | None], *about: *About) -> None:
        self._judge = judge
        self._about = about

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        found = None if error is None else self._judge(error, *self._about)
        if found is not None:
            try:
                raise found from error
            finally:
                # This frame is in its traceback, and would keep it, with all that was open in the block, alive.
                del found


def naming(
    meaning: Meaning, operation: str, location: str, key: str | None = None
) -> judging[Meaning, str, str, str | None]:
    """Let only `BackendError`s out of a block (clause E1), and let each say what was done to which object.

    Args:
        meaning: judges what is no `BackendError`.
        operation: the verb of the contract.
        location: the backend's.
        key: the object, or `None` where the operation concerns the whole location.
    """
    return judging(_named, meaning, operation, location, key)


def named(error: BackendError, operation: str, location: str, key: str | None = None) -> BackendError:
    """Return an error that says what was done to which object: what it says already, or else this."""
    if not error.operation:
        error.operation, error.location, error.key = operation, location, key
    return error


def _named(
    failure: BaseException, meaning: Meaning, operation: str, location: str, key: str | None
) -> BackendError | None:
    if isinstance(failure, BackendError):
        named(failure, operation, location, key)
        return None
    found = meaning(failure, key)
    return None if found is None else named(found, operation, location, key)
