"""What an option may have been meant to be that there is not."""

from __future__ import annotations

import difflib
from typing import Final

from cloudsync_core.config import schema
from cloudsync_core.config.jobs.kinds import KINDS
from cloudsync_core.config.problems import KeyPath
from cloudsync_core.config.validation import suggestion

_NEAR: Final = 0.6
_A_LETTER: Final = 0.85
_OPTION_OF_A_JOB: Final = len(("jobs", "name", "option"))


def explain_unknown(path: KeyPath, kind: str) -> str:
    """Return what is wrong with an option that there is not, and which one may be meant.

    Args:
        path: the keys that lead to it.
        kind: of the job that it is in, if it is in one.
    """
    name = str(path[-1])
    known = schema.option_names(path[:-1], kind)
    if path[:1] == ("jobs",) and len(path) == _OPTION_OF_A_JOB:
        others = [other for other in KINDS if name in schema.option_names(("jobs", ""), other)]
        # What another kind of job has is no typing error, as a rule, unless it differs by a letter: "topics", "topic".
        near = difflib.get_close_matches(name, known, n=1, cutoff=_A_LETTER if others else _NEAR)
        if others and not near:
            return f"unknown option of a {kind}; it is one of a {' or a '.join(others)}"
    return f"unknown option; {suggestion(name, sorted(known))}"
