"""What happens to both sides before the run that does not survive: the same story for every pair of stores.

A first run makes the target equal to the source. Then both are changed, so that the run in question has something of
everything to do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.config.model import LocationConfig
from cloudsync_core.config.opening import open_location
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.errors import ObjectNotFoundError
from cloudsync_core.plugins.facade import Plugins
from tests.crash.zygote import Zygote
from tests.engine.stores import content, listed
from tests.equivalence.runs import run_by_command
from tests.equivalence.stores import BOUNDARY, Place

Tree = Mapping[str, bytes]
Unfinished = Callable[[Place], list[str]]

EXCLUDED = ".keep"
RULES = {"delete": True, "max_delete": "100%", "exclude": [f"*{EXCLUDED}"], "transfers": 1}
"""One transfer at a time, so that the run meets the same points in the same order again."""


def noise(seed: str, size: int) -> bytes:
    """Return content that no other seed gives."""
    return random.Random(seed).randbytes(size)


SAME: Tree = {"same/one": b"one", "same/two": b"two", "same/deep/three": b"three"}
FIRST: Tree = {
    **SAME,
    "edited": b"0123456789",
    "grown": b"short",
    "large": noise("large before", BOUNDARY * 2 + 100),
    "gone/one": b"to be deleted",
    "gone/deep/two": b"to be deleted, too",
    "file-to-folder": b"it is in the way of a folder",
    "folder-to-file/inner": b"it is in the way of a file",
    "drifted": b"what it should be",
}
SECOND: Tree = {
    **SAME,
    "edited": b"9876543210",
    "grown": b"not as short as before",
    "large": noise("large after", BOUNDARY * 2 + 100),
    "file-to-folder/inner": b"it lies in a folder",
    "folder-to-file": b"it is a file",
    "drifted": b"what it should be",
    "new/one": b"new",
    "new/empty": b"",
    "new/large": noise("new large", BOUNDARY * 6 + 1),
    "odd/ [x]*?#%2F+&é\u0301😀": b"an odd name",
    "source's own.keep": b"excluded",
}
NEIGHBOURS: Tree = {"-2/edited": b"a name that begins alike", "-2/gone/one": b"as above", ".keep": b"beside it"}
"""What lies beside the root of a target, by what follows the root's name."""

DRIFT: Tree = {"drifted": b"something else", "stray": b"nobody knows it", "target's own.keep": b"excluded"}


@dataclasses.dataclass(frozen=True)
class Scene:
    """Two places, a job between them, and what both hold when the run in question begins.

    Attributes:
        config: of the job; its folder has the state database, too.
        hasty: the same for runs that nothing happens to, which wait for no disk.
        source: the place that is read.
        target: the place that is written.
        source_tree: what it holds.
        before: what the target holds.
        around: what lies outside the target's root; see `outside`.
        runs: makes the runs that may not survive.
        unfinished: returns what a place holds beside objects, as its server sees it.
    """

    config: Path
    hasty: Path
    source: Place
    target: Place
    source_tree: Tree
    before: Tree
    around: Mapping[str, object]
    runs: Zygote
    unfinished: Unfinished

    @property
    def after(self) -> Tree:
        """What the target holds when all is done."""
        wanted = {key: data for key, data in self.source_tree.items() if not key.endswith(EXCLUDED)}
        return wanted | {key: data for key, data in self.before.items() if key.endswith(EXCLUDED)}

    def held(self) -> dict[str, bytes]:
        """Return what the target holds now, but for what is cloudsync's own."""
        found = {}
        with opened(self.target) as backend:
            for key in listed(backend):
                # The server may still be at the delete that the dead run has asked of it.
                with contextlib.suppress(ObjectNotFoundError):
                    found[key] = content(backend, key)
        return {key: data for key, data in found.items() if not key.startswith(".cloudsync/")}


def opened(place: Place) -> Backend:
    """Open a place as a job does, with plugins that were loaded once."""
    location = LocationConfig(url=place.url, options=dict(place.options))
    return open_location(
        location, plugins=_plugins(), loaded=None, resolver=Resolver(directory=Path.cwd()), create=False
    )


@functools.cache
def _plugins() -> Plugins:
    return Plugins.load()


def write_config(path: Path, source: Place, target: Place, **rules: Any) -> Path:
    """Write the configuration of a job, whose state will be beside it."""
    job = {"source": dataclasses.asdict(source), "target": dataclasses.asdict(target), **RULES, **rules}
    path.write_text(yaml.safe_dump({"version": 1, "state": "state.db", "jobs": {"job": job}}))
    return path


def change(place: Place, before: Tree, after: Tree) -> None:
    """Make a place that holds one tree hold another."""
    with opened(place) as backend:
        for key in sorted(before.keys() - after.keys(), reverse=True):
            backend.delete(key)
        for key, data in after.items():
            if before.get(key) != data:
                _put(backend, key, data)


def _put(backend: Backend, key: str, data: bytes) -> None:
    backend.put(key, Body(data))


def scene(folder: Path, source: Place, target: Place, zygote: Zygote, unfinished: Unfinished) -> Scene:
    """Tell the story up to the run in question.

    Args:
        folder: an empty one, for the job.
        source: an empty place.
        target: likewise.
        zygote: makes the runs that may not survive.
        unfinished: see `Scene`.
    """
    config = write_config(folder / "config.yaml", source, target)
    hasty = write_config(folder / "hasty.yaml", _hasty(source), _hasty(target))
    change(_hasty(source), {}, FIRST)
    succeed(hasty)
    change(_hasty(source), FIRST, SECOND)
    change(_hasty(target), {}, DRIFT)
    surround(target)
    return Scene(config, hasty, source, target, SECOND, {**FIRST, **DRIFT}, outside(source, target), zygote, unfinished)


def surround(target: Place) -> None:
    """Put neighbours beside the root of a target."""
    root = target.root
    with opened(target.above) as backend:
        for name, data in NEIGHBOURS.items():
            _put(backend, f"{root}{name}", data)


def outside(source: Place, target: Place) -> dict[str, object]:
    """Return what a run has no business to change: what lies beside the target's root, and the source."""
    root = f"{target.root}/"
    with opened(target.above) as backend:
        found: dict[str, object] = {
            f"beside {key}": (info.size, info.fingerprint)
            for key, info in listed(backend).items()
            if not key.startswith((root, "job/"))
        }
    with opened(source) as backend:
        return found | {f"source {key}": (info.size, info.fingerprint) for key, info in listed(backend).items()}


def _hasty(place: Place) -> Place:
    """Return a place that waits for no disk."""
    return Place(place.url, {**place.options, "fsync": False}) if "fsync" in place.options else place


def succeed(config: Path) -> dict[str, int]:
    """Make a run that nothing happens to, in this process; return what its report counts."""
    printed = obey("run", config)
    counted: dict[str, int] = json.loads(printed[-1])["counts"]
    return counted


def obey(command: str, config: Path, *options: str) -> list[str]:
    """Call a command of the command line in this process, which must end well; return the lines that it prints."""
    printed, code = run_by_command([command, str(config), *options])
    assert code == 0, "\n".join(printed)
    return printed
