"""`cloudsync s3`: what is done to a bucket once, before it is watched."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from typing import Any

import click

from cloudsync_core.errors import ConfigError, printable

_QUEUE = re.compile(r"[A-Za-z0-9_-]{1,75}")
"""A name with room for the ending of the second queue's (80 characters at most)."""


@click.group()
def s3() -> None:
    """Prepare Amazon S3 for cloudsync."""


@s3.command()
@click.argument("bucket")
@click.option("--queue", metavar="NAME", help="Name of the queue. [default: one made from the bucket and the prefix]")
@click.option("--prefix", default="", metavar="PREFIX", help="Tell only of objects below this prefix.")
@click.option("--template", "as_template", is_flag=True, help="Print a CloudFormation template instead.")
@click.option("--remove", is_flag=True, help="Undo it: remove what was made, and nothing else.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option(
    "--option",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the S3 backend, such as endpoint_url or profile. Repeatable.",
)
def setup(
    bucket: str,
    *,
    queue: str | None,
    prefix: str,
    as_template: bool,
    remove: bool,
    yes: bool,
    dry_run: bool,
    given: tuple[str, ...],
) -> None:
    """Have BUCKET tell a queue of SQS of changes, for --events sqs.

    BUCKET is a name, or a location (s3://bucket/prefix). What is there already is kept; what is missing is shown first.
    Of several jobs that watch, each needs a queue of its own: a queue gives each message to one of those who ask.
    """
    bucket, prefix = _place(bucket, prefix)
    if queue is not None and _QUEUE.fullmatch(queue) is None:
        raise ConfigError(f"--queue {printable(queue)}: a name has up to 75 letters, digits, hyphens and underscores")
    if as_template:
        if remove:
            raise ConfigError("--template and --remove exclude each other: a stack is deleted as a whole")
        from cloudsync_s3.templating import template  # noqa: PLC0415 - the SDK is slow to import

        click.echo(template(bucket, prefix, queue), nl=False)
        return
    from cloudsync_s3.setup import Setup  # noqa: PLC0415 - likewise

    with contextlib.closing(Setup(bucket, prefix, queue, _options(given))) as found:
        steps = found.leftover() if remove else found.missing()
        for step in steps:
            click.echo(f"  {step.text}")
        if not steps:
            click.echo("Nothing to do: " + ("nothing of it is there." if remove else "everything is there."))
        elif dry_run:
            click.echo("Nothing was done: this was a dry run.")
            return
        else:
            _ask(yes=yes)
            for step in steps:
                found.do(step)
            click.echo("Done.")
        if not remove:
            click.echo(f"Watch it: {_watching(bucket, prefix, queue)}")


def _place(bucket: str, prefix: str) -> tuple[str, str]:
    name = bucket.removeprefix("s3://")
    name, _, below = name.partition("/")
    if below and prefix:
        raise ConfigError("the prefix is given twice: in the location, and by --prefix")
    if not name or "://" in bucket.removeprefix("s3://"):
        raise ConfigError(f"{printable(bucket)}: this is not the name of a bucket")
    return name, (below or prefix).removesuffix("/")


def _options(given: tuple[str, ...]) -> Any:
    """Return the options of the backend, as they would stand in a config.

    Raises:
        OptionsError: they are wrong.
        ConfigError: one is no NAME=VALUE.
    """
    from cloudsync_core.plugins.opening import check_options  # noqa: PLC0415 - see `setup`
    from cloudsync_s3.config import S3Options  # noqa: PLC0415 - likewise

    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError("--option: write NAME=VALUE")
        values[name] = value
    return check_options(S3Options, "s3://", values)


def _ask(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("there is nobody to ask", hint="Say --yes to have it done, or --dry-run to only see it.")
    click.confirm("Do this?", abort=True)


def _watching(bucket: str, prefix: str, queue: str | None) -> str:
    option = f" --event-option queue={queue}" if queue else ""
    return f"cloudsync watch {shlex.quote(f's3://{bucket}/{prefix}'.rstrip('/'))} DIRECTORY --events sqs{option}"
