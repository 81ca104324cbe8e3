"""Publishes to a channel and receives from it, by several processes, and prints how it went: `python exchange.py JSON`.

The JSON is that of an `Exchange`. Every process is a program that knows nothing but the public API and waits, when it
has loaded that and opened the channel, until all of them have: what is measured is what they do from then on. Each
subscriber makes sure that it receives every update of every publisher once, in order, with its content.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloudsync_core import Channel, Message, Update

_PATIENCE = 600.0
"""Seconds in which a subscriber has to have everything."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exchange:
    """What is exchanged.

    Attributes:
        url: the channel.
        options: of its backend.
        state: a directory in which subscribers keep their state.
        publishers: processes that publish; their updates are expected even where they have done so before.
        subscribers: processes that receive everything.
        updates: that each publisher publishes.
        size: bytes of the content of each.
        batch: updates that are published in one call.
        interval: seconds from one look at the channel to the next.
        pace: seconds from one call to the next; 0 for as fast as it goes.
        publishing: whether publishers take part.
    """

    url: str
    options: dict[str, str]
    state: str
    publishers: int
    subscribers: int
    updates: int
    size: int
    batch: int = 1
    interval: float = 30.0
    pace: float = 0.0
    publishing: bool = True

    def content(self, publisher: int, number: int) -> str:
        """Return the text of an update: another one for each, always the same, as compressible as Base64."""
        source = random.Random(publisher * 10_000_000 + number)
        return base64.b64encode(source.randbytes(self.size)).decode()[: self.size]

    def channel(self, publisher: str | None = None) -> Channel:
        """Open the channel."""
        return Channel(self.url, publisher=publisher, **self.options)


class Tally:
    """What one subscriber has received; takes no more memory for more updates.

    Attributes:
        complete: set when nothing more is to come, or something was wrong.
        wrong: what was, or "".
        ended: when the last update came, by the clock that all processes share.
        waits: seconds from before each update was published, where publishers keep a pace.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._next = [0] * exchange.publishers
        self._missing = exchange.publishers * exchange.updates
        self.complete = threading.Event()
        self.wrong = ""
        self.ended = 0.0
        self.waits: list[float] = []

    def __call__(self, update: Update) -> None:
        """Receive an update; after what was wrong, nothing counts."""
        self.ended = time.monotonic()
        if self.wrong:
            return
        publisher, number = int(update.publisher.rpartition("-")[2]), int(update.metadata["number"])
        if self._exchange.pace:
            self.waits.append(self.ended - float(update.metadata["at"]))
        if number != self._next[publisher]:
            self.wrong = f"{update.publisher}: {number} came where {self._next[publisher]} was the next one"
        elif update.content != self._exchange.content(publisher, number):
            self.wrong = f"{update.publisher}: {number} has another content"
        self._next[publisher] += 1
        self._missing -= 1
        if self._missing == 0 or self.wrong:
            self.complete.set()


def main() -> int:
    exchange = Exchange(**json.loads(sys.argv[1]))
    if len(sys.argv) > 2:
        part, number = _PARTS[sys.argv[2]], int(sys.argv[3])
        print(json.dumps(part(exchange, number)))
        return 0
    publishers = [("publish", number) for number in range(exchange.publishers if exchange.publishing else 0)]
    parts = publishers + [("receive", number) for number in range(exchange.subscribers)]
    results = list(_all(parts))
    published = results[: len(publishers)]
    received = results[len(publishers) :]
    waits = sorted(wait for result in received for wait in result["waits"])
    print(
        json.dumps(
            {
                "publishing": _span(published),
                "receiving": _span(received),
                "wait": statistics.median(waits) if waits else 0.0,
            }
        )
    )
    return 0


def _all(parts: list[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """Have processes do their parts at once; yield what each has said."""
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, sys.argv[1], part, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for part, number in parts
    ]
    for process in processes:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            sys.exit("a process did not get ready")
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        said, _ = process.communicate()
        if process.returncode:
            sys.exit("a process failed")
        yield json.loads(said)


def _wait_for_all() -> float:
    """Say that this process is ready; return when all of them are."""
    print("ready", flush=True)
    sys.stdin.readline()
    return time.monotonic()


def _publish(exchange: Exchange, publisher: int) -> dict[str, Any]:
    with exchange.channel(f"publisher-{publisher}") as channel:
        began = _wait_for_all()
        # Not all at one moment: that would be another question.
        due = began + exchange.pace * publisher / exchange.publishers
        for start in range(0, exchange.updates, exchange.batch):
            time.sleep(max(0.0, due - time.monotonic()))
            due += exchange.pace
            numbers = range(start, min(start + exchange.batch, exchange.updates))
            messages = [
                Message(
                    f"feeds/{publisher}",
                    exchange.content(publisher, number),
                    {"number": str(number), "at": str(time.monotonic())},
                )
                for number in numbers
            ]
            if exchange.batch == 1:
                [message] = messages
                channel.publish(message.topic, message.content, message.metadata)
            else:
                channel.publish_many(messages)
        return {"began": began, "ended": time.monotonic()}


def _receive(exchange: Exchange, number: int) -> dict[str, Any]:
    tally = Tally(exchange)
    name, state = f"subscriber-{number}", Path(exchange.state, f"subscriber-{number}.db")
    with exchange.channel() as channel:
        began = _wait_for_all()
        deadline = began + _PATIENCE
        with channel.subscribe(tally, name=name, interval=exchange.interval, state=state) as subscription:
            while not tally.complete.wait(0.5):
                if subscription.wait(0) or time.monotonic() > deadline:
                    sys.exit(f"{name}: updates are missing")
        ended = tally.ended
        # After a clean stop nothing comes again.
        with channel.subscribe(tally, name=name, state=state, once=True) as subscription:
            subscription.wait()
    if tally.wrong or tally.ended != ended:
        sys.exit(f"{name}: {tally.wrong or 'an update came again'}")
    return {"began": began, "ended": ended, "waits": tally.waits}


def _span(results: list[dict[str, Any]]) -> float:
    """Return the seconds from the first beginning to the last end."""
    if not results:
        return 0.0
    return float(max(result["ended"] for result in results) - min(result["began"] for result in results))


_PARTS = {"publish": _publish, "receive": _receive}


if __name__ == "__main__":
    sys.exit(main())
