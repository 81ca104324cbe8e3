"""The record that a run leaves between two stores that can do everything and tell the MD5 of what they hold."""

from __future__ import annotations

from typing import Any

from tests.equivalence.records import Record
from tests.equivalence.runs import JOB
from tests.equivalence.story import Work


def ideal(work: Work) -> Record:
    """Return the record of a run between two stores that can do everything."""
    return _of_check(work) if work.step.command == "check" else _of_run(work)


def _of_run(work: Work) -> Record:
    dry = work.step.command == "dry run"
    written = {} if dry else work.writes
    attempts = len(written) + len(work.troubled("write", "answered 503", "answered 500")) + len(work.lost)
    deletes = len(work.removed) + len(work.troubled("delete", "answered 503", "answered 500"))
    listings = [fault.side for fault in work.step.faults if fault.verb == "list"]
    numbers = {
        "counts.added": len(work.adds.keys() - work.failed),
        "counts.updated": len(work.updates),
        "counts.deleted": len(work.deletes) if dry else len(work.removed),
        "counts.failed": len(work.failed | work.stuck),
        "counts.unchanged": len(work.source) - len(work.adds) - len(work.updates),
        "bytes_transferred": sum(len(new.data) for new in written.values()),
        "verified.md5": len(written),
        # A page that is cut is asked for once more, and so is what follows it.
        "requests.source.list": 1 + 2 * listings.count("source"),
        "requests.target.list": 1 + 2 * listings.count("target"),
        "requests.source.get": attempts + len(work.troubled("get", "cut in the middle")),
        "requests.target.put": attempts + len(work.cut),
        "requests.target.stat": len(work.lost),
        "requests.target.delete": 0 if dry else deletes,
        "target_objects": len(work.target),
        "deletes_withheld": len(work.deletes - work.removed - work.stuck),
    }
    report: dict[str, Any] = {name: number for name, number in numbers.items() if number}
    report |= {"run.job": JOB, "run.workflow": "mirror", "run.source": "SOURCE", "run.target": "TARGET"}
    report |= {"run.dry_run": True} if dry else {}
    report |= _ending(work)
    return Record(report, _events(work, dry=dry))


def _ending(work: Work) -> dict[str, Any]:
    if work.refused:
        deletes, there, most = len(work.deletes), len(work.target), work.step.rules["max_delete"]
        message = (
            f"{deletes} of the {there} objects of TARGET would be deleted, which is more than max_delete ({most}); "
            "nothing was deleted\n  If that is right, raise max_delete (--max-delete) for one run."
        )
        return {"status": "refused", "exit_code": 4, "exit code": 4, "message": message}
    if failed := sorted(work.failed | work.stuck):
        message = f"{len(work.deletes)} deletes were held back: {len(failed)} transfers failed"
        return {
            "status": "partial",
            "exit_code": 1,
            "exit code": 1,
            **({"message": message} if work.failed else {}),
            "failures.UnavailableError": [_refusal(work, key) for key in failed],
            "failures.UnavailableError.count": len(failed),
        }
    return {"status": "done", "exit code": 0}


def _events(work: Work, *, dry: bool) -> dict[str, Any]:
    actions = {
        **{key: ("add", "not-on-target", len(new.data)) for key, new in work.adds.items()},
        **{key: ("update", work.reasons[key], len(new.data)) for key, new in work.updates.items()},
        **dict.fromkeys(work.deletes if dry else work.removed | work.stuck, ("delete", "not-on-source", 0)),
    }
    told = {key: dict(zip(("action", "reason", "size"), action, strict=True)) for key, action in actions.items()}
    if dry:
        return {key: {"event": "action_planned", "kept": False, **action} for key, action in told.items()}
    failure = {"status": "failed", "cause": "UnavailableError"}
    return {
        key: {
            "event": "action_finished",
            "kept": False,
            **action,
            **({**failure, "error": _refusal(work, key)} if key in work.failed | work.stuck else {"status": "done"}),
        }
        for key, action in told.items()
    }


def _refusal(work: Work, key: str) -> str:
    return f"{'delete' if key in work.stuck else 'put'} TARGET/{key}: the request was answered 500"


def _of_check(work: Work) -> Record:
    found = {
        **dict.fromkeys(work.adds, ("only-on-source", "not-on-target")),
        **{key: ("differs", reason) for key, reason in work.reasons.items()},
        **dict.fromkeys(work.deletes, ("only-on-target", "not-on-source")),
    }
    numbers = {
        "same": len(work.source) - len(work.adds) - len(work.updates),
        "differ": len(work.updates),
        "only_on_source": len(work.adds),
        "only_on_target": len(work.deletes),
        "exit_code": int(bool(found)),
    }
    report = {name: number for name, number in numbers.items() if number}
    report |= {"equal": True} if not found else {}
    events = {key: {"event": "difference_found", "kind": kind, "reason": why} for key, (kind, why) in found.items()}
    return Record({**report, "exit code": int(bool(found))}, events)
