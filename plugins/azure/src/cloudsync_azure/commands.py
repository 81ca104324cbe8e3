"""`cloudsync azure setup`."""

from __future__ import annotations

import click

from cloudsync_azure import setup
from cloudsync_azure.config import AzureOptions
from cloudsync_azure.environment import Environment
from cloudsync_azure.source import AzureQueueOptions, open_queue
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
@click.option("--queue", metavar="NAME", help="The queue's name. [default: cloudsync-CONTAINER]")
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
@click.option("--yes", is_flag=True, help="Do not ask.")
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
    name = queue or setup.queue_name(address.container)
    given = {"queue": name} if endpoint is None else {"queue": name, "endpoint_url": endpoint}
    _checked(AzureQueueOptions, "the queue", given)
    wanted = setup.Wanted(address.account, address.container, location.prefix, name)
    if template:
        click.echo(setup.template(wanted))
        return
    _, opened = open_queue(location, checked, name, endpoint)
    try:
        step = setup.plan(opened, wanted, remove=remove)
        click.echo(f"{'would ' if dry_run and step.verb else ''}{step.text}")
        if step.verb is not None and not dry_run:
            if not yes:
                click.confirm("Go on?", abort=True)
            setup.perform(opened, wanted, step)
            click.echo("done")
    finally:
        opened.close()
    click.echo(f"\nTo {'remove' if remove else 'make'} the subscription of Event Grid, run:\n")
    for command in setup.commands(wanted, remove=remove):
        click.echo(command)
    if not remove:
        click.echo(f"\nThen watch with: --events azure-queue --event-option queue={name}")


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
