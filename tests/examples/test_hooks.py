"""The example of each hook, installed by pip and used through the command."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cloudsync_core.plugins import hookspecs

EXAMPLE = Path(__file__).parents[2] / "examples/hooks"
SCRIPT = Path(sys.executable).with_name("cloudsync")
HOOKS = sorted(name.removeprefix("cloudsync_") for name in vars(hookspecs) if name.startswith("cloudsync_"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Where pip has put the examples."""
    folder = tmp_path_factory.mktemp("hooks")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", folder]
    subprocess.run([*pip, EXAMPLE], check=True, timeout=100)
    return folder


@pytest.fixture
def cloudsync(installed, tmp_path):
    """Run the command in a folder with the directory `site`, and hold it to an exit code."""
    for name, text in {"index.html": "hello", "images/large.svg": "x" * 1000}.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(*arguments, code=0, **env):
        ran = subprocess.run(
            [SCRIPT, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed), "HOME": str(tmp_path / "home"), **env},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert ran.returncode == code, f"{ran.stdout}\n{ran.stderr}"
        return ran.stdout + ran.stderr

    (tmp_path / "home").mkdir()
    return run


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_there_is_one_for_each_hook(cloudsync):
    """Each is a module of the hook's name that implements it and no other, a row of the page, and a test below."""
    listed = [json.loads(line) for line in cloudsync("plugins", "list", "--json").splitlines()]
    implemented = [plugin["hooks"] for plugin in listed if plugin.get("distribution") == "cloudsync-hooks"]
    assert sorted(implemented) == [[hook] for hook in HOOKS]
    assert sorted(path.stem for path in EXAMPLE.glob("src/*/[a-z]*.py")) == HOOKS
    assert sorted(re.findall(r"^\| \[`(\w+)`\]", (EXAMPLE / "README.md").read_text(), re.MULTILINE)) == HOOKS
    assert {f"test_{hook}" for hook in HOOKS} <= set(globals())


def test_register_backends(cloudsync, tmp_path):
    cloudsync("mirror", "site", "home://backup/site")
    assert tree(tmp_path / "home/backup/site") == ["images/large.svg", "index.html"]


def test_register_comparators(cloudsync, tmp_path):
    cloudsync("mirror", "site", "copy", "--compare", "once")
    (tmp_path / "site/index.html").write_text("something else")
    (tmp_path / "site/new.html").write_text("new")
    cloudsync("mirror", "site", "copy", "--compare", "once")
    assert (tmp_path / "copy/index.html").read_text() == "hello"
    assert (tmp_path / "copy/new.html").read_text() == "new"


def test_register_event_sources(installed, tmp_path):
    """It is found by its name, hints at the keys that it is told, and at those nobody was done with once more."""
    (tmp_path / "keys").write_text("a\nb/c\nhalf a li")
    code = """
import sys
from cloudsync_core.event_source import Watched
from cloudsync_core.location import Location
from cloudsync_core.options import NoOptions
from cloudsync_core.plugins.facade import Plugins
plugins = Plugins.load()
location = Location.parse("memory://told")
watched = Watched(location, plugins.open(location), NoOptions())
for done in (False, True, True):
    with plugins.event_source("told", watched, {"file": "keys"}) as source:
        hints = source.wait(0)
        print(hints and hints.keys)
        if hints and done:
            hints.done()
"""
    env = {**os.environ, "PYTHONPATH": str(installed)}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.stdout.splitlines(), ran.stderr) == (["('a', 'b/c')", "('a', 'b/c')", "None"], "")


def test_register_commands(cloudsync):
    assert [line.split() for line in cloudsync("du", "site").splitlines()] == [["5", "1", "."], ["1000", "1", "images"]]


def test_resolve_secret(cloudsync, tmp_path):
    (tmp_path / "credentials").mkdir()
    target = "{url: ./copy, options: {create: '${credential:may-create}'}}"
    (tmp_path / "config.yaml").write_text(f"version: 1\njobs:\n  site:\n    source: ./site\n    target: {target}\n")
    assert "there are no credentials" in cloudsync("run", "config.yaml", code=2)
    known = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    assert "${credential:may-create}: No such file" in cloudsync("run", "config.yaml", code=2, **known)
    (tmp_path / "credentials/may-create").write_text("false\n")
    cloudsync("run", "config.yaml", code=4, **known)
    (tmp_path / "credentials/may-create").write_text("true\n")
    cloudsync("run", "config.yaml", **known)
    assert tree(tmp_path / "copy") == ["images/large.svg", "index.html"]


def test_include_object(cloudsync, tmp_path):
    cloudsync("mirror", "site", "copy", CLOUDSYNC_LARGEST="999")
    assert tree(tmp_path / "copy") == ["index.html"]
    cloudsync("mirror", "site", "copy", CLOUDSYNC_LARGEST="1000")
    assert tree(tmp_path / "copy") == ["images/large.svg", "index.html"]


def test_review_plan(cloudsync, tmp_path):
    cloudsync("mirror", "site", "copy")
    (tmp_path / "site/images/large.svg").unlink()
    said = cloudsync("mirror", "site", "copy", "--delete", "--max-delete", "100%", code=4, CLOUDSYNC_PROTECTED="images")
    assert "1 objects below images would be deleted, first images/large.svg" in said
    assert tree(tmp_path / "copy") == ["images/large.svg", "index.html"]
    cloudsync("mirror", "site", "copy", "--delete", "--max-delete", "100%", CLOUDSYNC_PROTECTED="other")
    assert tree(tmp_path / "copy") == ["index.html"]


def test_run_started(cloudsync, tmp_path):
    cloudsync("mirror", "site", "copy", "--dry-run", CLOUDSYNC_ANNOUNCEMENT="said")
    assert (tmp_path / "said").read_text().startswith("mirror plans: ")
    cloudsync("mirror", "site", "copy", CLOUDSYNC_ANNOUNCEMENT="said")
    assert re.fullmatch(r"mirror runs: \S*site to \S*copy\n", (tmp_path / "said").read_text())


def test_run_finished(cloudsync, tmp_path):
    cloudsync("mirror", "site", "copy", "--dry-run", CLOUDSYNC_METRICS=str(tmp_path))
    assert not (tmp_path / "cloudsync-mirror.prom").exists()
    cloudsync("mirror", "site", "copy", CLOUDSYNC_METRICS=str(tmp_path))
    figures = dict(line.split(" ") for line in (tmp_path / "cloudsync-mirror.prom").read_text().splitlines())
    assert figures['cloudsync_exit_code{job="mirror"}'] == "0"
    assert figures['cloudsync_sent_bytes{job="mirror"}'] == "1005"
    assert not (tmp_path / "cloudsync-mirror.prom.new").exists()


def test_outcomes(cloudsync, tmp_path):
    cloudsync("mirror", "site", "copy", CLOUDSYNC_JOURNAL="journal")
    told = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    assert sorted((line["key"], line["action"], line["status"], line["bytes"]) for line in told) == [
        ("images/large.svg", "add", "done", 1000),
        ("index.html", "add", "done", 5),
    ]


def test_update_received(cloudsync, tmp_path):
    published = [
        cloudsync("publish", "channel", "--topic", topic, "--content", "new").strip()
        for topic in ("feeds/a", "feeds/b")
    ]
    cloudsync("subscribe", "channel", "--name", "me", "--once", CLOUDSYNC_RECEIVED="received")
    channel = f"file://{tmp_path / 'channel'}"
    assert (tmp_path / "received").read_text().splitlines() == [
        f"{channel} {published[0]} feeds/a",
        f"{channel} {published[1]} feeds/b",
    ]
