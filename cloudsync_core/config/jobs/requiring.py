"""What tells the kinds of jobs apart has to be written in a file, though Python objects have it by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def requires(*names: str) -> Callable[[dict[str, Any]], None]:
    """Return what makes a model's JSON Schema require options that have a default."""

    def add(section: dict[str, Any]) -> None:
        section["required"] = [*names, *section.get("required", ())]

    return add
