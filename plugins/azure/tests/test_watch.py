"""A directory follows a container on Azurite, by the events that Event Grid would tell of it."""

import logging
import time

import pytest

import cloudsync_core
from tests.servers.event_grid import created

RULES = {"delete": True, "max_delete": 100, "settle": 0.05, "grace": 0.1, "reconcile": 3600}
"""Nothing but events leads to a look, once the job has started."""


class Box:
    """A container whose changes are told."""

    def __init__(self, azurite, queues):
        self.azurite, self.queues = azurite, queues
        self.name, self.queue = azurite.make_container(), queues.make_queue()
        self.blobs = azurite.client.get_container_client(self.name)

    @property
    def events(self):
        options = {"endpoint_url": self.queues.account_url, "queue": self.queue, "interval": 0.05, "slowest": 0.2}
        return {"source": "azure-queue", "options": options}

    def put(self, key, *, heard=True):
        self.blobs.upload_blob(key, key.encode(), overwrite=True)
        if heard:
            self.queues.put(self.queue, *created(self.azurite, self.name, key))

    def delete(self, key):
        self.blobs.delete_blob(key)
        self.queues.put(self.queue, *created(self.azurite, self.name, key, kind="BlobDeleted"))


@pytest.fixture
def box(azurite, azurite_queues):
    return Box(azurite, azurite_queues)


@pytest.fixture
def follow(box, tmp_path):
    """Return a function that watches the container's folder `site`, and the directory that follows it."""
    target = tmp_path / "copy"

    def start(**rules):
        source = {"url": f"az://{box.name}/site", "options": box.azurite.options}
        given = {**RULES, "events": box.events, **rules}
        return cloudsync_core.watch(source, str(target), state=tmp_path / "state.db", **given)

    return start, target


def tree(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def eventually(check, seconds=30.0):
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


def test_what_changes_follows_and_every_event_is_settled(box, follow):
    start, target = follow
    box.put("site/kept")
    box.put("site/gone")
    with start() as watch:
        eventually(lambda: len(tree(target)) == 2)
        box.put("site/new/ü %20")
        box.put("beside/it")
        box.delete("site/gone")
        eventually(lambda: tree(target) == {"kept": "site/kept", "new/ü %20": "site/new/ü %20"})
        eventually(lambda: box.queues.count(box.queue) == 0)
    assert watch.report.status == "done"


def test_without_events_it_follows_by_looks_at_everything_and_says_so(box, follow, caplog):
    start, target = follow
    box.queues.delete_queue(box.queue)
    box.put("site/there", heard=False)
    with start(reconcile=1) as watch:
        eventually(lambda: tree(target) == {"there": "site/there"})
        box.put("site/unheard", heard=False)
        eventually(lambda: "unheard" in tree(target))
    assert "Events are missing until it can; the target follows by looks at everything" in caplog.text
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1
    assert watch.report.status == "done"
