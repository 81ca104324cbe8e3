"""Readers see one release or another and never a mix, whoever publishes, goes back or is killed meanwhile.

Every file of a release holds the same marker, and its own name; the names differ from release to release, too. One
reader follows the manifests, as any program could, and another one reads a directory that follows the pointer.
"""

import contextlib
import os
import random
import threading
import time
from pathlib import Path

import pytest

from cloudsync_core.api.releases import Releases
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.releases import manifest, pointer
from cloudsync_core.releases.fetching import default_means, fetch
from tests.releases.dying import mortal
from tests.releases.places import place

FILES = 8
PUBLISHED, SOAK_PUBLISHED = 20, 400
"""Releases at least; there are more, up to ten times as many, until something was killed and readers saw enough."""
ROLLBACK_EVERY = 4

SEEN = 5
"""Releases of which each reader has to see more than that."""


@pytest.fixture(scope="module")
def publisher():
    with mortal() as running:
        yield running


def write(tree, marker):
    """Let a directory be what the release of a marker is."""
    for path in tree.iterdir():
        path.unlink()
    for name in [*(f"f{number}" for number in range(FILES)), f"only-in-{marker}"]:
        (tree / name).write_text(f"{marker} {name}")


def check(files):
    """Hold files, by path, to be those of one release, all of them; return its marker."""
    markers = {text.partition(" ")[0] for text in files.values()}
    assert len(markers) == 1, f"a mix of {markers}"
    (marker,) = markers
    assert set(files) == {*(f"f{number}" for number in range(FILES)), f"only-in-{marker}"}
    assert all(text == f"{marker} {path}" for path, text in files.items())
    return marker


class Reader:
    """Does something again and again, in a thread, until the block ends; what it raises fails the test."""

    def __init__(self, once):
        self._once = once
        self._over = threading.Event()
        self._error = None
        self._thread = threading.Thread(target=self._run)
        self.seen = set()

    def _run(self):
        try:
            while not self._over.is_set():
                self.seen.add(self._once())
                # The publisher needs the processor, too.
                self._over.wait(0.1)
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            self._error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        if self._error is not None:
            raise self._error


def read_remotely(backend):
    """Read the release that is live, as docs/releases.md says."""
    live = pointer.read(backend, "current").pointer
    files = {}
    with manifest.read(backend, live.release, key=live.manifest, expected=live.digest) as found:
        for entry in found.entries():
            with backend.get(entry.key) as reader:
                body = reader.body()
                body.require("sha256")
                files[entry.path] = b"".join(body.chunks()).decode()
                assert body.digest("sha256") == entry.digest
    return check(files)


def read_locally(directory):
    """Read the directory as a program does that resolves it once."""
    tree = Path(os.path.realpath(directory))
    return check({path.name: path.read_text() for path in tree.iterdir()})


@pytest.mark.parametrize("store", ["s3", "azure"])
def test_a_reader_never_sees_a_mix(store, request, tmp_path, publisher):
    soak, seed = (request.getfixturevalue(name) for name in ("soak", "seed"))
    dice = random.Random(f"{seed}/{store}")
    there = place(store, request, tmp_path / "there")
    tree, site, state = tmp_path / "tree", tmp_path / "site", tmp_path / "state" / "state.db"
    tree.mkdir()
    state.parent.mkdir()
    most = SOAK_PUBLISHED if soak else PUBLISHED
    killed = published = 0
    seconds = 0.3

    def publish(kill_after=None):
        code, _ = publisher.release(tree, there.url, there.options, state=state, wait=60, kill_after=kill_after)
        assert code in {0, -9}
        return code == 0

    write(tree, "r0")
    assert publish()
    with contextlib.ExitStack() as stack:
        backends = [stack.enter_context(Retry(there.open(), RetryPolicy())) for _ in range(2)]
        releases = stack.enter_context(Releases(there.open(), wait=60))
        fetch(backends[0], site)
        remote = stack.enter_context(Reader(lambda: read_remotely(backends[1])))
        local = stack.enter_context(Reader(lambda: read_locally(site)))
        follower = stack.enter_context(
            Reader(lambda: fetch(backends[0], site, keep=10 * most, means=default_means()).live)
        )
        readers = (remote, local, follower)
        while published < most or killed <= most // 10 or min(len(reader.seen) for reader in readers) <= SEEN:
            number = published + 1
            assert number <= 10 * most, "the readers see too little"
            write(tree, f"r{number}")
            while dice.random() < 0.4 and not publish(kill_after=dice.uniform(0, seconds)):
                killed += 1
            begun = time.monotonic()
            assert publish()
            seconds = time.monotonic() - begun
            published += 1
            if number % ROLLBACK_EVERY == 0:
                releases.rollback()
