"""The stores between which every name travels, and what each holds of the key corpus when it is asked directly."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from cloudsync_core.api import open_backend
from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.errors import BackendError
from cloudsync_core.testing.corpus import CORPUS
from tests.equivalence.stores import STORES, Place

AT_THE_ROOT = frozenset(
    {"dot-segment", "dot-dot", "dot", "parent-first", "climb", "leading-slash", "leading-slash-twin", "only-slash"}
)
"""Cases that say what they mean only where nothing comes before them; each other one has a folder of its own."""

BEYOND_A_SERVER = {"s3": frozenset({"newline", "every-control-character"})}
"""What a test server cannot hold though the provider can: moto finds no object whose name holds a line break."""

NAMES = (*STORES, "fsspec")


@dataclasses.dataclass(frozen=True)
class Named:
    """An object of the corpus.

    Attributes:
        case: the name of its case.
        key: where it lies.
        data: what it holds.
        contradicted: whether no tree can hold it beside the others of its case.
    """

    case: str
    key: str
    data: bytes
    contradicted: bool


def corpus(*stores: str) -> list[Named]:
    """Return every object of the corpus, but for what the servers of these stores cannot hold."""
    beyond = frozenset[str]().union(*(BEYOND_A_SERVER.get(store, frozenset()) for store in stores))
    found = {}
    for case in CORPUS:
        for key in case.keys:
            place = key if case.name in AT_THE_ROOT else f"{case.name}/{key}"
            if case.name not in beyond:
                found[place] = Named(case.name, place, case.content(key), case.contradictory)
    return list(found.values())


def held(backend: Backend, objects: list[Named]) -> dict[str, bytes]:
    """Put each object, and return by key what the store took; what it does not take, it refuses."""
    taken = {}
    for each in objects:
        try:
            backend.put(each.key, Body(each.data))
        except BackendError:
            continue
        taken[each.key] = each.data
    return taken


def fsspec_place(folder: str) -> Callable[[], Backend]:
    """Return what opens a directory through fsspec."""
    return lambda: open_backend(f"local://{folder}")


__all__ = ["NAMES", "STORES", "Place", "corpus", "fsspec_place", "held"]
