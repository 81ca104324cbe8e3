"""Two places and a job between them: what every test of a workflow runs."""

import contextlib
import dataclasses
import functools
import uuid
from collections.abc import Callable

from cloudsync_core.backend import Backend
from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
from cloudsync_core.config.model import MirrorJob
from cloudsync_core.engine.events import KeyLeftOut
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.planfile import PlanWriter, read_plan
from cloudsync_core.engine.progress import Progress
from cloudsync_core.engine.state import State
from cloudsync_core.layers.layer import Layer
from cloudsync_core.location import Location
from cloudsync_core.models import Page
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.workflows.apply import apply, rules_of
from cloudsync_core.workflows.check import check
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.mirror import mirror
from tests.engine.stores import content, contents, listed, store

PLAIN = {"retries": 1, "transfers": 2, "max_delete": "100%", "lease": False}
"""Rules under which a run does what a test is about, and nothing else: tests/workflows/test_lease.py has leases."""


class MemoryPlace:
    """A container of its own, or a prefix of a container that is there."""

    def __init__(self, url=None):
        self.url = url or f"memory://{uuid.uuid4()}"
        maker = MemoryBackend(Location.parse(self.url))
        store(maker, "made")
        maker.delete("made")

    def open(self):
        return MemoryBackend(Location.parse(self.url), MemoryOptions(create=False))


class FilePlace:
    """A directory."""

    def __init__(self, path):
        path.mkdir()
        self.path = path
        self.url = str(path)

    def open(self):
        return FileBackend(Location.parse(self.url), FileOptions(fsync=False))


class Lasting(Layer):
    """A backend that outlives the runs that close it, so that a test can look into it afterwards."""

    def close(self):
        pass


@dataclasses.dataclass
class World:
    """A job between two places.

    Attributes:
        source: opens the side that is read.
        target: opens the side that is written.
        state: the state database, or `None`.
        rules: of the job.
        events: what the listener of the last run was told.
    """

    source: Callable[[], Backend]
    target: Callable[[], Backend]
    state: object = None
    rules: dict = dataclasses.field(default_factory=dict)
    events: list = dataclasses.field(default_factory=list)

    def job(self, **rules):
        places = {"source": "memory://source", "target": "memory://target"}
        return MirrorJob(**{**places, **PLAIN, **self.rules, **rules})

    @contextlib.contextmanager
    def context(self, job, *, dry_run=False, plugins=(), stop=None, progress=None, listener=None):
        self.events = []
        with State(self.state, read_only=dry_run) as state:
            yield Context(
                plugins=Plugins.load(allow=(), extra=plugins) if plugins else no_plugins(),
                open=lambda side, _: self.source() if side == "source" else self.target(),
                headers=tuple(header.rule() for header in job.headers),
                state=state,
                dry_run=dry_run,
                stop=stop or Stop(),
                progress=progress or Progress(),
                listener=listener or self.events.append,
            )

    def mirror(self, *, name="site", dry_run=False, plugins=(), stop=None, progress=None, listener=None, **rules):
        job = self.job(**rules)
        surroundings = self.context(
            job, dry_run=dry_run, plugins=plugins, stop=stop, progress=progress, listener=listener
        )
        with surroundings as context:
            return mirror(name, job, context)

    def check(self, *, download=False, **rules):
        job = self.job(**rules)
        with self.context(job, dry_run=True) as context:
            return check(job, context, download=download)

    def save_plan(self, path, **rules):
        """Save the plan of a dry run, and return its report."""
        job = self.job(**rules)
        with PlanWriter(path) as writer:

            def listener(event):
                if type(event).__name__ == "RunStarted":
                    writer.begin(event.run, config=path.with_name("config.yaml"), rules=rules_of(job))
                elif type(event).__name__ == "ActionPlanned":
                    writer.action(event.action)
                elif type(event).__name__ == "RunFinished":
                    writer.end(event.report)

            return self.mirror(dry_run=True, listener=listener, **rules)

    def apply(self, path, **rules):
        job = self.job(**rules)
        with self.context(job) as context:
            [report] = [apply("site", job, section, context) for section in read_plan(path)]
        return report

    def contents(self):
        """Return what both sides hold, by key."""
        return contents(self.source()), contents(self.target())

    @property
    def left_out(self):
        """What the last run left out: status and key."""
        return [(event.status, event.key) for event in self.events if isinstance(event, KeyLeftOut)]


@functools.cache
def no_plugins():
    return Plugins.load(allow=())


class Paged(Layer):
    """A store whose listing comes in small pages, and may go wrong.

    Args:
        inner: the store.
        size: objects in a page.
        fail_after: pages that come before `error`.
        error: what is raised then.
        reorder: changes the objects of the whole listing; the capabilities go on promising what they promised.
    """

    def __init__(self, inner, *, size=2, fail_after=None, error=None, reorder=lambda entries: entries, **capabilities):
        super().__init__(inner)
        self._size = size
        self._fail_after = fail_after
        self._error = error
        self._reorder = reorder
        self._capabilities = dataclasses.replace(inner.capabilities, **capabilities)

    @property
    def capabilities(self):
        return self._capabilities

    def list(self, prefix="", *, start_after=None, prune=None):
        pages = list(self.inner.list(prefix, start_after=start_after, prune=prune))
        entries = self._reorder([info for page in pages for info in page])
        gaps = tuple(gap for page in pages for gap in page.gaps)
        for number, start in enumerate(range(0, max(len(entries), 1), self._size)):
            if number == self._fail_after:
                raise self._error
            yield Page.of(entries[start : start + self._size], gaps if not number else ())
        if self._fail_after is not None:
            raise self._error


def requests_per_object(report):
    """Return the requests of a run beside those that list."""
    return {side: {verb: n for verb, n in verbs.items() if verb != "list"} for side, verbs in report.requests.items()}


NO_REQUEST_PER_OBJECT = {"source": {}, "target": {}}

__all__ = ["FilePlace", "Lasting", "MemoryPlace", "Paged", "World", "content", "contents", "listed", "store"]
