"""`cloudsync gcs`: what is done to a bucket once, before it is watched."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from cloudsync_core.errors import AccessDeniedError, ConfigError, UnauthenticatedError, printable

if TYPE_CHECKING:
    from cloudsync_gcs.config import GCSOptions
    from cloudsync_gcs.templating import Names

_NAME = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,249}")
"""Of topics and subscriptions, with room for the ending of the second pair
(https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names)."""

_NOT_ALLOWED = (AccessDeniedError, UnauthenticatedError)


@click.group()
def gcs() -> None:
    """Prepare Google Cloud Storage for cloudsync."""


@gcs.command()
@click.argument("bucket")
@click.option(
    "--subscription",
    metavar="NAME",
    help="Name of the topic and the subscription. [default: one made from the bucket and the prefix]",
)
@click.option("--project", metavar="PROJECT", help="Their project. [default: GOOGLE_CLOUD_PROJECT]")
@click.option("--prefix", default="", metavar="PREFIX", help="Tell only of objects below this prefix.")
@click.option("--template", "as_template", is_flag=True, help="Print the commands of gcloud that do the same instead.")
@click.option("--remove", is_flag=True, help="Undo it: remove what was made, and nothing else.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option(
    "--option",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the backend, such as service_account_file. Repeatable.",
)
def setup(
    bucket: str,
    *,
    subscription: str | None,
    project: str | None,
    prefix: str,
    as_template: bool,
    remove: bool,
    yes: bool,
    dry_run: bool,
    given: tuple[str, ...],
) -> None:
    """Have BUCKET tell a subscription of Pub/Sub of changes, for --events pubsub.

    BUCKET is a name, or a location (gs://bucket/prefix). What is there already is kept; what is missing is shown first.
    Of what several jobs watch, each needs a subscription of its own: a message goes to one of those who ask.
    """
    from cloudsync_gcs import templating  # noqa: PLC0415 - what comes with it is slow to import
    from cloudsync_gcs.source import default_name, project_of  # noqa: PLC0415 - likewise

    bucket, prefix = _place(bucket, prefix)
    name = subscription or default_name(bucket, prefix)
    if _NAME.fullmatch(name) is None:
        raise ConfigError(
            f"{printable(name)}: this is not the name of a subscription",
            hint="By --subscription, give a name of 3 to 250 letters, digits and -._~+%, with a letter first.",
        )
    options = _options(given)
    names = templating.Names(project_of(project, options, f"the subscription {name}"), name, bucket, prefix)
    commands = templating.removing(names) if remove else templating.creating(names)
    if as_template:
        click.echo(commands, nl=False)
        return
    try:
        done = _do(names, options, remove=remove, yes=yes, dry_run=dry_run)
    except _NOT_ALLOWED:
        click.echo("It is not allowed here. Whoever may can do it by these commands:\n")
        click.echo(commands)
        raise
    if done and not remove:
        more = "" if subscription is None else f" --event-option subscription={shlex.quote(name)}"
        more += "" if project is None else f" --event-option project={shlex.quote(project)}"
        place = shlex.quote(f"gs://{bucket}/{prefix}".rstrip("/"))
        click.echo(f"Watch it: cloudsync watch {place} DIRECTORY --events pubsub{more}")


def _do(names: Names, options: GCSOptions, *, remove: bool, yes: bool, dry_run: bool) -> bool:
    """Show the steps, and take them; return whether everything is as it was asked for."""
    from cloudsync_gcs.setup import Setup  # noqa: PLC0415 - see `setup`

    with contextlib.closing(Setup(names, options)) as found:
        steps = found.leftover() if remove else found.missing()
        for step in steps:
            click.echo(f"  {step.text}")
        for kept in found.kept:
            click.echo(f"  leave {kept}: it was not made by this command")
        if not steps:
            click.echo("Nothing to do: " + ("nothing of it is there." if remove else "everything is there."))
            return True
        if dry_run:
            click.echo("Nothing was done: this was a dry run.")
            return False
        _ask(yes=yes)
        for step in steps:
            step.do()
        click.echo("Done.")
        return True


def _place(bucket: str, prefix: str) -> tuple[str, str]:
    name = bucket.removeprefix("gs://").removeprefix("gcs://")
    name, _, below = name.partition("/")
    if below and prefix:
        raise ConfigError("the prefix is given twice: in the location, and by --prefix")
    if not name or ":" in name:
        raise ConfigError(f"{printable(bucket)}: this is not the name of a bucket")
    return name, (below or prefix).removesuffix("/")


def _options(given: tuple[str, ...]) -> Any:
    """Return the options of the backend, as they would stand in a config.

    Raises:
        OptionsError: they are wrong.
        ConfigError: one is no NAME=VALUE.
    """
    from cloudsync_core.plugins.opening import check_options  # noqa: PLC0415 - see `setup`
    from cloudsync_gcs.config import GCSOptions  # noqa: PLC0415 - likewise

    values: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError("--option: write NAME=VALUE")
        values[name] = value
    return check_options(GCSOptions, "gs://", values)


def _ask(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("there is nobody to ask", hint="Say --yes to have it done, or --dry-run to only see it.")
    click.confirm("Do this?", abort=True)
