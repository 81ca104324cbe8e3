"""Who claims which name: one record a name, or a conflict that is an error once the name is needed."""

from __future__ import annotations

from typing import Generic, TypeVar

from cloudsync_core.errors import PluginConflictError
from cloudsync_core.plugins.status import PluginStatus

Record = TypeVar("Record")


class Claims(Generic[Record]):
    """The names of one kind that plugins registered.

    Args:
        kind: what a name names, for messages: "scheme", "comparator".
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._claims: dict[str, list[tuple[PluginStatus, Record]]] = {}

    def add(self, name: str, owner: PluginStatus, record: Record) -> None:
        """Note that a plugin claims `name`."""
        self._claims.setdefault(name, []).append((owner, record))

    def names(self) -> tuple[str, ...]:
        """Return every name, sorted."""
        return tuple(sorted(self._claims))

    def get(self, name: str) -> tuple[PluginStatus, Record] | None:
        """Return who serves `name`, and its record; `None` when nobody claims it.

        Raises:
            PluginConflictError: several plugins claim it.
        """
        claims = self._claims.get(name)
        if claims is None:
            return None
        if len(claims) > 1:
            owners = [owner for owner, _ in claims]
            raise PluginConflictError(
                f"the {self._kind} {name!r} is claimed by {' and by '.join(owner.label for owner in owners)}",
                hint=_remedy(owners),
            )
        return claims[0]

    def conflict(self, owner: PluginStatus) -> tuple[str, str] | None:
        """Return reason and remedy when a name of `owner` is claimed by somebody else too."""
        for name, claims in self._claims.items():
            owners = [claimant for claimant, _ in claims]
            others = [claimant.label for claimant in owners if claimant.label != owner.label]
            if owner in owners and others:
                return f"the {self._kind} {name!r} is also claimed by {' and by '.join(others)}", _remedy(owners)
        return None


def _remedy(owners: list[PluginStatus]) -> str:
    names = dict.fromkeys(owner.distribution for owner in owners if owner.distribution not in {"", "cloudsync-core"})
    return f"uninstall all but one, or name the others in plugins.deny: {', '.join(names)}"
