"""Registers the fixtures that the tests of the core and of every plugin share."""

import sys
from pathlib import Path

import pytest

# Test modules are imported by path (`--import-mode=importlib`), so the shared fixtures need a way to be found that
# does not depend on the working directory.
ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))
# The examples are not installed, where every list of plugins would show them.
sys.path += [str(ROOT / "examples/cloudsync-sqlite"), str(ROOT / "examples/cloudsync-webdav/src")]

pytest_plugins = [
    "tests.servers.s3",
    "tests.servers.proxy",
    "tests.servers.azurite",
    "tests.servers.gcs",
    "tests.servers.pubsub",
    "tests.servers.ftp",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `nox -s soak` says: the same tests at length, with other dice."""
    parser.addoption("--soak", action="store_true", help="let the tests that have no end go on for long")
    parser.addoption(
        "--soak-seconds", type=float, default=300.0, help="for how long each of the tests of watching goes on then"
    )
    parser.addoption("--seed", type=int, default=0, help="what the tests that throw dice begin with")


@pytest.fixture(scope="session")
def soak(pytestconfig: pytest.Config) -> bool:
    """Whether the tests that have no end are to go on for long."""
    return bool(pytestconfig.getoption("--soak"))


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """What the tests that throw dice begin with."""
    return int(pytestconfig.getoption("--seed"))
