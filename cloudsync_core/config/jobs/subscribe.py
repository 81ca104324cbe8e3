"""Jobs that deliver the updates of a channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StrictInt

from cloudsync_core.config.deliveries import Deliveries
from cloudsync_core.config.fields import Interval, Name, Start, TopicPattern
from cloudsync_core.config.jobs.parts import LimitedOperations, OfWorkflow
from cloudsync_core.config.jobs.requiring import requires
from cloudsync_core.config.locations import LocationConfig, LocationField
from cloudsync_core.config.problems import KeyPath
from cloudsync_core.config.section import Section
from cloudsync_core.runs import Side

if TYPE_CHECKING:
    from cloudsync_core.config.fields import Converted

_EARLIEST: Any = "earliest"


class ChannelSource(Section):
    """The channel that a job subscribes to."""

    model_config = ConfigDict(title="channel source")

    channel: LocationField = Field(description="The channel: a URL, a path, or a mapping (see Locations).")


if TYPE_CHECKING:
    ChannelField = Converted[ChannelSource, ChannelSource | Mapping[str, Any]]
else:
    ChannelField = ChannelSource


class Subscribed(OfWorkflow):
    """A job that receives updates."""

    source: ChannelField = Field(description="The channel whose updates are delivered: `{channel: LOCATION}`.")
    deliver: Deliveries = Field(description="What updates are delivered to: a mapping, or a list of them.")
    name: Name | None = Field(
        default=None, description="The name of the subscriber, which the channel remembers; by default the job's."
    )
    topics: Annotated[Sequence[TopicPattern], AfterValidator(tuple)] = Field(
        default=(), description="Patterns of the topics whose updates are delivered; by default all are."
    )
    interval: Interval = Field(default=30.0, description="Seconds between two looks at the channel.")
    start: Start = Field(
        default=_EARLIEST,
        description="Where a new subscriber begins: `earliest` with all that is there, `latest` with what is published "
        "from then on, or a time, for instance `2026-11-20T20:00:00Z`.",
    )
    skip_own: StrictBool = Field(
        default=False, description="Whether updates that `publisher` has published are not delivered."
    )
    publisher: Name | None = Field(
        default=None, description="The name of the own publisher; by default that of this machine."
    )
    attempts: StrictInt = Field(
        default=5,
        ge=1,
        le=100,
        description="How many times a delivery is attempted, with growing pauses, before the update is parked.",
    )
    register_: StrictBool = Field(
        default=True,
        alias="register",
        description="Whether the subscriber is known to the channel, which then keeps for it what it has not seen; "
        "without, the credentials need only read.",
    )

    def location(self, side: Side) -> tuple[LocationConfig, KeyPath]:
        """Return the channel; there is no target."""
        assert side == "source", "updates are delivered, not written to a location"
        return self.source.channel, ("source", "channel")


class SubscribeJob(LimitedOperations, Subscribed):
    """The updates of a channel, delivered."""

    model_config = ConfigDict(title="subscribe job", json_schema_extra=requires("workflow"))

    workflow: Literal["watch"] = Field(default="watch", description="What the job does.")
