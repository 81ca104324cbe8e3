"""docs/cli.md names every command, every option and every event; its examples are run by tests/docs."""

import re
from pathlib import Path

import click
import pytest

import cloudsync_core.cli
from cloudsync_core.cli.root import COMMANDS, cli

PAGE = (Path(__file__).parents[2] / "docs/cli.md").read_text()
EVERYWHERE = {"--json", "-v", "--verbose", "-q", "--quiet", "-h", "--help"}


def section(name):
    """The part of the page under a heading."""
    return re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)[1]


def options(name):
    command = cli.get_command(None, name)
    commands = command.commands.values() if isinstance(command, click.Group) else [command]
    return {
        option
        for command in commands
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }


@pytest.mark.parametrize("name", COMMANDS)
class TestACommand:
    def test_its_section_names_every_option(self, name):
        text = section(name)
        assert not {
            option for option in options(name) - EVERYWHERE if f"`{option}" not in text and f" {option}" not in text
        }

    def test_its_section_names_no_other(self, name):
        shown = set(re.findall(r"(?<=`)--?[a-z][a-z-]*", section(name)))
        known = options(name) | EVERYWHERE | {"--no-delete", "--dry-run", "-vv"}
        assert not shown - known

    def test_the_overview_has_its_summary(self, name):
        assert f"| {COMMANDS[name].summary} |" in PAGE


def test_the_options_of_every_command_are_described_once():
    overview = PAGE[: PAGE.index("## run")]
    assert {option for option in EVERYWHERE if f"`{option}`" not in overview} == set()


def test_every_event_is_described():
    package = Path(cloudsync_core.cli.__file__).parent
    printed = {
        event for path in package.rglob("*.py") for event in re.findall(r"\.event\(\s*\"(\w+)\"", path.read_text())
    }
    assert printed == set(re.findall(r"^\| `(\w+)` \|", section("Events"), re.MULTILINE))
