"""The history: what happens to both sides, and the runs in between."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

from tests.equivalence.faults import Fault
from tests.equivalence.names import SHARED, key_of
from tests.equivalence.script import Step, gone, noise, on_source, on_target
from tests.equivalence.stores import BOUNDARY

HEADER_RULE: Mapping[str, Any] = {
    "match": ["*.css"],
    "cache_control": "max-age=31536000",
    "metadata": {"built_by": "the site"},
}

RULES: Mapping[str, Any] = {
    "delete": True,
    "exclude": ["scratch/"],
    "transfers": 4,
    "retries": 3,
    "headers": [HEADER_RULE],
}

_SIZES = {
    "just-below": BOUNDARY - 1,
    "boundary": BOUNDARY,
    "just-above": BOUNDARY + 1,
    "parts": 3 * BOUNDARY + 1,
    "many-chunks": 1024 * 1024 + BOUNDARY,
}

_ODD_NAMES = tuple(
    on_source(key_of(case, key), case.content(key), **({"content_type": None} if key.endswith("/") else {}))
    for case in SHARED
    for key in case.keys
)

_CARRYING = (
    on_source("attributes/style.css", "a { color: red }"),
    on_source("attributes/page.html", "<p>page</p>", cache_control="max-age=60", content_language="de"),
    on_source(
        "attributes/report.csv", "1,2", content_type="text/plain", content_disposition='attachment; filename="r"'
    ),
    on_source("attributes/data.json", gzip.compress(b"{}" * 100, mtime=0), content_encoding="gzip"),
    on_source(
        "attributes/owned", "mine", metadata={"owner": "J\u00fcrgen M\u00fcller", "project_2": "a  b", "empty": ""}
    ),
)

_PLAIN = (
    on_source("plain/grows", "short"),
    on_source("plain/same-size", "old content"),
    on_source("plain/touched", "the same twice"),
    on_source("plain/emptied", "soon empty"),
    on_source("plain/filled", ""),
    on_source("plain/empty", ""),
    on_source("plain/deleted", "not for long"),
    on_source("plain/drifts", "as it should be"),
    on_source("plain/lost", "somebody deletes it"),
    on_source("plain/stays", "never changes"),
    on_source("folder/left/empty/", ""),
    on_source("scratch/not-copied", "not copied"),
)

FIRST = Step(
    "a first run, into a target that holds some of it already",
    (
        *_ODD_NAMES,
        *_CARRYING,
        *_PLAIN,
        *(on_source(f"large/{name}", noise(size, size)) for name, size in _SIZES.items()),
        on_source("there/same", "equal on both sides"),
        on_target("there/same", "equal on both sides"),
        on_source("there/other", "one of two contents"),
        on_target("there/other", "two of two contents"),
        on_target("there/only", "deleted by the run"),
        on_target("scratch/kept", "excluded, and so kept"),
    ),
)

CHANGES = (
    on_source("plain/new", "new"),
    on_source("plain/grows", "longer than it was"),
    on_source("plain/same-size", "new content"),
    on_source("plain/touched", "the same twice"),
    on_source("plain/emptied", ""),
    on_source("plain/filled", "something"),
    gone("plain/deleted"),
    on_target("plain/drifts", "as it must be n"),
    gone("plain/lost", "target"),
    on_target("plain/foreign", "deleted by the run"),
    gone("folder/left/empty/"),
    on_source("large/parts", noise(_SIZES["parts"], 1)),
    on_source("large/just-below", noise(_SIZES["boundary"], 2)),
)

HISTORY = (
    FIRST,
    Step("nothing has happened"),
    Step("a dry run of edits, deletes and drift", CHANGES, command="dry run"),
    Step("a check of what differs", command="check"),
    Step("edits, deletes and drift"),
    Step("nothing has happened since"),
    Step(
        "requests that go wrong once",
        (
            on_source("faults/refused", "refused once"),
            on_source("faults/large", noise(3 * BOUNDARY, 3)),
            on_source("faults/cut", "its content is cut short once"),
            on_source("faults/cut-large", noise(_SIZES["many-chunks"], 6)),
            gone("there/other"),
            gone("plain/new"),
            on_source("faults/answer", "its answer is lost"),
            on_source("faults/answer-large", noise(2 * BOUNDARY, 4)),
            on_source("plain/grows", "its answer is lost, too"),
        ),
        (
            Fault("source", "list", "cut in the middle"),
            Fault("target", "list", "answered 500"),
            Fault("target", "write", "answered 503", "faults/refused"),
            Fault("target", "write", "answered 500", "faults/large"),
            Fault("source", "get", "cut in the middle", "faults/cut"),
            Fault("source", "get", "cut in the middle", "faults/cut-large"),
            Fault("target", "delete", "answered 503", "there/other"),
            Fault("target", "write", "lost its answer", "faults/answer"),
            Fault("target", "write", "lost its answer", "faults/answer-large"),
            Fault("target", "write", "lost its answer", "plain/grows"),
        ),
    ),
    Step(
        "an object that cannot be written holds the deletes back",
        (
            on_source("faults/never", "not in this run"),
            on_source("faults/beside", "in spite of that"),
            gone("plain/same-size"),
        ),
        (Fault("target", "write", "answered 500", "faults/never", times=99),),
        rules={"retries": 2},
    ),
    Step("the next run completes it"),
    Step(
        "the process is killed while it writes",
        (
            on_source("killed/1", "before"),
            on_source("killed/2-large", noise(3 * BOUNDARY, 5)),
            on_source("killed/3", "after"),
            on_source("plain/grows", "after the end"),
            gone("plain/emptied"),
        ),
        (Fault("target", "write", "killed", "killed/2-large"),),
        rules={"transfers": 1},
    ),
    Step("the next run completes what was begun"),
    Step("nothing has happened since the crash"),
    Step(
        "an object that cannot be deleted",
        (gone("faults/refused"), gone("faults/cut"), gone("faults/beside")),
        (Fault("target", "delete", "answered 500", "faults/cut", times=99),),
        rules={"retries": 2},
    ),
    Step("the state is lost, and what is there is found to be right", forgets=True),
    Step("more deletes than the job allows", (gone("plain/empty"), gone("plain/stays")), rules={"max_delete": 1}),
    Step("the deletes are allowed"),
    Step("a check that finds no difference", command="check"),
)
