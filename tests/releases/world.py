"""A directory or container that is released into a place, again and again."""

import dataclasses
import uuid
from collections.abc import Callable

from cloudsync_core.backend import Backend
from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.config.model import ReleaseJob
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.state import State
from cloudsync_core.location import Location
from cloudsync_core.releases import history, manifest, pointer
from cloudsync_core.releases.verifying import verify
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.releasing import release
from tests.engine.stores import content, memory
from tests.workflows.world import Lasting, no_plugins

PLAIN = {"retries": 1, "transfers": 4, "publisher": "me"}


@dataclasses.dataclass
class World:
    """A tree, and the place of its releases.

    Attributes:
        path: the tree's directory.
        target: opens the place.
        state: the state database, or `None`.
        events: what the listener of the last run was told.
    """

    path: object
    target: Callable[[], Backend]
    state: object = None
    source: Callable[[], Backend] | None = None
    events: list = dataclasses.field(default_factory=list)

    def write(self, **files):
        """Write files of the tree: `a__b_txt` is `a/b.txt`."""
        for name, text in files.items():
            file = self.path / name.replace("__", "/").replace("_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def open_tree(self):
        return FileBackend(Location.parse(str(self.path)), FileOptions(fsync=False))

    def open_source(self):
        return self.source() if self.source else self.open_tree()

    def release(self, *, name="site", dry_run=False, stop=None, target=None, listener=None, **rules):
        """Publish once, and return the report."""
        job = ReleaseJob(source="memory://source", target="memory://target", **{**PLAIN, **rules})
        self.events = []
        with State(self.state, read_only=dry_run) as state:
            context = Context(
                plugins=no_plugins(),
                open=lambda side, _: self.open_source() if side == "source" else (target or self.target)(),
                headers=tuple(header.rule() for header in job.headers),
                state=state,
                dry_run=dry_run,
                stop=stop or Stop(),
                listener=listener or self.events.append,
            )
            return release(name, job, context)

    def entries(self, release="current"):
        """Return the files of a release, by path."""
        with self.target() as backend, history.opened(backend, release) as found:
            return {entry.path: entry for entry in found.entries()}

    def seen(self, release="current"):
        """Return what a reader sees: the content of every file, by path; each is held to its digest."""
        with self.target() as backend, history.opened(backend, release) as found:
            assert list(verify(backend, found, content=True)) == []
            return {entry.path: content(backend, entry.key).decode() for entry in found.entries()}

    def header(self, release="current"):
        with self.target() as backend, history.opened(backend, release) as found:
            return found.header

    def pointer(self, name="current"):
        with self.target() as backend:
            seen = pointer.read(backend, name)
            return seen and seen.pointer

    def objects(self, prefix=""):
        with self.target() as backend:
            return [key for page in backend.list(prefix) for key in page.keys]


def in_memory(path, state=None):
    """Return a world whose releases are in a container of this process."""
    name = str(uuid.uuid4())
    path.mkdir(exist_ok=True)
    return World(path, lambda: Lasting(memory(name)), state)


__all__ = ["World", "in_memory", "manifest"]
