"""Targets on file systems that take several names for one: nothing is lost for it, and it is said."""

import os

import pytest

from cloudsync_core.body import Body
from cloudsync_core.errors import InvalidKeyError, KeyBlockedError, ObjectNotFoundError, printable
from cloudsync_core.models import IF_ABSENT
from cloudsync_core.runs import Counts
from tests.engine.stores import content, contents, store
from tests.names.folding import BOTH, DECOMPOSING, LETTER_CASE, MEMORY_CARD, UNICODE_FORM, Folding
from tests.workflows.world import FilePlace, MemoryPlace, World

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"

ALIKE = [
    (LETTER_CASE, "Name.txt", "name.txt"),
    (LETTER_CASE, "\u00c9", "\u00e9"),
    (UNICODE_FORM, COMPOSED, DECOMPOSED),
    (BOTH, COMPOSED.upper(), DECOMPOSED),
    (MEMORY_CARD, "Name.txt", "name.txt"),
]
PAIRS = pytest.mark.parametrize(
    ("system", "one", "other"), ALIKE, ids=[f"{system}-{one!a}" for system, one, _ in ALIKE]
)
INSIDE = pytest.mark.parametrize("where", ["{}", "folder/{}", "{}/inside", "{}/in/side"])


@pytest.fixture
def down(tmp_path, state, monkeypatch):
    """Return a function that makes a job from a container into a directory of a file system."""

    def make(system, **rules):
        place = FilePlace(tmp_path / "down")
        world = World(MemoryPlace().open, place.open, state, {"delete": True, **rules})
        world.path = place.path
        Folding(monkeypatch, place.path, system)
        return world

    return make


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state" / "state.db"


