"""Plays the cases: every tool in its turn, round after round, so that whatever the machine does hits all alike."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence

from benchmarks.cases import Case, Scene
from benchmarks.measuring import Usage, WrongResultError, run
from benchmarks.results import CaseResult, Run
from benchmarks.stage import Theatre
from benchmarks.tools import CLOUDSYNC, Tool, environment

TIMEOUT = 1200.0
"""Seconds after which a tool is given up."""

TOO_SLOW = 60.0
"""Seconds of a peer's first run beyond which the run stands for all rounds."""


@dataclasses.dataclass(frozen=True)
class Play:
    """How the cases are played.

    Attributes:
        theatre: where.
        rounds: how often each tool has its turn.
        wanted: tells of a tool whether it takes part.
        count_peers: count the requests of peers, too, where that takes a run of its own.
        say: is told what goes on.
    """

    theatre: Theatre
    rounds: int
    wanted: Callable[[Tool], bool]
    count_peers: bool
    say: Callable[[str], None]

    def case(self, case: Case) -> CaseResult:
        """Return what was measured, and which tools failed."""
        result = CaseResult(case.name, case.describe(self.theatre.scale), case.server, load=os.getloadavg()[0])
        tools = [tool for tool in case.tools if self.wanted(tool)]
        with self.theatre.case():
            with contextlib.ExitStack() as lasting:
                scenes: dict[str, Scene] = {}
                for number in range(1, self.rounds + 1):
                    for tool in tools:
                        if _has_turn(result, tool, number):
                            with self._failing(result, tool), contextlib.ExitStack() as passing:
                                if tool.name not in scenes or not case.lasting:
                                    scenes[tool.name] = self._set(case, tool, lasting if case.lasting else passing)
                                self._take(result, tool, number, scenes[tool.name])
            self._count(case, tools, result)
        return result

    @contextlib.contextmanager
    def _failing(self, result: CaseResult, tool: Tool) -> Iterator[None]:
        """Note a failure of the tool, which ends its part and nobody else's."""
        try:
            yield
        except WrongResultError as error:
            result.failures[tool.name] = str(error)
            self.say(f"  {result.name} {tool.name} FAILED: {error}")

    def _set(self, case: Case, tool: Tool, stack: contextlib.ExitStack, *, counting: bool = False) -> Scene:
        scene = case.scene(tool, stack.enter_context(self.theatre.stage(counting=counting)))
        if scene.prime:
            self._run(scene)
            if scene.between is not None:
                scene.between()
        return scene

    def _take(self, result: CaseResult, tool: Tool, number: int, scene: Scene) -> None:
        before = scene.server.cpu() if scene.server else None
        if scene.server is not None:
            scene.server.forget_requests()
        usage = self._run(scene)
        after = scene.server.cpu() if scene.server else None
        served = None if before is None or after is None else round(after - before, 2)
        wall = scene.seconds(usage)
        result.runs.append(
            Run(tool.name, tool.family, tool.counts, number, round(wall, 4), round(usage.cpu, 4), usage.peak, served)
        )
        self._note_requests(result, tool, scene)
        self.say(f"  {result.name} {number} {tool.name}: {wall:.2f} s, CPU {usage.cpu:.2f} s, {usage.peak >> 20} MiB")

    def _count(self, case: Case, tools: Sequence[Tool], result: CaseResult) -> None:
        """Have the work done once more with the server that counts."""
        for tool in tools:
            settled = tool.name in result.requests or tool.name in result.failures or not case.countable
            if settled or not (self.count_peers or tool.family == CLOUDSYNC.family):
                continue
            with self._failing(result, tool), contextlib.ExitStack() as stack:
                scene = self._set(case, tool, stack, counting=True)
                assert scene.server is not None
                scene.server.forget_requests()
                self._run(scene)
                self._note_requests(result, tool, scene)
                self.say(f"  {result.name} {tool.name}: {result.requests[tool.name]}")

    def _note_requests(self, result: CaseResult, tool: Tool, scene: Scene) -> None:
        requests = None if scene.server is None else scene.server.requests()
        if requests is not None:
            result.requests[tool.name] = requests

    def _run(self, scene: Scene) -> Usage:
        with self.theatre.directory() as home:
            usage = run(scene.command, env=environment(home, scene.server), cwd=home, timeout=TIMEOUT)
        scene.check(usage.output)
        return usage


def _has_turn(result: CaseResult, tool: Tool, number: int) -> bool:
    if tool.name in result.failures:
        return False
    slow = number > 1 and result.of(tool.name)[0].wall > TOO_SLOW
    return not slow or tool.family == CLOUDSYNC.family
