"""Fetching releases from Python: a local directory becomes the release that is live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloudsync_core.config.model import FetchJob, LocationConfig
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine.events import Listener, nobody
from cloudsync_core.engine.state import State
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.releases.names import LIVE
from cloudsync_core.runs import RunReport
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.following import follow


def fetch_release(
    location: str | LocationConfig,
    directory: str | Path,
    *,
    pointer: str = LIVE,
    release: str | None = None,
    check: bool = False,
    listener: Listener = nobody,
    **rules: Any,
) -> RunReport:
    """Make a directory the release that a pointer names, in one step, and return the report.

    The directory is a symbolic link from then on. Files that could not be had are in the report
    (`report.counts.failed`, `report.failures`): the directory is then what it was.

    Args:
        location: where the releases are: a URL, a path, or a `LocationConfig` with options.
        directory: a path at which there is nothing, or what an earlier call has made.
        pointer: which one is followed.
        release: fetch this release, by its id, whatever the pointer names.
        check: read every file that is there, too, and mend what is wrong.
        listener: is told what happens; see `cloudsync_core.engine.events`.
        **rules: the other fields of `FetchJob`: `keep=3`, `bwlimit="10MiB"`, …

    Returns:
        The report: `counts.unchanged` files were there already, `release` is what the directory is now.

    Raises:
        ManifestError: there is no such release, or its manifest is refused.
        RunError: there is something in the place of the directory, or it cannot be written; likewise.
        BackendError: the location could not be read at all.
        ConfigError, PluginError: the location, the directory or a rule is wrong.
        pydantic.ValidationError: a rule is wrong; each problem names its field.
    """
    job = FetchJob(source={"release": location}, target=str(directory), pointer=pointer, **rules)
    plugins = Plugins.load()
    resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
    with State(None, redact=resolver.values.redact) as database:
        context = Context.of(job, plugins=plugins, resolver=resolver, state=database, once=True, listener=listener)
        report = follow("release", job, context, release=release, check=check)
    if report.error is not None:
        report.error.report = report
        raise report.error
    return report