@PAIRS
def test_the_file_system_of_these_tests_takes_two_names_for_one(down, system, one, other):
    world = down(system)
    folder = os.open(world.path, os.O_RDONLY)
    try:
        os.close(os.open(one, os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        assert os.path.samestat(os.stat(one, dir_fd=folder), os.stat(other, dir_fd=folder))
        with pytest.raises(FileExistsError):
            os.open(other, os.O_CREAT | os.O_EXCL | os.O_WRONLY, dir_fd=folder)
    finally:
        os.close(folder)
    assert [path.name for path in world.path.iterdir()] == [one]


class TestTwoKeysOfTheSource:
    @PAIRS
    @INSIDE
    def test_C08_C09_one_is_written_and_the_other_reported_every_time(self, down, system, one, other, where):
        world = down(system)
        kept, left = where.format(one), where.format(other)
        both = {key: key.encode() for key in (kept, left)}
        for key, data in both.items():
            store(world.source(), key, data)
        for run in range(3):
            report = world.mirror()
            [(name, data)] = contents(world.target()).items()
            assert both[name] == data, "what is there has the name of the one that was written"
            assert (report.status, report.exit_code) == ("partial", 1)
            assert report.counts == Counts(added=int(run == 0), unchanged=int(run > 0), failed=1)
            [group] = report.failures
            assert group.cause == "KeyBlockedError"
            [told] = group.examples
            other_key = left if name == kept else kept
            assert other_key in told
            assert "for one name" in told
            assert all(printable(each) in told for each in (one, other))

    @PAIRS
    @pytest.mark.parametrize("size", [10, 1_500_000], ids=["small", "large"])
    def test_C08_many_at_once_never_overwrite_one_another(self, down, system, one, other, size):
        world = down(system, transfers=8)
        folders = range(20)
        written = {f"{folder}/{name}": f"{name}{folder}".encode() * size for folder in folders for name in (one, other)}
        written = {key: data[:size] for key, data in written.items()}
        for key, data in written.items():
            store(world.source(), key, data)
        report = world.mirror()
        found = contents(world.target())
        assert found == {key: written[key] for key in found}
        assert (len(found), report.counts.added, report.counts.failed) == (20, 20, 20)
        assert not list(world.path.rglob(".cs-*"))

    def test_C08_an_update_of_the_one_leaves_the_other_reported(self, down):
        world = down(LETTER_CASE)
        for key in ("Name", "name"):
            store(world.source(), key, key.encode())
        world.mirror()
        [name] = contents(world.target())
        store(world.source(), name, b"newer content")
        report = world.mirror()
        assert report.counts == Counts(updated=1, failed=1)
        assert contents(world.target()) == {name: b"newer content"}


class TestARename:
    @PAIRS
    @INSIDE
    def test_A19_A20_is_followed_and_nothing_is_lost(self, down, system, one, other, where):
        world = down(system)
        store(world.source(), where.format(one), b"content")
        store(world.source(), "bystander", b"content")
        assert world.mirror().counts == Counts(added=2)
        world.source().delete(where.format(one))
        store(world.source(), where.format(other), b"newer content")
        report = world.mirror()
        assert (report.status, report.counts) == ("done", Counts(added=1, deleted=1, unchanged=1))
        assert contents(world.target()) == {where.format(other): b"newer content", "bystander": b"content"}
        assert world.mirror().counts == Counts(unchanged=2)

    @PAIRS
    def test_A19_A20_changes_nothing_where_nothing_may_be_deleted(self, down, system, one, other):
        world = down(system, delete=False)
        store(world.target(), one, b"somebody's")
        store(world.source(), other, b"ours")
        report = world.mirror()
        assert (report.status, report.counts.failed) == ("partial", 1)
        assert contents(world.target()) == {one: b"somebody's"}

    @PAIRS
    def test_A19_A20_is_held_to_the_limit_of_deletes(self, down, system, one, other):
        world = down(system, max_delete="50%")
        store(world.target(), one, b"somebody's")
        store(world.source(), other, b"ours")
        assert world.mirror().status == "refused"
        assert contents(world.target()) == {one: b"somebody's"}


class TestMarkers:
    def test_C08_an_empty_folder_beside_its_like_is_reported(self, down):
        world = down(LETTER_CASE)
        store(world.source(), "Photos/", b"")
        store(world.source(), "photos/", b"")
        for run in range(2):
            report = world.mirror()
            assert (report.counts.added, report.counts.failed) == (int(run == 0), 1)
            assert len(contents(world.target())) == 1

    def test_A19_a_folder_with_objects_is_not_taken_for_its_like(self, down):
        world = down(LETTER_CASE)
        store(world.target(), "photos/one", b"content")
        store(world.source(), "Photos/", b"")
        store(world.source(), "photos/one", b"content")
        report = world.mirror()
        assert (report.status, report.counts.failed, report.counts.deleted) == ("partial", 1, 0)
        assert contents(world.target()) == {"photos/one": b"content"}


class TestNamesThatAreAltered:
    @pytest.mark.parametrize("where", ["{}", "{}/inside", "{}/"])
    @pytest.mark.parametrize(
        ("system", "name"),
        [(DECOMPOSING, COMPOSED), (MEMORY_CARD, "ends."), (MEMORY_CARD, "ends ")],
        ids=["form", "dot", "space"],
    )
    def test_C09_C13_they_are_refused_and_nothing_is_left_of_them(self, down, system, name, where):
        world = down(system)
        store(world.source(), where.format(name), b"" if where.endswith("/") else b"content")
        store(world.source(), "bystander", b"content")
        for run in range(2):
            report = world.mirror()
            assert (report.status, report.counts.failed) == ("partial", 1)
            assert [group.cause for group in report.failures] == ["InvalidKeyError"]
            assert [path.name for path in world.path.iterdir()] == ["bystander"]
            assert report.counts.added == (run == 0)

    @pytest.mark.parametrize("size", [10, 3_000_000])
    def test_C09_a_name_in_the_form_of_the_file_system_is_held(self, down, size):
        world = down(DECOMPOSING)
        store(world.source(), DECOMPOSED, b"x" * size)
        assert world.mirror().counts == Counts(added=1)
        assert world.mirror().counts == Counts(unchanged=1)


class TestTheBackend:
    @PAIRS
    def test_C08_C09_every_verb_means_the_exact_name(self, down, system, one, other):
        backend = down(system).target()
        store(backend, one, b"content")
        with pytest.raises(ObjectNotFoundError):
            backend.stat(other)
        backend.delete(other)
        with pytest.raises(KeyBlockedError, match="for one name"):
            store(backend, other)
        assert content(backend, one) == b"content"

    @PAIRS
    def test_C08_C09_a_folder_means_the_exact_name(self, down, system, one, other):
        backend = down(system).target()
        store(backend, f"{one}/x", b"content")
        with pytest.raises(ObjectNotFoundError):
            backend.stat(f"{other}/x")
        with pytest.raises(ObjectNotFoundError), backend.get(f"{other}/x"):
            pass
        assert [key for page in backend.list(other) for key in page.keys] == []
        backend.delete(f"{other}/x")
        for key in (f"{other}/x", f"{other}/y", f"{other}/"):
            with pytest.raises(KeyBlockedError, match="for one name"):
                backend.put(key, Body(b""), condition=IF_ABSENT)
        assert contents(backend) == {f"{one}/x": b"content"}

    @pytest.mark.parametrize("name", ["1", "\u6587", "\U0001f600"])
    def test_C08_a_name_without_case_is_told_from_one_with_an_ignored_character(self, down, name):
        def without_ignored(text):
            return text.replace("\u200b", "")

        backend = down(type(LETTER_CASE)("ignoring", without_ignored)).target()
        store(backend, name + "\u200b", b"content")
        with pytest.raises(KeyBlockedError):
            store(backend, name)
        with pytest.raises(KeyBlockedError):
            store(backend, f"{name}/x")
        assert contents(backend) == {name + "\u200b": b"content"}


class TestOrdinaryFileSystems:
    @pytest.mark.parametrize("names", [("a", "A"), (COMPOSED, DECOMPOSED), ("1", "1\u200b"), ("ends", "ends.")])
    def test_L4_hold_names_that_are_alike_side_by_side(self, tmp_path, names):
        backend = FilePlace(tmp_path / "down").open()
        for name in names:
            store(backend, f"{name}/{name}", name.encode())
        assert contents(backend) == {f"{name}/{name}": name.encode() for name in names}

    def test_L4_may_have_two_such_names_for_one_file(self, tmp_path):
        backend = FilePlace(tmp_path / "down").open()
        store(backend, "a", b"content")
        (tmp_path / "down/A").hardlink_to(tmp_path / "down/a")
        store(backend, "A", b"newer")
        assert contents(backend) == {"a": b"content", "A": b"newer"}
        backend.delete("a")
        assert contents(backend) == {"A": b"newer"}
        with pytest.raises(InvalidKeyError):
            store(backend, "..")
