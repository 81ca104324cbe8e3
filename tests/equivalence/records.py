"""What cloudsync said in a run, without what is different in any two runs: versions, times, and where the sides are."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

_ANOTHER_EACH_TIME = ("id", "started", "seconds")
_HOW = ("bytes", "verified", "digest")
"""What the event of an outcome says of the way its bytes took; the report adds it up."""


@dataclasses.dataclass
class Record:
    """One run as it is compared.

    Attributes:
        report: the report, its numbers by their place: `counts.added`, `requests.source.get`; numbers that are 0 are
            left out. The texts beside them: `status`, `message`, and the causes of what failed.
        events: what the events said of each key; of a check, what differs.
    """

    report: dict[str, Any]
    events: dict[str, Any]


def record(printed: Iterable[str], exit_code: int, source: str, target: str) -> Record:
    """Return the record of a run.

    Args:
        printed: the lines of `--json`.
        exit_code: of the command.
        source: the location of the side that was read.
        target: the location of the side that was written.
    """
    report: dict[str, Any] = {}
    events: dict[str, Any] = {}
    for line in printed:
        # The longer one first: it may begin like the other.
        for place, name in sorted(((source, "SOURCE"), (target, "TARGET")), key=lambda pair: -len(pair[0])):
            line = line.replace(json.dumps(place)[1:-1], name)  # noqa: PLW2901 - the line as it is compared
        event = json.loads(line)
        kind = event.pop("event")
        event.pop("job", None)
        if kind == "report":
            report = dict(_flat(event))
        elif "key" in event:
            told = {name: value for name, value in event.items() if name not in ("key", *_HOW) and value is not None}
            assert event["key"] not in events, f"{event['key']!r} is told twice"
            events[event["key"]] = {"event": kind, **told}
    return Record({**report, "exit code": exit_code}, events)


def _flat(values: Mapping[str, Any], place: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        if name in _ANOTHER_EACH_TIME:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{place}{name}.")
        elif name == "failures":
            for group in value:
                yield f"failures.{group['cause']}", sorted(group["examples"])
                yield f"failures.{group['cause']}.count", group["count"]
        elif value is not None and value is not False and value != 0:
            yield f"{place}{name}", value
