"""Where a case plays: directories, trees and servers, made when a scene asks for them and gone when it ends."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import clouds, servers
from benchmarks.servers import Server
from benchmarks.tools import Job, Programs, Tool
from benchmarks.trees import Tree


@dataclasses.dataclass
class Theatre:
    """What all scenes share.

    Attributes:
        root: an empty directory, on a file system in memory if there is one.
        programs: of the tools.
        scale: the part of the full size that is done.
    """

    root: Path
    programs: Programs
    scale: float
    _trees: dict[tuple[int, int], Tree] = dataclasses.field(default_factory=dict)
    _listings: dict[int, Server] = dataclasses.field(default_factory=dict)
    _case: contextlib.ExitStack = dataclasses.field(default_factory=contextlib.ExitStack)

    @contextlib.contextmanager
    def case(self) -> Iterator[None]:
        """Keep what the scenes of one case share for the length of the block."""
        with self._case:
            yield
            self._listings.clear()
        for tree in self._trees.values():
            shutil.rmtree(tree.root)
        self._trees.clear()

    @contextlib.contextmanager
    def stage(self, *, counting: bool = False) -> Iterator[Stage]:
        """Yield a stage for one scene.

        Args:
            counting: every server is the synthetic one.
        """
        with contextlib.ExitStack() as stack:
            work = stack.enter_context(self.directory())
            yield Stage(self, work, stack, counting=counting)

    def tree(self, files: int, size: int) -> Tree:
        """Return a tree, the same for all scenes of a case."""
        if (files, size) not in self._trees:
            self._trees[files, size] = Tree.grow(self.root / f"tree-{files}-{size}", files, size)
        return self._trees[files, size]

    def listings(self, keys: int) -> Server:
        """Return a server with two equal rendered buckets, `source` and `target`; the same for all scenes of a case."""
        if keys not in self._listings:
            work = self._case.enter_context(self.directory())
            rendered = {"source": keys, "target": keys}
            self._listings[keys] = self._case.enter_context(servers.serve_synthetic(work, rendered=rendered))
        return self._listings[keys]

    @contextlib.contextmanager
    def directory(self) -> Iterator[Path]:
        """Make a directory for the length of the block."""
        with tempfile.TemporaryDirectory(dir=self.root, ignore_cleanup_errors=True) as folder:
            yield Path(folder)


@dataclasses.dataclass(frozen=True)
class Stage:
    """Where one scene plays.

    Attributes:
        work: an empty directory of its own.
    """

    _theatre: Theatre
    work: Path
    _stack: contextlib.ExitStack
    counting: bool

    @property
    def scale(self) -> float:
        """The part of the full size that is done."""
        return self._theatre.scale

    @property
    def programs(self) -> Programs:
        """The programs of the tools."""
        return self._theatre.programs

    @property
    def state(self) -> Path:
        """Where a tool may remember something."""
        return self.work / "state.db"

    def tree(self, files: int, size: int) -> Tree:
        """Return a tree of files, which no scene changes."""
        return self._theatre.tree(files, size)

    def listings(self, keys: int) -> Server:
        """Return a server with two equal rendered buckets, `source` and `target`."""
        return self._theatre.listings(keys)

    def serve(self, kind: str, *, latency: float = 0.0) -> Server:
        """Return a fresh server without any bucket."""
        if kind == "azurite":
            return self._stack.enter_context(clouds.serve_azurite(self.work))
        if kind == "gcs":
            return self._stack.enter_context(clouds.serve_gcs(self.work))
        if kind == "synthetic" or self.counting:
            return self._stack.enter_context(servers.serve_synthetic(self.work, latency=latency))
        if kind == "rclone":
            return self._stack.enter_context(servers.serve_rclone(self.programs["rclone"], self.work))
        return self._stack.enter_context(servers.serve_moto(self.work))

    def command(self, tool: Tool, job: Job) -> list[str | Path]:
        """Return the command line by which a tool does a job."""
        return tool.command(job, self.programs)
