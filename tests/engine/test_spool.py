"""Values that wait on disk: as they were, as often as one likes, and gone at the end."""

import gc

import pytest

from cloudsync_core.engine.spool import ActionSpool, Spool
from cloudsync_core.models import Attributes, Digest, Version
from cloudsync_core.runs import Action
from tests.engine.objects import entry

FULL = entry(
    "é\n\U0001f600",
    7,
    'f"\\',
    modified_ns=-1,
    version=Version("e", None),
    digests=(Digest("md5", "00"),),
    attributes=Attributes("text/plain", mtime_ns=5, metadata={"a": "b"}),
)
ACTIONS = [
    Action("add", FULL.key, "not-on-target", FULL),
    Action("update", FULL.key, "size", FULL, FULL),
    Action("delete", FULL.key, "not-on-source", target=FULL),
]


@pytest.fixture
def spool():
    with ActionSpool() as actions:
        yield actions


def test_holds_what_was_appended_in_order(spool):
    for action in ACTIONS:
        spool.append(action)
    assert len(spool) == 3
    assert list(spool) == ACTIONS


def test_is_read_as_often_as_one_likes(spool):
    for action in ACTIONS:
        spool.append(action)
    assert list(spool) == list(spool)
    assert ACTIONS[1] in spool
    assert "something else" not in spool


def test_several_readers_do_not_disturb_each_other(spool):
    for action in ACTIONS * 100:
        spool.append(action)
    first, second = iter(spool), iter(spool)
    assert next(first) == ACTIONS[0]
    assert next(second) == ACTIONS[0]
    assert [next(first), next(second), next(first)] == [ACTIONS[1], ACTIONS[1], ACTIONS[2]]
    assert sum(1 for _ in first) == 297


def test_an_empty_one_is_empty(spool):
    assert list(spool) == []
    assert len(spool) == 0
    assert not spool


def test_leaves_no_open_file_behind_when_its_block_fails():
    with pytest.raises(TypeError), Spool(lambda number: number, int) as numbers:
        numbers.append(object())
    with pytest.raises(ValueError, match="closed"):
        list(numbers)
    del numbers
    gc.collect()
