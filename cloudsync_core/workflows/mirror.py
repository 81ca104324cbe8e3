"""Mirror: make the target equal to the source, once."""

from __future__ import annotations

from cloudsync_core.config.jobs.mirror import MirrorJob
from cloudsync_core.runs import RunReport
from cloudsync_core.workflows.backup import open_backup
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.equalising import Equaliser
from cloudsync_core.workflows.limits import DeleteLimits
from cloudsync_core.workflows.sides import lease, new_run, open_base, open_sides
from cloudsync_core.workflows.supervision import supervise


def mirror(name: str, job: MirrorJob, context: Context) -> RunReport:
    """Run a mirror job once.

    Args:
        name: the job's name.
        job: what to do.
        context: with what.

    Returns:
        The report; what refused, aborted or interrupted the run is in its `error`.

    Raises:
        ConfigError, PluginError, StateError, OverlappingLocationsError: the run cannot start.
    """
    with open_sides(job, context) as sides, open_base(name, sides, context) as base:
        run = new_run(name, sides, context)
        with open_backup(run, job, sides, context) as backup, lease(run, job, sides, context) as held:
            limits = DeleteLimits(run, job)
            work = Equaliser(run, job, context, sides, base, lease=held, backup=backup, limits=limits)
            return backup.finished(supervise(run, context, work.do, requests=sides.requests))
