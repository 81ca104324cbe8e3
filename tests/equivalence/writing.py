"""What turns a run of these tests into the page of the support matrix: a pytest plugin that the command registers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.equivalence.records import Record

PAGE = Path(__file__).parents[2] / "docs/support-matrix.md"


class Writer:
    """Takes the records of the pairs that pass, until they are written.

    Attributes:
        records: by source and target.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], Sequence[Record | None]] = {}


def writer_of(config: pytest.Config) -> Writer | None:
    """Return what the command registered for this session, if it did."""
    return next((plugin for plugin in config.pluginmanager.get_plugins() if isinstance(plugin, Writer)), None)
