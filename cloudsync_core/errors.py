"""Every error that cloudsync raises on purpose.

The class says what went wrong; `exit_code` says how a command ends; a backend's error says by its
`Disposition` what the engine does next::

    CloudSyncError
    ├── ConfigError                     exit 2
    │   ├── OptionsError
    │   ├── UnknownBackendError
    │   └── SecretNotFoundError
    ├── PluginError                     exit 3
    │   ├── PluginLoadError
    │   ├── PluginIncompatibleError
    │   └── PluginConflictError
    ├── BackendError                    exit 4 when it ends a run, 1 when it fails one object
    │   ├── ObjectNotFoundError         skip
    │   ├── ObjectExistsError           skip
    │   ├── PreconditionFailedError     skip
    │   ├── InvalidKeyError             skip
    │   ├── KeyBlockedError             skip
    │   ├── IntegrityError              retry
    │   ├── UnsupportedOperationError   abort
    │   ├── ContainerNotFoundError      abort
    │   ├── AccessDeniedError           skip
    │   ├── UnauthenticatedError        abort
    │   ├── ThrottledError              retry
    │   ├── UnavailableError            retry
    │   └── UnexpectedBackendError      skip
    ├── RunError                        exit 4
    │   ├── PlanRejectedError
    │   ├── DeleteLimitExceededError
    │   ├── EmptySourceError
    │   ├── OverlappingLocationsError
    │   ├── ListingOrderError
    │   ├── PlanFileError
    │   ├── StateError
    │   ├── LeaseHeldError
    │   ├── LeaseLostError
    │   ├── ChannelError
    │   ├── UnsupportedFormatError
    │   ├── ReleaseConflictError
    │   └── ManifestError
    ├── DamagedUpdateError
    ├── DeliveryError
    └── CancelledError                  exit 130

No message holds a secret: whoever raises one of these leaves credentials out of it.
"""

from __future__ import annotations

import enum
from typing import Any, ClassVar, Literal


class Disposition(enum.Enum):
    """What the engine does with an operation that failed."""

    RETRY = "retry"
    """The same operation may succeed later."""
    SKIP = "skip"
    """This object fails; the others go on."""
    ABORT = "abort"
    """Nothing else will succeed either: the run stops starting operations."""


class CloudSyncError(Exception):
    """The base of every error that cloudsync raises on purpose.

    Attributes:
        exit_code: how a command that ends by this error exits (see docs/exit-codes.md).
        hint: what the user can do about it, or `None`. It is part of the message.
        report: the `RunReport` of the run that ended by it, where `cloudsync_core.mirror` raises it; otherwise `None`.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        # A `RunReport`, which lies above errors.
        self.report: Any = None

    def __str__(self) -> str:
        message = str(self.args[0])
        return f"{message}\n  {self.hint}" if self.hint else message


class ConfigError(CloudSyncError):
    """The configuration, or an argument of a command, is wrong; the message names the place."""

    exit_code = 2


class OptionsError(ConfigError):
    """The options of a location do not fit the model of its backend; the message names each, and no value.

    Attributes:
        problems: where in the options, and what is wrong there, one pair a problem.
    """

    def __init__(
        self, message: str, *, problems: tuple[tuple[tuple[str | int, ...], str], ...], hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class UnknownBackendError(ConfigError):
    """No installed backend serves the scheme of a location."""


class SecretNotFoundError(ConfigError):
    """A secret reference names something that does not exist."""


class PluginError(CloudSyncError):
    """A plugin that is needed cannot be used."""

    exit_code = 3


class PluginLoadError(PluginError):
    """A plugin failed while it was imported or registered."""


class PluginIncompatibleError(PluginError):
    """A plugin asks for another version of the core or of the plugin interface."""


class PluginConflictError(PluginError):
    """Two plugins claim the same name."""


class BackendError(CloudSyncError):
    """An operation of a backend failed.

    The message reads `{operation} {location}/{key}: {reason}`. The cause is chained.

    Args:
        reason: what happened, in words for the user, without secrets.
        operation: the verb of the contract: list, stat, get, put, delete, copy.
        location: the backend's `location`, for instance `memory://name/prefix`.
        key: the object's key, or `None` where the operation concerns the whole location.
        disposition: replaces the class's own disposition.
        retry_after: seconds that the provider asked us to wait, or `None`.
        hint: what the user can do about it.
    """

    exit_code = 4
    default_disposition: ClassVar[Disposition] = Disposition.SKIP

    def __init__(
        self,
        reason: str,
        *,
        operation: str = "",
        location: str = "",
        key: str | None = None,
        disposition: Disposition | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(reason, hint=hint)
        self.reason = reason
        self.operation = operation
        self.location = location
        self.key = key
        self.disposition = disposition or self.default_disposition
        self.retry_after = retry_after

    def __str__(self) -> str:
        place = self.location
        if self.key is not None:
            place = f"{place.rstrip('/')}/{printable(self.key)}" if place else printable(self.key)
        subject = " ".join(part for part in (self.operation, place) if part)
        message = f"{subject}: {self.reason}" if subject else self.reason
        return f"{message}\n  {self.hint}" if self.hint else message


class ObjectNotFoundError(BackendError):
    """The object does not exist (clause S1)."""


class ObjectExistsError(BackendError):
    """A put that wanted no object met one (clause P4)."""


class PreconditionFailedError(BackendError):
    """The object is no longer the version that the operation was meant for (clauses P4, G1, D2)."""


class InvalidKeyError(BackendError):
    """The backend cannot hold an object of this name."""


class KeyBlockedError(BackendError):
    """Another object is in the way on a hierarchical backend: a file where a folder must be, or the reverse.

    The engine tries again after its deletes, which may have cleared the way.
    """


class IntegrityError(BackendError):
    """The bytes are not the promised ones: a wrong length or a wrong digest (clause G2).

    Attributes:
        written: the `ObjectInfo` of what a put made visible all the same, where the store was wrong and did not notice;
            otherwise `None`.
    """

    default_disposition = Disposition.RETRY
    # An `ObjectInfo`, which lies above errors.
    written: Any = None


class UnsupportedOperationError(BackendError):
    """The backend was asked for what its capabilities do not declare (clause C1)."""

    default_disposition = Disposition.ABORT


class ContainerNotFoundError(BackendError):
    """The bucket, container or root directory does not exist (clause L2)."""

    default_disposition = Disposition.ABORT


class AccessDeniedError(BackendError):
    """The credentials are valid and do not allow this operation."""


class UnauthenticatedError(BackendError):
    """The credentials are missing, wrong or expired."""

    default_disposition = Disposition.ABORT


class ThrottledError(BackendError):
    """The provider asked for fewer requests."""

    default_disposition = Disposition.RETRY


class UnavailableError(BackendError):
    """The provider could not be reached, or answered that it cannot serve now."""

    default_disposition = Disposition.RETRY


class UnexpectedBackendError(BackendError):
    """The provider answered something that the backend does not know."""


class RunError(CloudSyncError):
    """A run was refused or aborted to protect data."""

    exit_code = 4


class PlanRejectedError(RunError):
    """A plugin's `review_plan` hook vetoed the plan."""


