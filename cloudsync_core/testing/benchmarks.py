"""Small benchmarks of a backend: what an operation on a small object takes, in time and of the processor.

They are to be looked at, beside another backend or the last version of the same one: nothing here asserts a time.
Authors call `measure`, users `cloudsync testremote LOCATION --benchmark`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.errors import CloudSyncError

OBJECTS = 500
SIZE = 4096
THREADS = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Measurement:
    """What one verb took.

    Attributes:
        verb: of the contract.
        objects: how many it was done to.
        size: bytes of each.
        seconds: from the first to the last.
        cpu_seconds: of this process, all of its threads together.
    """

    verb: str
    objects: int
    size: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Objects in a second."""
        return self.objects / max(self.seconds, 1e-9)

    @property
    def cpu_each(self) -> float:
        """Seconds of the processor for one object."""
        return self.cpu_seconds / self.objects

    def __str__(self) -> str:
        return f"{self.verb:<6}  {self.rate:>9,.0f} objects/s  {self.cpu_each * 1000:>7.3f} ms of processor each"


def measure(
    backend: Backend, *, objects: int = OBJECTS, size: int = SIZE, threads: int = THREADS
) -> Iterator[Measurement]:
    """Yield what put, stat, get, list and delete of small objects take, in this order; nothing is left behind.

    Args:
        backend: on an empty root.
        objects: how many.
        size: bytes of each.
        threads: operations at a time, where there is no request for many.

    Raises:
        CloudSyncError: an operation failed.
    """
    keys = [f"folder-{number % 10}/{number:06}" for number in range(objects)]
    data = bytes(range(256)) * (size // 256 + 1)

    def each(operation: Callable[[str], object]) -> Callable[[], None]:
        return lambda: _side_by_side(operation, keys, threads)

    steps: dict[str, Callable[[], object]] = {
        "put": each(lambda key: backend.put(key, Body(data[:size]))),
        "stat": each(backend.stat),
        "get": each(lambda key: _read(backend, key, size)),
        "list": lambda: sum(len(page) for page in backend.list()),
        "delete": lambda: _delete(backend, keys),
    }
    for verb, step in steps.items():
        begun, cpu = time.perf_counter(), time.process_time()
        step()
        yield Measurement(verb, objects, size, time.perf_counter() - begun, time.process_time() - cpu)


def _side_by_side(operation: Callable[[str], object], keys: Sequence[str], threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(operation, keys):
            pass


def _read(backend: Backend, key: str, size: int) -> bytes:
    reader = backend.read(key, size)
    assert reader is not None, "it has as many bytes as were put"
    return reader.read()


def _delete(backend: Backend, keys: Sequence[str]) -> None:
    for result in backend.delete_many([(key, None) for key in keys]):
        if result.error is not None:
            raise result.error if isinstance(result.error, CloudSyncError) else CloudSyncError(str(result.error))
