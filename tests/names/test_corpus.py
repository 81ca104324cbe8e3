"""Every name of the key corpus on its way through a mirror, between stores of every kind."""

import pytest

from cloudsync_core.body import Body
from cloudsync_core.engine.events import ActionFinished, KeyLeftOut
from cloudsync_core.runs import Counts
from tests.engine.stores import contents
from tests.names.places import NAMES, STORES, corpus, fsspec_place, held
from tests.workflows.world import World

RING = [("s3", "azure"), ("azure", "gcs"), ("gcs", "s3")]
PAIRS = [*(("memory", name) for name in NAMES), *((name, "file") for name in NAMES if name != "memory"), *RING]


ONLY_THERE = "only/on/the/target"


@pytest.fixture
def opened(request, tmp_path):
    """Return a function that makes an empty place in the store of a name, and returns what opens it."""

    def make(name, called):
        folder = tmp_path / called
        folder.mkdir()
        if name == "fsspec":
            return fsspec_place(str(folder))
        store = STORES[name]
        server = request.getfixturevalue(store.fixture) if store.fixture else None
        return store.place(server, folder).open

    return make


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=[f"{source}-{target}" for source, target in PAIRS])
def test_C01_C19_every_name_arrives_as_it_is_or_is_reported(opened, tmp_path, source, target):
    """Cases C01-C12, C17-C19 and C24: all of the corpus at once."""
    objects = corpus(source, target)
    world = World(opened(source, "source"), opened(target, "target"), tmp_path / "state.db", {"delete": True})
    with world.source() as backend, opened(target, "asked")() as asked:
        there = held(backend, objects)
        can = held(asked, [each for each in objects if each.key in there])
        trees = asked.capabilities.hierarchical
    contradicted = {each.key for each in objects if each.contradicted and trees} & set(there)
    with world.target() as backend:
        backend.put(ONLY_THERE, Body(b"stale"))

    first = world.mirror(transfers=4)

    told = reported(world.events)
    withheld = bool(set(told.values()) - {"unknown", "skipped", "KeyBlockedError"})
    stale = {ONLY_THERE: b"stale"} if withheld else {}
    assert {key: contents(world.target()).get(key) for key in stale} == stale, "P1: a failure holds back the deletes"
    arrived = {key: data for key, data in contents(world.target()).items() if key not in stale}
    assert {key: there[key] for key in arrived} == arrived, "what is there is what was sent under that very name"
    assert set(arrived) | set(told) == set(there), "what did not arrive is told"
    assert not set(arrived) & set(told)
    assert set(arrived) - contradicted == set(can) - contradicted, "what the target can hold did arrive"
    assert {each.case for each in objects if each.key in contradicted & set(arrived)} == {
        each.case for each in objects if each.key in contradicted
    }, "of what contradicts each other one is there"
    counts = first.counts
    assert (counts.added, counts.deleted) == (len(arrived), int(not withheld))
    assert first.deletes_withheld == withheld
    assert counts.unknown + counts.skipped + counts.failed == len(told)
    assert first.exit_code == (1 if told else 0)

    again = world.mirror(transfers=4)

    assert again.counts == Counts(
        unchanged=len(arrived),
        unknown=counts.unknown,
        skipped=counts.skipped,
        failed=counts.failed,
    )
    assert again.deletes_withheld == withheld
    found = reported(world.events)
    assert found.keys() == told.keys()
    # Of two names that cannot be there both, which one was in the way of which depends on which came first.
    assert {key: found[key] for key in found.keys() - contradicted} == {
        key: told[key] for key in told.keys() - contradicted
    }
    assert contents(world.target()) == arrived | stale


def reported(events):
    """Return what became of each key that was not written, by key; no key is told twice."""
    told = {}
    for event in events:
        if isinstance(event, KeyLeftOut):
            key, what = event.key, event.status
        elif isinstance(event, ActionFinished) and event.outcome.status != "done":
            key, what = event.outcome.action.key, event.outcome.cause
        else:
            continue
        assert key not in told, f"{key!r} is told twice"
        told[key] = what
    return told
