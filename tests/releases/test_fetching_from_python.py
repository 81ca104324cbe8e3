"""`fetch_release`: the same from a Python program."""

import pytest

from cloudsync_core import fetch_release, release
from cloudsync_core.errors import ConfigError, ManifestError, RunError
from cloudsync_core.releases.names import place


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A working directory in which ./site is published to ./published."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a.txt").write_text("one")
    return release("site", "published", state=None).release


def test_the_directory_is_the_release(published, tmp_path):
    report = fetch_release("published", tmp_path / "www")
    assert (report.status, report.release, report.counts.added) == ("done", published, 1)
    assert (tmp_path / "www" / "a.txt").read_text() == "one"
    assert fetch_release("published", "www").requests == {"source": {"get": 1}}


def test_a_release_by_its_id_and_one_by_another_pointer(published, tmp_path):
    (tmp_path / "site" / "a.txt").write_text("two")
    release("site", "published", pointer="canary", state=None)
    fetch_release("published", "canary", pointer="canary", keep=1)
    fetch_release("published", "www", release=published, check=True)
    assert (tmp_path / "canary" / "a.txt").read_text() == "two"
    assert (tmp_path / "www" / "a.txt").read_text() == "one"


def test_a_file_that_cannot_be_had_is_in_the_report(published, tmp_path):
    (tmp_path / "published" / place(published, "a.txt")).unlink()
    report = fetch_release("published", "www")
    assert (report.status, report.counts.failed) == ("partial", 1)
    assert not (tmp_path / "www").exists()


def test_what_cannot_begin_raises(published, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(RunError, match="Move that directory away") as caught:
        fetch_release("published", "mine")
    assert caught.value.report.exit_code == 4
    with pytest.raises(ManifestError, match="no pointer 'beta'"):
        fetch_release("published", "www", pointer="beta")
    with pytest.raises(ConfigError, match="only a directory of this machine"):
        fetch_release("published", "s3://bucket/www")
