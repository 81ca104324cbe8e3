"""`cloudsync azure setup`."""

from __future__ import annotations

import contextlib

import click

from cloudsync_azure import setup, templating
from cloudsync_azure.config import AzureOptions
from cloudsync_azure.environment import Environment, shown
from cloudsync_azure.queue import open_queue, queue_name
from cloudsync_azure.source import AzureQueueOptions
from cloudsync_core import keys
from cloudsync_core.errors import ConfigError
from cloudsync_core.location import Location
from cloudsync_core.options import BackendOptions
from cloudsync_core.plugins.opening import check_options

_SCHEMES = ("az", "abfs")


@click.group()
def azure() -> None:
    """Prepare Azure for what cloudsync does there."""


@azure.command(name="setup")
@click.argument("container")
@click.option("--queue", metavar="NAME", help="The queue's name. [default: one made from the container and the prefix]")
@click.option("--prefix", default="", metavar="PREFIX", help="Hear of objects below this prefix only.")
@click.option("--endpoint", metavar="URL", help="The URL of the queue service. [default: that of the account]")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the location, as in a configuration; secrets are better kept in the environment. Repeatable.",
)
@click.option("--template", is_flag=True, help="Print a template for Azure Resource Manager instead, and do nothing.")
@click.option("--remove", is_flag=True, help="Remove what this command has made.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def setup_queue(
    container: str,
    *,
    queue: str | None,
    prefix: str,
    endpoint: str | None,
    options: tuple[str, ...],
    template: bool,
    remove: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Let CONTAINER tell of its changes by a storage queue, for the event source azure-queue.

    CONTAINER is a name, or a location such as az://container/prefix. The queue is made here, if it is not there. The
    subscription of Event Grid that fills it needs rights on the storage account: the commands of az that make it are
    printed.
    """
    location = _location(container, prefix)
    checked = _checked(AzureOptions, f"{location.scheme}://", _assignments(options))
    assert isinstance(checked, AzureOptions)
    address = Environment(location, checked).address
    folder = keys.folder(location.prefix)
    name = queue or queue_name(address.container, folder)
    given = {"queue": name} if endpoint is None else {"queue": name, "endpoint_url": endpoint}
    _checked(AzureQueueOptions, "the queue", given)
    wanted = setup.Wanted(address.account, address.container, folder, name)
    if template:
        click.echo(templating.template(wanted))
        return
    with contextlib.closing(open_queue(location, checked, name, endpoint)) as opened:
        step = setup.plan(opened, wanted, remove=remove)
        click.echo(f"  {step.text}")
        if step.verb is None:
            click.echo("Nothing to do: the queue is " + ("not there." if remove else "there."))
        elif dry_run:
            click.echo("Nothing was done: this was a dry run.")
        else:
            if not yes:
                click.confirm("Do it?", abort=True)
            setup.perform(opened, wanted, step)
            click.echo("Done.")
    click.echo(f"\nThe subscription of Event Grid is {'removed' if remove else 'made'} by these commands:\n")
    for command in templating.commands(wanted, remove=remove):
        click.echo(command)
    if not remove:
        chosen = "" if queue is None else f" --event-option queue={name}"
        click.echo(f"\nWatch it: cloudsync watch {shown(location)} DIRECTORY --events azure-queue{chosen}")


def _location(container: str, prefix: str) -> Location:
    scheme, mark, rest = container.partition("://")
    if not mark:
        scheme, rest = "az", container
    if scheme not in _SCHEMES:
        raise ConfigError(f"{container}: this is no location of Azure", hint="Write CONTAINER, or az://CONTAINER.")
    name, _, inside = rest.partition("/")
    if inside and prefix:
        raise ConfigError("--prefix: the location has a prefix already")
    return Location(scheme, f"{name}/{inside or prefix}")


def _checked(model: type[BackendOptions], what: str, options: dict[str, str]) -> BackendOptions:
    return check_options(model, what, options)


def _assignments(texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ConfigError("--option: write NAME=VALUE")
        found[name] = value
    return found
