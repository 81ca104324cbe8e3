"""The names that some store refuses: the history leaves them out, and a run treats them alike everywhere."""

import pytest

from cloudsync_core.body import Body
from cloudsync_core.errors import InvalidKeyError
from cloudsync_core.testing.corpus import CORPUS
from tests.equivalence.names import LEFT_OUT, key_of, refusal
from tests.equivalence.records import record
from tests.equivalence.runs import run_by_command, write_config
from tests.equivalence.stores import STORES

BEYOND_A_SERVER = {"s3": {"newline", "every-control-character"}}
"""What a test server cannot hold though the provider can: moto finds no object whose name holds a line break."""


def test_what_is_left_out_is_what_some_store_refuses(fresh_place):
    refused = set()
    for name in STORES:
        with fresh_place(name, name).open() as backend:
            refused |= {case.name for case in CORPUS if refusal(backend, case) is not None}
    assert refused == LEFT_OUT


@pytest.mark.parametrize("name", STORES)
def test_P10_what_a_store_refuses_is_reported_and_the_rest_goes_there_and_back(name, fresh_place, tmp_path):
    cases = [case for case in CORPUS if case.name in LEFT_OUT - BEYOND_A_SERVER.get(name, set())]
    objects = {key_of(case, key): case.content(key) for case in cases for key in case.keys}
    source, target, back = fresh_place("memory", "source"), fresh_place(name, "target"), fresh_place("memory", "back")
    with source.open() as backend:
        for key, data in objects.items():
            backend.put(key, Body(data))
    with target.open() as backend:
        refused = {key: why for key, data in objects.items() if (why := why_not(backend, key, data)) is not None}

    there, again = (mirrored(tmp_path / "there.job", source, target) for _ in range(2))
    returned = mirrored(tmp_path / "back.job", target, back)

    assert there.report.get("counts.added", 0) == len(objects) - len(refused)
    assert there.report.get("counts.unknown", 0) == len(refused)
    assert (there.report["status"], there.report["exit code"]) == (("partial", 1) if refused else ("done", 0))
    left_out = {key: {"event": "key_left_out", "status": "unknown", "reason": why} for key, why in refused.items()}
    assert {key: event for key, event in there.events.items() if event["event"] == "key_left_out"} == left_out
    assert again.events == left_out, "the second run does nothing, and reports the same"
    assert returned.report["status"] == "done"
    assert contents(back) == {key: data for key, data in objects.items() if key not in refused}


def mirrored(folder, source, target):
    folder.mkdir(exist_ok=True)
    config = write_config(folder, source, target, {})
    with source.open() as left, target.open() as right:
        return record(*run_by_command(["run", str(config)]), left.location, right.location)


def why_not(backend, key, data):
    try:
        backend.check_key(key)
    except InvalidKeyError as error:
        return error.reason
    holds_bytes = data and key.endswith("/") and backend.capabilities.hierarchical
    return "a folder of the target cannot hold bytes" if holds_bytes else None


def contents(place):
    found = {}
    with place.open() as backend:
        for page in backend.list():
            for key in page.keys:
                with backend.get(key) as reader:
                    found[key] = reader.read()
    return found
