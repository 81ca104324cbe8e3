"""The table of cases in docs/reliability.md: which tests show each, found by their names.

A test says which cases it shows by its name (`test_A05_…`, `test_A01_A13_…`), by its docstring, or by the name or
the docstring of its class; in docstrings `C03-C06` is a range. `python -m tests.docs.reliability` writes what it finds
into the last column of the page.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reliability.md"

GROUPS = {"A": 25, "B": 20, "C": 25, "D": 26, "E": 13, "F": 7, "H": 11}
"""How many cases each group has."""
CASES = tuple(f"{group}{number:02}" for group, count in GROUPS.items() for number in range(1, count + 1))

NOT_PROVEN = frozenset[str]()
"""Cases that have neither a test nor a reason yet, which the page says of each. Keep it empty."""

EXCUSE = "Cannot occur: "
"""How the third column of a case begins that needs no test."""

_TESTS = ("tests/**/test_*.py", "plugins/*/tests/test_*.py", "examples/*/tests/test_*.py")
_CLAUSES = ("cloudsync_core/testing/**/*.py",)
"""The suite that every backend is held to."""

_NAMED = re.compile(r"(?<![A-Za-z0-9])[A-H]\d\d(?![0-9A-Za-z])")
_TOLD = re.compile(r"(?<![A-Za-z0-9])([A-H])(\d\d)(?:-([A-H])(\d\d))?(?![0-9A-Za-z])")
_ROW = re.compile(r"\| ([A-H]\d\d) \| (.+?) \| (.+?) \|(.*)\|")


def shown() -> dict[str, set[Path]]:
    """Return the modules whose tests show a case, relative to the root, by case; known cases and others."""
    found: dict[str, set[Path]] = {}
    for pattern in (*_TESTS, *_CLAUSES):
        for path in ROOT.glob(pattern):
            for case in _of_module(path):
                found.setdefault(case, set()).add(path.relative_to(ROOT))
    return found


def rows(page: str) -> dict[str, tuple[str, str, str]]:
    """Return what goes wrong, what cloudsync does, and the tests, by case.

    Raises:
        ValueError: a case stands there twice.
    """
    found: dict[str, tuple[str, str, str]] = {}
    for line in page.splitlines():
        if row := _ROW.fullmatch(line):
            if row[1] in found:
                raise ValueError(f"{row[1]} is in the table twice")
            found[row[1]] = row[2], row[3], row[4].strip()
    return found


def filled(page: str, tests: dict[str, set[Path]]) -> str:
    """Return the page with the last column as `tests` say."""
    return "\n".join(_fill(line, tests) for line in page.split("\n"))


def _fill(line: str, tests: dict[str, set[Path]]) -> str:
    row = _ROW.fullmatch(line)
    if row is None:
        return line
    links = ", ".join(_link(path) for path in sorted(tests.get(row[1], ())))
    return f"| {row[1]} | {row[2]} | {row[3]} | {links} |"


def _link(path: Path) -> str:
    name = path.stem.removeprefix("test_")
    room = path.parts[1] if path.parts[0] in {"plugins", "examples"} else path.parent.name
    return f"[{room}/{name}]({Path(os.path.relpath(ROOT / path, PAGE.parent)).as_posix()})"


def _of_module(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield from _NAMED.findall(node.name.replace("_", " "))
            yield from _told(ast.get_docstring(node) or "")
        if isinstance(node, ast.ClassDef) and _is_of_tests(node):
            yield from _NAMED.findall(re.sub(r"([A-H]\d\d)", r" \1 ", node.name))
            yield from _told(ast.get_docstring(node) or "")


def _is_of_tests(node: ast.ClassDef) -> bool:
    return any(isinstance(child, ast.FunctionDef) and child.name.startswith("test_") for child in ast.walk(node))


def _told(text: str) -> Iterator[str]:
    for group, first, to, last in _TOLD.findall(text):
        if to not in {"", group}:
            raise ValueError(f"{group}{first}-{to}{last} is no range")
        yield from (f"{group}{number:02}" for number in range(int(first), int(last or first) + 1))


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(), shown()))
