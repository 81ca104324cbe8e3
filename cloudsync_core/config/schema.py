"""The JSON Schema of the configuration, for editors and for messages that name the valid options."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from cloudsync_core.config.model import Config
from cloudsync_core.config.problems import KeyPath

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a configuration file.

    Options of backends are left open: each backend checks its own when a location is opened.
    """
    return {"$schema": DIALECT, **_without_null(Config.model_json_schema(mode="validation"))}


def option_names(path: KeyPath, kind: str = "") -> set[str]:
    """Return the names of the options that can stand in the mapping at `path`; empty where any name can.

    Args:
        path: in a configuration.
        kind: the title of the model of the job that the path leads into, if it does.
    """
    whole = _whole()
    nodes: list[Mapping[str, Any]] = [whole]
    sections = [section for section in whole["$defs"].values() if section["title"] == kind]
    if sections and path[:1] == ("jobs",) and len(path) > 1:
        nodes, path = sections, path[2:]
    for part in path:
        nodes = [child for node in nodes for child in _children(node, part, whole)]
    return {name for node in nodes for shape in _shapes(node, whole) for name in shape.get("properties", {})}


@functools.cache
def _whole() -> Mapping[str, Any]:
    return schema()


def _without_null(node: Any) -> Any:
    """Return a schema without `null`, which no option takes in a file: one that has no value is left out."""
    if isinstance(node, list):
        return [_without_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {name: _without_null(value) for name, value in node.items() if not (name == "default" and value is None)}
    alternatives = [item for item in kept.pop("anyOf", []) if item != {"type": "null"}]
    if len(alternatives) == 1:
        # The title of the type tells more than the one that pydantic makes of the option's name.
        return {**kept, **alternatives[0]}
    return {**kept, "anyOf": alternatives} if alternatives else kept


def _shapes(node: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the alternatives of a schema, references followed."""
    if "$ref" in node:
        yield from _shapes(whole["$defs"][node["$ref"].rpartition("/")[2]], whole)
    for alternative in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _shapes(alternative, whole)
    yield node


def _children(node: Mapping[str, Any], part: str | int, whole: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for shape in _shapes(node, whole):
        if isinstance(part, int):
            items = shape.get("items")
            children = [items] if isinstance(items, dict) else []
        else:
            named = shape.get("properties", {}).get(part)
            others = [*shape.get("patternProperties", {}).values(), shape.get("additionalProperties")]
            children = [named] if named is not None else [other for other in others if isinstance(other, dict)]
        yield from children
