"""`cloudsync plugins new` writes a package that is complete and keeps our rules, and never replaces anything."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cloudsync_core.errors import ConfigError
from cloudsync_core.plugins.authoring import LONGEST_NAME, NewPlugin

ROOT = Path(__file__).parents[2]
VERSION = "0.4.1"
LONGEST = "an-object-store-number-9"


def tool(folder, *command, env=None):
    """Run a tool of this environment in a folder, without a word from our own settings."""
    ran = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="session")
def known_types(tmp_path_factory):
    """Where mypy keeps what it knows of cloudsync and of the standard library."""
    return tmp_path_factory.mktemp("types")


@pytest.fixture(params=["demo", "x", LONGEST])
def package(request, tmp_path):
    """The package of a new plugin, of names that are short and long."""
    assert len(LONGEST) == LONGEST_NAME
    return NewPlugin(request.param, "demo").write(tmp_path, VERSION)


def project(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text())


class TestTheNames:
    def test_follow_from_the_plugins(self):
        plugin = NewPlugin("my-store-2", "my+store")
        assert plugin.distribution == "cloudsync-my-store-2"
        assert plugin.package == "cloudsync_my_store_2"
        assert plugin.class_name == "MyStore2"

    @pytest.mark.parametrize(
        "name",
        ["", "Demo", "2demo", "-demo", "demo-", "a--b", "a_b", "a b", "a/b", "..", "demo\n", "d\u00e9mo", "x" * 25],
    )
    def test_that_cannot_be_are_refused_with_the_rule(self, name):
        with pytest.raises(ConfigError) as caught:
            NewPlugin(name, "demo")
        assert "cannot be the name of a plugin" in str(caught.value)
        assert "lower-case letters and digits" in caught.value.hint

    def test_may_be_taken_for_the_distributions(self):
        with pytest.raises(ConfigError) as caught:
            NewPlugin("cloudsync-demo", "demo")
        assert caught.value.hint == "cloudsync plugins new demo"

    @pytest.mark.parametrize("name", ["core", "s3", "backend"])
    def test_of_our_own_distributions_are_taken(self, name):
        with pytest.raises(ConfigError, match=f"cloudsync-{name} is a name of cloudsync's own"):
            NewPlugin(name, "demo")

    @pytest.mark.parametrize("scheme", ["", "Demo", "2x", "a_b", "a://", "a b", "\u00e9", "x" * 25])
    def test_of_a_scheme_follow_the_rule_of_urls(self, scheme):
        with pytest.raises(ConfigError, match="cannot be the scheme of a location"):
            NewPlugin("demo", scheme)

    @pytest.mark.parametrize("scheme", ["file", "memory"])
    def test_of_the_cores_schemes_are_taken(self, scheme):
        with pytest.raises(ConfigError, match=f"the scheme '{scheme}' is the core's own"):
            NewPlugin("demo", scheme)


class TestThePackage:
    def test_has_every_file(self, package):
        name = package.name.replace("-", "_")
        assert sorted(str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()) == sorted([
            ".gitignore",
            "CHANGELOG.md",
            "README.md",
            "pyproject.toml",
            *(f"src/{name}/{file}.py" for file in ("__init__", "backend", "config", "errors", "plugin", "service")),
            f"src/{name}/py.typed",
            *(f"tests/test_{subject}.py" for subject in ("conformance", "errors", "leftovers", "plugin")),
        ])  # fmt: skip

    def test_leaves_no_placeholder(self, package):
        for path in package.rglob("*.*"):
            text = path.read_text().replace("\n$ ", "\n")
            assert "$" not in text, path

    @pytest.mark.parametrize(
        ("version", "asked"),
        [("0.4.1", ">=0.4,<0.5"), ("0.10.0.dev3", ">=0.10,<0.11"), ("1.0.0", ">=1.0,<2"), ("3.7.2", ">=3.7,<4")],
    )
    def test_asks_for_the_cores_that_keep_the_contract(self, tmp_path, version, asked):
        folder = NewPlugin("demo", "demo").write(tmp_path, version)
        assert project(folder)["project"]["dependencies"] == [f"cloudsync-core{asked}"]

    def test_is_held_to_our_own_rules(self, package):
        ours, theirs = (project(folder)["tool"]["ruff"] for folder in (ROOT, package))
        for field in ("select", "ignore"):
            assert theirs["lint"][field] == ours["lint"][field]
        assert theirs["line-length"] == ours["line-length"]
        assert set(project(package)["dependency-groups"]["lint"]) <= set(project(ROOT)["dependency-groups"]["lint"])

    def test_keeps_them(self, package):
        tool(package, "ruff", "check", "--no-cache")
        tool(package, "ruff", "format", "--no-cache", "--check")

    def test_keeps_them_under_our_settings_too(self, package):
        tool(package, "ruff", "check", "--no-cache", "--config", str(ROOT / "pyproject.toml"))

    def test_has_strict_types(self, package, known_types):
        assert project(package)["tool"]["mypy"]["strict"]
        tool(package, "mypy", "--cache-dir", str(known_types))

    def test_passes_its_own_tests_whatever_it_is_called(self, tmp_path):
        package = NewPlugin(LONGEST, "my+scheme-2.0").write(tmp_path, "0.1.0")
        site = tmp_path / "site"
        pip = ("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", str(site), str(package))
        tool(tmp_path, *pip)
        # What they leave out is only what a capability that is not declared leaves out.
        env = {"PYTHONPATH": str(site), "HOME": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        out = tool(package, "pytest", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "its"), env=env)
        skipped = [line for line in out.splitlines() if line.startswith("SKIPPED")]
        assert skipped
        assert [line for line in skipped if "is not declared" not in line] == []


class TestWriting:
    def test_makes_the_directory(self, tmp_path):
        folder = NewPlugin("demo", "demo").write(tmp_path / "a/b", VERSION)
        assert folder == tmp_path / "a/b/cloudsync-demo"
        assert (folder / "pyproject.toml").exists()
        assert [path.name for path in folder.parent.iterdir()] == ["cloudsync-demo"]

    @pytest.mark.parametrize("kind", ["folder", "file", "dangling-link"])
    def test_never_takes_the_place_of_anything(self, tmp_path, kind):
        there = tmp_path / "cloudsync-demo"
        if kind == "folder":
            there.mkdir()
        elif kind == "file":
            there.write_text("mine")
        else:
            there.symlink_to("nowhere")
        with pytest.raises(ConfigError) as caught:
            NewPlugin("demo", "demo").write(tmp_path, VERSION)
        assert "exists already, and nothing is replaced" in str(caught.value)
        assert "--directory" in caught.value.hint
        assert [path.name for path in tmp_path.iterdir()] == ["cloudsync-demo"]
        assert not there.is_dir() or list(there.iterdir()) == []

    def test_that_fails_leaves_nothing(self, tmp_path):
        (tmp_path / "file").write_text("no folder")
        with pytest.raises(ConfigError, match="cannot be written"):
            NewPlugin("demo", "demo").write(tmp_path / "file", VERSION)

    def test_that_is_interrupted_leaves_nothing(self, tmp_path, monkeypatch):
        def files(self, version):
            yield "pyproject.toml", ""
            raise KeyboardInterrupt

        monkeypatch.setattr(NewPlugin, "files", files)
        with pytest.raises(KeyboardInterrupt):
            NewPlugin("demo", "demo").write(tmp_path, VERSION)
        assert list(tmp_path.iterdir()) == []
