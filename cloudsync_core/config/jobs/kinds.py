"""The kinds of jobs, and how they are told apart: by `workflow`, by `as`, and by what `source` is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Discriminator, Tag
from pydantic_core import PydanticCustomError

from cloudsync_core.config.fields import NESTED
from cloudsync_core.config.jobs.fetch import FetchJob
from cloudsync_core.config.jobs.mirror import MirrorJob
from cloudsync_core.config.jobs.publish import PublishJob
from cloudsync_core.config.jobs.release import ReleaseJob
from cloudsync_core.config.jobs.subscribe import SubscribeJob
from cloudsync_core.config.jobs.watch import WatchJob
from cloudsync_core.config.section import Section

MIRROR, PUBLISH, RELEASE = "mirror job", "publish job", "release job"
WATCH, SUBSCRIBE, FETCH = "watch job", "subscribe job", "fetch job"
KINDS = (MIRROR, PUBLISH, RELEASE, WATCH, SUBSCRIBE, FETCH)
"""The titles of the models."""

_PUBLISHED = {"updates": PUBLISH, "release": RELEASE}
_WATCHED = {"channel": SUBSCRIBE, "release": FETCH}
_WORKFLOWS = ("mirror", "publish", "watch")


def title(job: Section) -> str:
    """Return the title of a job's model, which names its kind."""
    return str(job.model_config["title"])


def _kind(value: Any) -> str:
    return title(value) if isinstance(value, Section) else _kind_written(value)


def _kind_written(job: Mapping[str, Any]) -> str:
    workflow = job.get("workflow", "mirror")
    if workflow == "mirror":
        return MIRROR
    if workflow == "publish":
        return _one_of(_PUBLISHED, job.get("as", "updates"), "as")
    if workflow == "watch":
        return _kind_watched(job)
    raise _problem(f"must be {_listed(_WORKFLOWS)}", "workflow")


def _kind_watched(job: Mapping[str, Any]) -> str:
    source = job.get("source")
    if "source" not in job:
        raise _problem("required, and missing", "source")
    if not isinstance(source, Mapping):
        return WATCH
    named = [kind for key, kind in {**_WATCHED, "url": WATCH}.items() if key in source]
    if len(named) != 1:
        raise _problem(
            "must be a location, or a mapping with either 'channel' or 'release', which is watched", "source"
        )
    return named[0]


def _one_of(kinds: Mapping[str, str], value: object, option: str) -> str:
    if isinstance(value, str) and value in kinds:
        return kinds[value]
    raise _problem(f"must be {_listed(tuple(kinds))}", option)


def _listed(names: tuple[str, ...]) -> str:
    quoted = [f"'{name}'" for name in names]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _problem(why: str, *path: str) -> PydanticCustomError:
    return PydanticCustomError(NESTED, "{why}", {"why": why, "path": path})


def _known(value: object) -> object:
    """Let through what is of some kind; pydantic's own words for what is not would name no option."""
    if isinstance(value, Mapping):
        _kind_written(cast("Mapping[str, Any]", value))
    elif not isinstance(value, Section):
        raise _problem("must be a mapping (name: value)")
    return value


Job = Annotated[
    Annotated[MirrorJob, Tag(MIRROR)]
    | Annotated[PublishJob, Tag(PUBLISH)]
    | Annotated[ReleaseJob, Tag(RELEASE)]
    | Annotated[WatchJob, Tag(WATCH)]
    | Annotated[SubscribeJob, Tag(SUBSCRIBE)]
    | Annotated[FetchJob, Tag(FETCH)],
    Discriminator(_kind),
    BeforeValidator(_known),
]
"""A job of any kind."""
