"""Two directories on two machines that share one place, each by a job that pushes and one that pulls: no echo."""

import collections
import random
import time

import pytest

from tests.watch.machines import Machine, tree, until_equal

EDITS, SOAK_EDITS = 100, 1000
"""Of each machine."""

QUIET = 3.0
"""Seconds without an edit after which everything has been listed several times by every poll."""


class Writer:
    """Somebody who edits a machine's own keys.

    Attributes:
        there: what is there in the end.
        versions: every version that ever was, of each key.
    """

    def __init__(self, machine, dice):
        self.machine = machine
        self._dice = dice
        self.there = {}
        self.versions = collections.defaultdict(set)
        self.writes = 0

    def edit(self):
        name, dice = self.machine.name, self._dice
        key = f"{dice.choice(['', 'x/', 'x/y/', f'{name}/'])}{name} {dice.randrange(60)}"
        path = self.machine.folder / key
        if key in self.there and dice.random() < 0.15:
            path.unlink()
            del self.there[key]
            return
        self.writes += 1
        content = f"{name} {self.writes}".encode().ljust(dice.choice([20, 20, 5000]), b".")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whole at once: what is in it for a moment is a version, too.
        new = path.with_name(f".cs-{self.writes:x}")
        new.write_bytes(content)
        new.replace(path)
        self.there[key] = content
        self.versions[key].add(content)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("store", ["s3", "azure"])
def test_they_become_equal_and_nothing_goes_round(cloud, tmp_path, seed, soak, store):
    clouds = cloud(store, 2)
    machines = [Machine(name, tmp_path, place) for name, place in zip(("ann", "bob"), clouds, strict=True)]
    writers = [Writer(machine, random.Random(f"{seed} {machine.name}")) for machine in machines]
    dice = random.Random(seed)
    with machines[0].running(), machines[1].running():
        for _ in range(SOAK_EDITS if soak else EDITS):
            for writer in writers:
                writer.edit()
            time.sleep(dice.choice([0, 0.01, 0.05]))
        wanted = writers[0].there | writers[1].there
        for machine in machines:
            until_equal(lambda machine=machine: tree(machine.folder), wanted)
        until_equal(clouds[0].contents, wanted)
        time.sleep(QUIET)
        puts = [machine.puts for machine in machines]
        for machine in machines:
            del machine.cloud.proxy.requests[:]
        time.sleep(QUIET)
        assert [len(machine.others) for machine in machines] == [0, 0], "something goes round"
        assert all(machine.cloud.proxy.requests for machine in machines), "nobody looks any longer"
    assert clouds[0].contents() == wanted
    for writer, sent in zip(writers, puts, strict=True):
        name = writer.machine.name
        back = [(path, content[:20]) for path, content in sent if f"/{name}%20" not in path]
        assert back == [], "what came from the other machine was sent back"
        assert len(sent) == len(set(sent)), "a version was sent twice"
        # Each is a version; those that were replaced before anybody looked are never sent.
        assert len(writer.there) <= len(sent) <= writer.writes
        versions = {content for contents in writer.versions.values() for content in contents}
        assert {content for _, content in sent} <= versions
