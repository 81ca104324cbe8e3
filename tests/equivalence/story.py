"""What the history means: the work of each run, and the objects afterwards. Nothing here asks cloudsync."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

from cloudsync_core.runs import Side
from tests.equivalence.faults import Kind, Verb
from tests.equivalence.history import HEADER_RULE, HISTORY, RULES
from tests.equivalence.script import Object, Step

Objects = dict[str, Object]
Doubt = Literal["touched", "edited", "drifted", "unknown"]
"""Why two objects of one size have to be looked at: the source was written again with the same content, or with other
content, or the target was written by others, or nothing is known of the two."""

READ_AT_ONCE = 1024 * 1024
"""Bytes up to which an object is read before it is written, so that a cut of it costs no second put."""

_EXCLUDED = "scratch/"


@dataclasses.dataclass
class Work:
    """What one run has to do.

    Attributes:
        step: the step.
        source: the source's objects in scope.
        target: the target's, before the run.
        adds: objects to write that the target lacks.
        updates: objects to write in place of others.
        reasons: why each update is needed.
        deletes: keys to remove.
        doubts: pairs of one size of which the base does not say whether they are equal.
        failed: keys of `adds` that cannot be written.
        stuck: keys of `deletes` that cannot be removed.
        refused: whether the run's deletes are more than are allowed.
    """

    step: Step
    source: Objects
    target: Objects
    adds: Objects = dataclasses.field(default_factory=dict)
    updates: Objects = dataclasses.field(default_factory=dict)
    reasons: dict[str, str] = dataclasses.field(default_factory=dict)
    deletes: set[str] = dataclasses.field(default_factory=set)
    doubts: dict[str, Doubt] = dataclasses.field(default_factory=dict)
    failed: set[str] = dataclasses.field(default_factory=set)
    stuck: set[str] = dataclasses.field(default_factory=set)
    refused: bool = False

    @property
    def writes(self) -> Objects:
        """Return what is there after the run that was not there before."""
        return {key: new for key, new in {**self.adds, **self.updates}.items() if key not in self.failed}

    @property
    def removed(self) -> set[str]:
        """Return the keys that the run removes."""
        return set() if self.failed or self.refused else self.deletes - self.stuck

    @property
    def attempts(self) -> int:
        """Return how many times an operation is attempted."""
        return int(self.step.rules.get("retries", RULES["retries"]))

    def troubled(self, verb: Verb, *kinds: Kind) -> list[str]:
        """Return the keys whose requests meet one of these troubles, each as often as it does."""
        met = [fault for fault in self.step.faults if fault.verb == verb and fault.kind in kinds and fault.key]
        return [fault.key for fault in met for _ in range(min(fault.times, self.attempts)) if fault.key]

    @property
    def lost(self) -> list[str]:
        """Return the keys that are written without an answer."""
        return self.troubled("write", "lost its answer")

    @property
    def cut(self) -> list[str]:
        """Return the keys whose content is cut, but for those that are read before anything is written."""
        return [key for key in self.troubled("get", "cut in the middle") if len(self.source[key].data) > READ_AT_ONCE]


def story() -> Iterator[tuple[Work, Objects, Objects]]:
    """Yield the work of each run, and everything that is on the source and on the target after it."""
    sides: dict[Side, Objects] = {"source": {}, "target": {}}
    base: dict[str, tuple[Object, Object]] = {}
    for step in HISTORY:
        if step.forgets:
            base.clear()
        for edit in step.edits:
            if edit.written is None:
                del sides[edit.side][edit.key]
            else:
                sides[edit.side][edit.key] = edit.written
        source, target = (_in_scope(sides[side]) for side in ("source", "target"))
        work = _work(step, source, target, base)
        if step.command == "run":
            _perform(work, sides["target"], base)
        yield work, dict(sides["source"]), dict(sides["target"])


def _in_scope(objects: Objects) -> Objects:
    return {key: value for key, value in objects.items() if not key.startswith(_EXCLUDED)}


def _work(step: Step, source: Objects, target: Objects, base: dict[str, tuple[Object, Object]]) -> Work:
    work = Work(step, source, target, deletes=target.keys() - source.keys())
    for key, new in source.items():
        if key not in target:
            work.adds[key] = new
            continue
        old = target[key]
        known = base.get(key)
        reason = "digest"
        if len(new.data) != len(old.data):
            reason = "size"
        elif not new.data or (known == (new, old) and step.command != "check"):
            continue
        elif known is None or step.command == "check":
            work.doubts[key] = "unknown"
        elif known[0] is new:
            work.doubts[key] = "drifted"
        else:
            reason = "source-changed"
            work.doubts[key] = "touched" if new.data == old.data else "edited"
        if new.data != old.data:
            work.updates[key], work.reasons[key] = new, reason
    for fault in step.faults:
        if fault.key and fault.times >= work.attempts:
            (work.stuck if fault.verb == "delete" else work.failed).add(fault.key)
    work.refused = len(work.deletes) > step.rules.get("max_delete", len(target))
    return work


def _perform(work: Work, target: Objects, base: dict[str, tuple[Object, Object]]) -> None:
    if work.step.kills:
        # What it wrote before its end is there, and nobody knows.
        last = min(work.troubled("write", "killed"))
        target.update({key: _copy(key, new) for key, new in work.writes.items() if key < last})
        return
    target.update({key: _copy(key, new) for key, new in work.writes.items()})
    for key in work.removed:
        del target[key]
        base.pop(key, None)
    base.update({key: (new, target[key]) for key, new in work.source.items() if key in target})


def _copy(key: str, new: Object) -> Object:
    """Return the object as the job writes it, with what its header rules set."""
    attributes = new.attributes
    if is_ruled(key):
        metadata = {**attributes.metadata, **HEADER_RULE["metadata"]}
        attributes = dataclasses.replace(attributes, cache_control=HEADER_RULE["cache_control"], metadata=metadata)
    return dataclasses.replace(new, attributes=attributes, copied=True)


def is_ruled(key: str) -> bool:
    """Tell whether the job's header rule is for the object of a key."""
    return key.endswith(".css")
