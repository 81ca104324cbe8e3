"""Nothing is written through a read-only side."""

import pytest

from cloudsync_core.body import Body
from cloudsync_core.errors import Disposition, UnsupportedOperationError
from cloudsync_core.layers.readonly import ReadOnly


def put(layer):
    layer.put("k", Body(b"new"))


def copy(layer):
    layer.copy(layer, layer.stat("other"), "k")


def delete(layer):
    layer.delete("k")


def delete_many(layer):
    layer.delete_many([("k", None)])


@pytest.mark.parametrize("write", [put, copy, delete, delete_many])
def test_writing_is_refused_and_changes_nothing(memory, write):
    memory.put("k", Body(b"old"))
    memory.put("other", Body(b"other"))
    before = [entry for page in memory.list() for entry in page]
    with pytest.raises(UnsupportedOperationError, match=r"memory://.*/k: this side is read-only in this run") as caught:
        write(ReadOnly(memory))
    assert caught.value.disposition is Disposition.ABORT
    assert [entry for page in memory.list() for entry in page] == before


def test_reading_is_allowed(memory):
    memory.put("k", Body(b"old"))
    side = ReadOnly(memory)
    with side.get("k") as reader:
        assert reader.read() == b"old"
    assert side.stat("k").size == 3
    assert [key for page in side.list() for key in page.keys] == ["k"]


def test_a_dry_run_plans_with_the_backends_own_capabilities(memory):
    assert ReadOnly(memory).capabilities == memory.capabilities
