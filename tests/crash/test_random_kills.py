"""Runs that are killed at random moments, many in a row, and then one that is not (P3, P6, P7)."""

import contextlib
import hashlib
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.crash.promises import NOTHING
from tests.crash.story import Unfinished, change, obey, opened, succeed, write_config
from tests.crash.zygote import Zygote
from tests.engine.stores import contents, listed
from tests.equivalence.stores import BOUNDARY, Place

OBJECTS = 500
KILLS, SOAK_KILLS = 50, 3000
"""Each way."""

AT_WORK = 0.15
"""Seconds of work that a run has before its kill at most, after what it takes to begin."""

Make = Callable[[str, str], Place]


def tree(rnd: random.Random, version: int) -> dict[str, bytes]:
    """Return 500 objects of a version: nearly all small, some in parts."""
    sizes = {number: 3 * BOUNDARY + number for number in rnd.sample(range(OBJECTS), 4)}
    return {
        f"folder{number % 11}/{number:03}": f"{version} of {number} ".encode() + rnd.randbytes(sizes.get(number, 40))
        for number in range(OBJECTS)
    }


def write(root: Path, files: dict[str, bytes]) -> None:
    for key, data in files.items():
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class Series:
    """Runs of one job that are killed one after another.

    Args:
        runs: makes them.
        folder: an empty one, for the job.
        kills: how many of them are killed.
        rnd: throws the dice.
    """

    def __init__(self, runs: Zygote, folder: Path, *, kills: int, rnd: random.Random) -> None:
        self.rnd = rnd
        self._runs = runs
        self._config = folder / "config.yaml"
        self._kills = kills

    def play(self, source: Place, target: Place, change_all: Callable[[], None], look: Callable[[], None]) -> None:
        """Kill run after run, and make one that is not killed.

        Args:
            source: the place that is read.
            target: the place that is written.
            change_all: makes work for many runs; called when one has come to its end.
            look: called after each kill.
        """
        write_config(self._config, source, target, transfers=8)
        succeed(self._config)
        began = time.monotonic()
        assert self._runs.run(self._config).code == 0
        to_begin = time.monotonic() - began
        killed, ended = 0, True
        while killed < self._kills:
            if ended:
                change_all()
            ending = self._runs.run(self._config, kill_after=self.rnd.uniform(0.005, to_begin + AT_WORK))
            assert ending.code in (0, -SIGKILL), ending.log
            ended = ending.code == 0
            killed += not ended
            look()
        with contextlib.closing(sqlite3.connect(self._config.with_name("state.db"))) as database:
            [(unended,)] = database.execute("SELECT count(*) FROM run WHERE status IS NULL")
        # Of each job only the last hundred runs are remembered.
        assert unended > min(killed, 100) // 4, "too few were at work when they were killed"
        succeed(self._config)
        with opened(source) as one, opened(target) as other:
            assert contents(other) == contents(one)
        counted = succeed(self._config)
        assert {name: counted[name] for name in NOTHING} == NOTHING
        obey("gc", self._config, "--older-than", "0", "--all")


@pytest.fixture
def series(runs: Zygote, tmp_path: Path, soak, seed) -> Series:
    (folder := tmp_path / "job").mkdir()
    return Series(runs, folder, kills=SOAK_KILLS if soak else KILLS, rnd=random.Random(seed))


def test_P6_kills_while_uploading(place: Make, series: Series, unfinished: Unfinished):
    source, target = place("file", "source"), place("s3", "target")
    versions = [tree(series.rnd, 0)]
    write(Path(source.url), versions[0])

    def change_all() -> None:
        versions.append(tree(series.rnd, len(versions)))
        write(Path(source.url), versions[-1])

    def look() -> None:
        # The store tells the MD5 of what it has in one piece.
        whole = {hashlib.md5(data).hexdigest(): key for files in versions[-2:] for key, data in files.items()}
        with opened(target) as backend:
            found = {key: info for key, info in listed(backend).items() if not key.startswith(".cloudsync/")}
        assert found.keys() == versions[-1].keys()
        for key, info in found.items():
            assert info.size > BOUNDARY or whole.get(info.fingerprint) == key, f"P3: {key} is neither old nor new"

    series.play(source, target, change_all, look)
    assert unfinished(target) == []


def test_P6_kills_while_downloading(place: Make, series: Series, unfinished: Unfinished):
    source, target = place("s3", "source"), place("file", "target")
    files, spoilt, root = tree(series.rnd, 0), {}, Path(target.url)
    change(source, {}, files)

    def change_all() -> None:
        # What somebody has done to the target: to change the source would take longer than the runs.
        shutil.rmtree(root / "folder3")
        spoilt.update(dict.fromkeys(series.rnd.sample(sorted(files), OBJECTS * 4 // 5), b"spoilt"))
        write(root, spoilt)

    def look() -> None:
        for path in root.rglob("*"):
            key = str(path.relative_to(root))
            if path.is_file() and ".cs-" not in key and not key.startswith(".cloudsync/"):
                assert path.read_bytes() in (files[key], spoilt.get(key)), f"P3: {key} is neither old nor new"

    series.play(source, Place(target.url, {"fsync": False}), change_all, look)
    assert unfinished(target) == []
