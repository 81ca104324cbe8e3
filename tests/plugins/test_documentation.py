"""The reference for authors of plugins says what the code says."""

import dataclasses
import inspect
import re
import typing
from pathlib import Path

import pytest

from cloudsync_core.plugins import BackendInfo, ComparatorInfo, EventSourceInfo, hookspecs
from cloudsync_core.plugins.status import Status

PAGE = (Path(__file__).parents[2] / "docs/plugins.md").read_text()


def first_cells(section):
    """The first cells of the table rows between a heading, or another line, and the next heading or record."""
    text = re.split(rf"^{re.escape(section)}$", PAGE, flags=re.MULTILINE)[1]
    text = re.split(r"^(?:#|`\w+`:$)", text, flags=re.MULTILINE)[0]
    return re.findall(r"^\| `([^`]+)`", text, flags=re.MULTILINE)


def test_every_hook_is_listed_with_its_arguments():
    hooks = [
        f"{name.removeprefix('cloudsync_')}({', '.join(inspect.signature(hook).parameters)})"
        for name, hook in vars(hookspecs).items()
        if name.startswith("cloudsync_")
    ]
    assert sorted(first_cells("## Hooks")) == sorted(hooks)


@pytest.mark.parametrize("record", [BackendInfo, ComparatorInfo, EventSourceInfo])
def test_every_field_of_a_record_is_listed(record):
    assert first_cells(f"`{record.__name__}`:") == [field.name for field in dataclasses.fields(record)]


def test_every_status_is_listed():
    assert first_cells("## Statuses") == list(typing.get_args(Status))
