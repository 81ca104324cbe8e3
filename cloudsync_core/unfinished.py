"""What is left of puts that were cut short: a later put goes on from there, or it is found and removed.

A put that fails in order leaves nothing behind (clause P2). A crash does: an upload that nobody completes, a temporary
file. Both have a name that only who made them knows, the *token*, which is remembered while the put goes on.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, Protocol


class Resumption(Protocol):
    """What is remembered of one put of one content beyond the process that began it.

    It belongs to one version of the source's object: where that has changed, nothing is remembered. Nobody else is
    given the token, so a put that finds one is the only one that goes on from there.
    """

    @property
    def token(self) -> str | None:
        """What an earlier put has saved and not forgotten, or `None`."""

    def save(self, token: str) -> None:
        """Remember what a later put needs to go on; call it before the first byte is sent.

        Args:
            token: text that means something to the same backend only. Whoever has it may be able to add to the upload,
                but not to read anything.
        """

    def forget(self) -> None:
        """Forget the token: nothing is left of the put, because it succeeded or because it was undone."""

    def kept(self, size: int) -> None:
        """Count bytes that were there already, were found right, and are not sent again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Leftover:
    """Something that a put has left behind, or has just begun.

    Attributes:
        kind: what it is.
        key: the object that it would have become; where nobody can tell, the key under which it lies.
        token: names it for `Backend.discard`.
        modified_ns: when it was begun or last changed: nanoseconds since the epoch, UTC; `None` where nobody tells.
        size: bytes that it holds, `None` where nobody tells.
        recorded: it is one of those of which the caller has a record.
        ours: it is cloudsync's for certain, by its record or by its name; others may use the same store.
        expiry: how the store removes it by itself, in words for the user, where nothing else can remove it.
    """

    kind: Literal["temporary file", "unfinished upload", "lease"]
    key: str
    token: str
    modified_ns: int | None = None
    size: int | None = None
    recorded: bool = False
    ours: bool = False
    expiry: str | None = None
