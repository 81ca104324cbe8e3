"""A temporary file that a crash has left is gone on with, if it is what it should be (H03, C24, P5)."""

import fcntl
import hashlib
import os
import stat

import pytest

from cloudsync_core.body import Body
from cloudsync_core.errors import IntegrityError, ObjectExistsError, UnavailableError
from cloudsync_core.models import IF_ABSENT, Digest
from tests.engine.remembered import ProcessDiesError, Remembered, dying

DATA = bytes(number * 31 % 251 for number in range(5000))
HELD = 2000
NAME = ".cs-0123456789ab.tmp"


def body_of(remembered, *, told=True, data=DATA, begins_anywhere=True):
    """Return the content of a source that can begin anywhere, and what was read of it."""
    read = []

    def starting_at(start):
        read.append(start)
        yield from (data[at : at + 700] for at in range(start, len(data), 700))

    expect = [Digest("md5", hashlib.md5(DATA).hexdigest())] if told else []
    starting = starting_at if begins_anywhere else None
    body = Body(starting_at(0), len(data), expect=expect, starting_at=starting)
    body.resumption = remembered
    return body, read


@pytest.fixture
def left(tree):
    """A folder in which a crash has left the beginning of `x`."""
    tree.write(f"folder/{NAME}", data=DATA[:HELD])
    return tree.path / "folder" / NAME


def put(tree, remembered, **options):
    body, read = body_of(remembered, **options)
    tree.open().put("folder/x", body)
    return read


class TestGoingOn:
    def test_only_the_rest_is_read(self, tree, left):
        remembered = Remembered(NAME)
        assert put(tree, remembered) == [HELD]
        assert (tree.path / "folder/x").read_bytes() == DATA
        assert (remembered.bytes_kept, remembered.token) == (HELD, None)
        assert tree.everything() == ["folder", "folder/x"]

    def test_all_of_it_may_be_there(self, tree, left):
        left.write_bytes(DATA)
        assert put(tree, Remembered(NAME)) == []
        assert (tree.path / "folder/x").read_bytes() == DATA

    def test_a_new_file_is_still_no_other(self, tree, left):
        tree.write("folder/x", data=b"somebody's")
        body, _ = body_of(Remembered(NAME))
        with pytest.raises(ObjectExistsError):
            tree.open().put("folder/x", body, condition=IF_ABSENT)
        assert (tree.path / "folder/x").read_bytes() == b"somebody's"

    def test_it_gets_the_permissions_of_the_file_that_it_replaces(self, tree, left):
        tree.write("folder/x", data=b"old")
        (tree.path / "folder/x").chmod(0o600)
        put(tree, Remembered(NAME))
        assert stat.S_IMODE((tree.path / "folder/x").stat().st_mode) == 0o600

    def test_what_was_damaged_does_not_become_an_object(self, tree, left):
        left.write_bytes(bytes(HELD))
        remembered = Remembered(NAME)
        with pytest.raises(IntegrityError):
            put(tree, remembered)
        assert tree.everything() == ["folder"]
        assert remembered.token is None


class TestBeginningAnew:
    @pytest.mark.parametrize(
        "options", [{"told": False}, {"begins_anywhere": False}], ids=["no digest", "no beginning in the middle"]
    )
    def test_where_nothing_could_be_proven(self, tree, left, options):
        remembered = Remembered(NAME)
        assert put(tree, remembered, **options) == [0]
        assert (tree.path / "folder/x").read_bytes() == DATA
        assert remembered.bytes_kept == 0
        assert tree.everything() == ["folder", "folder/x"]

    def test_with_a_file_that_is_too_long(self, tree, left):
        left.write_bytes(DATA + b"more")
        assert put(tree, Remembered(NAME)) == [0]
        assert tree.everything() == ["folder", "folder/x"]

    def test_with_a_file_that_is_gone(self, tree):
        remembered = Remembered(NAME)
        assert put(tree, remembered) == [0]
        assert (tree.path / "folder/x").read_bytes() == DATA

    @pytest.mark.parametrize("kind", ["link", "folder", "pipe", "another name"])
    def test_what_only_has_its_name_is_left_alone(self, tree, left, kind):
        tree.write("precious", data=b"precious")
        left.unlink()
        if kind == "link":
            left.symlink_to(tree.path / "precious")
        elif kind == "folder":
            left.mkdir()
        elif kind == "pipe":
            os.mkfifo(left)
        else:
            left.hardlink_to(tree.path / "precious")
        assert put(tree, Remembered(NAME)) == [0]
        assert (tree.path / "precious").read_bytes() == b"precious"
        assert (tree.path / "folder/x").read_bytes() == DATA

    @pytest.mark.parametrize("name", ["../precious", "precious", f"../folder/{NAME}", "", "/etc/passwd"])
    def test_a_name_that_is_none_of_ours_is_not_opened(self, tree, left, name):
        tree.write("precious", "folder/precious", data=DATA[:HELD])
        assert put(tree, Remembered(name)) == [0]
        assert (tree.path / "precious").read_bytes() == DATA[:HELD]
        assert (tree.path / "folder/precious").read_bytes() == DATA[:HELD]

    def test_what_another_process_is_writing_is_left_to_it(self, tree, left):
        with left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            assert put(tree, Remembered(NAME)) == [0]
            assert left.read_bytes() == DATA[:HELD]
            with pytest.raises(UnavailableError, match="another process"):
                tree.open().discard("folder/x", NAME)


def test_H03_the_name_is_remembered_before_the_first_byte(tree):
    remembered = Remembered()
    seen = []

    def content():
        seen.append((remembered.token, [path.name for path in (tree.path / "folder").iterdir()]))
        yield DATA

    body = Body(content(), len(DATA))
    body.resumption = remembered
    tree.open().put("folder/x", body)
    [(token, names)] = seen
    assert names == [token]


def test_D08_a_failure_in_order_leaves_nothing_to_go_on_from(tree):
    remembered = Remembered()
    body = dying([DATA[:HELD]], len(DATA))
    body.resumption = remembered
    with pytest.raises(ProcessDiesError):
        tree.open().put("x", body)
    assert tree.everything() == []
    assert remembered.token is None


def test_nothing_but_temporary_files_is_discarded(tree, left):
    tree.write("folder/precious")
    for token in ("precious", "../precious", "", f"folder/{NAME}"):
        tree.open().discard("folder/x", token)
    assert tree.everything() == ["folder", f"folder/{NAME}", "folder/precious"]
    tree.open().discard("folder/x", NAME)
    tree.open().discard("folder/x", NAME)
    tree.open().discard("gone/x", NAME)
    assert tree.everything() == ["folder", "folder/precious"]
