"""The values that describe a run: what was planned for a key, what happened to it, and the report.

They are the same in Python, in JSON (`--json`, the state database, saved plans) and in what plugins receive.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from cloudsync_core.errors import CloudSyncError
from cloudsync_core.models import ObjectInfo

ActionKind = Literal["add", "update", "delete"]
OutcomeStatus = Literal["done", "skipped", "failed"]
RunStatus = Literal["done", "partial", "refused", "aborted", "interrupted"]
Side = Literal["source", "target"]

EXIT_CODES: dict[RunStatus, int] = {"done": 0, "partial": 1, "refused": 4, "aborted": 4, "interrupted": 130}
"""How a command that ran one job exits."""


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """What will be done to one key of the target, and why.

    Attributes:
        kind: "add" and "update" write the target's object, "delete" removes it.
        key: the object, on both sides.
        reason: machine-readable: the verdict of the comparison, for instance "not-on-target" or "size".
        source: the source's object that will be written; `None` for a delete.
        target: the target's object as it was listed; `None` for an add.
        seen_at: when the target was seen to be so: seconds of this process's monotonic clock, not saved in plans.
    """

    kind: ActionKind
    key: str
    reason: str
    source: ObjectInfo | None = None
    target: ObjectInfo | None = None
    seen_at: float = dataclasses.field(default=float("-inf"), repr=False, compare=False)

    @property
    def size(self) -> int:
        """Bytes that the action moves; 0 for a delete."""
        return 0 if self.source is None else self.source.size


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one action.

    Attributes:
        action: the action.
        status: "done", "failed", or "skipped" (it was not started, or no longer applied).
        bytes: content bytes that were sent to the target through this machine.
        bytes_resumed: those that an earlier run had sent before it was killed, and that were found to be right.
        verified: how the content was proven right, for instance "md5", "readback", "server-copy", "size"; `None` where
            nothing was written.
        error: the message, on one line or more; `None` unless failed or skipped.
        cause: the error's class name, for grouping.
        written: the target's object after the action, where it wrote one.
        source: the source's object as it was read, which may be newer than the action's.
        digest: a digest of the content, as `Digest` prints it, where one was computed.
        fatal: nothing else can succeed either, so the run starts no other operation.
        kept: the version of the target that was listed is kept aside in the job's `backup`.
    """

    action: Action
    status: OutcomeStatus
    bytes: int = 0
    verified: str | None = None
    error: str | None = None
    cause: str | None = None
    written: ObjectInfo | None = None
    source: ObjectInfo | None = None
    digest: str | None = None
    fatal: bool = False
    bytes_resumed: int = 0
    kept: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class RunInfo:
    """One execution of a job.

    Attributes:
        id: unique and ordered by start time.
        job: the job's name.
        workflow: "mirror", "publish" or "watch".
        source: location, without credentials.
        target: likewise.
        dry_run: whether nothing is written.
        started: seconds since the epoch, UTC.
    """

    id: str
    job: str
    workflow: str
    source: str
    target: str
    dry_run: bool
    started: float


@dataclasses.dataclass(slots=True)
class Counts:
    """Objects by what became of them; each object of either side is counted once.

    Attributes:
        added: written where there was none.
        updated: written over another version.
        deleted: removed from the target.
        unchanged: proven equal, or left alone by the rules of the job (a key only on the target without `delete`).
        skipped: left out by the rules (a symlink), or by a run that ended early; see the report's failures.
        unknown: on one side in a state that cannot be told or mapped; neither copied nor deleted.
        failed: tried, and not done.
    """

    added: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    skipped: int = 0
    unknown: int = 0
    failed: int = 0


@dataclasses.dataclass(slots=True)
class FailureGroup:
    """Failures, skips and unknowns of one cause.

    Attributes:
        cause: an error's class name, or a reason.
        count: how many.
        examples: the first few messages, each naming its key.
    """

    cause: str
    count: int = 0
    examples: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class RunReport:
    """What a run did, bounded in size whatever the number of objects.

    Attributes:
        run: which run.
        status: "done", "partial" (some objects failed or are unknown), "refused" (a limit or rule protected the
            target), "aborted" (the run could not go on) or "interrupted".
        counts: objects; in a dry run, what would become of them.
        bytes_transferred: content bytes sent to the target through this machine.
        bytes_resumed: content bytes that earlier runs had sent before they were killed, and that were not sent again.
        requests: operations by side and verb, for instance `{"source": {"list": 3}}`.
        verified: objects written, by how their content was proven right.
        seconds: wall time.
        failures: grouped by cause, the most frequent first.
        message: why the run was refused, aborted or held its deletes back; `None` otherwise.
        deletes_withheld: deletes that were planned and not tried.
        target_objects: objects that the target's listing showed, excluded ones left out.
        kept: objects of the target that were kept aside before they were overwritten or deleted; in a dry run, what
            would be.
        bytes_kept: their bytes.
        release: the release that readers of the job's pointer see now; `None` where the job publishes none.
        error: what refused, aborted or interrupted the run, in Python only; `message` says it in words.
    """

    run: RunInfo
    status: RunStatus = "done"
    counts: Counts = dataclasses.field(default_factory=Counts)
    bytes_transferred: int = 0
    bytes_resumed: int = 0
    requests: dict[Side, dict[str, int]] = dataclasses.field(default_factory=dict)
    verified: dict[str, int] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    failures: list[FailureGroup] = dataclasses.field(default_factory=list)
    message: str | None = None
    deletes_withheld: int = 0
    target_objects: int = 0
    kept: int = 0
    bytes_kept: int = 0
    release: str | None = None
    error: CloudSyncError | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def exit_code(self) -> int:
        """How a command that ran this job alone exits (docs/exit-codes.md)."""
        return EXIT_CODES[self.status]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        values = dataclasses.asdict(dataclasses.replace(self, error=None))
        del values["error"]
        return {**values, "exit_code": self.exit_code}
