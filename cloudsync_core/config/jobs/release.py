"""Jobs that publish a tree as a release."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, StrictInt

from cloudsync_core.config.fields import Name
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
from cloudsync_core.config.jobs.requiring import requires
from cloudsync_core.config.section import Section


class Released(Section):
    """A job that publishes a release."""

    as_: Literal["release"] = Field(
        default="release", alias="as", description="What is published: a `release`; for `updates` see Publish jobs."
    )
    pointer: Name = Field(
        default="current", description="The pointer that is moved to the new release once all of it is there."
    )
    tree: Literal["shared", "whole"] = Field(
        default="shared",
        description="Where the objects of a release lie that an earlier one has, too: `shared` leaves them there, and "
        "the manifest refers to them; `whole` has the provider copy them, so that each release is a complete folder.",
    )
    publisher: Name | None = Field(
        default=None, description="The name under which the release is published; by default that of this machine."
    )
    keep: StrictInt | None = Field(
        default=None,
        ge=1,
        description="How many releases are left when older ones are pruned after each new one; by default none is "
        "pruned.",
    )


class ReleaseJob(
    Alone,
    WithHeaders,
    LimitedOperations,
    LimitedBandwidth,
    Concurrent,
    Verified,
    Released,
    Filtered,
    ToTarget,
    FromSource,
):
    """A location's objects, published as a release."""

    model_config = ConfigDict(title="release job", json_schema_extra=requires("workflow", "as"))

    workflow: Literal["publish"] = Field(default="publish", description="What the job does.")
