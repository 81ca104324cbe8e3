"""Targets that do not tell names apart, by letter case or by Unicode form: nothing is lost, and it is said.

No file system of the machines that run these tests is of that kind, so the rule is tried on a store that keeps the
name an object was made with, and finds it by every other that is alike, as those of Windows and macOS do.
"""

import unicodedata

import pytest

from cloudsync_core.layers.layer import Layer
from cloudsync_core.models import DeleteResult
from cloudsync_core.runs import Counts
from tests.engine.stores import contents, plain, store
from tests.workflows.world import Lasting, MemoryPlace, World


def by_case(name):
    return name.casefold()


def by_form(name):
    return unicodedata.normalize("NFC", name)


class Alike(Layer):
    """A store in which names that are alike are one name: that which the object was made with."""

    def __init__(self, inner, fold):
        super().__init__(inner)
        self.fold = fold

    def held(self, key):
        names = [name for page in self.inner.list() for name in page.keys]
        return next((name for name in names if self.fold(name) == self.fold(key)), key)

    def stat(self, key):
        return self.inner.stat(self.held(key))

    def get(self, key, **options):
        return self.inner.get(self.held(key), **options)

    def read(self, key, limit):
        return self.inner.read(self.held(key), limit)

    def put(self, key, body, **options):
        return self.inner.put(self.held(key), body, **options)

    def delete(self, key, **options):
        self.inner.delete(self.held(key), **options)

    def delete_many(self, items):
        for result in self.inner.delete_many([(self.held(key), version) for key, version in items]):
            yield DeleteResult(result.key, result.error)


PAIRS = pytest.mark.parametrize(
    ("one", "other", "fold"),
    [("a/Name.txt", "a/name.txt", by_case), ("caf\u00e9", "cafe\u0301", by_form)],
    ids=["by-letter-case", "by-unicode-form"],
)


@pytest.fixture
def alike(state):
    """Return a function that makes a job from a container to such a store."""

    def make(fold, *, conditions):
        place = MemoryPlace()
        target = Lasting(Alike(place.open() if conditions else plain(place.open()), fold))
        return World(MemoryPlace().open, lambda: target, state, {"delete": True, "server_copy": False})

    return make


@PAIRS
@pytest.mark.parametrize("conditions", [True, False], ids=["with-conditions", "without-conditions"])
def test_A19_A20_a_rename_to_a_name_that_is_alike_never_deletes_what_it_wrote(alike, one, other, fold, conditions):
    world = alike(fold, conditions=conditions)
    store(world.source(), one, b"content")
    assert world.mirror().counts == Counts(added=1)
    world.source().delete(one)
    store(world.source(), other, b"newer content")
    for _ in range(3):
        report = world.mirror()
        assert report.counts.deleted == 0
        assert len(contents(world.target())) == 1
    assert report.status != "done", "it is not as the source is, which has to be said"


@PAIRS
def test_C08_C09_the_second_of_two_that_are_alike_does_not_replace_the_first(alike, one, other, fold):
    world = alike(fold, conditions=True)
    store(world.source(), one, b"the one")
    store(world.source(), other, b"the other")
    for run in range(3):
        report = world.mirror(transfers=1)
        assert (report.status, report.counts.failed) == ("partial", 1)
        assert report.counts.added == (run == 0)
        [(name, data)] = contents(world.target()).items()
        assert data == {one: b"the one", other: b"the other"}[name], "the content is that of the name that is shown"


@PAIRS
def test_C08_C09_what_is_on_the_target_alone_is_not_replaced_by_what_is_alike(alike, one, other, fold):
    world = alike(fold, conditions=True)
    store(world.target(), one, b"somebody's")
    store(world.source(), other, b"ours")
    report = world.mirror()
    assert report.status == "partial"
    assert contents(world.target()) == {one: b"somebody's"}
