"""The root command: finds the command that is called, and imports no other."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from cloudsync_core.cli.command import Invocation
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.endings import exit_code_of
from cloudsync_core.cli.logs import logging_to_standard_error
from cloudsync_core.config.crashing import crash_where_told


class Entry(NamedTuple):
    """A command that is imported when it is called.

    Attributes:
        place: "module:name", the module under `cloudsync_core.cli.commands`.
        summary: the first line of its help.
    """

    place: str
    summary: str


COMMANDS = {
    "run": Entry("run:run", "Run the jobs of a configuration file."),
    "plan": Entry("plan:plan", "Show what the jobs of a configuration file would do, and why."),
    "apply": Entry("apply:apply", "Perform a plan that was saved by 'cloudsync plan -o'."),
    "mirror": Entry("mirror:mirror", "Make TARGET equal to SOURCE, without a configuration file."),
    "watch": Entry("watch:watch", "Keep TARGET in step with SOURCE, without a configuration file."),
    "resume": Entry("resume:resume", "Let a job that watches go on after it would have deleted too much."),
    "check": Entry("check:check", "Compare two locations by content, and change nothing."),
    "ls": Entry("ls:ls", "List the objects of a location."),
    "testremote": Entry(
        "testremote:testremote", "Test what a store keeps of the contract, under a fresh prefix of it."
    ),
    "publish": Entry("publish:publish", "Publish an update in CHANNEL, and print its id."),
    "subscribe": Entry(
        "subscribe:subscribe", "Deliver the updates of CHANNEL, those that are there and those that come."
    ),
    "channel": Entry("channel:channel", "Look into a channel, clean it up, and see to what could not be delivered."),
    "release": Entry(
        "release:release", "Publish trees that readers see as a whole, and go from one to another in one step."
    ),
    "restore": Entry("restore:restore", "List what runs have put aside, and bring it back."),
    "gc": Entry("gc:gc", "Find and remove what crashes have left behind."),
    "status": Entry("status:status", "Show the last runs of each job."),
    "init": Entry("init:init", "Write a commented configuration file to start from."),
    "schema": Entry("schema:schema", "Print the JSON Schema of the configuration file."),
    "plugins": Entry("plugins:plugins", "Look at the installed plugins, or start one of your own."),
    "version": Entry("version:version", "Print the versions of cloudsync and of what it runs on."),
}
"""In the order of the help; the summaries stand here so that it need not import the commands."""


class Root(click.Group):
    """`cloudsync` itself."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the core's own commands; those of plugins are found when they are called."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name; plugins are loaded when the core has none of that name."""
        del ctx
        if cmd_name in COMMANDS:
            return _imported(COMMANDS[cmd_name])
        return _of_plugins().get(cmd_name)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what can follow `cloudsync`, without importing a command for its help."""
        names = [CompletionItem(name, help=entry.summary) for name, entry in COMMANDS.items()]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(item for item in names if item.value.startswith(incomplete)), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of the commands."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's signature
        **extra: Any,
    ) -> Any:
        """Run the command line and exit; every error becomes a message and an exit code."""
        del standalone_mode
        arguments = sys.argv[1:] if args is None else list(args)
        console = Console()
        _prepare_streams()
        with logging_to_standard_error(console.redact) as log:
            run = super().main

            def call() -> Any:
                crash_where_told()
                return run(arguments, prog_name, complete_var, False, obj=Invocation(console, log), **extra)

            sys.exit(exit_code_of(call, console, arguments))


def _prepare_streams() -> None:
    """Make both streams take whatever is printed: a key may have characters that their encoding lacks."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed when the program started
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - open to the end
        with contextlib.suppress(AttributeError, ValueError):
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _imported(entry: Entry) -> click.Command:
    module, _, name = entry.place.partition(":")
    found = getattr(importlib.import_module(f"cloudsync_core.cli.commands.{module}"), name)
    assert isinstance(found, click.Command)
    return found


def _of_plugins() -> dict[str, click.Command]:
    facade = importlib.import_module("cloudsync_core.plugins.facade")
    # Our names are taken, so that a plugin that wants one is told.
    group = click.Group("cloudsync", commands={name: click.Command(name) for name in COMMANDS})
    facade.Plugins.load().register_commands(group)
    return {name: command for name, command in group.commands.items() if name not in COMMANDS}


cli = Root(
    "cloudsync",
    help="Keeps data in step across storage providers.",
    epilog="Plugins may add commands: see 'cloudsync plugins list'. Help on a command: cloudsync COMMAND --help",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
"""The command line."""

click.version_option(package_name="cloudsync-core", message="cloudsync %(version)s")(cli)
