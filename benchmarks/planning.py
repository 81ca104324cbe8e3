"""Plans pairs that are in memory and prints how long it took: `python planning.py PAIRS`.

A quarter of the keys is new, a quarter has another size, a quarter is only on the target, and a quarter is on both
sides as the base says: no two neighbours are alike, which is the hardest case for code that works on whole pages.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter

from cloudsync_core.backends.memory import MemoryBackend
from cloudsync_core.engine.compare import Auto
from cloudsync_core.engine.diff import BasePage, diff
from cloudsync_core.engine.plan import Planner
from cloudsync_core.location import Location
from cloudsync_core.models import ObjectInfo, Page
from cloudsync_core.runs import Action

PAGE = 1000


def pages(numbers: list[int], size: int) -> list[Page]:
    """Return a listing of the objects of these numbers, whose rows are made when somebody asks for them."""
    return [_page(numbers[start : start + PAGE], size) for start in range(0, len(numbers), PAGE)]


def base(numbers: list[int]) -> list[BasePage]:
    """Return the base of these numbers."""
    return [
        BasePage([_key(number) for number in part], same := [str(number) for number in part], same, [None] * len(part))
        for part in (numbers[start : start + PAGE] for start in range(0, len(numbers), PAGE))
    ]


def plan(pairs: int) -> tuple[float, Counter[str]]:
    """Return the seconds that planning took, and how many keys came to what."""
    everything = range(pairs)
    source = pages([number for number in everything if number % 4 != 3], 1)
    target = pages([number for number in everything if number % 4 != 1], 1)
    for page in target:
        page.sizes = [1 + (number % 4 == 2) for number in map(_number, page.keys)]
    known = base(list(range(0, pairs, 4)))
    one, other = (MemoryBackend(Location.parse(f"memory://{name}")) for name in ("source", "target"))
    planner = Planner(one, other, Auto(), delete=True, workers=16, stop=threading.Event())
    found: Counter[str] = Counter()
    started = time.perf_counter()
    for step in planner.steps(diff(source, target, known)):
        if isinstance(step, Action):
            found[step.kind] += 1
        else:
            found[step.status] += step.count
    return time.perf_counter() - started, found


def _key(number: int) -> str:
    return f"folder-{number // 1000:06d}/object-{number:09d}.bin"


def _number(key: str) -> int:
    return int(key[-13:-4])


def _page(numbers: list[int], size: int) -> Page:
    keys = [_key(number) for number in numbers]
    marks = [str(number) for number in numbers]

    def row(index: int) -> ObjectInfo:
        return ObjectInfo(keys[index], page.sizes[index], marks[index], 0)

    page = Page(keys, [size] * len(keys), marks, row)
    return page


if __name__ == "__main__":
    seconds, steps = plan(int(sys.argv[1]))
    print(json.dumps({"seconds": seconds, "steps": steps}))
