"""The table of what may differ between the pairs: each row is explained by what a store or its test server can do.

A record of a pair is the ideal one (`story`) with the rows that apply, and nothing else; `test_equivalence` shows that
each row is needed wherever it applies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tests.equivalence import carrying, changes
from tests.equivalence.carrying import Carried
from tests.equivalence.ends import Pair
from tests.equivalence.records import Record
from tests.equivalence.stores import Store
from tests.equivalence.story import Work


@dataclasses.dataclass(frozen=True)
class Difference:
    """A row of the table.

    Attributes:
        title: what differs, as the documentation says it.
        why: what explains it.
        where: tells the pairs to which it applies.
        runs: changes the ideal record of a run.
        checks: changes that of a check.
        carried: changes what an object carries, by its key, from what the source's was given.
    """

    title: str
    why: str
    where: Callable[[Pair], bool]
    runs: Callable[[Work, Record, Pair], None] | None = None
    checks: Callable[[Work, Record], None] | None = None
    carried: Carried | None = None


def _leaves_out_parts(store: Store) -> bool:
    return store.lists_digests and not store.lists_digests_of_parts


DIFFERENCES = (
    Difference(
        "objects are copied inside the provider: no content passes, and `copy` stands for `get` and `put`",
        "both sides are in one provider, which can copy; only objects with a header rule are looked at",
        lambda pair: pair.copies_inside,
        changes.copied_inside,
    ),
    Difference(
        "an object whose answer was lost is copied once more",
        "moto completes an upload in parts whatever the condition, and so are conditional copies made where the server "
        "is not Amazon's",
        lambda pair: pair.copies_inside and pair.target.store.completes_parts_unasked,
        changes.copied_once_more,
    ),
    Difference(
        "the source of a large copy whose answer was lost is looked at (`stat`), to know the copy for the run's own",
        "the source's listing tells no digest of what was uploaded in parts",
        lambda pair: pair.copies_inside and not pair.source.store.lists_digests_of_parts,
        changes.lost_parts_looked_up,
    ),
    Difference(
        "an object with a header rule passes through this machine, after a copy of it was refused",
        "Azurite has no Put Block From URL, by which the service copies under other headers",
        lambda pair: pair.copies_inside and not pair.target.store.copies_with_other_headers,
        changes.not_copied_with_other_headers,
    ),
    Difference(
        "an object is looked at (`stat`) before it is replaced",
        "the target cannot replace an object on condition that it is the version that was listed",
        lambda pair: not pair.target.can.put_if_match,
        changes.looked_at_before_replaced,
    ),
    Difference(
        "an object is looked at (`stat`) before it is deleted",
        "the target cannot delete an object on condition that it is the version that was listed",
        lambda pair: not pair.target.can.delete_if_match,
        changes.looked_at_before_deleted,
    ),
    Difference(
        "several objects are deleted by one request",
        "the target takes many keys in one request",
        lambda pair: pair.target.can.bulk_delete_max > 1,
        changes.deleted_in_bulk,
    ),
    Difference(
        "the target is asked (`stat`) whether a folder is there before its marker is written",
        "the target's names form a directory tree, in which a folder that holds something is not listed",
        lambda pair: pair.target.can.hierarchical,
        changes.asked_for_folders,
    ),
    Difference(
        "the source's content is read when only it can tell whether an object has changed",
        "the source tells no digests, and reading it costs no network",
        lambda pair: not pair.source.store.lists_digests and pair.source.can.local_reads,
        changes.source_hashed,
    ),
    Difference(
        "the target's content is read when only it can tell whether an object is right",
        "the target tells no digests, and reading it costs no network",
        lambda pair: not pair.target.store.lists_digests and pair.target.can.local_reads,
        changes.target_hashed,
    ),
    Difference(
        "a large object that was written again is looked at on both sides, and the reason is `digest`",
        "the source's listing tells no digest of what was uploaded in parts",
        lambda pair: _leaves_out_parts(pair.source.store),
        changes.source_parts_looked_up,
    ),
    Difference(
        "a large object of which the state knows nothing is looked at on both sides",
        "the target's listing tells no digest of what was uploaded in parts, and the source's tells another or none",
        lambda pair: _leaves_out_parts(pair.target.store) and not _leaves_out_parts(pair.source.store),
        changes.target_parts_looked_up,
    ),
    Difference(
        "an object of which the state knows nothing is looked at (`stat`) on the target",
        "what was copied inside a server other than Amazon's was copied in parts, of which the listing tells no digest",
        lambda pair: pair.copies_inside and pair.target.store.completes_parts_unasked,
        changes.copies_looked_up,
    ),
    Difference(
        "a large object of which the state knows nothing is copied again",
        "one side tells the MD5 of what was uploaded in parts, the other that of its parts, and reading either costs a "
        "network",
        lambda pair: pair.knows_parts_differently,
        changes.copied_again,
    ),
    Difference(
        "`cloudsync check` without `--download` cannot tell whether large objects are equal",
        "one side tells the MD5 of what was uploaded in parts, the other that of its parts, and reading either costs a "
        "network",
        lambda pair: pair.knows_parts_differently,
        checks=changes.not_told_apart,
    ),
    Difference(
        "what was written is read back (`readback`), or only measured when it is empty (`size`)",
        "neither side tells digests",
        lambda pair: not (pair.source.store.lists_digests or pair.target.store.lists_digests),
        changes.read_back,
    ),
    Difference(
        "an object whose answer was lost is read back to know it for the run's own",
        "the target tells no digests",
        lambda pair: not pair.target.store.lists_digests,
        changes.lost_read_back,
    ),
    Difference(
        "the target's objects carry the modification time, a content type by their name, and what the job's rules set",
        "the source stores no headers and no metadata",
        lambda pair: pair.target.can.user_metadata and not pair.source.can.user_metadata,
        carried=carrying.guessed,
    ),
    Difference(
        "the marker of an empty folder carries the folder's own time",
        "on the source an empty folder is a directory",
        lambda pair: pair.source.can.hierarchical and not pair.target.can.hierarchical,
        carried=carrying.own_time_of_folders,
    ),
    Difference(
        "the target's objects carry the modification time and nothing else",
        "the target stores no headers and no metadata",
        lambda pair: not pair.target.can.user_metadata,
        carried=carrying.without_headers,
    ),
    Difference(
        "the marker of an empty folder carries nothing",
        "on the target it is a directory",
        lambda pair: pair.target.can.hierarchical,
        carried=carrying.folders_carry_nothing,
    ),
)
"""In the order in which they are applied."""
