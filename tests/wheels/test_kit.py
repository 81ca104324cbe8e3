"""What an author does in a clean environment: write a package, install it, run its tests; and our own for WebDAV."""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.servers.process import running
from tests.servers.s3 import rclone_binary

from .conftest import ROOT, Environment, made_once

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="session")
def workplace(workshop, wheels):
    """An environment with the core, what its tests need, and what packages are built with; like that of an author."""
    folder = workshop / "environment-of-an-author"
    with made_once(folder) as full:
        if not full:
            venv.create(folder)
            install(folder, f"{wheels['cloudsync-core']}[testing]", "hatchling", wheels["cloudsync-webdav"])
            (folder / "home").mkdir()
    return Environment(folder, folder / "home")


def install(folder, *what):
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin/python"]
    subprocess.run([*pip, "install", "--quiet", "--no-input", *what], check=True, timeout=280)


class TestANewPlugin:
    def test_is_installed_listed_and_passes_its_own_tests(self, workplace):
        written = workplace.run("cloudsync", "plugins", "new", "demo")
        assert written == "cloudsync-demo is written; try it: pip install ./cloudsync-demo\n"
        install(workplace.folder, "--no-build-isolation", "--no-deps", workplace.home / "cloudsync-demo")
        listed = workplace.plugins()["cloudsync-demo"]
        assert (listed["name"], listed["version"], listed["status"]) == ("demo", "0.1.0", "active")
        assert (listed["schemes"], listed["hooks"]) == (["demo"], ["register_backends"])
        out = workplace.run("python", "-m", "pytest", "-p", "no:cacheprovider", "cloudsync-demo")
        assert re.search(r"^=+ \d{3} passed, \d+ skipped in ", out, re.MULTILINE)
        assert [line for line in out.splitlines() if "SKIPPED" in line and "is not declared" not in line] == []


class TestTheExampleForWebdav:
    @pytest.fixture
    def server(self, tmp_path):
        """A server over a directory, which has a folder `served`."""
        (tmp_path / "data/served").mkdir(parents=True)
        command = [rclone_binary(), "serve", "webdav", tmp_path / "data", "--addr", "127.0.0.1:0"]
        announces = re.compile(r"Server started on \[http://(127\.0\.0\.1:\d+)/?\]")
        env = {"RCLONE_CONFIG": os.devnull}
        # It announces itself when it listens.
        with running("rclone", command, announces=announces, ready=bool, log=tmp_path / "log", env=env) as address:
            yield f"dav://{address}/served"

    def test_mirrors_there_and_back(self, workplace, server, tmp_path):
        site = ROOT / "examples/quickstart/site"
        workplace.run("cloudsync", "mirror", site, f"{server}/site")
        workplace.run("cloudsync", "mirror", f"{server}/site", tmp_path / "back")
        assert files(tmp_path / "back") == files(tmp_path / "data/served/site") == files(site)
        again = workplace.events("cloudsync", "mirror", site, f"{server}/site", "--json")[-1]["counts"]
        assert {name: count for name, count in again.items() if count} == {"unchanged": len(files(site))}


def files(folder: Path):
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found
    return found
