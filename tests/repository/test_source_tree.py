"""Promises of the source tree that no linter checks: sizes, names, and that the core knows no provider."""

import ast
import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import ClassVar

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (ROOT / "cloudsync_core", *sorted(ROOT.glob("plugins/*/src/cloudsync_*")))
MODULES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))
CORE = sorted((ROOT / "cloudsync_core").rglob("*.py"))
PROJECTS = sorted(ROOT.glob("plugins/*/pyproject.toml"))

PROVIDER = re.compile(
    r"(?<![a-z0-9])(s3|s3fs|aws|amazon\w*|boto\w*|aiobotocore|azure\w*|adlfs?|gcs|gcsfs|google\w*|minio|ceph|moto)(?![a-z0-9])",
    re.IGNORECASE,
)
LINK = re.compile(r"https?://\S+")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager2"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_are_modules_to_check():
    assert len(CORE) > 10
    assert len(MODULES) > len(CORE)


def test_the_core_names_no_provider():
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in CORE
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if PROVIDER.search(LINK.sub("", line))
    ]
    assert not found, "a difference between providers is a capability or a plugin's code"


def test_every_module_is_read_in_one_sitting():
    assert [name(path) for path in MODULES if len(path.read_text().splitlines()) > 400] == []


def test_every_module_says_what_it_is_for():
    assert [name(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_names_tell_what_may_be_inside():
    vague = [name(path) for path in MODULES if VAGUE_NAMES.intersection({path.stem, *path.relative_to(ROOT).parts})]
    assert vague == [], "they could hold anything"


def public_packages():
    """Packages whose `__init__` is a door: it lists what may be imported from them."""
    doors = [
        path.relative_to(package.parent)
        for package in PACKAGES
        for path in sorted(package.rglob("__init__.py"))
        if "__all__" in path.read_text()
    ]
    return [".".join(path.parent.parts) for path in doors]


def test_the_core_has_a_public_door():
    assert "cloudsync_core.plugins" in public_packages()


@pytest.mark.parametrize("package", public_packages())
def test_what_a_package_lists_can_be_imported_from_it(package):
    module = import_module(package)
    assert len(module.__all__) == len(set(module.__all__))
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    assert not missing


@pytest.mark.parametrize("package", public_packages())
def test_what_a_package_imports_for_its_users_is_listed(package):
    module = import_module(package)
    tree = ast.parse(Path(module.__file__).read_text())
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
        if (node.module or "").startswith("cloudsync_")
    }
    assert not imported - set(module.__all__)


class TestDistributions:
    """The distributions say the same where they must."""

    core = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    plugins: ClassVar = {path.parent.name: tomllib.loads(path.read_text())["project"] for path in PROJECTS}

    def test_every_plugin_is_one(self):
        assert self.plugins.keys() == {path.name for path in ROOT.glob("plugins/*")}

    @pytest.mark.parametrize("field", ["license", "requires-python"])
    def test_they_agree(self, field):
        assert {project[field] for project in self.plugins.values()} == {self.core[field]}

    @pytest.mark.parametrize("plugin", plugins)
    def test_a_plugin_asks_for_a_range_of_the_core(self, plugin):
        (bound,) = [line for line in self.plugins[plugin]["dependencies"] if line.startswith("cloudsync-core")]
        assert ">=" in bound
        assert "<" in bound.replace(">=", "")
        assert "==" not in bound

    def test_no_dependency_is_pinned(self):
        projects = (self.core, *self.plugins.values())
        assert not [line for project in projects for line in project["dependencies"] if "==" in line]
