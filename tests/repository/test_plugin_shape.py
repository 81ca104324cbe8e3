"""The plugins of this repository have one shape: who knows one finds the same thing at the same place in the others."""

import ast
import itertools
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
PAIRS = [pytest.param(first, second, id=f"{first.name}-{second.name}") for first, second in itertools.pairwise(FOLDERS)]
COMMON_OPTIONS = ("endpoint_url", "anonymous", "verify_tls", "ca_bundle", "connect_timeout", "read_timeout")
"""What every one of them has, under one name."""

OF_ONE = {"probing.py"}
"""Of S3 there are servers of others, of which nobody knows what they can do."""

FILES = ("pyproject.toml", "README.md", "CHANGELOG.md", "src", "tests")
TESTS = ("conftest.py", "test_plugin.py", "test_config.py", "test_environment.py", "test_errors.py", "test_readme.py")


def package(folder):
    """The directory of a plugin's package."""
    return folder / "src" / f"cloudsync_{folder.name}"


def imported(path):
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module


def record(folder):
    """What a plugin registers."""
    [info] = import_module(f"cloudsync_{folder.name}.plugin").cloudsync_register_backends()
    return info


def options(folder):
    """The model of a plugin's options."""
    module, _, name = record(folder).options.partition(":")
    return getattr(import_module(module), name)


def order(keys):
    """The names of tables and keys, in their order, with what is the plugin's own taken off."""
    return [(key, list(value) if isinstance(value, dict) else None) for key, value in keys.items()]


def test_there_are_plugins_to_compare():
    assert {folder.name for folder in FOLDERS} == {"azure", "gcs", "s3"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
class TestAPlugin:
    def test_has_the_files_of_a_distribution(self, folder):
        assert [name for name in FILES if not (folder / name).exists()] == []
        assert [path.name for path in folder.glob("src/*") if path.name.startswith("cloudsync")] == [
            f"cloudsync_{folder.name}"
        ]

    def test_has_the_tests_that_all_have(self, folder):
        assert [name for name in TESTS if not (folder / "tests" / name).exists()] == []

    def test_is_held_to_the_contract_on_a_real_server(self, folder):
        suites = list((folder / "tests").glob("test_conformance_*.py"))
        assert suites
        assert [path.name for path in suites if "BackendContract" not in path.read_text()] == []

    def test_imports_no_other_plugin(self, folder):
        others = {f"cloudsync_{other.name}" for other in FOLDERS} - {f"cloudsync_{folder.name}"}
        found = {
            f"{path.relative_to(ROOT)}: {module}"
            for part in ("src", "tests")
            for path in (folder / part).rglob("*.py")
            for module in imported(path)
            if module.partition(".")[0] in others
        }
        assert not found

    def test_names_its_parts_as_the_others_do(self, folder):
        info = record(folder)
        assert re.fullmatch(rf"cloudsync_{folder.name}\.backend:(\w+)Backend", info.factory)
        assert re.fullmatch(rf"cloudsync_{folder.name}\.config:(\w+)Options", info.options)
        assert info.install_hint == f"pip install cloudsync-{folder.name}"

    def test_has_the_options_that_all_have(self, folder):
        assert set(COMMON_OPTIONS) - options(folder).model_fields.keys() == set()


@pytest.mark.parametrize(("first", "second"), PAIRS)
class TestTwoPlugins:
    def test_have_modules_of_the_same_names(self, first, second):
        def modules(folder):
            return {str(path.relative_to(package(folder))) for path in package(folder).rglob("*.py")} - OF_ONE

        assert modules(first) - modules(second) == modules(second) - modules(first) == set()

    def test_have_project_files_in_the_same_order(self, first, second):
        def tables(folder):
            found = tomllib.loads((folder / "pyproject.toml").read_text())
            return order(found) + order(found["project"] | {"entry-points": None})

        assert tables(first) == tables(second)

    def test_say_in_the_same_order_what_a_user_asks_first(self, first, second):
        def headings(folder):
            return re.findall(r"^## (.+)$", (folder / "README.md").read_text(), re.MULTILINE)

        assert headings(first) == headings(second)

    def test_mean_the_same_by_the_same_option(self, first, second):
        def meanings(folder):
            fields = options(folder).model_fields
            return {name: (fields[name].default, fields[name].annotation) for name in COMMON_OPTIONS}

        assert meanings(first) == meanings(second)
