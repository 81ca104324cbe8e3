"""The configuration that `cloudsync init` writes."""

from __future__ import annotations

from importlib import resources


def starter() -> str:
    """Return the text of a commented configuration that loads, and that runs as soon as its source exists."""
    return resources.files(__package__).joinpath("starter.yaml").read_text(encoding="utf-8")
