"""The table of what may differ between the pairs: each row is explained by what a store can do, and none by its name.

A record of a pair is the ideal one (`story`) with the rows that apply, and nothing else; `test_equivalence` shows that
each row is needed wherever it applies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

from cloudsync_core import keys
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.content_types import guess
from cloudsync_core.models import Attributes
from tests.equivalence.history import Object
from tests.equivalence.records import Record
from tests.equivalence.stores import BOUNDARY, Store
from tests.equivalence.story import Objects, Work, ideal, story


@dataclasses.dataclass(frozen=True)
class End:
    """One end of a pair: a store, and what it says that it can do."""

    store: Store
    can: Capabilities


ITS_OWN = -1
"""The modification time of what has one that no script gave it."""

Carried = Callable[[str, Attributes], Attributes]
"""What becomes of the attributes of the object of a key."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """A row of the table.

    Attributes:
        title: what differs, as the documentation says it.
        why: what explains it.
        where: tells the pairs to which it applies.
        runs: changes the ideal record of a run.
        carried: changes what an object carries, by its key, from what the source's was given.
    """

    title: str
    why: str
    where: Callable[[End, End], bool]
    runs: Callable[[Work, Record, End], None] | None = None
    carried: Carried | None = None


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a pair has to come to; see `pairs.Played`."""

    records: list[Record | None]
    source: Objects
    target: Objects


def expected(source: End, target: End, *, without: Difference | None = None) -> Expected:
    """Return what the history between two stores has to come to, with one row of the table left out if that is told."""
    rows = [row for row in DIFFERENCES if row is not without and row.where(source, target)]
    told = list(story())
    records = [None if work.step.kills else ideal(work) for work, *_ in told]
    for (work, *_), record in zip(told, records, strict=True):
        if record is not None and work.step.command != "check":
            for row in rows:
                if row.runs is not None:
                    row.runs(work, record, target)
    _, there, copied = told[-1]
    return Expected(
        records,
        {key: _carrying(key, found, [_as_kept(source)]) for key, found in there.items()},
        {
            key: _carrying(
                key, found, [row.carried for row in rows if row.carried] if found.copied else [_as_kept(target)]
            )
            for key, found in copied.items()
        },
    )


def _carrying(key: str, found: Object, changes: Iterable[Carried]) -> Object:
    attributes = found.attributes
    for change in changes:
        attributes = change(key, attributes)
    return dataclasses.replace(found, attributes=attributes, copied=False)


def _as_kept(end: End) -> Carried:
    """Return what becomes of the attributes of an object that is written there."""

    def kept(key: str, attributes: Attributes) -> Attributes:
        if end.can.hierarchical:
            attributes = _folders_carry_nothing(key, attributes)
        return attributes if end.can.user_metadata else _without_headers(key, attributes)

    return kept


def _add(record: Record, **numbers: int) -> None:
    """Add to numbers of a report; a dot in their place is written as two underscores."""
    for name, number in numbers.items():
        place = name.replace("__", ".").replace("server_copy", "server-copy")
        total = record.report.pop(place, 0) + number
        if total:
            record.report[place] = total


def _is_performed(work: Work) -> bool:
    return work.step.command == "run" and not work.refused


def _lost(work: Work) -> list[str]:
    return work.troubled("lost its answer")


def _of(work: Work, *doubts: str) -> int:
    return sum(doubt in doubts for doubt in work.doubts.values())


def _edited_parts(work: Work) -> list[str]:
    return [key for key, doubt in work.doubts.items() if doubt == "edited" and len(work.source[key].data) > BOUNDARY]


def _inside(source: End, target: End) -> bool:
    return source.store is target.store and target.can.server_copy


