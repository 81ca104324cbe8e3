"""The options that several kinds of jobs share, in groups of which each kind takes what it has a use for.

A job lists its groups from the last to the first: pydantic takes the fields of the last base first, and in that order
they stand in the tables of docs/configuration.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt

from cloudsync_core.config.fields import ByteCount, OperationRate, Patterns, Rate, Regexes
from cloudsync_core.config.headers import HeaderRuleConfig
from cloudsync_core.config.locations import LocationConfig, LocationField
from cloudsync_core.config.problems import KeyPath
from cloudsync_core.config.section import Section
from cloudsync_core.engine.bandwidth import Timetable
from cloudsync_core.engine.quantities import show_bytes
from cloudsync_core.runs import Side

_DEFAULT_MEMORY: Any = 128 * 1024**2
_NO_LIMIT: Any = Timetable.parse("off")


class OfWorkflow(Section):
    """A job of any kind: each says which workflow it is for."""

    workflow: str = Field(description="What the job does.")

    def location(self, side: Side) -> tuple[LocationConfig, KeyPath]:
        """Return the location of a side that the job has, and the keys that lead to it in the job."""
        return getattr(self, side), (side,)


class FromSource(OfWorkflow):
    """A job that reads a location."""

    source: LocationField = Field(description="The side that is read: a URL, a path, or a mapping (see Locations).")


class ToTarget(Section):
    """A job that writes a location."""

    target: LocationField = Field(description="The side that is written: a URL, a path, or a mapping (see Locations).")


class Filtered(Section):
    """A job that can leave objects out."""

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


class Verified(Section):
    """A job that proves what it wrote."""

    verify: Literal["digest", "size"] = Field(
        default="digest",
        description="How written objects are proven right where the store confirms no digest: `digest` reads them "
        "back and compares, `size` checks their length only.",
    )


class Concurrent(Section):
    """A job that moves several objects at once."""

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


class LimitedBandwidth(Section):
    """A job that can be told to leave bandwidth to others."""

    bwlimit: Rate = Field(
        default=_NO_LIMIT,
        json_schema_extra={"default": str(_NO_LIMIT)},
        description="The most content that passes in a second: `10MiB`, `off`, or a timetable, for instance "
        "`08:00,512KiB 19:00,off` (see Concurrency and limits).",
    )


class LimitedOperations(Section):
    """A job whose operations are counted, and tried again."""

    tpslimit: OperationRate | None = Field(
        default=None,
        description="The most operations that are started in a second on each side; by default there is no limit.",
    )
    retries: StrictInt = Field(
        default=5, ge=1, le=100, description="How many times an operation is attempted in all, with growing pauses."
    )


class WithHeaders(Section):
    """A job that can set headers and metadata."""

    headers: Annotated[Sequence[HeaderRuleConfig], AfterValidator(tuple)] = Field(
        default=(), description="Rules that set headers and metadata by pattern (see Headers)."
    )


class Alone(Section):
    """A job that keeps other runs from its target."""

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
