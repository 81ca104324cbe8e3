"""A backlog takes no memory: neither of a subscriber, nor of pruning, whatever its length."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SHORT, LONG = 2_000, 8_000
"""Updates of the backlogs that are compared."""

GROWTH = 4 * 1024 * 1024
"""Bytes that four times as many updates may take; to hold each of them would take some 12 MB."""

PROGRAM = """
import sys, tempfile
from pathlib import Path

from cloudsync_core.channels import ids, names, pruning, stats
from cloudsync_core.channels.subscriber import Subscriber
from cloudsync_core.engine.state import State
from cloudsync_core.layers.layer import Layer
from cloudsync_core.models import DeleteResult, ObjectInfo, Page

from tests.channels.writing import NOW_NS, put
from tests.engine.stores import memory

COUNT, WHAT = int(sys.argv[1]), sys.argv[2]
CONTENT = "x" * 1000


def object_id(number):
    return f"{ids.stamp(NOW_NS + number * 1_000_000)}-{number:08x}"


class Endless(Layer):
    '''A channel of many updates, none of which is in memory.'''

    def list(self, prefix="", *, start_after=None, prune=None):
        if prefix != "updates":
            yield from self.inner.list(prefix, start_after=start_after)
            return
        page = []
        for number in range(COUNT):
            key = names.update_key(object_id(number), "pub", compressed=False)
            if start_after is None or key > start_after:
                page.append(ObjectInfo(key, 1200, "", NOW_NS + number * 1_000_000))
            if len(page) == 1000:
                yield Page.of(page)
                page = []
        yield Page.of(page)

    def read(self, key, limit):
        parsed = names.parse_update(key)
        if isinstance(parsed, str):
            return self.inner.read(key, limit)
        number = int(parsed.id[-8:], 16)
        put(self.inner, (f"topic-{number % 500}", CONTENT), object_id=parsed.id)
        reader = self.inner.read(key, limit)
        self.inner.delete(key)
        return reader

    def delete_many(self, items):
        return (DeleteResult(key) for key, _ in items)


count = 0


def deliver(update):
    global count
    count += 1


with tempfile.TemporaryDirectory() as folder, State(Path(folder) / "state.db") as state:
    backend = Endless(memory())
    if WHAT == "subscriber":
        with Subscriber(backend, "me", state, [deliver]) as subscriber:
            subscriber.run(60, once=True)
    elif WHAT == "pruning":
        count = pruning.prune(backend, keep_latest=1).updates + 500
    else:
        count = stats.stats(backend).updates
assert count == COUNT, count
# Not `ru_maxrss`: a child begins with that of its parent, in which all the tests are.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) * 1024)
"""


def peak(count, what):
    """Return the most bytes that a process held."""
    command = [sys.executable, "-c", PROGRAM, str(count), what]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("what", ["subscriber", "pruning", "stats"])
def test_memory_is_flat_in_the_number_of_updates(what):
    assert peak(LONG, what) - peak(SHORT, what) < GROWTH
