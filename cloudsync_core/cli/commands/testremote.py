"""`cloudsync testremote`."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from cloudsync_core.backend import Backend
from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.interrupts import interruptible, terminable
from cloudsync_core.cli.options import location_of
from cloudsync_core.cli.trial import Trial
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine.executor import Stop
from cloudsync_core.errors import ConfigError
from cloudsync_core.plugins.facade import Plugins

if TYPE_CHECKING:
    from cloudsync_core.testing.place import Place
    from cloudsync_core.testing.remote import TestResult

CLAUSES = (
    "L1",
    "L2",
    "L3",
    "L4",
    "S1",
    "G1",
    "G2",
    "P1",
    "P2",
    "P3",
    "P4",
    "P5",
    "D1",
    "D2",
    "D3",
    "D4",
    "E1",
    "C1",
    "T1",
)


@click.command(cls=Command)
@click.argument("location", type=click.Path())
@click.option(
    "--option",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the backend; ${env:NAME} and ${file:path} stand for secrets. Repeatable.",
)
@click.option(
    "--clause",
    "clauses",
    multiple=True,
    metavar="CLAUSE",
    type=click.Choice(CLAUSES, case_sensitive=False),
    help="Test only this clause of the contract, for instance P4. Repeatable.",
)
@click.option("--benchmark", is_flag=True, help="Measure puts, gets, lists and deletes of small objects, too.")
def testremote(
    console: Console, location: str, given: tuple[str, ...], clauses: tuple[str, ...], *, benchmark: bool
) -> int:
    """Test what a store keeps of the contract, under a fresh prefix of it.

    Shows what the backend declares of the store beside what was found by trying, runs the conformance suite of
    backends, and removes everything that it wrote. Nothing outside of the fresh prefix is read or written.
    """
    if importlib.util.find_spec("pytest") is None:
        raise ConfigError(
            "testremote needs pytest, which is not installed", hint="pip install 'cloudsync-core[testing]'"
        )
    where = location_of(location, given)
    plugins = Plugins.load()
    resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
    console.hide(resolver.values)

    from cloudsync_core.testing.place import Place  # noqa: PLC0415 - it needs pytest, as its package does

    place = Place(where, plugins, resolver)
    console.on_lost = _interrupt
    with place.open() as backend:
        trial = Trial(console, backend.location)
        place.check_fresh(backend)
        console.note(f"testing {backend.location}: everything is written under {place.prefix}/, and removed at the end")
        try:
            with terminable():
                _test(place, trial, clauses, benchmark=benchmark)
        except KeyboardInterrupt:
            trial.interrupted = True
        finally:
            _clean_up(backend, place.prefix, trial)
    trial.tell(place.prefix)
    return trial.exit_code


def _interrupt() -> NoReturn:
    """End the tests in order when nobody reads what they say."""
    raise KeyboardInterrupt


def _test(place: Place, trial: Trial, clauses: Sequence[str], *, benchmark: bool) -> None:
    from cloudsync_core.testing import benchmarks, probing, remote  # noqa: PLC0415 - likewise

    for finding in probing.probe(place.open_root):
        trial.found(finding)
    trial.tell_findings()
    setting = remote.Remote(place.open_root, place.open_missing, place.why_no_missing())

    def tested(result: TestResult) -> None:
        trial.tests = setting.tests
        trial.tested(result)

    if not remote.run(setting, tested, clauses):
        raise KeyboardInterrupt
    trial.refusals = setting.refusals
    if benchmark:
        with place.open_root("benchmark") as backend:
            for measurement in benchmarks.measure(backend):
                trial.measured(measurement)


def _clean_up(backend: Backend, prefix: str, trial: Trial) -> None:
    from cloudsync_core.testing.sweeping import sweep  # noqa: PLC0415 - likewise

    console, stop = trial.console, Stop()
    if trial.interrupted:
        console.note("interrupted: removing what was written; once more leaves it")
    with interruptible(stop, lambda: console.trouble("interrupted: no more is removed")):
        try:
            trial.removed, trial.left = sweep(backend, prefix, stop)
        except Exception as error:  # noqa: BLE001 - whatever a backend that is on trial raises, this must be told
            trial.left = {f"{prefix}/": f"it is not known what is left there: {error}"}
    trial.interrupted = trial.interrupted or stop.interrupted
    trial.tell_left()
