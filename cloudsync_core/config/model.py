"""What a configuration says: the same objects whether they come from a file or are made in Python.

    job = MirrorJob(source="./public", target="./backup", exclude=["*.tmp"], delete=True, max_delete="25%")

The fields' descriptions are the source of the option tables in docs/configuration.md and of the JSON Schema.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from cloudsync_core.config.deliveries import CommandDelivery, DeliverConfig, DirectoryDelivery, WebhookDelivery
from cloudsync_core.config.fields import Distributions, Literally
from cloudsync_core.config.headers import HeaderRuleConfig
from cloudsync_core.config.jobs.fetch import FetchJob, ReleaseSource
from cloudsync_core.config.jobs.kinds import Job
from cloudsync_core.config.jobs.mirror import Mirroring, MirrorJob
from cloudsync_core.config.jobs.publish import PublishJob
from cloudsync_core.config.jobs.release import ReleaseJob
from cloudsync_core.config.jobs.subscribe import ChannelSource, SubscribeJob
from cloudsync_core.config.jobs.watch import WatchJob
from cloudsync_core.config.locations import LocationConfig
from cloudsync_core.config.section import Section

__all__ = [
    "FORMAT_VERSION",
    "ChannelSource",
    "CommandDelivery",
    "Config",
    "DeliverConfig",
    "DirectoryDelivery",
    "FetchJob",
    "HeaderRuleConfig",
    "Job",
    "JobName",
    "LocationConfig",
    "MirrorJob",
    "Mirroring",
    "PluginsConfig",
    "PublishJob",
    "ReleaseJob",
    "ReleaseSource",
    "SubscribeJob",
    "WatchJob",
    "WebhookDelivery",
]

FORMAT_VERSION = 1
"""The version of the configuration's format that this cloudsync reads."""

_JOB_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class PluginsConfig(Section):
    """Which installed plugins may be loaded, by the names of their distributions."""

    model_config = ConfigDict(title="plugins")

    allow: Distributions | None = Field(default=None, description="Only these; by default all that are installed.")
    deny: Distributions = Field(default=(), description="Not these, even where `allow` names them.")


def _version(value: object) -> object:
    if type(value) is not int or value < FORMAT_VERSION:
        raise ValueError(f"must be {FORMAT_VERSION}")
    if value > FORMAT_VERSION:
        raise ValueError(f"this cloudsync reads version {FORMAT_VERSION}; the file is written for a newer one")
    return value


def _job_name(name: str) -> str:
    if re.match(_JOB_NAME, name) is None:
        raise ValueError("a job's name begins with a letter or a digit and holds only those, '.', '_' and '-'")
    return name


JobName = Annotated[str, AfterValidator(_job_name), WithJsonSchema({"type": "string", "pattern": _JOB_NAME})]


class Config(Section):
    """A configuration file of cloudsync."""

    model_config = ConfigDict(title="configuration")

    version: Annotated[Literal[1], BeforeValidator(_version)] = Field(description="The format of the file: `1`.")
    state: Literally = Field(
        default=".cloudsync/state.db",
        description="The file that remembers what the sides were when last known equal; relative to this file.",
    )
    plugins: PluginsConfig = Field(
        default_factory=PluginsConfig, description="Which installed plugins may be loaded (see Plugins)."
    )
    jobs: dict[JobName, Job] = Field(
        min_length=1,
        json_schema_extra={"additionalProperties": False},
        description="The jobs by name; they run in this order, beside those that go on until they are stopped "
        "(see Jobs).",
    )
