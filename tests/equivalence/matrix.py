"""The page of the support matrix, written from what the runs came to."""

from __future__ import annotations

import json
import string
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from cloudsync_core.cli.formats import size
from tests.equivalence.differences import DIFFERENCES, Difference
from tests.equivalence.ends import End, Pair
from tests.equivalence.history import HISTORY, RULES
from tests.equivalence.ideal import ideal
from tests.equivalence.records import Record
from tests.equivalence.stores import BOUNDARY
from tests.equivalence.story import Work, story

Records = Mapping[tuple[str, str], Sequence[Record | None]]
"""The record of each run, by the names of source and target."""

_HEAD = """\
# Support matrix

A job does the same whatever lies on its two sides. To prove that, one history (edits of every kind, odd names, large
and empty objects, requests that fail, a process that is killed) is run between every two stores, and has to come to
the same objects and the same `--json` reports, versions and times left out. What a store cannot do makes a difference,
and every such difference is declared below: the tests fail where one occurs that is not declared, and where one is
declared that does not occur.

The page is written from those runs by `python -m tests.equivalence --write`.
"""

_OPTIONS = f"""\
What each says that it can do, with the options of the runs: every location has the prefix `data`, objects of more than
{BOUNDARY // 1024} KiB are uploaded in parts, and the S3 server is said to honour every condition, as Amazon's does.
"""

_PAIRS = """\
Rows are sources, columns are targets. Each cell says how what the first run wrote was proven right, and which of the
differences below apply.
"""

_NAMES = """\
The history has the names of the key corpus that all stores can hold. A name that the target refuses is reported as
`unknown`; its object is not copied, and hinders nothing else.
"""

_CAPABILITIES = {
    "ordered_listing": "lists in the order of the keys",
    "hierarchical": "names form a directory tree",
    "put_if_absent": "writes only where there is nothing",
    "put_if_match": "replaces only a given version",
    "delete_if_match": "deletes only a given version",
    "range_get": "reads a range of an object",
    "server_copy": "copies inside the provider",
    "user_metadata": "stores headers and metadata",
    "stores_mtime": "stores the time of the content",
    "local_reads": "reads without a network",
    "bulk_delete_max": "keys in one request to delete",
    "max_object_size": "largest object",
    "max_key_bytes": "longest name, bytes in UTF-8",
}
_SIZES = ("max_object_size",)

_COUNTS = ("added", "updated", "deleted", "unchanged", "failed")


def page(ends: Mapping[str, End], records: Records, refusals: Mapping[str, Mapping[str, str]]) -> str:
    """Return the page.

    Args:
        ends: every store with what it can do.
        records: what the runs came to.
        refusals: of each case of the key corpus that is not in the history: which store refuses it, and why.
    """
    sections = {
        "The stores": (_providers(ends, records), _OPTIONS, _capabilities(ends)),
        "What was run": (_history(),),
        "The pairs": (_PAIRS, _pairs(ends, records)),
        "The differences": (
            _table(("", "what differs", "why"), [(f"**{name}**", d.title, d.why) for name, d in _rows()]),
        ),
        "Names": (_NAMES, _names(refusals)),
    }
    return "\n".join([_HEAD, *(text for title, texts in sections.items() for text in (f"## {title}\n", *texts))])


def _rows() -> Iterable[tuple[str, Difference]]:
    return zip(string.ascii_lowercase, DIFFERENCES, strict=False)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def _providers(ends: Mapping[str, End], records: Records) -> str:
    rows = []
    for name, end in ends.items():
        proofs = defaultdict(list)
        for source in ends:
            for proof in _proofs(records[source, name]):
                proofs[proof].append(source)
        verified = "; ".join(f"`{proof}` from {', '.join(sources)}" for proof, sources in sorted(proofs.items()))
        others = [other for other in ends.values() if other is not end]
        as_source = _letters(*(Pair(end, other) for other in others))
        as_target = _letters(*(Pair(other, end) for other in others))
        alone = _letters(Pair(end, end)).difference(as_source, as_target)
        differs = [" ".join(sorted(letters)) for letters in (as_source, as_target, alone)]
        rows.append((f"`{name}`", end.store.title, end.store.runs_on, verified, *differs))
    head = ("", "store", "run against", "what is written to it is proven right by")
    return _table((*head, "differs as the source", "as the target", "on both sides"), rows)


def _letters(*pairs: Pair) -> set[str]:
    """Return the differences that apply to every one of these pairs."""
    return {letter for letter, row in _rows() if all(map(row.where, pairs))}


def _capabilities(ends: Mapping[str, End]) -> str:
    rows = []
    for field, meaning in _CAPABILITIES.items():
        values = [getattr(end.can, field) for end in ends.values()]
        rows.append((meaning, *(_shown(field, value) for value in values)))
    return _table(("", *(f"`{name}`" for name in ends)), rows)


def _shown(field: str, value: bool | int | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "no limit known"
    return size(value) if field in _SIZES else str(value)


def _history() -> str:
    rules = ", ".join(f"`{name}: {json.dumps(value)}`" for name, value in RULES.items() if name != "headers")
    rows = []
    for number, (work, *_) in enumerate(story(), 1):
        rows.append((str(number), work.step.title, _troubles(work), *_results(work)))
    head = ("", "step", "what goes wrong", "comes to", "ends")
    return f"{len(HISTORY)} steps of one job: {rules}, and a header rule.\n\n{_table(head, rows)}"


def _troubles(work: Work) -> str:
    return ", ".join(sorted({f"{fault.verb} {fault.kind}" for fault in work.step.faults}))


def _results(work: Work) -> tuple[str, str]:
    if work.step.kills:
        return "", "killed"
    report = ideal(work).report
    if work.step.command == "check":
        counts = {
            name.replace("_", " "): report.get(name) for name in ("same", "differ", "only_on_source", "only_on_target")
        }
        return _counted(counts), f"exit code {report['exit code']}"
    told = {name: report.get(f"counts.{name}") for name in _COUNTS}
    return _counted(told), f"`{report['status']}`, exit code {report['exit code']}"


def _counted(counts: Mapping[str, int | None]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _pairs(ends: Mapping[str, End], records: Records) -> str:
    rows = []
    for source, first in ends.items():
        cells = [f"**{source}**"]
        for target, second in ends.items():
            pair = Pair(first, second)
            letters = " ".join(sorted(_letters(pair)))
            proofs = " ".join(f"`{proof}`" for proof in _proofs(records[source, target]))
            cells.append(f"{proofs} {letters}".strip())
        rows.append(cells)
    return _table(("", *(f"**{name}**" for name in ends)), rows)


def _proofs(records: Sequence[Record | None]) -> list[str]:
    first = records[0]
    assert first is not None
    return sorted(place.removeprefix("verified.") for place in first.report if place.startswith("verified."))


def _names(refusals: Mapping[str, Mapping[str, str]]) -> str:
    cases = defaultdict(list)
    for case, stores in refusals.items():
        for name, reason in stores.items():
            cases[name, reason].append(f"`{case}`")
    rows = [(f"`{name}`", reason, ", ".join(refused)) for (name, reason), refused in sorted(cases.items())]
    return _table(("", "refuses", "cases of the corpus"), rows)
