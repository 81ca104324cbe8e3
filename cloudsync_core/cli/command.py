"""What every command takes: `--json`, `-v` and `-q`."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from cloudsync_core.cli.console import Console
from cloudsync_core.cli.logs import Log


@dataclasses.dataclass(slots=True)
class Invocation:
    """What the root command hands to the command that is called.

    Attributes:
        console: where to print.
        log: what of the log is shown.
    """

    console: Console
    log: Log


def invocation(context: click.Context) -> Invocation:
    """Return the invocation that a command is part of."""
    found = context.find_object(Invocation)
    assert found is not None, "the root command provides it"
    return found


def _set_json(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's signature
    del parameter
    if wanted:
        invocation(context).console.json = True


def _set_verbosity(context: click.Context, parameter: click.Parameter, value: int) -> None:
    if value:
        found = invocation(context)
        found.console.verbosity = -1 if parameter.name == "quiet" else value
        found.log.set_verbosity(found.console.verbosity)


class Command(click.Command):
    """A command of the core; its function gets the `Console` first, and returns an exit code or `None` for 0."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [
            click.Option(
                ["--json"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_set_json,
                help="Print newline-delimited JSON; the last line is the report.",
            ),
            click.Option(
                ["-v", "--verbose"],
                count=True,
                is_eager=True,
                expose_value=False,
                callback=_set_verbosity,
                help="Print every outcome; repeat it to see the log in detail.",
            ),
            click.Option(
                ["-q", "--quiet"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_set_verbosity,
                help="Print errors only.",
            ),
        ]

    def invoke(self, ctx: click.Context) -> Any:
        """Call the function of the command with the console."""
        if self.callback is None:
            return None
        console = invocation(ctx).console
        with console.sole_writer():
            return ctx.invoke(self.callback, console, **ctx.params)
