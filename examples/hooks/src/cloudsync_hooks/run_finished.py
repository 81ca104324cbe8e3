"""Leaves the figures of the last run of each job in the directory CLOUDSYNC_METRICS, for Prometheus.

The node exporter reads such files with `--collector.textfile.directory`.
"""

import os
import re
import time
from pathlib import Path

from cloudsync_core.plugins import hookimpl
from cloudsync_core.runs import RunInfo, RunReport


@hookimpl
def cloudsync_run_finished(run: RunInfo, report: RunReport) -> None:
    """Write the figures, also of a run that failed; a dry run has none."""
    folder = os.environ.get("CLOUDSYNC_METRICS")
    if folder is None or run.dry_run:
        return
    figures = {
        "finished_seconds": time.time(),
        "duration_seconds": report.seconds,
        "exit_code": report.exit_code,
        "objects_failed": report.counts.failed,
        "sent_bytes": report.bytes_transferred,
    }
    name = re.sub(r"[^\w-]", "_", run.job)
    text = "".join(f'cloudsync_{figure}{{job="{name}"}} {value}\n' for figure, value in figures.items())
    # Written beside it and renamed: a reader sees all figures of one run.
    new = Path(folder, f"cloudsync-{name}.prom.new")
    new.write_text(text)
    new.rename(new.with_suffix(""))