def _copied_inside(work: Work, record: Record, _: End) -> None:
    if not _is_performed(work):
        return
    lost = len(_lost(work))
    report = record.report
    report.pop("bytes_transferred", None)
    report.pop("requests.source.get", None)
    # What was lost is found again by its digest.
    written = len(work.writes) - lost
    _add(record, verified__md5=-written, verified__server_copy=written)
    puts = report.pop("requests.target.put", 0)
    # A read that is cut is no part of a copy.
    _add(record, requests__target__copy=puts, requests__source__stat=_ruled(work))
    for place in [place for place in report if place.startswith("failures.") and isinstance(report[place], list)]:
        report[place] = [text.replace("put ", "copy ", 1) for text in report[place]]
    for event in record.events.values():
        if "error" in event:
            event["error"] = event["error"].replace("put ", "copy ", 1)


def _copied_once_more(work: Work, record: Record, _: End) -> None:
    again = sum(key in work.updates for key in _lost(work))
    _add(record, verified__md5=-again, verified__server_copy=again, requests__target__stat=-again)


def _lost_parts_looked_up(work: Work, record: Record, _: End) -> None:
    _add(record, requests__source__stat=sum(len(work.source[key].data) > BOUNDARY for key in _lost(work)))


def _ruled(work: Work) -> int:
    return sum(key.endswith(".css") for key in work.writes)


def _looked_at_before_replaced(work: Work, record: Record, _: End) -> None:
    if _is_performed(work):
        again = sum(key in work.updates for key in _lost(work))
        updates = len(work.updates)
        _add(record, requests__target__stat=updates + again, requests__target__put=-again, requests__source__get=-again)


def _looked_at_before_deleted(work: Work, record: Record, _: End) -> None:
    if _is_performed(work):
        _add(record, requests__target__stat=len(work.removed))


