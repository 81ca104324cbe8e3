"""Partial responses: `fields=items(name,size),nextPageToken`.

https://cloud.google.com/storage/docs/json_api#partial-response: names are separated by commas, `a/b` and `a(b,c)` go
into a field, `*` is every field, and what is a list is chosen from element by element.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from tests.servers.gcs_errors import invalid

Wanted = dict[str, "Wanted"]
"""Fields, and of each which of its fields; none means all."""

_NAME = re.compile(r"[A-Za-z0-9_*]+")


def chosen(resource: dict[str, Any], fields: str | None) -> dict[str, Any]:
    """Return the part of a resource that `fields` asks for; all of it without."""
    if not fields:
        return resource
    found: dict[str, Any] = _choose(resource, _parsed(fields))
    return found


def _choose(value: Any, wanted: Wanted) -> Any:
    if not wanted or "*" in wanted:
        return value
    if isinstance(value, list):
        return [_choose(element, wanted) for element in value]
    if not isinstance(value, dict):
        return value
    return {name: _choose(value[name], inner) for name, inner in wanted.items() if name in value}


@functools.lru_cache(maxsize=256)
def _parsed(fields: str) -> Wanted:
    text = fields.replace(" ", "")
    wanted, end = _selection(text, 0)
    if end != len(text):
        raise invalid(f"Invalid field selection {fields}", "fields")
    return wanted


def _selection(text: str, start: int) -> tuple[Wanted, int]:
    """Return what a list of paths asks for, and where it ends."""
    wanted: Wanted = {}
    while True:
        start = _path(text, start, wanted)
        if text[start : start + 1] != ",":
            return wanted, start
        start += 1


def _path(text: str, start: int, wanted: Wanted) -> int:
    name = _NAME.match(text, start)
    if name is None:
        raise invalid(f"Invalid field selection {text}", "fields")
    inner = wanted.setdefault(name[0], {})
    following = text[name.end() : name.end() + 1]
    if following == "/":
        return _path(text, name.end() + 1, inner)
    if following != "(":
        return name.end()
    chosen_inside, end = _selection(text, name.end() + 1)
    if text[end : end + 1] != ")":
        raise invalid(f"Invalid field selection {text}", "fields")
    inner.update(chosen_inside)
    return end + 1
