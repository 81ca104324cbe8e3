"""The cases about publishing: channels, and releases."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Literal

from benchmarks.cases import Case, Files, Scene, scaled
from benchmarks.exchange import Exchange
from benchmarks.measuring import Usage, WrongResultError
from benchmarks.stage import Stage
from benchmarks.tools import Bucket, Tool, environment
from benchmarks.trees import expect

_SCRIPT = Path(__file__).with_name("exchange.py")
_PUBLISHED_WITHIN = 1200.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Updates(Case):
    """Updates of a channel, between processes that use the public API.

    Attributes:
        updates: how many, by all publishers together.
        size: bytes of the content of each.
        publishers: processes that publish.
        subscribers: processes of which each receives every update.
        batch: updates that are published in one call, and are one object.
        interval: seconds from one look at the channel to the next.
        pace: seconds from one call of a publisher to its next.
        beforehand: what is published is there when the time begins.
        seconds: what counts as the time: publishing, receiving, or the median wait from publishing to the callback.
    """

    updates: int
    size: int = 1024
    publishers: int = 4
    subscribers: int = 4
    batch: int = 1
    interval: float = 30.0
    pace: float = 0.0
    beforehand: bool = False
    seconds: Literal["publishing", "receiving", "wait"]

    def count(self, scale: float) -> int:
        return scaled(self.updates / self.publishers, scale) * self.publishers

    def scene(self, tool: Tool, stage: Stage) -> Scene:
        del tool
        server = stage.serve(self.server)
        server.make_bucket("channel")
        exchange = Exchange(
            url=Bucket(server, "channel").url,
            options=server.options,
            state=str(stage.work),
            publishers=self.publishers,
            subscribers=self.subscribers,
            updates=self.count(stage.scale) // self.publishers,
            size=self.size,
            batch=self.batch,
            interval=self.interval,
            pace=self.pace,
            publishing=not self.beforehand,
        )
        if self.beforehand:
            first = dataclasses.replace(exchange, subscribers=0, publishing=True)
            env = environment(stage.work, server)
            subprocess.run(_command(first), env=env, stdout=subprocess.DEVNULL, timeout=_PUBLISHED_WITHIN, check=True)
        objects = self.publishers * -(-exchange.updates // self.batch)

        def check(_: str) -> None:
            # What is in them, subscribers have seen.
            found = sum(key.startswith("updates/") for key in server.contents("channel"))
            if found != objects:
                raise WrongResultError(f"{found} objects of updates instead of {objects}")

        return Scene(_command(exchange), check, server, seconds=self._seconds)

    def _seconds(self, usage: Usage) -> float:
        return float(json.loads(usage.output)[self.seconds])


@dataclasses.dataclass(frozen=True, kw_only=True)
class NextRelease(Files):
    """A release of a tree of which the release before has all but some files.

    Attributes:
        changed: how many files are others.
    """

    changed: int

    def scene(self, tool: Tool, stage: Stage) -> Scene:
        tree = self.tree(stage)
        source = tree.link(stage.work / "source")
        server = stage.serve(self.server)
        server.make_bucket("site")
        changed = scaled(self.changed, stage.scale)
        wanted = dict(tree.digests)
        sent = tree.files

        def change() -> None:
            nonlocal sent
            wanted.update(tree.change(source, files=changed))
            sent += changed

        def check(_: str) -> None:
            # What is unchanged lies in the tree of the first release only.
            contents = [digest for key, digest in server.contents("site").items() if key.startswith("releases/")]
            if len(contents) != sent:
                raise WrongResultError(f"{len(contents)} files were sent instead of {sent}")
            current = set(wanted.values())
            expect({digest: "" for digest in contents if digest in current}, dict.fromkeys(current, ""))

        location = Bucket(server, "site").url
        command: list[str | Path] = [stage.programs[tool.family], "release", "create", source, location]
        command += [part for name, value in server.options.items() for part in ("--option", f"{name}={value}")]
        return Scene([*command, "--state", stage.state], check, server, prime=True, between=change)


def _command(exchange: Exchange) -> list[str | Path]:
    return [sys.executable, _SCRIPT, json.dumps(dataclasses.asdict(exchange))]
