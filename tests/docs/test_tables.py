"""The tables of the documentation say what the code says."""

import re
from pathlib import Path
from typing import get_args

import cloudsync_core
from cloudsync_core import backend, crashpoints, errors, runs
from cloudsync_core.cli import console, endings
from tests.docs.blocks import blocks

ROOT = Path(__file__).parents[2]


def rows(page):
    """The cells of every table row of a page, its backquotes taken off."""
    for line in (ROOT / "docs" / page).read_text().splitlines():
        if line.startswith("| ") and not line.startswith("| --"):
            yield [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]


def error_classes(base=errors.CloudSyncError):
    yield base
    for child in base.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from error_classes(child)


class TestErrors:
    def test_every_class_is_listed_with_what_it_does(self):
        actual = [
            [
                error.__name__,
                str(error.exit_code),
                error.default_disposition.value if issubclass(error, errors.BackendError) else "",
            ]
            for error in error_classes()
        ]
        documented = [row[:3] for row in rows("errors.md") if row[0].endswith("Error")]
        assert sorted(documented) == sorted(actual)

    def test_the_tree_in_the_module_has_every_class(self):
        drawn = set(re.findall(r"── (\w+)", errors.__doc__))
        assert drawn == {error.__name__ for error in error_classes()} - {"CloudSyncError"}


class TestExitCodes:
    def test_every_status_is_listed(self):
        statuses = {row[0]: int(row[1]) for row in rows("exit-codes.md") if row[1].isdigit()}
        assert statuses == runs.EXIT_CODES

    def test_every_code_is_listed(self):
        codes = {int(row[0]) for row in rows("exit-codes.md") if row[0].isdigit()}
        ours = {error.exit_code for error in error_classes()} | set(runs.EXIT_CODES.values())
        assert codes == ours | {endings.USAGE, endings.CRASHED, console.BROKEN_PIPE, console.UNWRITABLE}


class TestArchitecture:
    page = (ROOT / "docs/architecture.md").read_text()

    def test_it_has_the_clauses_of_the_contract(self):
        documented = {row[0] for row in rows("architecture.md") if re.fullmatch(r"[A-Z]\d", row[0])}
        assert documented == set(re.findall(r"^([A-Z]\d) ", backend.__doc__, re.MULTILINE))

    def test_it_shows_every_room(self):
        package = Path(cloudsync_core.__file__).parent
        rooms = {path.name for path in package.iterdir() if path.suffix == ".py" and not path.name.startswith("_")}
        rooms |= {f"cloudsync_core/{path.parent.name}/" for path in package.glob("*/__init__.py")}
        assert {room for room in rooms if room not in self.page} == set()


def test_the_reliability_page_has_every_promise_once():
    promises = re.findall(r"^\*\*P(\d+)\. ", (ROOT / "docs/reliability.md").read_text(), re.MULTILINE)
    assert [int(number) for number in promises] == list(range(1, 13))


def test_the_readme_shows_the_configuration_of_the_quickstart():
    (shown,) = (block for block in blocks(ROOT / "README.md") if block.title == "cloudsync.yaml")
    config = (ROOT / "examples/quickstart/cloudsync.yaml").read_text()
    lines = (line.partition("#")[0].rstrip() for line in config.splitlines())
    assert shown.text.splitlines() == [line for line in lines if line]


def test_every_crash_point_is_listed_in_its_order():
    listed = [row[0] for row in rows("testing.md") if row[0] in crashpoints.POINTS]
    assert listed == list(get_args(crashpoints.Point))
