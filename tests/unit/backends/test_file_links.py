"""A file of another directory gets a second name, by the rules of every put."""

import os

import pytest

from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.errors import (
    InvalidKeyError,
    KeyBlockedError,
    ObjectExistsError,
    ObjectNotFoundError,
    UnsupportedOperationError,
)
from cloudsync_core.location import Location


@pytest.fixture
def origin(tmp_path):
    (tmp_path / "origin" / "a").mkdir(parents=True)
    (tmp_path / "origin" / "a" / "b").write_text("content")
    with FileBackend(Location("file", str(tmp_path / "origin"))) as backend:
        yield backend


@pytest.fixture
def target(tmp_path):
    with FileBackend(Location("file", str(tmp_path / "target")), FileOptions(create=True)) as backend:
        yield backend


def test_both_names_are_one_file(origin, target, tmp_path):
    info = target.link("a/b", origin)
    assert (info.key, info.size) == ("a/b", 7)
    assert (tmp_path / "target" / "a" / "b").samefile(tmp_path / "origin" / "a" / "b")
    assert target.stat("a/b").version == info.version


def test_nothing_is_replaced(origin, target, tmp_path):
    (tmp_path / "target" / "a").mkdir(parents=True)
    (tmp_path / "target" / "a" / "b").write_text("mine")
    with pytest.raises(ObjectExistsError):
        target.link("a/b", origin)
    assert (tmp_path / "target" / "a" / "b").read_text() == "mine"


def test_a_folder_in_the_way_is_told(origin, target, tmp_path):
    (tmp_path / "target" / "a" / "b").mkdir(parents=True)
    with pytest.raises(KeyBlockedError):
        target.link("a/b", origin)


@pytest.mark.parametrize("key", ["missing", "a/missing", "missing/missing"])
def test_a_missing_file_makes_no_folder(origin, target, tmp_path, key):
    with pytest.raises(ObjectNotFoundError):
        target.link(key, origin)
    assert not (tmp_path / "target").exists()


def test_no_symbolic_link_is_followed(origin, target, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(InvalidKeyError):
        target.link("a/b", origin)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_path_outside_is_refused(origin, target):
    with pytest.raises(InvalidKeyError):
        target.link("../b", origin)


def test_where_no_link_can_be_made_that_is_said(origin, target, monkeypatch):
    def refuse(*_args, **_options):
        raise OSError(18, os.strerror(18))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(UnsupportedOperationError, match="no hard link"):
        target.link("a/b", origin)
