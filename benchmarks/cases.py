"""The kinds of cases: what is synchronised, between what, and how it is seen that it was."""

from __future__ import annotations

import abc
import dataclasses
import json
import math
import operator
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from benchmarks.measuring import Usage, WrongResultError
from benchmarks.servers import Server
from benchmarks.stage import Stage
from benchmarks.synthetic.listing import PAGE
from benchmarks.tools import CLOUDSYNC, Bucket, Job, Tool
from benchmarks.trees import Tree, digests_below, expect

_UNITS = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"), (1, "B"))


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """One tool's work, ready to be done.

    Attributes:
        command: does it.
        check: raises `WrongResultError` unless it was done; it is given what the command printed.
        server: with which.
        prime: do it once before it is measured.
        between: is called after that.
        seconds: returns what counts as the time, by default from the start of the program to its end.
    """

    command: Sequence[str | Path]
    check: Callable[[str], None]
    server: Server | None = None
    prime: bool = False
    between: Callable[[], None] | None = None
    seconds: Callable[[Usage], float] = operator.attrgetter("wall")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case(abc.ABC):
    """Something to measure.

    Attributes:
        name: on the command line and in the results.
        title: what is done, with `{count}` for the number of objects, and `{size}` for that of files.
        server: which server; "none" where there is none.
        tools: who does it, in turns.
        quick: part of a quick run.
        lasting: a tool's runs leave its scene as it was, so that all rounds are played in it.
    """

    name: str
    title: str
    tools: tuple[Tool, ...]
    server: str = "rclone"
    quick: bool = False
    lasting: ClassVar[bool] = False

    @abc.abstractmethod
    def count(self, scale: float) -> int:
        """Return the number of objects at a scale."""

    def describe(self, scale: float) -> str:
        """Return the title at a scale."""
        return self.title.format(count=f"{self.count(scale):,}")

    @abc.abstractmethod
    def scene(self, tool: Tool, stage: Stage) -> Scene:
        """Set up what the tool needs, afresh."""

    @property
    def countable(self) -> bool:
        """Whether the same work can be done with the synthetic server, which speaks S3, to count requests."""
        return self.server in {"rclone", "moto", "synthetic"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Files(Case):
    """A case about a tree of files.

    Attributes:
        files: how many.
        size: bytes of each.
    """

    files: int
    size: int

    def count(self, scale: float) -> int:
        return scaled(self.files, scale)

    def bytes_each(self, scale: float) -> int:
        """Return the size of a file at a scale: fewer files are done, or a smaller one where there is only one."""
        return self.size if self.files > 1 else scaled(self.size, scale)

    def describe(self, scale: float) -> str:
        size = self.bytes_each(scale)
        unit, name = next((unit, name) for unit, name in _UNITS if size >= unit)
        return self.title.format(count=f"{self.count(scale):,}", size=f"{size / unit:.3g} {name}")

    def tree(self, stage: Stage) -> Tree:
        """Return the tree at the stage's scale."""
        return stage.tree(self.count(stage.scale), self.bytes_each(stage.scale))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Upload(Files):
    """A directory into an empty bucket.

    Attributes:
        latency: seconds before every answer of a synthetic server.
    """

    latency: float = 0.0

    def scene(self, tool: Tool, stage: Stage) -> Scene:
        tree = self.tree(stage)
        server = stage.serve(self.server, latency=self.latency)
        server.make_bucket("target")
        job = Job(tree.root, Bucket(server, "target"), stage.state)
        return Scene(stage.command(tool, job), lambda _: expect(server.contents("target"), tree.digests), server)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NothingToDo(Upload):
    """A directory into the bucket into which the same tool has uploaded it before."""

    lasting: ClassVar[bool] = True

    def scene(self, tool: Tool, stage: Stage) -> Scene:
        return dataclasses.replace(super().scene(tool, stage), prime=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Download(Files):
    """A bucket into a directory that does not exist."""

    def scene(self, tool: Tool, stage: Stage) -> Scene:
        tree = self.tree(stage)
        server = stage.serve(self.server)
        server.make_bucket("source", tree)
        target = stage.work / "target"
        job = Job(Bucket(server, "source"), target, stage.state)
        return Scene(stage.command(tool, job), lambda _: expect(digests_below(target), tree.digests), server)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deletes(Files):
    """A directory of ten files into a bucket that holds many more."""

    KEPT: ClassVar[int] = 10

    def scene(self, tool: Tool, stage: Stage) -> Scene:
        tree = stage.tree(self.count(stage.scale) + self.KEPT, self.size)
        source = tree.link(stage.work / "source", files=self.KEPT)
        server = stage.serve(self.server)
        server.make_bucket("target", tree)
        job = Job(source, Bucket(server, "target"), stage.state, delete=True)
        kept = dict(list(tree.digests.items())[: self.KEPT])
        return Scene(stage.command(tool, job), lambda _: expect(server.contents("target"), kept), server)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BucketToBucket(Files):
    """A bucket into an empty one on the same server."""

    def scene(self, tool: Tool, stage: Stage) -> Scene:
        tree = self.tree(stage)
        server = stage.serve(self.server)
        server.make_bucket("source", tree)
        server.make_bucket("target")
        job = Job(Bucket(server, "source"), Bucket(server, "target"), stage.state)
        return Scene(stage.command(tool, job), lambda _: expect(server.contents("target"), tree.digests), server)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Listings(Case):
    """Two equal buckets of which nothing but listings exists.

    Attributes:
        keys: in each.
    """

    keys: int
    lasting: ClassVar[bool] = True

    def count(self, scale: float) -> int:
        return scaled(self.keys, scale)

    def scene(self, tool: Tool, stage: Stage) -> Scene:
        keys = self.count(stage.scale)
        server = stage.listings(keys)
        job = Job(Bucket(server, "source"), Bucket(server, "target"), stage.state)

        def check(_: str) -> None:
            requests = server.requests() or {}
            written = requests.keys() - {"list", "head", "get", "bucket"}
            if written or requests.get("list", 0) < 2 * math.ceil(keys / PAGE):
                raise WrongResultError(f"two listings of {keys} keys take other requests than {requests}")

        # Only cloudsync remembers anything.
        return Scene(stage.command(tool, job), check, server, prime=tool.family == CLOUDSYNC.family)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan(Case):
    """The diff and the planner alone, on pages in memory, in one process."""

    pairs: int

    def count(self, scale: float) -> int:
        return scaled(self.pairs, scale) // 4 * 4

    def scene(self, tool: Tool, stage: Stage) -> Scene:
        del tool
        pairs = self.count(stage.scale)

        def check(printed: str) -> None:
            steps = json.loads(printed)["steps"]
            if steps != dict.fromkeys(("add", "update", "delete", "unchanged"), pairs // 4):
                raise WrongResultError(f"{pairs} pairs were planned as {steps}")

        command: list[str | Path] = [sys.executable, Path(__file__).with_name("planning.py"), str(pairs)]
        return Scene(command, check, seconds=lambda usage: float(json.loads(usage.output)["seconds"]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Version(Case):
    """A program that prints its version: what starting it costs."""

    def count(self, scale: float) -> int:
        del scale
        return 1

    def scene(self, tool: Tool, stage: Stage) -> Scene:
        argument = "version" if tool.family in {"rclone", "s5cmd"} else "--version"
        return Scene([stage.programs[tool.family], argument], lambda _: None)


def scaled(number: float, scale: float) -> int:
    """Return how many of `number` things are done at a scale."""
    return max(1, round(number * scale))
