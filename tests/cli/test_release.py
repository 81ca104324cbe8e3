"""Releases from the command line, on several stores: publish, fetch, go back, look after them, and mistakes."""

import signal
import time

import pytest

from cloudsync_core.workflows import releasing
from tests.cli.conftest import read_tree, write_tree

FIRST = {"index.html": "<h1>one</h1>", "css/site.css": "p{}", "empty": ""}
SECOND = {"index.html": "<h1>two</h1>", "css/site.css": "p{}", "new.txt": "new"}
UNKNOWN = "20200101T000000.000000Z-00000000"


def moto(request):
    server = request.getfixturevalue("moto_s3")
    return f"s3://{server.make_bucket()}/site", server.options


def azure(request):
    server = request.getfixturevalue("azurite")
    return f"az://{server.make_container()}/site", server.options


@pytest.fixture(params=[moto, azure], ids=lambda place: place.__name__)
def store(request):
    """LOCATION and its options as arguments: an empty place on a server."""
    url, options = request.param(request)
    return [url, *(word for name, value in options.items() for word in ("--option", f"{name}={value}"))]


@pytest.fixture
def publish(invoke, folder):
    """Publish files from ./site, and return the report."""

    def published(location, files, *more, code=0):
        there = read_tree(folder / "site")
        for key in there.keys() - files.keys():
            (folder / "site" / key).unlink()
        # What stays the same keeps its time.
        write_tree(folder / "site", {key: text for key, text in files.items() if there.get(key) != text})
        return invoke("release", "create", "site", *location, "--json", *more, code=code).report

    return published


class TestThereAndBack:
    def test_publish_fetch_go_back_and_look_after(self, invoke, publish, store, folder):
        first = publish(store, FIRST)["release"]
        assert invoke("release", "fetch", *store, "www", "--json").report["release"] == first
        assert read_tree(folder / "www") == FIRST

        report = publish(store, SECOND)
        second = report["release"]
        assert (report["counts"]["added"], report["counts"]["unchanged"]) == (2, 1)
        report = invoke("release", "fetch", *store, "www", "--json").report
        counts = report["counts"]
        assert (counts["added"], counts["updated"], counts["unchanged"], counts["deleted"]) == (1, 1, 1, 1)
        assert report["verified"] == {"sha256": 2}
        assert read_tree(folder / "www") == SECOND

        listed = invoke("release", "ls", *store, "--json").of("release")
        assert [(one["release"], one["pointers"]) for one in listed] == [(first, []), (second, ["current"])]
        assert invoke("release", "show", *store, "--files", "--json").of("file")[0]["path"] == "css/site.css"
        differences = invoke("release", "diff", *store, first, "--json").of("difference")
        assert {one["path"]: one["kind"] for one in differences} == {
            "empty": "removed", "index.html": "changed", "new.txt": "added"
        }  # fmt: skip

        assert invoke("release", "rollback", *store, "--json").report["release"] == first
        invoke("release", "fetch", *store, "www")
        assert read_tree(folder / "www") == FIRST

        invoke("release", "promote", *store, second, "--to", "canary")
        invoke("release", "fetch", *store, "canary", "--pointer", "canary")
        assert read_tree(folder / "canary") == SECOND
        invoke("release", "promote", *store, "canary")
        assert invoke("release", "show", *store, "--json").report["release"] == second
        assert invoke("release", "verify", *store, "--content", "--json").report["faults"] == 0
        invoke("release", "promote", *store, second, "--to", "canary")
        pruned = invoke("release", "prune", *store, "--keep", "1", "--json").report
        assert pruned["releases"] == [first]
        assert invoke("release", "verify", *store, "--content").out == ""

    def test_what_people_read(self, invoke, publish, folder):
        first = publish(["releases"], FIRST)["release"]
        text = invoke("release", "create", "site", "releases").err
        assert f"current: {first}" in text
        assert f"www: {first}" in invoke("release", "fetch", "releases", "www").err
        assert first in invoke("release", "ls", "releases").out
        shown = invoke("release", "show", "releases", "--files").out
        assert "publisher:" in shown
        assert "index.html" in shown
        second = publish(["releases"], SECOND)["release"]
        assert "~ index.html\n+ new.txt" in invoke("release", "diff", "releases", first).out
        assert invoke("release", "rollback", "releases").out == f"current: {first}\n"
        assert invoke("release", "promote", "releases", second).out == f"current: {second}\n"
        rehearsed = invoke("release", "prune", "releases", "--keep", "1", "--dry-run")
        assert rehearsed.out == f"- {first}\n"
        assert "would be removed" in rehearsed.err
        assert first in invoke("release", "ls", "releases").out
        invoke("release", "prune", "releases", "--max-age", "0", "--keep", "1")
        assert first not in invoke("release", "ls", "releases").out

    def test_a_dry_run_publishes_nothing(self, invoke, publish, folder):
        assert publish(["releases"], FIRST, "--dry-run")["counts"]["added"] == 3
        assert not (folder / "releases").exists()

    def test_filters_and_whole_trees(self, invoke, publish, folder):
        publish(["releases"], FIRST, "--exclude", "empty", "--tree", "whole")
        release = publish(["releases"], {**SECOND, "empty": ""}, "--exclude", "empty", "--tree", "whole")["release"]
        assert read_tree(folder / "releases" / "releases" / release) == SECOND


