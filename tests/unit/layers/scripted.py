"""A backend that fails as a test tells it to."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from cloudsync_core.backend import Backend
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.errors import BackendError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.models import DeleteResult, Page

T = TypeVar("T")


@dataclasses.dataclass
class Fault:
    """What one call of a verb does wrong.

    Attributes:
        error: what it raises.
        answer_lost: whether the operation takes effect first.
        after_pages: for a listing, how many pages come before the error.
        keys: for a bulk delete, the keys that fail; empty for the request as a whole.
    """

    error: BackendError
    answer_lost: bool = False
    after_pages: int = 0
    keys: frozenset[str] = frozenset()


class Scripted(Layer):
    """Calls of a verb meet that verb's faults in turn (`None` for no fault), and none when they are used up."""

    def __init__(self, inner: Any, **capabilities: Any) -> None:
        super().__init__(inner)
        self.faults: dict[str, list[Fault | None]] = collections.defaultdict(list)
        self.calls: list[tuple[str, Any]] = []
        self._capabilities = dataclasses.replace(inner.capabilities, **capabilities)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def called(self, verb: str) -> list[Any]:
        return [argument for name, argument in self.calls if name == verb]

    def _next(self, verb: str, argument: Any) -> Fault | None:
        self.calls.append((verb, argument))
        return self.faults[verb].pop(0) if self.faults[verb] else None

    def _scripted(self, verb: str, argument: Any, operation: Callable[[], T]) -> T:
        fault = self._next(verb, argument)
        if fault is not None and not fault.answer_lost:
            raise fault.error
        result = operation()
        if fault is not None:
            raise fault.error
        return result

    def list(self, prefix="", *, start_after=None, prune=None) -> Iterator[Page]:
        fault = self._next("list", start_after)
        for number, page in enumerate(super().list(prefix, start_after=start_after, prune=prune)):
            if fault is not None and number == fault.after_pages:
                raise fault.error
            yield page
        if fault is not None:
            raise fault.error

    def stat(self, key):
        return self._scripted("stat", key, lambda: self.inner.stat(key))

    @contextlib.contextmanager
    def get(self, key, *, byte_range=None, if_match=None):
        with self._scripted("get", key, lambda: self.inner.get(key, byte_range=byte_range, if_match=if_match)) as found:
            yield found

    def read(self, key, limit):
        return Backend.read(self, key, limit)

    def put(self, key, body, **kwargs):
        return self._scripted("put", key, lambda: self.inner.put(key, body, **kwargs))

    def delete(self, key, *, if_match=None):
        return self._scripted("delete", key, lambda: self.inner.delete(key, if_match=if_match))

    def delete_many(self, items) -> Iterator[DeleteResult]:
        fault = self._next("delete_many", [key for key, _ in items])
        if fault is not None and not fault.keys and not fault.answer_lost:
            raise fault.error
        spared = set() if fault is None or fault.answer_lost else fault.keys
        results = {result.key: result for result in self.inner.delete_many([it for it in items if it[0] not in spared])}
        if fault is not None and not fault.keys:
            raise fault.error
        for key, _ in items:
            yield DeleteResult(key, fault.error) if fault is not None and key in fault.keys else results[key]

    def copy(self, source, info, key, **kwargs):
        return self._scripted("copy", key, lambda: self.inner.copy(source, info, key, **kwargs))
