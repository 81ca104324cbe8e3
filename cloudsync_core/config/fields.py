"""The types of the model's fields: what a user may write, and the value it becomes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from cloudsync_core.channels import names, topics
from cloudsync_core.config import secrets
from cloudsync_core.config.problems import KeyPath
from cloudsync_core.engine.bandwidth import Timetable
from cloudsync_core.engine.patterns import problem
from cloudsync_core.engine.policy import DeleteLimit
from cloudsync_core.engine.quantities import parse_bytes, show_bytes
from cloudsync_core.errors import ConfigError, printable

_SHORTEST = 0.05

NESTED = "nested"
"""The type of errors whose `ctx["path"]` leads on from the field to the value that is wrong."""

Stored_co = TypeVar("Stored_co", covariant=True)
Written_contra = TypeVar("Written_contra", contravariant=True)

if TYPE_CHECKING:

    class Converted(Generic[Stored_co, Written_contra]):
        """Tells type checkers of a field that is given as one type and read as another."""

        def __get__(self, instance: object, owner: object) -> Stored_co: ...
        def __set__(self, instance: object, value: Written_contra) -> None: ...


def _reference_problem(value: object, path: KeyPath = ()) -> tuple[KeyPath, str] | None:
    if isinstance(value, str):
        why = secrets.syntax_problem(value)
        return (path, why) if why else None
    children: list[tuple[Any, object]] = []
    if isinstance(value, Mapping):
        children = list(value.items())
    elif isinstance(value, list | tuple):
        children = list(enumerate(value))
    found = (_reference_problem(child, (*path, key)) for key, child in children)
    return next((problem for problem in found if problem), None)


def _check_references(value: Any) -> Any:
    problem = _reference_problem(value)
    if problem is not None:
        path, why = problem
        raise PydanticCustomError(NESTED, "{why}", {"why": why, "path": path})
    return value


def _without_references(text: str) -> str:
    if secrets.has_reference(text):
        raise ValueError("${…} is not looked up here, only in urls, options, header values and secrets")
    return text


def _header_text(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a header holds no control characters or line breaks")
    return text


def _pattern(pattern: str) -> str:
    shown = f"'{printable(pattern)}'"
    if pattern.lstrip("!").startswith("./"):
        raise ValueError(f"{shown} matches nothing: patterns are relative to the location, leave out the './'")
    if (why := problem(pattern)) is not None:
        comment = "; write '\\#' for a name that begins with '#'" if pattern.startswith("#") else ""
        raise ValueError(f"{shown} {why}{comment}")
    return pattern


def _pattern_list(patterns: Sequence[str]) -> tuple[str, ...]:
    if patterns and patterns[0].startswith("!"):
        raise ValueError(f"'{printable(patterns[0])}' comes first: there is nothing before it that '!' could take back")
    return tuple(patterns)


def _regex(expression: str) -> str:
    shown = f"'{printable(expression)}'"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            re.compile(expression)
    except (re.error, OverflowError, RecursionError, FutureWarning) as error:
        raise ValueError(f"{shown} is not a valid regular expression: {error}") from None
    return expression


def _limit(value: object) -> object:
    if isinstance(value, DeleteLimit):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be a number of objects (100) or a percentage (25%)")  # noqa: TRY004 - pydantic asks for it
    return DeleteLimit.parse(value)


def _bytes(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be a number of bytes: 128MiB")  # noqa: TRY004 - pydantic asks for it
    count = parse_bytes(value) if isinstance(value, str) else value
    if count < 1:
        raise ValueError("must be at least 1B")
    return count


def _timetable(value: object) -> object:
    if isinstance(value, Timetable):
        return value
    if not isinstance(value, str):
        raise ValueError("must be text: 10MiB, off, or times with rates (08:00,512KiB 19:00,off)")  # noqa: TRY004
    return Timetable.parse(value)


def _operations(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError("must be a number of operations a second, more than 0")
    return float(value)


def _name(text: str) -> str:
    if names.problem(text) is not None:
        raise ValueError("a name begins with a letter or a digit and holds only those, '.', '_' and '-', 64 at most")
    return text


def _topic_pattern(pattern: str) -> str:
    try:
        topics.TopicFilter([pattern])
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return pattern


def _seconds(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError("must be a number of seconds")
    return float(value)


def _some_seconds(value: float) -> float:
    if value < _SHORTEST:
        raise ValueError(f"must be at least {_SHORTEST} seconds")
    return value


def _start(value: object) -> object:
    if value in ("earliest", "latest") or isinstance(value, float):
        return value
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("must be 'earliest', 'latest', or a time with its zone: '2026-11-20T20:00:00Z'")
    return moment.timestamp()


def _show_start(start: str | float) -> str:
    return start if isinstance(start, str) else datetime.fromtimestamp(start, UTC).isoformat()


Literally = Annotated[str, Field(min_length=1), AfterValidator(_without_references)]
"""Text that is taken as it is written."""

Referring = Annotated[str, Field(min_length=1), AfterValidator(_check_references)]
"""Text in which references to secrets may stand."""

HeaderText = Annotated[Referring, AfterValidator(_header_text)]

Options = Annotated[dict[str, Any], AfterValidator(_check_references)]
"""Options of a backend, whose own model checks them when the location is opened."""

_Pattern = Annotated[Literally, AfterValidator(_pattern), Field(title="gitignore pattern")]
Patterns = Annotated[Sequence[_Pattern], AfterValidator(_pattern_list)]
"""gitignore patterns, stored as a tuple."""

_Regex = Annotated[Literally, AfterValidator(_regex), Field(title="regular expression")]
Regexes = Annotated[Sequence[_Regex], AfterValidator(tuple)]
"""Regular expressions, stored as a tuple."""

Distributions = Annotated[Sequence[Annotated[Literally, Field(title="distribution")]], AfterValidator(tuple)]
"""Names of installed distributions, stored as a tuple."""

_LimitText = Annotated[str, Field(title="percentage", pattern=r"^\s*\d+(\.\d+)?\s*%?\s*$")]

if TYPE_CHECKING:
    Limit = Converted[DeleteLimit, DeleteLimit | str | int]
else:
    Limit = Annotated[
        DeleteLimit,
        BeforeValidator(_limit, json_schema_input_type=_LimitText | Annotated[int, Field(ge=0)]),
        PlainSerializer(str, return_type=str),
    ]

_BytesText = Annotated[str, Field(title="bytes", pattern=r"^\s*\d+(\.\d+)?\s*([KMGTkmgt][Ii]?)?[Bb]\s*$")]
_RateText = Annotated[str, Field(title="rate", min_length=1)]

if TYPE_CHECKING:
    ByteCount = Converted[int, int | str]
    Rate = Converted[Timetable, Timetable | str]
else:
    ByteCount = Annotated[
        int,
        BeforeValidator(_bytes, json_schema_input_type=_BytesText | Annotated[int, Field(ge=1)]),
        PlainSerializer(show_bytes, return_type=str),
    ]
    """Bytes, as a number or as text with a unit."""
    Rate = Annotated[
        Timetable,
        BeforeValidator(_timetable, json_schema_input_type=_RateText),
        PlainSerializer(str, return_type=str),
    ]
    """Bytes a second, by the time of the week."""

OperationRate = Annotated[
    float, BeforeValidator(_operations, json_schema_input_type=Annotated[float, Field(gt=0, title="number")])
]
"""Operations a second."""

Name = Annotated[
    Literally,
    AfterValidator(_name),
    WithJsonSchema({"type": "string", "title": "name", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}),
]
"""The name of a publisher, a subscriber or a pointer."""

TopicPattern = Annotated[Literally, AfterValidator(_topic_pattern), Field(title="topic pattern")]
"""A pattern by which a subscriber chooses topics."""

Pause = Annotated[
    float, BeforeValidator(_seconds, json_schema_input_type=Annotated[float, Field(ge=0, title="number")])
]
"""Seconds, or none."""

Interval = Annotated[
    float,
    BeforeValidator(_seconds, json_schema_input_type=Annotated[float, Field(ge=_SHORTEST, title="number")]),
    AfterValidator(_some_seconds),
]
"""Seconds between two things."""

if TYPE_CHECKING:
    Start = Converted[Literal["earliest", "latest"] | float, str | float]
else:
    Start = Annotated[
        Literal["earliest", "latest"] | float,
        BeforeValidator(_start, json_schema_input_type=Annotated[str, Field(min_length=1)]),
        PlainSerializer(_show_start, return_type=str),
    ]
    """Where a subscriber begins: `earliest`, `latest`, or seconds since the epoch."""
