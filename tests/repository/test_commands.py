"""The commands of a fresh clone: what they say when the machine lacks something, and that they are documented."""

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECTS = ["pyproject.toml", *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("plugins/*/pyproject.toml")))]

LOCK = "tests/servers/node/package-lock.json"
STAMPS = (".venv/ready-core", ".venv/ready-test", ".tools/azurite/ready")


def make(folder, *arguments):
    # What an outer make has told its children is not for this one.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def clone(tmp_path):
    """Enough of a clone for make to find its rules, and nothing of ours that it could change."""
    for name in ("Makefile", LOCK, *PROJECTS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def python(tmp_path):
    """Makes an interpreter that answers the questions of the Makefile."""

    def interpreter(*, version, venv):
        file = tmp_path / "some-python"
        file.write_text(
            "#!/bin/sh\n"
            f'case "$*" in --version) echo Python {version};; *venv*) exit {0 if venv else 1};; '
            f"*version_info*) exit {0 if version >= '3.11' else 1};; esac\n"
        )
        file.chmod(0o755)
        return file

    return interpreter


class TestMake:
    @pytest.mark.parametrize("command", ["demo", "test"])
    def test_names_the_python_that_is_missing(self, clone, command):
        result = make(clone, command, "PYTHON=no-such-python")
        assert result.returncode != 0
        assert "no 'no-such-python' here" in result.stderr
        assert f"make {command} PYTHON=" in result.stderr
        assert not (clone / ".venv").exists()

    def test_refuses_a_python_that_is_too_old(self, clone, python):
        result = make(clone, "demo", f"PYTHON={python(version='3.10.9', venv=True)}")
        assert result.returncode != 0
        assert "Python 3.11 or later" in result.stderr
        assert "is Python 3.10.9" in result.stderr
        assert not (clone / ".venv").exists()

    def test_says_how_to_get_the_venv_module(self, clone, python):
        result = make(clone, "demo", f"PYTHON={python(version='3.11.7', venv=False)}")
        assert result.returncode != 0
        assert "apt install python3-venv" in result.stderr
        assert not (clone / ".venv").exists()

    def test_does_not_install_again_what_is_there(self, clone):
        for stamp in (clone / name for name in STAMPS):
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.touch()
        planned = make(clone, "--dry-run", "test").stdout
        assert "pytest" in planned
        assert "pip" not in planned
        assert "install" not in planned

    def test_installs_what_pip_does_not_have_when_it_is_missing_or_another_is_wanted(self, clone):
        def planned():
            return make(clone, "--dry-run", "test").stdout

        for stamp in (clone / name for name in STAMPS[:2]):
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.touch()
        assert planned().index("install_azurite") < planned().index("pytest")
        azurite = clone / STAMPS[2]
        azurite.parent.mkdir(parents=True)
        azurite.touch()
        assert "install_azurite" not in planned()
        later = azurite.stat().st_mtime + 10
        os.utime(clone / LOCK, (later, later))
        assert "install_azurite" in planned()

    @pytest.mark.parametrize("project", PROJECTS)
    def test_installs_again_when_a_project_file_has_changed(self, clone, project):
        (clone / ".venv").mkdir()
        for name in ("ready-core", "ready-test"):
            (clone / ".venv" / name).touch()
        later = (clone / ".venv/ready-test").stat().st_mtime + 10
        os.utime(clone / project, (later, later))
        assert "pip install" in make(clone, "--dry-run", "test").stdout

    def test_lists_its_commands(self, clone):
        rules = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        listed = set(re.findall(r"^  make (\w+)", make(clone, "help").stdout, re.MULTILINE))
        assert listed == rules


class TestContinuousIntegration:
    script = ROOT / ".ci/run"

    def test_can_be_run(self):
        assert os.access(self.script, os.X_OK)
        assert subprocess.run(["bash", "-n", self.script], check=False).returncode == 0

    @pytest.mark.parametrize("failing", ["lint", "test", None])
    def test_runs_everything_and_fails_if_anything_does(self, tmp_path, failing):
        (tmp_path / ".ci").mkdir()
        shutil.copy(self.script, tmp_path / ".ci/run")
        fake = tmp_path / "bin/make"
        fake.parent.mkdir()
        fake.write_text(f'#!/bin/sh\necho "make $*"\n[ "$1" != "{failing}" ]\n')
        fake.chmod(0o755)
        env = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"}
        result = subprocess.run([tmp_path / ".ci/run"], env=env, capture_output=True, text=True, check=False)
        assert [line for line in result.stdout.splitlines() if line in {"make lint", "make test"}] == [
            "make lint",
            "make test",
        ]
        assert result.stdout.endswith("make test\n")
        assert (result.returncode == 0) == (failing is None)

    def test_calls_the_command_that_the_readme_names(self):
        assert re.search(r"^make test\b", self.script.read_text(), re.MULTILINE)
        assert "`make test`" in (ROOT / "README.md").read_text()


def test_every_nox_session_is_explained_to_contributors():
    sessions = {
        node.name
        for node in ast.parse((ROOT / "noxfile.py").read_text()).body
        if isinstance(node, ast.FunctionDef) and any("nox.session" in ast.unparse(item) for item in node.decorator_list)
    }
    table = re.findall(r"^\| (`\w+`.*?) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(table))) == sessions
