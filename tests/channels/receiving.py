"""A subscriber whose deliveries a test looks at, and lets fail."""

import contextlib
import dataclasses

from cloudsync_core.channels.events import PassEnded
from cloudsync_core.channels.failing import Backoff
from cloudsync_core.channels.subscriber import Subscriber
from cloudsync_core.engine.state import State
from cloudsync_core.layers.retry import Retry, RetryPolicy

AT_ONCE = Backoff(first=0.0)
LATER = Backoff(first=3600.0)


class Inbox:
    """Delivers into a list, but for what is to fail.

    Attributes:
        updates: delivered, in order.
        failures: by content, the errors of its next deliveries.
    """

    def __init__(self):
        self.updates = []
        self.failures = {}
        self.tries = []

    def __call__(self, update):
        self.tries.append(update.content)
        if self.failures.get(update.content):
            raise self.failures[update.content].pop(0)
        self.updates.append(update)

    @property
    def contents(self):
        return [update.content for update in self.updates]

    @property
    def ids(self):
        return [update.id for update in self.updates]


@dataclasses.dataclass
class Receiver:
    """What receives from a channel; every call is a process of its own that ends well.

    Attributes:
        backend: the channel.
        state: the path of the state database.
        inbox: where updates go.
        events: all that was told, but for the ends of passes.
    """

    backend: object
    state: object
    inbox: Inbox = dataclasses.field(default_factory=Inbox)
    events: list = dataclasses.field(default_factory=list)

    @contextlib.contextmanager
    def open(self, name="me", **options):
        options = {"backoff": AT_ONCE, **options}
        deliver = options.pop("deliver", [self.inbox])
        backend = Retry(options.pop("backend", self.backend), RetryPolicy(attempts=2, first_wait=0.01))
        with (
            State(self.state) as state,
            Subscriber(backend, name, state, deliver, told=self._tell, **options) as subscriber,
        ):
            yield subscriber

    def poll(self, **options):
        with self.open(**options) as subscriber:
            return subscriber.poll()

    def once(self, **options):
        with self.open(**options) as subscriber:
            return subscriber.run(60, once=True)

    def told(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def _tell(self, event):
        if not isinstance(event, PassEnded):
            self.events.append(event)
