"""How the record of a run differs from the ideal one, difference by difference."""

from __future__ import annotations

from cloudsync_core import keys
from tests.equivalence.ends import Pair
from tests.equivalence.records import Record
from tests.equivalence.stores import BOUNDARY
from tests.equivalence.story import Work, is_ruled


def copied_inside(work: Work, record: Record, _: Pair) -> None:
    """The provider copies: what would pass does not."""
    if not _is_performed(work):
        return
    lost = len(work.lost)
    report = record.report
    report.pop("bytes_transferred", None)
    report.pop("requests.source.get", None)
    # What was lost is found again by its digest.
    written = len(work.writes) - lost
    _add(record, verified__md5=-written, verified__server_copy=written)
    # A read that is cut is no part of a copy.
    puts = report.pop("requests.target.put", 0) - len(work.cut)
    _add(record, requests__target__copy=puts, requests__source__stat=_ruled(work))
    for place in [place for place in report if place.startswith("failures.") and isinstance(report[place], list)]:
        report[place] = [text.replace("put ", "copy ", 1) for text in report[place]]
    for event in record.events.values():
        if "error" in event:
            event["error"] = event["error"].replace("put ", "copy ", 1)


def copied_once_more(work: Work, record: Record, _: Pair) -> None:
    """A conditional copy whose answer was lost is made again, as if nobody had made it."""
    again = sum(key in work.updates for key in work.lost)
    _add(record, verified__md5=-again, verified__server_copy=again, requests__target__stat=-again)


def not_copied_with_other_headers(work: Work, record: Record, _: Pair) -> None:
    """What a header rule is for passes, after the attempt to copy it."""
    if _is_performed(work):
        size = sum(len(new.data) for key, new in work.writes.items() if is_ruled(key))
        ruled = _ruled(work)
        _add(record, bytes_transferred=size, requests__source__get=ruled, requests__target__put=ruled)
        _add(record, verified__md5=ruled, verified__server_copy=-ruled)


def lost_parts_looked_up(work: Work, record: Record, _: Pair) -> None:
    """The digest of a large object is asked for when the answer to its copy was lost."""
    _add(record, requests__source__stat=sum(len(work.source[key].data) > BOUNDARY for key in work.lost))


def looked_at_before_replaced(work: Work, record: Record, _: Pair) -> None:
    """A look stands for the condition of a put; it also finds what an earlier attempt wrote."""
    if _is_performed(work):
        again = sum(key in work.updates for key in work.lost)
        updates = len(work.updates)
        _add(record, requests__target__stat=updates + again, requests__target__put=-again, requests__source__get=-again)


def looked_at_before_deleted(work: Work, record: Record, _: Pair) -> None:
    """A look stands for the condition of a delete."""
    if _is_performed(work):
        _add(record, requests__target__stat=len(work.removed | work.stuck))


