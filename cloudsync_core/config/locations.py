"""Where objects are, as a configuration says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from cloudsync_core.config.fields import Options, Referring
from cloudsync_core.config.section import Section

if TYPE_CHECKING:
    from cloudsync_core.config.fields import Converted


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
    """A location, as text or as a mapping."""
    OptionalLocationField = LocationField | None
