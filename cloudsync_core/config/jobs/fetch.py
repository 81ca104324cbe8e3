"""Jobs that keep a local tree at the release that a pointer names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, StrictInt

from cloudsync_core.config.fields import Interval, Name
from cloudsync_core.config.jobs.parts import Concurrent, LimitedBandwidth, LimitedOperations, OfWorkflow
from cloudsync_core.config.jobs.requiring import requires
from cloudsync_core.config.locations import LocationConfig, LocationField
from cloudsync_core.config.problems import KeyPath
from cloudsync_core.config.section import Section
from cloudsync_core.runs import Side

if TYPE_CHECKING:
    from cloudsync_core.config.fields import Converted


class ReleaseSource(Section):
    """The releases that a job follows."""

    model_config = ConfigDict(title="release source")

    release: LocationField = Field(description="Where the releases are: a URL, a path, or a mapping (see Locations).")


if TYPE_CHECKING:
    ReleaseField = Converted[ReleaseSource, ReleaseSource | Mapping[str, Any]]
else:
    ReleaseField = ReleaseSource


class Fetched(OfWorkflow):
    """A job that fetches releases."""

    source: ReleaseField = Field(description="Where the releases are: `{release: LOCATION}`.")
    target: LocationField = Field(
        description="The local directory that becomes the release: a symbolic link, which is moved from one tree to "
        "the next."
    )
    pointer: Name = Field(default="current", description="The pointer that is followed.")
    interval: Interval = Field(default=30.0, description="Seconds between two looks at the pointer.")
    keep: StrictInt = Field(
        default=2, ge=1, description="How many trees are kept beside the directory, the one that is live included."
    )

    def location(self, side: Side) -> tuple[LocationConfig, KeyPath]:
        """Return where the releases are, or the local directory."""
        return (self.source.release, ("source", "release")) if side == "source" else (self.target, ("target",))


class FetchJob(LimitedOperations, LimitedBandwidth, Concurrent, Fetched):
    """A local tree that follows a release."""

    model_config = ConfigDict(title="fetch job", json_schema_extra=requires("workflow"))

    workflow: Literal["watch"] = Field(default="watch", description="What the job does.")