def deleted_in_bulk(work: Work, record: Record, pair: Pair) -> None:
    """One request deletes many objects."""
    told = record.report.get("requests.target.delete", 0)
    if told:
        again = len(work.troubled("delete", "answered 503", "answered 500")) - len(work.stuck)
        requests = -(-len(work.removed | work.stuck) // pair.target.can.bulk_delete_max) + again
        _add(record, requests__target__delete=requests - told)


def asked_for_folders(work: Work, record: Record, _: Pair) -> None:
    """The target is asked for the folder of each new marker."""
    _add(record, requests__target__stat=sum(keys.is_marker(key) for key in work.adds))


def source_hashed(work: Work, record: Record, _: Pair) -> None:
    """The source is read for its digest, whatever the doubt."""
    _add(record, requests__source__get=len(work.doubts))


def target_hashed(work: Work, record: Record, _: Pair) -> None:
    """The target is read for its digest, unless it is what the base knows."""
    _add(record, requests__target__get=_of(work, "drifted", "unknown"))


def source_parts_looked_up(work: Work, record: Record, pair: Pair) -> None:
    """The digest of what was uploaded in parts is asked for."""
    edited, unknown = _large(work, "edited"), _large(work, "unknown")
    both = len(edited) + len(unknown)
    _add(record, requests__source__stat=both)
    # Then the target is asked, in its own way, for the digest of the same parts.
    if not pair.target.can.local_reads:
        _add(record, requests__target__stat=both)
    else:
        # Where the target tells no digests, what nobody knows is read in any case.
        _add(record, requests__target__get=both if pair.target.store.lists_digests else len(edited))
    if not pair.knows_parts_differently:
        for key in edited:
            record.events[key]["reason"] = "digest"


def target_parts_looked_up(work: Work, record: Record, pair: Pair) -> None:
    """The digest of what was uploaded in parts is asked for, if the base does not have it."""
    unknown = len(_large(work, "unknown"))
    _add(record, requests__target__stat=unknown)
    # Then the source is asked, in its own way, for the digest of the same parts.
    if not pair.source.can.local_reads:
        _add(record, requests__source__stat=unknown)
    elif pair.source.store.lists_digests:
        _add(record, requests__source__get=unknown)


def copied_again(work: Work, record: Record, _: Pair) -> None:
    """What cannot be told apart is taken for changed."""
    if not _is_performed(work):
        return
    unknown = {key: work.source[key] for key in _large(work, "unknown")}
    count = len(unknown)
    _add(record, counts__updated=count, counts__unchanged=-count, verified__md5=count)
    _add(record, requests__source__get=count, requests__target__put=count)
    _add(record, bytes_transferred=sum(len(new.data) for new in unknown.values()))
    told = {"event": "action_finished", "action": "update", "reason": "no-base", "status": "done", "kept": False}
    record.events |= {key: {**told, "size": len(new.data)} for key, new in unknown.items()}


def copies_looked_up(work: Work, record: Record, _: Pair) -> None:
    """The digest of what was copied in one part is asked for, if the base does not have it."""
    small = set(work.doubts) - set(_large(work, *work.doubts.values()))
    doubts = [key for key in small if work.target[key].copied and work.doubts[key] in {"unknown", "drifted"}]
    _add(record, requests__target__stat=len(doubts))


def not_told_apart(work: Work, record: Record) -> None:
    """Nothing tells whether large objects are equal."""
    large = {key for key, doubt in work.doubts.items() if len(work.source[key].data) > BOUNDARY}
    report = record.report
    _add(record, same=-len(large - work.updates.keys()), differ=-len(large & work.updates.keys()), unknown=len(large))
    report |= {"exit code": 1, "exit_code": 1}
    report.pop("equal", None)
    reason = "no digest is common to both stores; --download compares the bytes"
    record.events |= {key: {"event": "difference_found", "kind": "unknown", "reason": reason} for key in large}


def read_back(work: Work, record: Record, _: Pair) -> None:
    """What was written is read, as far as there is anything to read."""
    if not _is_performed(work):
        return
    told = {key: new for key, new in work.writes.items() if key not in work.lost}
    empty = sum(not new.data for new in told.values())
    read = len(told) - empty
    _add(record, verified__md5=-len(told), verified__size=empty, verified__readback=read, requests__target__get=read)


def lost_read_back(work: Work, record: Record, _: Pair) -> None:
    """What was written without an answer is read."""
    lost = len(work.lost)
    _add(record, verified__md5=-lost, verified__readback=lost, requests__target__get=lost)


def _add(record: Record, **numbers: int) -> None:
    """Add to numbers of a report; a dot in their place is written as two underscores."""
    for name, number in numbers.items():
        place = name.replace("__", ".").replace("server_copy", "server-copy")
        total = record.report.pop(place, 0) + number
        if total:
            record.report[place] = total


def _is_performed(work: Work) -> bool:
    return work.step.command == "run" and not work.refused


def _of(work: Work, *doubts: str) -> int:
    return sum(doubt in doubts for doubt in work.doubts.values())


def _large(work: Work, *doubts: str) -> list[str]:
    return [key for key, doubt in work.doubts.items() if doubt in doubts and len(work.source[key].data) > BOUNDARY]


def _ruled(work: Work) -> int:
    return sum(map(is_ruled, work.writes))
