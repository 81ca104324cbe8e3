"""A crash after the target has an object and before the state database knows: the next run recognises it (H04, P6)."""

import json

import pytest

from cloudsync_core.crashpoints import EXIT_CODE
from tests.cli.conftest import write_tree

FILES = {f"folder/{number:02}.txt": f"content of {number:02}" for number in range(12)}


@pytest.fixture(params=["directory", "s3", "azure", "gcs"])
def target(request, folder):
    """The target's URL and its options, as arguments."""
    if request.param == "directory":
        return [str(folder / "mirrored")]
    scheme, server, container = {
        "s3": ("s3", "moto_s3", "make_bucket"),
        "azure": ("az", "azurite", "make_container"),
        "gcs": ("gs", "gcs", "make_bucket"),
    }[request.param]
    server = request.getfixturevalue(server)
    options = [f"--target-option={name}={value}" for name, value in server.options.items()]
    return [f"{scheme}://{getattr(server, container)()}/x", *options]


@pytest.mark.parametrize("point", ["put.acked:5", "put.verified:5", "state.txn.begin", "shutdown.begin"])
def test_H04_what_was_written_is_not_sent_again(cloudsync, invoke, folder, target, point):
    write_tree(folder / "site", FILES)
    mirror = ["mirror", "site", *target, "--transfers=1", "--state=state.db", "--json"]
    cloudsync(*mirror, code=EXIT_CODE, env={"CLOUDSYNC_CRASH_AT": point})
    there = written(invoke, target)
    assert len(there) >= 5
    report = invoke(*mirror).report
    assert (report["counts"]["added"], report["counts"]["updated"]) == (len(FILES) - len(there), 0)
    assert report["counts"]["unchanged"] == len(there)
    assert written(invoke, target) == set(FILES)
    assert invoke(*mirror).report["counts"]["unchanged"] == len(FILES)


def written(invoke, target):
    where, *options = (part.replace("--target-option", "--option") for part in target)
    lines = invoke("ls", where, *options, "--json").out.splitlines()
    return {event["key"] for event in map(json.loads, lines) if event.get("key", "").startswith("folder/")}
