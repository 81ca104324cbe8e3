"""What a distribution imports, what it asks for, and what docs/dependencies.md explains are the same."""

import ast
import functools
import re
import sys
import tomllib
from importlib.metadata import files, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = {"pydantic-core": "pydantic"}
"""What another distribution consists of, and pins: importing the part asks for the whole."""

SOURCES = {"cloudsync-core": (ROOT / "pyproject.toml", ROOT / "cloudsync_core")} | {
    f"cloudsync-{path.parent.name}": (path, path.parent / "src" / f"cloudsync_{path.parent.name}")
    for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))
}


def project(name):
    return tomllib.loads(SOURCES[name][0].read_text())


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirements):
    """The distributions that requirements name."""
    return {normal(re.match(r"[\w.-]+", line)[0]) for line in requirements if isinstance(line, str)}


def imported(folder):
    """The distributions that the modules of a folder import, the standard library left out."""
    modules = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules.add(node.module)
    foreign = {module for module in modules if module.partition(".")[0] not in sys.stdlib_module_names}
    names = {normal(name) for module in foreign for name in bringing(module)}
    return {PARTS.get(name, name) for name in names}


distributions_by_package = functools.cache(packages_distributions)


def bringing(module):
    """The distributions that bring a module: one, but where several share the top of a namespace."""
    top = module.partition(".")[0]
    found = distributions_by_package().get(top, [top])
    if len(set(found)) == 1:
        return found
    places = {module.replace(".", "/") + end for end in (".py", "/__init__.py")}
    return [name for name in set(found) if places & set(map(str, files(name) or ()))]


def brought_by_the_core(requirements):
    """What the core's own requirement brings to a plugin: what the contract is written in, and the extras it names."""
    core = project("cloudsync-core")["project"]
    brought = set()
    for line in requirements:
        if found := re.match(r"cloudsync-core(?:\[([^]]*)\])?", line):
            brought |= named(core["dependencies"])
            for extra in (found[1] or "").split(","):
                brought |= named(core["optional-dependencies"].get(extra.strip(), ()))
    return brought


@pytest.mark.parametrize("name", SOURCES)
class TestDistribution:
    def test_it_asks_for_what_it_imports(self, name):
        found = project(name)["project"]
        asked = named(found["dependencies"])
        for extra in found.get("optional-dependencies", {}).values():
            asked |= named(extra)
        asked |= brought_by_the_core(found["dependencies"])
        assert imported(SOURCES[name][1]) - asked - {name} == set()

    def test_it_imports_what_it_asks_for(self, name):
        assert named(project(name)["project"]["dependencies"]) - imported(SOURCES[name][1]) == set()


def test_every_dependency_is_explained_and_no_other():
    explained = set(re.findall(r"^\| \[?`([^`]+)`", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE))
    asked = {"hatchling"}
    for name in SOURCES:
        found = project(name)
        asked |= named(found["project"]["dependencies"])
        for group in (found["project"].get("optional-dependencies", {}) | found.get("dependency-groups", {})).values():
            asked |= named(group)
    assert {normal(name) for name in explained} == asked - set(SOURCES)
