"""What pydantic finds wrong, as problems in cloudsync's words; no value is ever repeated."""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from pydantic import ValidationError

from cloudsync_core.config.fields import NESTED
from cloudsync_core.config.problems import KeyPath, Problem

_KEY = "[key]"
_LISTED = 12
"""Names that a message lists when none is near."""

_MESSAGES = {
    "missing": "required, and missing",
    "string_type": "must be text; put it in quotes",
    "string_too_short": "must not be empty",
    "string_unicode": "must be text of valid characters",
    "bool_type": "must be true or false (yes, no, on and off are text)",
    "int_type": "must be a whole number, without quotes",
    "dict_type": "must be a mapping (name: value)",
    "mapping_type": "must be a mapping (name: value)",
    "model_type": "must be a mapping (name: value)",
    "sequence_str": "must be a list: put the text in [ ]",
    "is_instance_of": "must be a list",
    "too_short": "must have at least one entry",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
    NESTED: "{why}",
}


def explain(error: ValidationError, at: KeyPath = ()) -> list[Problem]:
    """Return a problem for everything that `error` reports.

    Args:
        error: from one of the models of `cloudsync_core.config.model`.
        at: where in a configuration the model stands; `("jobs", name)` for a job.
    """
    return [_problem(details, at, error.title) for details in error.errors(include_url=False, include_input=False)]


def suggestion(name: str, known: list[str]) -> str:
    """Return "did you mean 'near'?", or what there is to choose from when nothing is near."""
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    listed = ", ".join(known[:_LISTED]) + (", …" if len(known) > _LISTED else "")
    return f"there is: {listed}" if listed else "there is none"


def _problem(details: Any, at: KeyPath, kind: str) -> Problem:
    context = details.get("ctx", {})
    path: KeyPath = (*at, *details["loc"])
    if not at and path[:1] == ("jobs",) and path[2:3] not in ((), (_KEY,)):
        # pydantic names the kind of the job, which stands nowhere in the file.
        kind, path = str(path[2]), (*path[:2], *path[3:])
    if details["type"] == NESTED:
        path = (*path, *context["path"])
    if path and path[-1] == _KEY:
        path = path[:-1]
    if details["type"] == "extra_forbidden":
        # Imported here: it knows all kinds of jobs, which takes time, and is needed only where something is wrong.
        unknown = importlib.import_module("cloudsync_core.config.unknown")
        return Problem(path, unknown.explain_unknown(path, kind))
    message = _MESSAGES.get(details["type"])
    return Problem(path, details["msg"] if message is None else message.format(**context))