class DeleteLimitExceededError(RunError):
    """The plan deletes more than the job allows; nothing was deleted."""


class EmptySourceError(RunError):
    """The source is empty and the target is not; nothing was deleted."""


class OverlappingLocationsError(RunError):
    """The source and the target are the same place, or one lies inside the other."""


class ListingOrderError(RunError):
    """A listing came out of order, or with a key twice, from a backend that promises order (clause L1).

    Attributes:
        side: "source" or "target".
    """

    def __init__(self, message: str, *, side: Literal["source", "target"]) -> None:
        super().__init__(message)
        self.side = side


class PlanFileError(RunError):
    """A saved plan is damaged, cut short, or was made for something else."""


class StateError(RunError):
    """The state database cannot be used: locked by another run, damaged, or of another version."""


class LeaseHeldError(RunError):
    """Another run writes to the target; nothing was changed."""


class LeaseLostError(RunError):
    """The run could not keep other runs from the target any longer, and stopped writing."""


class ChannelError(RunError):
    """A channel cannot be used as asked: its name is somebody else's, or what is there is not a channel's."""


class UnsupportedFormatError(RunError):
    """Something was written by a newer cloudsync, in a format that this one does not know; the message says which."""


class ReleaseConflictError(RunError):
    """Somebody else moved the pointer of a release in the meantime; it was left as it is."""


class ManifestError(RunError):
    """A release's manifest is damaged, missing, or names a path outside the tree; nothing of it is used."""


class DamagedUpdateError(CloudSyncError):
    """What is in a channel under the name of an update is none, or is damaged; the message names the key."""


class DeliveryError(CloudSyncError):
    """An update could not be delivered.

    Attributes:
        retry: the same delivery may succeed later; otherwise the update is parked at once.
        retry_after: seconds that whoever was delivered to asked us to wait, or `None`.
    """

    def __init__(
        self, message: str, *, retry: bool = True, retry_after: float | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry = retry
        self.retry_after = retry_after


class CancelledError(CloudSyncError):
    """The run was interrupted by the user."""

    exit_code = 130


def printable(key: str) -> str:
    r"""Return `key` as it can be shown on one line of a terminal or a log.

    Control characters and undecodable bytes are escaped (`\n`, `\x1b`, `\udcff`), so that a key
    cannot forge output. Every other character stays as it is.
    """
    if key.isprintable():
        return key
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in key)
