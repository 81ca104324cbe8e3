"""Publishers and subscribers that may be killed at any moment: `python -m tests.channels.process`.

All that they import is imported once; each is then a process of its own, forked while there is a single thread. An
order is a line of JSON, and so is the answer. They write what they do into a log, a line at a time; SIGTERM ends them
well.
"""

import contextlib
import dataclasses
import gc
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

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

_MODULES = (
    "cloudsync_core.backends.file",
    *(f"cloudsync_{name}.{module}" for name in ("s3", "azure", "gcs") for module in ("plugin", "config", "backend")),
)


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


class Process:
    """A publisher or a subscriber, as the one that started it sees it."""

    def __init__(self, forks: "Forks", pid: int) -> None:
        self._forks = forks
        self._pid = pid
        self._code: int | None = None

    def wait(self, seconds: float) -> int | None:
        """Return its exit code, negative where a signal ended it; `None` if it goes on for longer than that."""
        if self._code is None:
            self._code = self._forks.ask({"wait": self._pid, "seconds": seconds})
        return self._code

    def send(self, number: int) -> None:
        """Send it a signal, unless it is known to have ended."""
        # Nobody else gets its number before somebody has waited for it.
        if self._code is None:
            os.kill(self._pid, number)


class Forks:
    """The process that forks, as the tests see it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, role: str, order: Order) -> Process:
        """Start a process: a "publisher", or a "subscriber"."""
        return Process(self, self.ask({"role": role, "order": dataclasses.asdict(order)}))

    def ask(self, question: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextlib.contextmanager
def forks() -> Iterator[Forks]:
    """Start the process that forks, for the length of the block; those that are left of it are killed."""
    command, pipe = [sys.executable, "-m", __spec__.name], subprocess.PIPE
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], text=True, stdin=pipe, stdout=pipe, start_new_session=True
    ) as process:
        try:
            yield Forks(process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


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


def _serve() -> None:
    for module in _MODULES:
        __import__(module)
    # What is never looked at by the collector is never copied for a child.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        question = json.loads(line)
        if "wait" in question:
            answer = _ended(question["wait"], question["seconds"])
        else:
            assert threading.active_count() == 1, "a fork would leave the other threads out"
            answer = os.fork()
            if not answer:
                _be(question["role"], Order(**question["order"]))
        print(json.dumps(answer), flush=True)


def _ended(child: int, seconds: float) -> int | None:
    descriptor = os.pidfd_open(child)
    try:
        if not select.select([descriptor], [], [], seconds)[0]:
            return None
    finally:
        os.close(descriptor)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _be(role: str, order: Order) -> NoReturn:
    """Do what is ordered in this process, which ends by it."""
    code = 70
    try:
        said = os.open(f"{order.log}.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), said, said)):
            os.dup2(descriptor, number)
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        if order.crash_at:
            crashpoints.arm(order.crash_at)
        {"publisher": _publish, "subscriber": _subscribe}[role](order, stop)
        code = 0
    except BaseException:  # noqa: BLE001 - a child of a fork must not go on as its parent does
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
