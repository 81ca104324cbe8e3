"""One side's listing as the engine wants it: in order, in scope, ahead of its reader, and complete or an error."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from operator import lt
from typing import TypedDict, Unpack

from cloudsync_core.backend import Backend
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.progress import Progress
from cloudsync_core.engine.sorting import sort_pages
from cloudsync_core.errors import CancelledError, ListingOrderError, printable
from cloudsync_core.models import Gap, ObjectInfo, Page
from cloudsync_core.runs import Side

PAGES_AHEAD = 4
"""Pages that are listed before anybody asks for them, so that both sides are listed at once."""


class ListingRules(TypedDict):
    """How one side is listed; see `list_side`."""

    sort: bool
    include: Callable[[ObjectInfo], bool] | None
    stop: threading.Event
    progress: Progress


def list_side(
    backend: Backend, side: Side, scope: Filter, *, prefix: str = "", **rules: Unpack[ListingRules]
) -> Generator[Page]:
    """Yield the objects of one side that are in scope, in key order; close it when the rest is not wanted.

    Args:
        backend: the side.
        side: for messages.
        scope: the job's filter.
        prefix: only what lies under it; "" for everything.
        rules: `sort`: sort externally instead of trusting the backend's order; `include`: the plugins' say, asked in
            the reader's own thread, or `None`; `stop`: ends the listing with `CancelledError`; `progress`: counts the
            objects that come.

    Raises:
        ListingOrderError: the backend promises order and broke its promise.
        BackendError: the listing cannot be completed.
    """
    include, stop = rules["include"], rules["stop"]
    pages = backend.list(prefix, prune=scope.prunes)
    if rules["sort"] or not backend.capabilities.ordered_listing:
        pages = sort_pages(_until_stopped(pages, stop))
    checked = _check_order(pages, side, backend.location)
    wanted = _ahead(_in_scope(_counted(checked, side, rules["progress"]), scope), stop)
    return wanted if include is None else _included(wanted, include)


def _until_stopped(pages: Iterator[Page], stop: threading.Event) -> Iterator[Page]:
    for page in pages:
        if stop.is_set():
            raise CancelledError("interrupted")
        yield page


def _check_order(pages: Iterator[Page], side: Side, location: str) -> Iterator[Page]:
    last = ""
    for page in pages:
        names = page.keys
        if names:
            if names[0] <= last or not all(map(lt, names, islice(names, 1, None))):
                raise ListingOrderError(_describe_disorder(last, page, location), side=side)
            last = names[-1]
        yield page


def _describe_disorder(last: str, page: Page, location: str) -> str:
    for name in page.keys:
        if name <= last:
            what = "twice" if name == last else f"after {printable(last)}"
            return f"list {location}: the listing is not in order: {printable(name)} came {what}"
        last = name
    raise AssertionError("the page is in order")


def _counted(pages: Iterator[Page], side: Side, progress: Progress) -> Iterator[Page]:
    for page in pages:
        progress.listed(side, len(page))
        hit("list.source.page" if side == "source" else "list.target.page")
        yield page


def _in_scope(pages: Iterator[Page], scope: Filter) -> Generator[Page]:
    for page in pages:
        wanted = scope.select(page.keys)
        gaps = tuple(gap for gap in page.gaps if _gap_in_scope(gap, scope))
        if len(wanted) == len(page) and len(gaps) == len(page.gaps):
            yield page
        elif wanted or gaps:
            yield page.select(wanted, gaps)


def _included(pages: Generator[Page], include: Callable[[ObjectInfo], bool]) -> Generator[Page]:
    for page in pages:
        yield page.select([index for index, entry in enumerate(page) if include(entry)], page.gaps)


def _gap_in_scope(gap: Gap, scope: Filter) -> bool:
    # A gap may be a directory, for which patterns such as `cache/` are meant; `include` says nothing about folders, and
    # what excludes a folder's own name, such as a regular expression, nothing about the keys below it.
    return not scope.prunes(gap.key.removesuffix("/")) and (gap.subtree or scope.admits(gap.key))


def _ahead(pages: Generator[Page], stop: threading.Event) -> Generator[Page]:
    """Yield `pages`, which another thread produces up to `PAGES_AHEAD` in advance; its errors are raised here."""
    ready: queue.Queue[Page | BaseException | None] = queue.Queue(PAGES_AHEAD)
    abandoned = threading.Event()

    def produce() -> None:
        last: BaseException | None = None
        try:
            with contextlib.closing(pages):
                for page in pages:
                    if not _offer(ready, page, abandoned):
                        return
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
            last = error
        _offer(ready, last, abandoned)

    producer = threading.Thread(target=produce, name="cloudsync-list", daemon=True)
    producer.start()
    try:
        while not stop.is_set():
            try:
                item = ready.get(timeout=0.2)
            except queue.Empty:
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
        raise CancelledError("interrupted")
    finally:
        abandoned.set()


def _offer(
    ready: queue.Queue[Page | BaseException | None], item: Page | BaseException | None, gone: threading.Event
) -> bool:
    while not gone.is_set():
        try:
            ready.put(item, timeout=0.2)
        except queue.Full:
            continue
        return True
    return False
