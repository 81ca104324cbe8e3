"""Sessions for those who work on cloudsync: `nox` runs the checks of every change, `nox --list` shows all.

Sessions for a Python that is not installed are skipped.
"""

import itertools
import re
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"

CORE = nox.project.load_toml("pyproject.toml")
PLUGINS = ("plugins/s3", "plugins/azure", "plugins/gcs")
DISTRIBUTIONS = [part for folder in (".", *PLUGINS) for part in ("--editable", folder)]
LONG_TESTS = {
    "tests/crash": 90,
    "tests/histories": 90,
    "tests/cli/test_resuming.py": 15,
    "tests/channels/test_many_processes.py": 40,
    "tests/releases/test_never_mixed.py": 20,
    "tests/watch": 60,
}
"""Minutes that those may take that have no end of their own."""

PYTHONS = nox.project.python_versions(CORE)


def install(session, *groups):
    """Install every distribution editable, with dependency groups of pyproject.toml, and the servers of the tests."""
    session.install(*DISTRIBUTIONS, *(line for group in groups for line in nox.project.dependency_groups(CORE, group)))
    if "test" in groups:
        session.run("python", "-m", "tests.servers.install_azurite", silent=True)


@nox.session(python=PYTHONS[0])
def lint(session):
    """Style, formatting, and the direction of imports."""
    install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


@nox.session(python=PYTHONS[0])
def types(session):
    """Strict types."""
    install(session, "lint")
    session.run("mypy", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session):
    """The whole suite."""
    install(session, "test")
    session.run("pytest", *(session.posargs or ["-n", "2", "--dist", "worksteal"]))


@nox.session(python=PYTHONS[0])
def conformance(session):
    """Every clause of the contract, on every backend."""
    install(session, "test")
    suites = [
        str(path)
        for folder in CORE["tool"]["pytest"]["ini_options"]["testpaths"]
        for path in sorted(Path(folder).rglob("test_*.py"))
        if "BackendContract" in path.read_text()
    ]
    session.run("pytest", *suites, *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session):
    """The core's unit tests and the plugins' tests, with the lowest versions of dependencies that are allowed."""
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text("\n".join(lower_bounds()) + "\n")
    # Two steps, and boto3 in the first: the tests' boto3 and the SDK under s3fs each pin botocore, and a resolver
    # that is free to choose both tries their versions one by one for many minutes.
    session.install(*DISTRIBUTIONS, "aiobotocore[boto3]", "--constraint", str(constraints))
    session.install(*nox.project.dependency_groups(CORE, "test"), "--constraint", str(constraints))
    session.run("python", "-m", "tests.servers.install_azurite", silent=True)
    session.run("pytest", "tests/unit", *(f"{folder}/tests" for folder in PLUGINS), *session.posargs)


@nox.session(python=PYTHONS[0])
def soak(session):
    """Crashes, kills and random histories at length, up to their time limits; `-- --seed 7` throws other dice."""
    install(session, "test")
    for tests, minutes in LONG_TESTS.items():
        limits = ["--timeout", str(60 * minutes), "--session-timeout", str(60 * minutes)]
        session.run("pytest", tests, "--soak", *limits, *session.posargs)


@nox.session(python=PYTHONS[0])
def wheels(session):
    """Every wheel, built and used in a clean environment."""
    install(session, "test")
    session.run("pytest", "tests/wheels", *session.posargs)


@nox.session(python=PYTHONS[0])
def docs(session):
    """The examples of the documentation, executed; its links followed."""
    install(session, "test")
    session.run("pytest", "tests/docs", *session.posargs)


@nox.session(python=PYTHONS[0])
def bench(session):
    """cloudsync beside its peers; `-- --quick` takes less than three minutes, the whole run about an hour."""
    install(session, "test")
    session.install("s5cmd", "s3fs")
    # Alone, because it pins libraries of which cloudsync is to be measured with its own versions.
    other = Path(session.create_tmp()) / "awscli"
    if not other.exists():
        session.run("python", "-m", "venv", str(other))
    session.run(str(other / "bin/python"), "-m", "pip", "install", "--quiet", "awscli", external=True, silent=True)
    patience = {"interrupt_timeout": 30, "terminate_timeout": 30}  # it has files in memory to remove
    session.run("python", "-m", "benchmarks", "--peers", str(other / "bin"), *session.posargs, **patience)


@nox.session(python=PYTHONS[0])
def demo(session):
    """`make demo` as a newcomer meets it: in a fresh clone of the last commit, then once more."""
    with tempfile.TemporaryDirectory() as folder:
        session.run("git", "clone", "--quiet", ".", folder, external=True)
        with session.chdir(folder):
            for _ in ("sets up", "has everything"):
                session.run("make", "demo", external=True)


def lower_bounds():
    """Return `name==version` for each direct dependency, of the lowest version that its requirement allows."""
    extras = CORE["project"]["optional-dependencies"].values()
    plugins = [nox.project.load_toml(f"{folder}/pyproject.toml")["project"]["dependencies"] for folder in PLUGINS]
    requirements = itertools.chain(CORE["project"]["dependencies"], *extras, *plugins)
    bounds = (re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*>=\s*([\w.]+)", line) for line in requirements)
    return sorted({f"{bound[1]}=={bound[2]}" for bound in bounds if bound and bound[1] != CORE["project"]["name"]})