class TestFetchesThatAreKilled:
    @pytest.mark.parametrize(
        "point", ["get.temp.created:2", "get.chunk.written:3", "get.rename:1", "get.rename:3", "get.fsync.dir:2"]
    )
    def test_the_directory_stays_what_it_was_and_the_next_one_goes_on(self, cloudsync, invoke, publish, folder, point):
        publish(["releases"], FIRST)
        invoke("release", "fetch", "releases", "www")
        files = {f"new/{number}": f"{number}" * 100_000 for number in range(4)}
        publish(["releases"], {**FIRST, **files})
        cloudsync("release", "fetch", "releases", "www", code=137, env={"CLOUDSYNC_CRASH_AT": point})
        assert read_tree(folder / "www") == FIRST
        report = invoke("release", "fetch", "releases", "www", "--json").report
        assert (report["status"], report["counts"]["failed"]) == ("done", 0)
        assert read_tree(folder / "www") == {**FIRST, **files}


class TestFollowing:
    def test_it_goes_on_until_it_is_told_to_end(self, start, publish, folder):
        publish(["releases"], FIRST)
        process = start("release", "fetch", "releases", "www", "--follow", "--interval", "0.1", "-q")
        until((folder / "www").exists)
        publish(["releases"], SECOND)
        until((folder / "www" / "new.txt").exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in {0, 130}
        assert read_tree(folder / "www") == SECOND


class TestMistakes:
    def test_no_release_yet(self, invoke, folder):
        (folder / "releases").mkdir()
        failed = invoke("release", "fetch", "releases", "www", code=4)
        assert "has no pointer 'current'" in failed.err
        assert "cloudsync release create" in failed.err
        assert not (folder / "www").exists()
        assert invoke("release", "ls", "releases").err == "no release was published there\n"
        for command in ("show", "verify", "rollback"):
            assert "nothing was published by that name yet" in invoke("release", command, "releases", code=4).err

    def test_an_unknown_release(self, invoke, publish):
        publish(["releases"], FIRST)
        for words in (["show", "releases", UNKNOWN], ["fetch", "releases", "www", "--release", UNKNOWN]):
            failed = invoke("release", *words, code=4)
            assert f"has no manifest of release {UNKNOWN}" in failed.err
        assert "is not the id of a release" in invoke("release", "rollback", "releases", "--to", "x!", code=2).err

    def test_a_directory_that_is_not_ours(self, invoke, publish, folder):
        publish(["releases"], FIRST)
        write_tree(folder / "www", {"mine": "mine"})
        failed = invoke("release", "fetch", "releases", "www", "--json", code=4)
        assert failed.report["exit_code"] == 4
        assert "Move that directory away" in invoke("release", "fetch", "releases", "www", code=4).err
        assert read_tree(folder / "www") == {"mine": "mine"}

    def test_a_missing_bucket(self, invoke, moto_s3, folder):
        options = [word for name, value in moto_s3.options.items() for word in ("--option", f"{name}={value}")]
        write_tree(folder / "site", FIRST)
        for words in (["ls"], ["fetch"], ["create", "site"]):
            place = ["s3://no-such-bucket/x", *options, *(["www"] if words == ["fetch"] else [])]
            assert "no-such-bucket" in invoke("release", *words, *place, code=4).err

    def test_somebody_else_moves_the_pointer_meanwhile(self, invoke, cloudsync, publish, monkeypatch):
        publish(["releases"], FIRST)
        theirs, write = [], releasing.publishing.write
        alone = ("--no-lease", "--state", "none", "--json")

        def meanwhile(*args, **options):
            written = write(*args, **options)
            theirs.append(cloudsync("release", "create", "site", "releases", *alone).report["release"])
            return written

        monkeypatch.setattr(releasing.publishing, "write", meanwhile)
        report = publish(["releases"], SECOND, "--no-lease", code=4)
        assert (report["status"], report["exit_code"]) == ("aborted", 4)
        assert "was moved to" in report["message"]
        assert invoke("release", "show", "releases", "--json").report["release"] == theirs[0]

    def test_another_run_writes_there(self, invoke, publish, folder):
        publish(["releases"], FIRST)
        publish(["releases"], SECOND)
        lease = '{"run": "x", "job": "other", "host": "elsewhere", "pid": 1, "started": 0, "renewals": 0}'
        write_tree(folder / "releases", {".cloudsync/lease": lease})
        assert "is being written by" in invoke("release", "rollback", "releases", code=4).err
        invoke("release", "rollback", "releases", "--no-lease")

    def test_a_source_that_is_empty(self, invoke, publish, folder):
        release = publish(["releases"], FIRST)["release"]
        (folder / "nothing").mkdir()
        refused = invoke("release", "create", "nothing", "releases", code=4)
        assert "is empty, and no release was made of it" in refused.err
        assert release not in refused.err
        assert invoke("release", "show", "releases", "--json").report["release"] == release

    def test_an_object_that_is_gone(self, invoke, publish, folder):
        release = publish(["releases"], FIRST)["release"]
        (folder / "releases" / "releases" / release / "index.html").unlink()
        found = invoke("release", "verify", "releases", "--json", code=1)
        assert [fault["key"] for fault in found.of("fault")] == [f"releases/{release}/index.html"]
        report = invoke("release", "fetch", "releases", "www", "--json", code=1).report
        assert (report["status"], report["counts"]["failed"]) == ("partial", 1)
        assert not (folder / "www").exists()

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (["prune", "releases"], "say what to keep"),
            (["prune", "releases", "--max-age", "soon"], "--max-age"),
            (["fetch", "releases", "www", "--follow", "--check"], "--follow goes with neither"),
            (["fetch", "releases", "www", "--release", "canary"], "is not the id of a release"),
            (["fetch", "releases", "www", "--interval", "5"], "--interval needs --follow"),
            (["fetch", "releases", "s3://bucket/x"], "only a directory of this machine"),
            (["fetch", "releases", "www", "--keep", "0"], "--keep"),
            (["create", "site", "releases", "--pointer", "../x"], "--pointer"),
            (["create", "site", "releases", "--source-option", "x"], "--source-option"),
            (["create", "site", "releases", "--memory", "lots"], "--memory"),
        ],
    )
    def test_what_is_written_wrong(self, invoke, publish, words, says):
        publish(["releases"], FIRST)
        assert says in invoke("release", *words, code=2).err


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)
