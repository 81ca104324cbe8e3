"""Command-line options that are made from the fields of the configuration's model: one home for texts and defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from cloudsync_core.config.jobs.mirror import Mirroring, MirrorJob
from cloudsync_core.config.locations import LocationConfig
from cloudsync_core.config.problems import KeyPath, dotted
from cloudsync_core.config.validation import explain
from cloudsync_core.errors import ConfigError

FILTERS = ("include", "exclude", "exclude_regex")

RULES = (
    *FILTERS,
    "delete",
    "max_delete",
    "allow_empty_source",
    "accept_filter_change",
    "backup",
    "compare",
    "verify",
    "transfers",
    "memory",
    "bwlimit",
    "tpslimit",
    "retries",
    "lease",
    "wait",
    "server_copy",
)
"""What of a job can be said on a command line; header rules need a file."""

WATCH_RULES = (*RULES, "interval", "reconcile", "settle", "longest", "grace", "delete_window")
"""Likewise of a job that watches."""

_METAVARS = {
    "interval": "SECONDS",
    "reconcile": "SECONDS",
    "settle": "SECONDS",
    "longest": "SECONDS",
    "grace": "SECONDS",
    "delete_window": "SECONDS",
    "include": "PATTERN",
    "exclude": "PATTERN",
    "exclude_regex": "REGEX",
    "max_delete": "N|P%",
    "backup": "LOCATION",
    "compare": "HOW",
    "verify": "HOW",
    "transfers": "N",
    "memory": "SIZE",
    "bwlimit": "RATE",
    "tpslimit": "N",
    "retries": "N",
    "wait": "SECONDS",
}
_TYPES: Mapping[str, type] = {
    "transfers": int,
    "retries": int,
    "tpslimit": float,
    "wait": int,
    **dict.fromkeys(("interval", "reconcile", "settle", "longest", "grace", "delete_window"), float),
}

JobOf = TypeVar("JobOf", bound=Mirroring)

Function = TypeVar("Function", bound=Callable[..., Any])


def rules(names: tuple[str, ...], model: type[Mirroring] = MirrorJob) -> Callable[[Function], Function]:
    """Return a decorator that gives a command an option for each of these fields of a kind of job."""

    def decorate(function: Function) -> Function:
        for name in reversed(names):
            function = _rule(name, model)(function)
        return function

    return decorate


def locations(function: Function) -> Function:
    """Give a command SOURCE and TARGET, and the options of both."""
    for side in ("target", "source"):
        function = click.option(
            f"--{side}-option",
            f"{side}_options",
            multiple=True,
            metavar="NAME=VALUE",
            help=f"An option of the {side}'s backend; ${{env:NAME}} and ${{file:path}} stand for secrets. Repeatable.",
        )(function)
    # The type makes a shell complete paths; a URL passes as it is.
    function = click.argument("target", type=click.Path())(function)
    return click.argument("source", type=click.Path())(function)


def job_of(
    source: str,
    target: str,
    source_options: tuple[str, ...],
    target_options: tuple[str, ...],
    given: Mapping[str, Any],
    *,
    backup_options: tuple[str, ...] = (),
    model: type[JobOf],
) -> JobOf:
    """Return the job that a command line describes; rules that it does not mention have the model's defaults.

    Args:
        source: the SOURCE argument; likewise `target`.
        target: see above.
        source_options: NAME=VALUE texts; likewise `target_options`.
        target_options: see above.
        given: the values of the options made by `rules`.
        backup_options: of the backup's backend, likewise.
        model: which kind of job.

    Raises:
        ConfigError: something is wrong; the message names each argument and option.
    """
    sides = {
        "source": {"url": source, "options": assignments(source_options, "--source-option")},
        "target": {"url": target, "options": assignments(target_options, "--target-option")},
    }
    mentioned = {name: value for name, value in given.items() if value is not None and value != ()}
    if "backup" in mentioned:
        mentioned["backup"] = {"url": given["backup"], "options": assignments(backup_options, "--backup-option")}
    elif backup_options:
        raise ConfigError("--backup-option needs --backup")
    try:
        return model.model_validate({**sides, **mentioned})
    except ValidationError as error:
        raise ConfigError(
            "\n".join(f"{_flag(problem.path)}: {problem.message}" for problem in explain(error))
        ) from None


def location_of(url: str, options: tuple[str, ...]) -> LocationConfig:
    """Return the location that a command line names; raises as `job_of` does."""
    try:
        return LocationConfig.model_validate({"url": url, "options": assignments(options, "--option")})
    except ValidationError as error:
        raise ConfigError(
            "\n".join(
                f"{'LOCATION' if problem.path[:1] == ('url',) else '--option'}: {problem.message}"
                for problem in explain(error)
            )
        ) from None


def assignments(texts: tuple[str, ...], flag: str) -> dict[str, str]:
    """Return NAME=VALUE texts as a mapping; what a value means is the business of the backend's options.

    Raises:
        ConfigError: one has no `=`, or a name comes twice; no value is repeated.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ConfigError(f"{flag}: write NAME=VALUE")
        if name in found:
            raise ConfigError(f"{flag}: {name} is given twice")
        found[name] = value
    return found


def _rule(name: str, model: type[Mirroring]) -> Callable[[Function], Function]:
    field = model.model_fields[name]
    flag = f"--{name.replace('_', '-')}"
    text = (field.description or "").replace("`", "")
    extra = field.json_schema_extra
    default = extra.get("default", field.default) if isinstance(extra, dict) else field.default
    if isinstance(default, bool):
        chosen = flag if default else f"--no-{flag[2:]}"
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=f"{text} [default: {chosen}]")
    many = default == ()
    return click.option(
        flag,
        name,
        multiple=many,
        type=_TYPES.get(name, str),
        metavar=_METAVARS[name],
        help=f"{text} Repeatable." if many else text if default is None else f"{text} [default: {default}]",
    )


def _flag(path: KeyPath) -> str:
    """Return how the command line calls the field at `path`."""
    field, *rest = path or ("options",)
    if field not in {"source", "target", "backup"}:
        return f"--{str(field).replace('_', '-')}"
    if field == "backup" and rest[:1] != ["options"]:
        return "--backup"
    return f"--{field}-option {dotted(rest[1:])}".rstrip() if rest[:1] == ["options"] else str(field).upper()
