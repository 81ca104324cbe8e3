"""Mirrors from Python, and the door to every backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloudsync_core.backend import Backend
from cloudsync_core.config.environment import default_state_path
from cloudsync_core.config.jobs.mirror import MirrorJob
from cloudsync_core.config.locations import LocationConfig
from cloudsync_core.config.opening import open_location
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine.events import Listener, nobody
from cloudsync_core.engine.state import State
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.runs import RunReport
from cloudsync_core.workflows import mirror as workflow
from cloudsync_core.workflows.context import Context


def open_backend(url: str, *, create: bool = False, **options: Any) -> Backend:
    """Return the backend of a location, ready for use; close it, or use it as a context manager.

    Args:
        url: `scheme://container/prefix`, or a path relative to the working directory.
        create: the location may be made when it does not exist, as the target of a mirror is.
        **options: options of the backend that serves the scheme.

    Raises:
        UnknownBackendError: no installed backend serves the scheme.
        ConfigError: an option is wrong.
        PluginError: the backend's plugin cannot be used.
    """
    plugins = Plugins.load()
    return open_location(
        LocationConfig(url=url, options=options),
        plugins=plugins,
        loaded=None,
        resolver=Resolver(directory=Path.cwd(), hook=plugins.resolve_secret),
        create=create,
    )


def mirror(
    source: str | LocationConfig,
    target: str | LocationConfig,
    *,
    state: str | Path | None = "auto",
    dry_run: bool = False,
    listener: Listener = nobody,
    **rules: Any,
) -> RunReport:
    """Make the target equal to the source, once, and return the report.

    Objects that failed are in the report (`report.counts.failed`, `report.failures`); they raise nothing.

    Args:
        source: the location that is read: a URL, a path, or a `LocationConfig` with options.
        target: the location that is written.
        state: the state database: a path; "auto" for one in the user's state directory, chosen by both locations;
            `None` to remember nothing.
        dry_run: plan, count what would be done, and write nothing.
        listener: is told what happens; see `cloudsync_core.engine.events`.
        **rules: the other fields of `MirrorJob`: `delete=True`, `exclude=["*.tmp"]`, `max_delete="25%"`, …

    Raises:
        RunError: the run was refused or aborted to protect data; what it did until then is in the error's `report`.
        BackendError: a location could not be read or written at all; likewise.
        ConfigError, PluginError: a location or a rule is wrong.
        pydantic.ValidationError: a rule is wrong; each problem names its field.
    """
    job = MirrorJob(source=source, target=target, **rules)
    plugins = Plugins.load()
    resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
    with State(_state_path(state, job), read_only=dry_run, redact=resolver.values.redact) as database:
        context = Context.of(
            job, plugins=plugins, resolver=resolver, state=database, dry_run=dry_run, listener=listener
        )
        report = workflow.mirror("mirror", job, context)
    if report.error is not None:
        report.error.report = report
        raise report.error
    return report


def _state_path(state: str | Path | None, job: MirrorJob) -> Path | None:
    if state == "auto":
        return default_state_path(job.source.url, job.target.url)
    return None if state is None else Path(state)
