"""Jobs that make a target equal to a source."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, StrictBool

from cloudsync_core.config.fields import Limit, Literally
from cloudsync_core.config.jobs.parts import (
    Alone,
    Concurrent,
    Filtered,
    FromSource,
    LimitedBandwidth,
    LimitedOperations,
    ToTarget,
    Verified,
    WithHeaders,
)
from cloudsync_core.config.locations import OptionalLocationField
from cloudsync_core.config.section import Section
from cloudsync_core.engine.policy import DeleteLimit

_DEFAULT_LIMIT: Any = DeleteLimit(percent=50)
_NO_BACKUP: Any = None


class Equalising(Section):
    """A job that makes a target equal to a source, deletes included."""

    delete: StrictBool = Field(
        default=False, description="Whether objects of the target that the source does not have are deleted."
    )
    max_delete: Limit = Field(
        default=_DEFAULT_LIMIT,
        json_schema_extra={"default": str(_DEFAULT_LIMIT)},
        description="The most objects that one run may delete: a number, or a percentage of the target's objects. "
        "A run that would delete more deletes nothing and exits 4.",
    )
    allow_empty_source: StrictBool = Field(
        default=False, description="Whether a source without any object may empty the target."
    )
    accept_filter_change: StrictBool = Field(
        default=False,
        description="Whether objects of the target are deleted that are in scope only since the job's filter was "
        "changed.",
    )
    backup: OptionalLocationField = Field(
        default=_NO_BACKUP,
        description="Where objects of the target are kept aside before they are overwritten or deleted, in a folder "
        "named after the run: a URL, a path, or a mapping (see Backups).",
    )
    compare: Literally = Field(
        default="auto",
        description="How changed objects are found: `auto`, `size`, `mtime`, `checksum`, `always`, or a plugin's.",
    )


class Mirroring(
    Alone,
    WithHeaders,
    LimitedOperations,
    LimitedBandwidth,
    Concurrent,
    Verified,
    Equalising,
    Filtered,
    ToTarget,
    FromSource,
):
    """All that a job can say which makes a target equal to a source, once or all the time."""

    server_copy: StrictBool = Field(
        default=True,
        description="Whether objects are copied inside the provider where both sides are there and it is allowed.",
    )


class MirrorJob(Mirroring):
    """A target that is made equal to a source."""

    model_config = ConfigDict(title="mirror job")

    workflow: Literal["mirror"] = Field(default="mirror", description="What the job does.")
