"""What is found of a store by trying, and what is removed of it afterwards."""

import threading
import uuid

import pytest

from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.backends.memory import MemoryBackend
from cloudsync_core.body import Body
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.errors import AccessDeniedError, UnavailableError
from cloudsync_core.location import Location
from cloudsync_core.models import ALWAYS, DeleteResult
from cloudsync_core.testing.benchmarks import measure
from cloudsync_core.testing.probing import probe
from cloudsync_core.testing.sweeping import sweep

EVERYTHING = MemoryBackend(Location.parse("memory://any")).capabilities


class IgnoresConditions(MemoryBackend):
    def put(self, key, body, *, condition=ALWAYS, **how):
        return super().put(key, body, **how)

    def delete(self, key, *, if_match=None):
        super().delete(key)


class LosesWhatObjectsCarry(MemoryBackend):
    def put(self, key, body, *, attributes=None, **how):
        return super().put(key, body, **how)


class CannotCopyOrReadRanges(MemoryBackend):
    def copy(self, *_, **__):
        raise UnavailableError("the copier is away")

    def get(self, key, *, byte_range=None, **how):
        if byte_range is not None:
            raise KeyError(byte_range)
        return super().get(key, **how)


class DeclaresNothing(MemoryBackend):
    capabilities = Capabilities()


class MayNotWrite(MemoryBackend):
    def put(self, key, body, **how):
        raise AccessDeniedError("the credentials do not allow it", operation="put", key=key)


def findings(kind):
    name = uuid.uuid4().hex
    return {one.capability: one for one in probe(lambda root: kind(Location.parse(f"memory://{name}/{root}")))}


class TestProbing:
    def test_what_is_there_is_found(self):
        found = findings(MemoryBackend)
        tried = {name: one for name, one in found.items() if one.found}
        assert {name: one.declared for name, one in tried.items()} == {
            name: one.found == "yes" for name, one in tried.items()
        }
        assert not any(one.overstated for one in found.values())

    def test_conditions_that_are_ignored_are_overstated(self):
        found = findings(IgnoresConditions)
        assert [name for name, one in found.items() if one.overstated] == [
            "put_if_absent",
            "put_if_match",
            "delete_if_match",
        ]

    def test_attributes_that_are_lost_are_overstated(self):
        found = findings(LosesWhatObjectsCarry)
        assert [name for name, one in found.items() if one.overstated] == ["user_metadata", "stores_mtime"]

    def test_what_fails_while_it_is_tried_is_unknown_with_the_reason(self):
        found = findings(CannotCopyOrReadRanges)
        assert (found["server_copy"].found, found["server_copy"].note) == ("unknown", "the copier is away")
        assert found["range_get"].note.startswith("KeyError: ")
        assert not found["range_get"].overstated

    def test_what_is_there_and_is_not_declared_is_found_all_the_same(self):
        found = findings(DeclaresNothing)
        assert (found["put_if_absent"].declared, found["put_if_absent"].found) == (False, "yes")

    def test_a_store_that_cannot_be_written_is_an_error(self):
        with pytest.raises(AccessDeniedError):
            findings(MayNotWrite)


class TestSweeping:
    @pytest.fixture
    def store(self):
        return MemoryBackend(Location.parse(f"memory://{uuid.uuid4()}"))

    def test_everything_under_the_prefix_goes_and_nothing_else(self, store):
        for number in range(2500):
            store.put(f"ours/{number}", Body(b""))
        for key in ("ours", "ours-too/x", "theirs"):
            store.put(key, Body(b""))
        assert sweep(store, "ours", threading.Event()) == (2500, {})
        assert [key for page in store.list() for key in page.keys] == ["ours", "ours-too/x", "theirs"]

    def test_the_folders_of_a_tree_go_too(self, tmp_path):
        (tmp_path / "ours/a/b/c").mkdir(parents=True)
        (tmp_path / "ours/a/x").write_text("x")
        (tmp_path / "theirs").mkdir()
        with FileBackend(Location.parse(str(tmp_path)), FileOptions()) as tree:
            assert sweep(tree, "ours", threading.Event())[1] == {}
        assert [path.name for path in tmp_path.iterdir()] == ["theirs"]

    def test_what_cannot_be_removed_is_told_with_the_reason(self, store, monkeypatch):
        for key in ("ours/a", "ours/held"):
            store.put(key, Body(b""))
        delete = MemoryBackend.delete

        def refuse(self, key, **how):
            if key == "ours/held":
                raise AccessDeniedError("it is held", operation="delete", key=key)
            delete(self, key, **how)

        monkeypatch.setattr(MemoryBackend, "delete", refuse)
        assert sweep(store, "ours", threading.Event()) == (1, {"ours/held": "delete ours/held: it is held"})

    def test_what_is_listed_after_it_was_deleted_is_told(self, store, monkeypatch):
        store.put("ours/ghost", Body(b""))
        monkeypatch.setattr(MemoryBackend, "delete", lambda self, key, **how: None)
        _, left = sweep(store, "ours", threading.Event())
        assert left == {"ours/ghost": "it is still listed after it was deleted"}

    def test_a_request_that_fails_as_a_whole_is_told_of_each_key(self, store, monkeypatch):
        store.put("ours/a", Body(b""))

        def fails(self, items):
            raise UnavailableError("the server is away")
            yield DeleteResult("")

        monkeypatch.setattr(MemoryBackend, "delete_many", fails)
        assert sweep(store, "ours", threading.Event()) == (0, {"ours/a": "the server is away"})

    def test_an_interrupted_one_tells_what_is_left(self, store):
        for number in range(3):
            store.put(f"ours/{number}", Body(b""))
        stop = threading.Event()
        stop.set()
        assert sweep(store, "ours", stop) == (0, {f"ours/{number}": "interrupted" for number in range(3)})

    def test_one_that_is_interrupted_on_its_way_tells_the_rest(self, store, monkeypatch):
        for number in range(1000):
            store.put(f"ours/{number}", Body(b""))
        stop, delete = threading.Event(), MemoryBackend.delete

        def interrupted(self, key, **how):
            delete(self, key, **how)
            stop.set()

        monkeypatch.setattr(MemoryBackend, "delete", interrupted)
        removed, left = sweep(store, "ours", stop)
        assert 0 < removed < 1000
        assert removed + len(left) == 1000
        assert set(left.values()) == {"interrupted"}

    def test_a_whole_location_is_never_swept(self, store):
        store.put("theirs", Body(b""))
        with pytest.raises(AssertionError, match="everything would be deleted"):
            sweep(store, "", threading.Event())
        assert store.stat("theirs").size == 0


class TestMeasuring:
    def test_every_verb_is_measured_and_nothing_is_left(self):
        store = MemoryBackend(Location.parse(f"memory://{uuid.uuid4()}"))
        measured = list(measure(store, objects=50, size=1000, threads=4))
        assert [(one.verb, one.objects, one.size) for one in measured] == [
            (verb, 50, 1000) for verb in ("put", "stat", "get", "list", "delete")
        ]
        assert all(one.rate > 0 and one.cpu_each >= 0 for one in measured)
        assert list(store.list()) == []

    def test_an_operation_that_fails_is_an_error(self, monkeypatch):
        store = MemoryBackend(Location.parse(f"memory://{uuid.uuid4()}"))

        def refuse(self, key, **how):
            raise AccessDeniedError("it is held", operation="delete", key=key)

        monkeypatch.setattr(MemoryBackend, "delete", refuse)
        with pytest.raises(AccessDeniedError, match="it is held"):
            list(measure(store, objects=5))
