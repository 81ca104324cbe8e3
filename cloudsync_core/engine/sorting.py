"""An external sort, for listings that come in no useful order: flat memory, whatever the number of objects."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from operator import attrgetter, itemgetter

from cloudsync_core.engine.codec import decode_object, encode_object
from cloudsync_core.models import Gap, Page

RUN_LENGTH = 50_000
"""Objects that are sorted in memory at a time; some 50 MB."""

FAN_IN = 64
"""Sorted runs that are merged at a time; bounds the open files."""

PAGE_LENGTH = 1000

_Row = tuple[str, str]
_by_key = itemgetter(0)


def sort_pages(pages: Iterable[Page]) -> Iterator[Page]:
    """Yield the objects of `pages` in key order; needs the whole listing before the first page.

    A gap may concern any key, so all gaps come with the first page.
    """
    started = time.monotonic()
    gaps: list[Gap] = []
    rows = _rows(pages, gaps)
    runs: list[Iterator[_Row]] = []
    with contextlib.ExitStack() as files:
        while batch := sorted(itertools.islice(rows, RUN_LENGTH), key=_by_key):
            runs.append(_spill(batch, files))
            if len(runs) == FAN_IN:
                runs = [_spill(heapq.merge(*runs, key=_by_key), files)]
        merged = heapq.merge(*runs, key=_by_key)
        while (chunk := list(itertools.islice(merged, PAGE_LENGTH))) or gaps:
            entries = [decode_object(json.loads(text)) for _, text in chunk]
            yield Page.of(entries, tuple(sorted(gaps, key=attrgetter("key"))), listed_at=started)
            gaps.clear()


def _rows(pages: Iterable[Page], gaps: list[Gap]) -> Iterator[_Row]:
    for page in pages:
        gaps.extend(page.gaps)
        for entry in page:
            yield entry.key, json.dumps(encode_object(entry)) + "\n"


def _spill(rows: Iterable[_Row], files: contextlib.ExitStack) -> Iterator[_Row]:
    """Write a sorted run to a temporary file, now, and return it for reading; `files` closes it at the latest."""
    file = tempfile.TemporaryFile("w+", encoding="utf-8", prefix="cloudsync-sort-")  # noqa: SIM115 - the next line
    files.enter_context(file)
    file.writelines(text for _, text in rows)
    file.seek(0)

    def read() -> Iterator[_Row]:
        with file:
            for line in file:
                yield json.loads(line)[0], line

    return read()
