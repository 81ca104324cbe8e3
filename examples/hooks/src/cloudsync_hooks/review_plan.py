"""Lets no run start that would delete below CLOUDSYNC_PROTECTED, a folder of the target."""

import os
from collections.abc import Collection

from cloudsync_core import keys
from cloudsync_core.errors import PlanRejectedError, printable
from cloudsync_core.plugins import hookimpl
from cloudsync_core.runs import Action


@hookimpl
def cloudsync_review_plan(plan: Collection[Action]) -> None:
    """Veto the plan before its first write. It is read from disk, once, and may be larger than memory."""
    folder = os.environ.get("CLOUDSYNC_PROTECTED")
    if not folder:
        return
    doomed = [action.key for action in plan if action.kind == "delete" and keys.under(action.key, folder)]
    if doomed:
        raise PlanRejectedError(
            f"{len(doomed)} objects below {printable(folder)} would be deleted, first {printable(doomed[0])}",
            hint="unset CLOUDSYNC_PROTECTED if that is right",
        )
