"""What crashes have left behind is found and removed on filesystems that fsspec serves, and nothing else is."""

import uuid

import pytest

from cloudsync_core.backends.fsspec import FsspecBackend, FsspecOptions
from cloudsync_core.errors import ContainerNotFoundError
from cloudsync_core.location import Location
from cloudsync_core.testing.clauses.setting import names, store

NAME = ".cs-0123456789ab.tmp"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root/folder").mkdir(parents=True)
    for key in ("object", f"folder/{NAME}", NAME, "folder/.cs-nothing.tmp.txt"):
        (tmp_path / "root" / key).write_text("content")
    (tmp_path / "outside").write_text("precious")
    return tmp_path / "root"


@pytest.fixture
def local(root):
    return FsspecBackend(Location.parse(f"local://{root}"))


def test_P6_temporary_files_are_found_wherever_they_lie(local):
    found = {one.key: one for one in local.leftovers([("folder/large", NAME), ("gone", NAME.replace("0", "1"))])}
    assert {key: (one.token, one.size, one.recorded, one.ours) for key, one in found.items()} == {
        NAME: (NAME, 7, False, True),
        "folder/large": (NAME, 7, True, True),
    }
    assert all(one.modified_ns for one in found.values())


def test_P6_they_are_removed_and_nothing_else_is(local, root):
    for one in list(local.leftovers()):
        local.discard(one.key, one.token)
        local.discard(one.key, one.token)
    for token in ("object", "../outside", "", f"folder/{NAME}"):
        local.discard("object", token)
    assert list(local.leftovers()) == []
    assert sorted(path.name for path in root.rglob("*")) == [".cs-nothing.tmp.txt", "folder", "object"]
    assert (root.parent / "outside").exists()


def test_a_place_that_is_not_there_yet_holds_none():
    backend = FsspecBackend(Location.parse(f"memory://{uuid.uuid4()}/x"), FsspecOptions(create=True))
    assert list(backend.leftovers()) == []
    store(backend, "object")
    assert list(backend.leftovers()) == []
    assert names(backend) == ["object"]


def test_L2_a_place_that_is_missing_is_told(tmp_path):
    with pytest.raises(ContainerNotFoundError):
        list(FsspecBackend(Location.parse(f"local://{tmp_path}/missing")).leftovers())
