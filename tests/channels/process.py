"""A publisher or a subscriber that may be killed at any moment: `python -m tests.channels.process ROLE ORDER`.

An order is a JSON object. Both write what they do into a log, a line at a time; SIGTERM ends them well.
"""

import contextlib
import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudsync_core import crashpoints
from cloudsync_core.api import open_backend
from cloudsync_core.channels.failing import Backoff
from cloudsync_core.channels.publisher import Message, Publisher
from cloudsync_core.channels.subscriber import Subscriber
from cloudsync_core.engine.state import State
from cloudsync_core.errors import DeliveryError
from cloudsync_core.layers.retry import Retry, RetryPolicy

TOPICS = ("a", "b/c", "d")
LARGE = 100_000
"""Bytes of content that goes beside its update."""


@dataclasses.dataclass(frozen=True)
class Order:
    """What a process is to do.

    Attributes:
        url: the channel.
        options: of its backend.
        name: of the publisher or the subscriber.
        log: the file into which it writes what it does.
        state: the state database of a subscriber.
        effects: the directory in which a subscriber has a file for each update.
        interval: seconds between two passes.
        once: end when everything is delivered.
        crash_at: see `crashpoints.arm`.
        refused: the topic whose updates cannot be delivered.
    """

    url: str
    options: Mapping[str, Any]
    name: str
    log: str
    state: str = ""
    effects: str = ""
    interval: float = 0.2
    once: bool = False
    crash_at: str = ""
    refused: str = ""


def start(role: str, order: Order) -> subprocess.Popen[bytes]:
    """Start a process."""
    command = [sys.executable, "-m", "tests.channels.process", role, json.dumps(dataclasses.asdict(order))]
    with Path(f"{order.log}.err").open("ab") as errors:
        return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=errors, stderr=errors)


def log_lines(path: str) -> list[list[str]]:
    """Return the whole lines of a log, as words."""
    with contextlib.suppress(FileNotFoundError):
        return [line.split() for line in Path(path).read_text().split("\n")[:-1]]
    return []


class _Log:
    """A log whose lines are whole, or the last one is cut short."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        if (size := os.fstat(self._file).st_size) and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b" cut\n")

    def write(self, *words: object) -> None:
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


def _publish(order: Order, stop: threading.Event) -> None:
    """Publish numbered updates until it is stopped, now one, now many, now a large one."""
    number = 1 + max((int(words[1]) for words in log_lines(order.log)), default=-1)
    log, rnd = _Log(order.log), random.Random()
    with Retry(open_backend(order.url, **order.options), RetryPolicy(), stop=stop) as backend:
        publisher = Publisher(backend, order.name, stop=stop)
        while not stop.is_set():
            numbers = range(number, number + rnd.choice([1, 1, 1, 5, 20]))
            number = numbers.stop
            messages = [_message(one, rnd) for one in numbers]
            for one, message in zip(numbers, messages, strict=True):
                log.write("begun", one, message.topic)
            for one, update in zip(numbers, publisher.publish_many(messages), strict=True):
                log.write("done", one, update.topic, update.id)
            stop.wait(rnd.uniform(0, 0.05))


def _message(number: int, rnd: random.Random) -> Message:
    filler = rnd.randbytes(LARGE).hex() if rnd.random() < 0.02 else ""
    return Message(rnd.choice(TOPICS), {"number": number, "filler": filler})


def _subscribe(order: Order, stop: threading.Event) -> None:
    """Log every update that is delivered, and leave an effect that is the same however often it comes."""
    log, effects = _Log(order.log), Path(order.effects)

    def deliver(update: Any) -> None:
        if update.topic == order.refused:
            raise DeliveryError("refused", retry=False)
        content = update.content
        temporary = effects / f".{os.getpid()}"
        temporary.write_text(json.dumps(content["number"]))
        temporary.rename(effects / update.id)
        log.write("delivered", content["number"], update.topic, update.id, update.publisher)

    with (
        State(Path(order.state)) as state,
        Retry(open_backend(order.url, **order.options), RetryPolicy(), stop=stop) as backend,
        Subscriber(backend, order.name, state, [deliver], stop=stop, backoff=Backoff(first=0.1)) as subscriber,
    ):
        subscriber.run(order.interval, once=order.once)


def main() -> None:
    order = Order(**json.loads(sys.argv[2]))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if order.crash_at:
        crashpoints.arm(order.crash_at)
    {"publisher": _publish, "subscriber": _subscribe}[sys.argv[1]](order, stop)


if __name__ == "__main__":
    main()
