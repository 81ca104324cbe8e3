"""The two ends of a pair, and what follows from them together."""

from __future__ import annotations

import dataclasses

from cloudsync_core.capabilities import Capabilities
from tests.equivalence.stores import Store


@dataclasses.dataclass(frozen=True)
class End:
    """One end of a pair: a store, and what it says that it can do."""

    store: Store
    can: Capabilities


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two ends between which the history is played."""

    source: End
    target: End

    @property
    def copies_inside(self) -> bool:
        """Return whether the provider copies, so that no content passes."""
        return self.source.store is self.target.store and self.target.can.server_copy

    @property
    def knows_parts_differently(self) -> bool:
        """Return whether what the two sides tell of large objects cannot be compared."""
        known = {end.store.digest_of_parts for end in (self.source, self.target)}
        return len(known) > 1 and not (self.source.can.local_reads or self.target.can.local_reads)
