"""The option tables of docs/configuration.md, made from the descriptions in the model.

`python -m cloudsync_core.config.reference docs/configuration.md` brings the page in step.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudsync_core.config.schema import schema

_TABLE = re.compile(r"(<!-- options of: (.+?) -->\n).*?(<!-- end of options -->)", re.DOTALL)
_TYPES = {
    "string": "text",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "integer": "whole number",
    "number": "number",
}


def fill(page: str) -> str:
    """Return `page` with the tables between `<!-- options of: … -->` and `<!-- end of options -->` made anew."""
    return _TABLE.sub(lambda match: f"{match[1]}{option_table(match[2])}{match[3]}", page)


def option_table(title: str) -> str:
    """Return the options of one section as a Markdown table.

    Args:
        title: of the section in the JSON Schema, for instance "mirror job".

    Raises:
        KeyError: there is no such section.
    """
    whole = schema()
    sections = {section["title"]: section for section in (whole, *whole["$defs"].values())}
    section = sections[title]
    rows = ["| option | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name, option in section["properties"].items():
        default = "required" if name in section.get("required", ()) else _default(option)
        rows.append(f"| `{name}` | {_type(option, whole)} | {default} | {option['description']} |")
    return "".join(f"{row}\n" for row in rows)


def _default(option: Mapping[str, Any]) -> str:
    default = option.get("default")
    if default in (None, [], {}):
        return "none"
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{default}`" if isinstance(default, str) else f"`{json.dumps(default)}`"


def _plural(noun: str) -> str:
    return f"{noun.removesuffix('y')}ies" if noun.endswith("y") else f"{noun}s"


def _type(option: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    if "anyOf" in option:
        return " or ".join(_type(alternative, whole) for alternative in option["anyOf"])
    if "$ref" in option:
        return str(whole["$defs"][option["$ref"].rpartition("/")[2]]["title"])
    if option.get("type") == "array":
        item = option["items"]
        return f"list of {_plural(item.get('title') or _type(item, whole))}"
    return _scalar_type(option)


def _scalar_type(option: Mapping[str, Any]) -> str:
    if "const" in option:
        return f"`{option['const']}`"
    if "enum" in option:
        return " or ".join(f"`{value}`" for value in option["enum"])
    if "minimum" in option and "maximum" in option:
        return f"{option['minimum']} to {option['maximum']}"
    if option["type"] == "string" and option.get("title", "").islower():
        return str(option["title"])
    return _TYPES[option["type"]]


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(fill(Path(name).read_text(encoding="utf-8")), encoding="utf-8")
