"""Which workflow runs a job of which kind."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

from cloudsync_core.config.jobs.parts import OfWorkflow
from cloudsync_core.errors import ConfigError
from cloudsync_core.runs import RunReport
from cloudsync_core.workflows.context import Context

Run = Callable[[str, Any, Context], RunReport]
"""Runs a job of a name, which is of the kind that the workflow is for."""


class Workflow(NamedTuple):
    """A workflow.

    Attributes:
        place: "module:function", the module under `cloudsync_core.workflows`; imported when a job is run.
        continuous: tells of a job whether it goes on until it is stopped.
        rehearsed: whether a dry run can tell what would be done.
    """

    place: str
    continuous: Callable[[Any], bool]
    rehearsed: bool


def _never(_: object) -> bool:
    return False


def _always(_: object) -> bool:
    return True


WORKFLOWS: Final[Mapping[str, Workflow]] = {
    "mirror job": Workflow("mirror:mirror", _never, rehearsed=True),
    "publish job": Workflow("announcing:announce", lambda job: bool(job.follow), rehearsed=True),
    "release job": Workflow("releasing:release", _never, rehearsed=True),
    "watch job": Workflow("watching:watch", _always, rehearsed=False),
    "subscribe job": Workflow("subscribing:subscribe", _always, rehearsed=False),
    "fetch job": Workflow("following:follow", _always, rehearsed=True),
}
"""By the titles of the jobs' models."""


def kind(job: OfWorkflow) -> str:
    """Return the kind of a job, as messages call it."""
    return str(job.model_config["title"])


def is_continuous(job: OfWorkflow) -> bool:
    """Tell whether a job goes on until it is stopped."""
    return WORKFLOWS[kind(job)].continuous(job)


def run_job(name: str, job: OfWorkflow, context: Context) -> RunReport:
    """Run a job by the workflow of its kind.

    Raises:
        ConfigError: a dry run is asked of a job of which nothing can be told without doing it; or as of the workflow.
        PluginError, StateError, RunError: as of the workflow.
    """
    workflow = WORKFLOWS[kind(job)]
    if context.dry_run and not workflow.rehearsed:
        raise ConfigError(
            f"a {kind(job)} has no dry run: what it will do depends on what happens while it runs",
            hint="Name the jobs that are to be tried by --job.",
        )
    module, _, function = workflow.place.partition(":")
    run = cast("Run", getattr(importlib.import_module(f"cloudsync_core.workflows.{module}"), function))
    return run(name, job, context)
