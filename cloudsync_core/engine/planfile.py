"""Plans on disk: what `cloudsync plan -o` saves for review, and `cloudsync apply` performs.

A file holds JSON lines: for each job a header, its actions in order, and a footer. A section without its footer was cut
short and is refused. Locations stand in it without credentials: applying it opens them through the config again.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from cloudsync_core.engine.codec import decode_foreign_action, encode_action
from cloudsync_core.engine.spool import ActionSpool
from cloudsync_core.errors import PlanFileError
from cloudsync_core.runs import Action, RunInfo, RunReport

FORMAT = 1


@dataclasses.dataclass(frozen=True, slots=True)
class PlanHeader:
    """What a section of a plan was made for.

    Attributes:
        config: absolute path of the config.
        job: the job's name.
        rules: a text that changes when the job's definition does.
        source: location, without credentials.
        target: likewise.
        created: seconds since the epoch, UTC.
    """

    config: str
    job: str
    rules: str
    source: str
    target: str
    created: float


@dataclasses.dataclass(frozen=True, slots=True)
class PlanSection:
    """The plan of one job.

    Attributes:
        header: what it was made for.
        actions: in order, deletes last.
        message: why the job refused to run, or would have held its deletes back; `None` otherwise.
        refused: whether the dry run was refused, so that there is nothing to apply.
    """

    header: PlanHeader
    actions: ActionSpool
    message: str | None
    refused: bool


class PlanWriter:
    """Writes a plan file; the file appears, whole, when the block ends without an error.

    Args:
        path: the file; replaced when it exists.

    Raises:
        PlanFileError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0

    def begin(self, run: RunInfo, *, config: Path, rules: str) -> None:
        """Begin the section of a job.

        Args:
            run: the dry run.
            config: the file that defines the job.
            rules: a text that changes when the job's definition does.
        """
        self._count = 0
        header = PlanHeader(str(config.absolute()), run.job, rules, run.source, run.target, run.started)
        self._write({"cloudsync_plan": FORMAT, **dataclasses.asdict(header)})

    def action(self, action: Action) -> None:
        """Add an action to the section."""
        self._count += 1
        self._write(encode_action(action))

    def end(self, report: RunReport) -> None:
        """End the section by what the dry run reported."""
        refused = report.status in {"refused", "aborted", "interrupted"}
        self._write({"end": self._count, "refused": refused, "message": report.message})

    def __enter__(self) -> Self:
        try:
            handle, name = tempfile.mkstemp(prefix=".cloudsync-plan-", dir=self._path.absolute().parent)
        except OSError as error:
            raise self._not_written(error) from error
        self._temporary = Path(name)
        self._file: IO[str] = os.fdopen(handle, "w", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            if error is None:
                self._temporary.replace(self._path)
        except OSError as failure:
            raise self._not_written(failure) from failure
        finally:
            self._temporary.unlink(missing_ok=True)

    def _write(self, value: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(value, ensure_ascii=False) + "\n")
        except OSError as error:
            raise self._not_written(error) from error

    def _not_written(self, error: OSError) -> PlanFileError:
        return PlanFileError(f"the plan {self._path} cannot be written: {error.strerror}")


def read_plan(path: Path) -> Iterator[PlanSection]:
    """Yield the sections of a plan file, each complete; the actions of one are gone when the next is asked for.

    Raises:
        PlanFileError: the file cannot be read, is no plan, is damaged or was cut short; names the line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            lines = enumerate(file, start=1)
            found = False
            for number, line in lines:
                header = _header(path, number, line)
                with ActionSpool() as actions:
                    yield _section(path, header, lines, actions)
                found = True
            if not found:
                raise PlanFileError(f"{path}: the file is empty")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise PlanFileError(f"the plan {path} cannot be read: {reason}") from error


def _header(path: Path, number: int, line: str) -> PlanHeader:
    value = _value(path, number, line)
    version = value.pop("cloudsync_plan", None)
    if version is None:
        raise PlanFileError(f"{path}:{number}: this is no plan of cloudsync")
    if version != FORMAT:
        raise PlanFileError(f"{path}:{number}: the plan has format {version}, this cloudsync applies {FORMAT}")
    try:
        return PlanHeader(**value)
    except TypeError as error:
        raise PlanFileError(f"{path}:{number}: the header of the plan is damaged") from error


def _section(path: Path, header: PlanHeader, lines: Iterator[tuple[int, str]], actions: ActionSpool) -> PlanSection:
    for number, line in lines:
        value = _value(path, number, line)
        if "end" in value:
            if value["end"] != len(actions):
                raise PlanFileError(f"{path}:{number}: {value['end']} actions were saved, {len(actions)} are here")
            return PlanSection(header, actions, value.get("message"), bool(value.get("refused")))
        try:
            actions.append(decode_foreign_action(value))
        except ValueError as error:
            raise PlanFileError(f"{path}:{number}: the action is damaged: {error}") from error
    raise PlanFileError(f"{path}: the plan of job {header.job!r} was cut short", hint="Make the plan again.")


def _value(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise PlanFileError(f"{path}:{number}: this is no JSON") from error
    if not isinstance(value, dict):
        raise PlanFileError(f"{path}:{number}: this is no plan of cloudsync")
    return value
