"""Jobs that keep a target in step with a source for as long as they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool

from cloudsync_core.config.fields import Interval, Options, Pause
from cloudsync_core.config.jobs.mirror import Mirroring
from cloudsync_core.config.jobs.requiring import requires
from cloudsync_core.config.section import Section

if TYPE_CHECKING:
    from cloudsync_core.config.fields import Converted

_AUTO: Any = "auto"


class EventsConfig(Section):
    """What tells a job of changes."""

    model_config = ConfigDict(title="events")

    source: str = Field(
        default="auto",
        min_length=1,
        description="The name of an event source: `local`, `poll`, one of a plugin, or `auto`, which is `local` "
        "for a directory and `poll` for anything else.",
    )
    options: Options = Field(
        default_factory=dict, repr=False, description="Options of the event source; see where it is described."
    )


def _events(value: object) -> object:
    if isinstance(value, str):
        return {"source": value}
    if isinstance(value, Mapping | EventsConfig):
        return value
    raise ValueError("must be the name of an event source, or a mapping with 'source' and 'options'")


if TYPE_CHECKING:
    EventsField = Converted[EventsConfig, EventsConfig | str]
else:
    EventsField = Annotated[
        EventsConfig,
        BeforeValidator(_events, json_schema_input_type=Annotated[str, Field(min_length=1)] | EventsConfig),
    ]


class Watching(Section):
    """What is special of a job that watches."""

    events: EventsField = Field(
        default=_AUTO,
        validate_default=True,
        json_schema_extra={"default": "auto"},
        description="What tells of changes: the name of an event source, or a mapping with `source` and `options`.",
    )
    interval: Interval = Field(
        default=30.0,
        description="Seconds between two listings of the source at most, where they are how changes are found.",
    )
    reconcile: Interval = Field(
        default=3600.0,
        description="Seconds between two comparisons of everything, which find what no event has told of.",
    )
    settle: Pause = Field(
        default=0.5, description="Seconds for which nothing was heard of an object, before it is looked at."
    )
    longest: Interval = Field(
        default=10.0, description="Seconds after which an object is looked at that changes all the time."
    )
    grace: Pause = Field(
        default=2.0,
        description="Seconds for which an object has to be gone before it is deleted: many programs save a file by "
        "deleting it and writing a new one.",
    )
    delete_window: Interval = Field(
        default=3600.0, description="Seconds for whose deletes, all together, `max_delete` is the limit."
    )
    lease: StrictBool = Field(
        default=False,
        description="Whether each look that writes keeps other runs from the target. By default it does not, so that "
        "several may watch one target; each object is written and deleted under conditions all the same.",
    )


class WatchJob(Watching, Mirroring):
    """A target that is kept equal to a source."""

    model_config = ConfigDict(title="watch job", json_schema_extra=requires("workflow"))

    workflow: Literal["watch"] = Field(default="watch", description="What the job does.")
