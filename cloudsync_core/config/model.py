"""What a configuration says: the same objects whether they come from a file or are made in Python.

    job = MirrorJob(source="./public", target="./backup", exclude=["*.tmp"], delete=True, max_delete="25%")

The fields' descriptions are the source of the option tables in docs/configuration.md and of the JSON Schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    WithJsonSchema,
    model_validator,
)

from cloudsync_core.config.fields import (
    ByteCount,
    Distributions,
    HeaderText,
    Limit,
    Literally,
    OperationRate,
    Options,
    Patterns,
    Rate,
    Referring,
    Regexes,
)
from cloudsync_core.engine.bandwidth import Timetable
from cloudsync_core.engine.policy import DeleteLimit, HeaderRule
from cloudsync_core.engine.quantities import show_bytes

if TYPE_CHECKING:
    from cloudsync_core.config.fields import Converted

FORMAT_VERSION = 1
"""The version of the configuration's format that this cloudsync reads."""

_JOB_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_METADATA_NAME = r"^[a-z0-9][a-z0-9._-]*$"
_DEFAULT_LIMIT: Any = DeleteLimit(percent=50)
_DEFAULT_MEMORY: Any = 128 * 1024**2
_NO_BACKUP: Any = None
_NO_LIMIT: Any = Timetable.parse("off")


class Section(BaseModel):
    """A mapping of the file: unknown options are errors, and what was read does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class LocationConfig(Section):
    """Where objects are: a container or a directory, and how to reach it."""

    model_config = ConfigDict(title="location")

    url: Referring = Field(
        description="`scheme://container/prefix`, or a local path, which is relative to the configuration file."
    )
    options: Options = Field(
        default_factory=dict,
        repr=False,
        description="Options of the backend that serves the scheme; see the page of its package.",
    )


def _location(value: object) -> object:
    if isinstance(value, str):
        return {"url": value}
    if isinstance(value, Mapping | LocationConfig):
        return value
    raise ValueError("must be text (a URL or a path), or a mapping with 'url' and 'options'")


if TYPE_CHECKING:
    LocationField = Converted[LocationConfig, LocationConfig | str]
    OptionalLocationField = Converted[LocationConfig | None, LocationConfig | str | None]
else:
    LocationField = Annotated[
        LocationConfig,
        BeforeValidator(_location, json_schema_input_type=Annotated[str, Field(min_length=1)] | LocationConfig),
    ]
    OptionalLocationField = LocationField | None


def _metadata_name(name: str) -> str:
    if re.match(_METADATA_NAME, name) is None:
        raise ValueError("a metadata name holds only lower-case letters, digits, '.', '_' and '-'")
    return name


MetadataName = Annotated[
    str, AfterValidator(_metadata_name), WithJsonSchema({"type": "string", "pattern": _METADATA_NAME})
]


class HeaderRuleConfig(Section):
    """Headers and metadata for the objects whose keys match; of several rules that set one, the last wins."""

    model_config = ConfigDict(title="header rule")

    match: Patterns = Field(min_length=1, description="gitignore patterns of the keys that the rule is for.")
    content_type: HeaderText | None = Field(default=None, description="Replaces the guessed or carried media type.")
    cache_control: HeaderText | None = Field(default=None, description="How long readers may cache the object.")
    content_encoding: HeaderText | None = Field(
        default=None, description="How the content is encoded, for instance `gzip`. cloudsync does not encode it."
    )
    content_disposition: HeaderText | None = Field(
        default=None, description="Whether browsers show or save the object, and by which name."
    )
    content_language: HeaderText | None = Field(default=None, description="The language of the content.")
    metadata: Mapping[MetadataName, HeaderText] = Field(
        default_factory=dict,
        json_schema_extra={"additionalProperties": False},
        description="User metadata that is added to what the object carries, name by name.",
    )

    @model_validator(mode="after")
    def _sets_something(self) -> Self:
        if not self.metadata and not self._header_fields():
            raise ValueError("the rule sets nothing")
        return self

    def rule(self, resolve: Callable[..., str] = lambda value, *_: value) -> HeaderRule:
        """Return the rule that the engine applies.

        Args:
            resolve: called with a value and the names that lead to it; returns it with references replaced.
        """
        return HeaderRule(
            match=tuple(self.match),
            metadata={name: resolve(value, "metadata", name) for name, value in self.metadata.items()},
            **{name: resolve(value, name) for name, value in self._header_fields().items()},
        )

    def _header_fields(self) -> dict[str, str]:
        return self.model_dump(exclude={"match", "metadata"}, exclude_none=True)


class MirrorJob(Section):
    """A target that is made equal to a source."""

    model_config = ConfigDict(title="mirror job")

    workflow: Literal["mirror"] = Field(
        default="mirror", description="What the job does; `mirror` is the only one yet."
    )
    source: LocationField = Field(description="The side that is read: a URL, a path, or a mapping (see Locations).")
    target: LocationField = Field(description="The side that is written: likewise.")
    include: Patterns = Field(
        default=(), description="gitignore patterns; where any are given, only keys that match one are in scope."
    )
    exclude: Patterns = Field(
        default=(), description="gitignore patterns of keys that are left alone on both sides: not copied, not deleted."
    )
    exclude_regex: Regexes = Field(
        default=(),
        description="Regular expressions; a key in which one is found is excluded likewise.",
    )
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
    verify: Literal["digest", "size"] = Field(
        default="digest",
        description="How written objects are proven right where the store confirms no digest: `digest` reads them "
        "back and compares, `size` checks their length only.",
    )
    transfers: StrictInt = Field(
        default=256,
        ge=1,
        le=1024,
        description="The most objects that are moved at the same time. How many really are is found out in the run "
        "(see Concurrency and limits).",
    )
    memory: ByteCount = Field(
        default=_DEFAULT_MEMORY,
        json_schema_extra={"default": show_bytes(_DEFAULT_MEMORY)},
        description="The most content that is held in memory at the same time; a larger object is moved alone.",
    )
    bwlimit: Rate = Field(
        default=_NO_LIMIT,
        json_schema_extra={"default": str(_NO_LIMIT)},
        description="The most content that passes in a second: `10MiB`, `off`, or a timetable, for instance "
        "`08:00,512KiB 19:00,off` (see Concurrency and limits).",
    )
    tpslimit: OperationRate | None = Field(
        default=None,
        description="The most operations that are started in a second on each side; by default there is no limit.",
    )
    retries: StrictInt = Field(
        default=5, ge=1, le=100, description="How many times an operation is attempted in all, with growing pauses."
    )
    headers: Annotated[Sequence[HeaderRuleConfig], AfterValidator(tuple)] = Field(
        default=(), description="Rules that set headers and metadata by pattern (see Headers)."
    )
    lease: StrictBool = Field(
        default=True,
        description="Whether a run that writes keeps other runs from the target, on any machine, by an object "
        "`.cloudsync/lease` there, where the store can do that (see Two runs at once).",
    )
    wait: StrictInt = Field(
        default=0,
        ge=0,
        description="Seconds to wait for another run that writes to the target, before this one is refused.",
    )
    server_copy: StrictBool = Field(
        default=True,
        description="Whether objects are copied inside the provider where both sides are there and it is allowed.",
    )


Job = MirrorJob
"""A job of any workflow. With the second workflow it becomes a union that `workflow` tells apart."""


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
        description="The jobs by name; they run in this order (see Jobs).",
    )
