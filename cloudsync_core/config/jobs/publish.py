"""Jobs that publish the objects of a location as updates of a channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictBool, field_validator

from cloudsync_core.channels.topic_template import template_problem
from cloudsync_core.config.fields import HeaderText, Literally, Name, Pause
from cloudsync_core.config.jobs.parts import Filtered, FromSource, LimitedBandwidth, LimitedOperations, ToTarget
from cloudsync_core.config.jobs.requiring import requires
from cloudsync_core.config.section import Section


class Published(Section):
    """A job that publishes updates."""

    as_: Literal["updates"] = Field(
        default="updates",
        alias="as",
        description="What is published: `updates` of a channel; for `release` see Release jobs.",
    )
    topic: Annotated[Literally, Field(title="topic")] = Field(
        default="{path}",
        description="The topic of an object's update, with `{path}`, `{name}`, `{stem}`, `{suffix}` and `{parent}` for "
        "the object's key and its parts.",
    )
    follow: StrictBool = Field(
        default=False,
        description="Whether the job goes on, and publishes files of a local directory as they are written.",
    )
    settle: Pause = Field(
        default=2.0,
        description="Seconds for which a file must have been quiet before it is published by a job that follows.",
    )
    metadata: Mapping[HeaderText, HeaderText] = Field(
        default_factory=dict, description="Metadata that every update carries, name by name."
    )
    content_type: HeaderText | None = Field(
        default=None, description="The media type of every update; by default it is guessed from the object's name."
    )
    publisher: Name | None = Field(
        default=None, description="The name under which the job publishes; by default that of this machine."
    )

    @field_validator("topic")
    @classmethod
    def _has_known_fields(cls, topic: str) -> str:
        if (why := template_problem(topic)) is not None:
            raise ValueError(why)
        return topic


class PublishJob(LimitedOperations, LimitedBandwidth, Published, Filtered, ToTarget, FromSource):
    """The objects of a location, published as updates of a channel."""

    model_config = ConfigDict(title="publish job", json_schema_extra=requires("workflow"))

    workflow: Literal["publish"] = Field(default="publish", description="What the job does.")