def _deleted_in_bulk(work: Work, record: Record, target: End) -> None:
    deletes = record.report.get("requests.target.delete", 0)
    requests = -(-deletes // target.can.bulk_delete_max)
    _add(record, requests__target__delete=requests - deletes)


def _asked_for_folders(work: Work, record: Record, _: End) -> None:
    _add(record, requests__target__stat=sum(keys.is_marker(key) for key in work.adds))


def _source_hashed(work: Work, record: Record, _: End) -> None:
    _add(record, requests__source__get=len(work.doubts))


def _target_hashed(work: Work, record: Record, _: End) -> None:
    _add(record, requests__target__get=_of(work, "drifted", "unknown"))


def _parts_looked_up(work: Work, record: Record, target: End) -> None:
    edited = _edited_parts(work)
    _add(record, requests__source__stat=len(edited))
    # Then the target is asked, in its own way, for the digest of the same parts.
    way = {"requests__target__get": len(edited)} if target.can.local_reads else {"requests__target__stat": len(edited)}
    _add(record, **way)
    for key in edited:
        record.events[key]["reason"] = "digest"


def _read_back(work: Work, record: Record, _: End) -> None:
    if not _is_performed(work):
        return
    told = {key: new for key, new in work.writes.items() if key not in _lost(work)}
    empty = sum(not new.data for new in told.values())
    read = len(told) - empty
    _add(record, verified__md5=-len(told), verified__size=empty, verified__readback=read, requests__target__get=read)


def _lost_read_back(work: Work, record: Record, _: End) -> None:
    lost = len(_lost(work))
    _add(record, verified__md5=-lost, verified__readback=lost, requests__target__get=lost)


def _without_headers(key: str, attributes: Attributes) -> Attributes:
    del key
    return Attributes(mtime_ns=attributes.mtime_ns)


def _guessed(key: str, attributes: Attributes) -> Attributes:
    """Return what a source without headers gives: a guess, and what the job's rules add."""
    ruled = key.endswith(".css")
    return Attributes(
        content_type=guess(key),
        mtime_ns=attributes.mtime_ns,
        cache_control=attributes.cache_control if ruled else None,
        metadata=attributes.metadata if ruled else {},
    )


def _own_time_of_folders(key: str, attributes: Attributes) -> Attributes:
    return dataclasses.replace(attributes, mtime_ns=ITS_OWN) if keys.is_marker(key) else attributes


def _folders_carry_nothing(key: str, attributes: Attributes) -> Attributes:
    return Attributes() if keys.is_marker(key) else attributes


DIFFERENCES = (
    Difference(
        "objects are copied inside the provider: no content passes, and `copy` stands for `get` and `put`",
        "both sides are in one provider, which can copy; only objects with a header rule are looked at",
        _inside,
        _copied_inside,
    ),
    Difference(
        "an object whose answer was lost is copied once more",
        "moto completes an upload in parts whatever the condition, and so are conditional copies made where the server "
        "is not Amazon's",
        lambda source, target: _inside(source, target) and target.store.completes_parts_unasked,
        _copied_once_more,
    ),
    Difference(
        "the source of a large copy whose answer was lost is looked at (`stat`), to know the copy for the run's own",
        "the source's listing tells no digest of what was uploaded in parts",
        lambda source, target: _inside(source, target) and not source.store.lists_digests_of_parts,
        _lost_parts_looked_up,
    ),
    Difference(
        "an object is looked at (`stat`) before it is replaced",
        "the target cannot replace an object on condition that it is the version that was listed",
        lambda _, target: not target.can.put_if_match,
        _looked_at_before_replaced,
    ),
    Difference(
        "an object is looked at (`stat`) before it is deleted",
        "the target cannot delete an object on condition that it is the version that was listed",
        lambda _, target: not target.can.delete_if_match,
        _looked_at_before_deleted,
    ),
    Difference(
        "several objects are deleted by one request",
        "the target takes many keys in one request",
        lambda _, target: target.can.bulk_delete_max > 1,
        _deleted_in_bulk,
    ),
    Difference(
        "the target is asked (`stat`) whether a folder is there before its marker is written",
        "the target's names form a directory tree, in which a folder that holds something is not listed",
        lambda _, target: target.can.hierarchical,
        _asked_for_folders,
    ),
    Difference(
        "the source's content is read when only it can tell whether an object has changed",
        "the source tells no digests, and reading it costs no network",
        lambda source, _: not source.store.lists_digests and source.can.local_reads,
        _source_hashed,
    ),
    Difference(
        "the target's content is read when only it can tell whether an object is right",
        "the target tells no digests, and reading it costs no network",
        lambda _, target: not target.store.lists_digests and target.can.local_reads,
        _target_hashed,
    ),
    Difference(
        "a large object that was written again is looked at on both sides, and the reason is `digest`",
        "the source's listing tells no digest of what was uploaded in parts",
        lambda source, _: source.store.lists_digests and not source.store.lists_digests_of_parts,
        _parts_looked_up,
    ),
    Difference(
        "what was written is read back (`readback`), or only measured when it is empty (`size`)",
        "neither side tells digests",
        lambda source, target: not (source.store.lists_digests or target.store.lists_digests),
        _read_back,
    ),
    Difference(
        "an object whose answer was lost is read back to know it for the run's own",
        "the target tells no digests",
        lambda _, target: not target.store.lists_digests,
        _lost_read_back,
    ),
    Difference(
        "the target's objects carry the modification time, a content type by their name, and what the job's rules set",
        "the source stores no headers and no metadata",
        lambda source, target: target.can.user_metadata and not source.can.user_metadata,
        carried=_guessed,
    ),
    Difference(
        "the marker of an empty folder carries the folder's own time",
        "on the source an empty folder is a directory",
        lambda source, target: source.can.hierarchical and not target.can.hierarchical,
        carried=_own_time_of_folders,
    ),
    Difference(
        "the target's objects carry the modification time and nothing else",
        "the target stores no headers and no metadata",
        lambda _, target: not target.can.user_metadata,
        carried=_without_headers,
    ),
    Difference(
        "the marker of an empty folder carries nothing",
        "on the target it is a directory",
        lambda _, target: target.can.hierarchical,
        carried=_folders_carry_nothing,
    ),
)
"""In the order in which they are applied."""
