"""A directory, a channel, and a job that publishes from one to the other."""

import contextlib
import dataclasses
import threading
import time

from cloudsync_core.channels import scan
from cloudsync_core.config.model import PublishJob
from cloudsync_core.engine.state import State
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.workflows.announcing import announce
from cloudsync_core.workflows.context import Context
from tests.workflows.world import Lasting

PLAIN = {"retries": 1, "publisher": "here", "settle": 0.2}


@dataclasses.dataclass
class Desk:
    """Publishes what is in a source.

    Attributes:
        source: the place that is read; so is `target`, that is written.
        state: the state database.
        rules: of the job.
        events: what the listener of the last run was told.
    """

    source: object
    target: object
    state: object
    rules: dict = dataclasses.field(default_factory=dict)
    events: list = dataclasses.field(default_factory=list)

    @contextlib.contextmanager
    def context(self, *, dry_run=False, plugins=(), once=False):
        places = {"source": self.source.open, "target": self.target.open}
        self.events = []
        with State(self.state, read_only=dry_run) as state:
            yield Context(
                plugins=Plugins.load(allow=(), extra=plugins),
                open=lambda side, create: Lasting(places[side]()),
                state=state,
                dry_run=dry_run,
                once=once,
                listener=self.events.append,
            )

    def announce(self, *, dry_run=False, plugins=(), once=False, **rules):
        """Run the job, and return its report."""
        job = PublishJob(source="./source", target="memory://x", **{**PLAIN, **self.rules, **rules})
        with self.context(dry_run=dry_run, plugins=plugins, once=once) as context:
            return announce("announce", job, context)

    @contextlib.contextmanager
    def following(self, **rules):
        """Follow in a thread; yields a list that gets the report when the block has ended."""
        reports = []
        contexts = []
        started = threading.Event()

        def run():
            job = PublishJob(source="./source", target="memory://x", follow=True, **{**PLAIN, **self.rules, **rules})
            with self.context() as context:
                contexts.append(context)
                started.set()
                reports.append(announce("announce", job, context))

        thread = threading.Thread(target=run)
        thread.start()
        assert started.wait(10)
        try:
            yield reports
        finally:
            contexts[0].stop.set()
            thread.join(20)
            assert not thread.is_alive(), "it does not end when it is told to"

    def updates(self):
        """What is in the channel, in order."""
        with self.target.open() as backend:
            return [
                update
                for listed, foreign in scan.scan(backend, None)
                for one in listed
                for update in scan.fetch(backend, one)
            ]

    def said(self):
        """What is in the channel: topics and contents, in order."""
        with self.target.open():
            return [(update.topic, update.read()) for update in self.updates()]

    def wait_for(self, *expected, seconds=15):
        """Wait until just these topics and contents are in the channel, in any order."""
        until = time.monotonic() + seconds
        while sorted(self.said()) != sorted(expected):
            assert time.monotonic() < until, f"{self.said()} instead of {expected}"
            time.sleep(0.02)
