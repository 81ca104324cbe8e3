"""`cloudsync testremote`: what it finds of a store, that it keeps to its prefix, and that it leaves nothing there."""

import dataclasses
import re
import signal
import sys

import pytest

from cloudsync_core.capabilities import Capabilities
from cloudsync_core.cli.commands.testremote import CLAUSES
from tests.cli.conftest import read_tree, wait_for, write_tree
from tests.servers.proxy import error, proxy_before

THEIRS = {"precious": "precious", "folder/precious": "precious"}
CHOSEN = [part for clause in ("L1", "L2", "S1", "P3", "P4", "D3", "C1", "T1") for part in ("--clause", clause)]
"""Of every kind of clause some, where the whole suite is run by the plugin's own tests."""

PREFIX = re.compile(r"cloudsync-test-[0-9a-f]{16}")


@pytest.fixture
def site(folder):
    """A directory that holds something precious."""
    write_tree(folder / "site", THEIRS)
    return folder / "site"


def flags(options):
    return [part for name, value in options.items() for part in ("--option", f"{name}={value}")]


def everything(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


class TestADirectory:
    def test_keeps_every_clause_and_is_left_as_it_was(self, cloudsync, site):
        before = everything(site)
        result = cloudsync("testremote", "site", "--benchmark", "--json")
        report = result.report
        assert (report["failed"], report["left"], report["interrupted"]) == (0, {}, False)
        assert set(report["refusals"]) == {"name-of-256-bytes", "two-byte-name-of-256-bytes"}
        assert report["removed"] > 1000
        assert {event["clause"] for event in result.of("clause")} == set(CLAUSES)
        assert [event["verb"] for event in result.of("measurement")] == ["put", "stat", "get", "list", "delete"]
        assert (read_tree(site), everything(site)) == (THEIRS, before)

    def test_the_table_has_every_capability_as_declared_and_as_found(self, cloudsync, site):
        found = {
            event["capability"]: event
            for event in cloudsync("testremote", "site", "--clause", "S1", "--json").of("capability")
        }
        assert list(found) == [field.name for field in dataclasses.fields(Capabilities)]
        assert {name: event["found"] for name, event in found.items() if event["found"]} == {
            "ordered_listing": "yes",
            "hierarchical": "yes",
            "put_if_absent": "yes",
            "put_if_match": "refused",
            "delete_if_match": "refused",
            "range_get": "yes",
            "server_copy": "refused",
            "user_metadata": "no",
            "stores_mtime": "yes",
        }
        assert not any(event["overstated"] for event in found.values())

    def test_what_it_prints(self, cloudsync, site):
        result = cloudsync("testremote", "site", "--clause", "p4", "-v")
        assert PREFIX.search(result.err.splitlines()[0])
        assert "passed   test_P4_if_absent_writes_what_is_not_there" in result.err
        lines = result.out.splitlines()
        assert ["put_if_absent", "yes", "yes"] in map(str.split, lines)
        assert "P4           3       0               4" in lines
        assert lines[-1].endswith("removed, 0 left")

    def test_one_that_is_missing_is_an_error_and_is_not_made(self, cloudsync, folder):
        result = cloudsync("testremote", "nowhere", code=4)
        assert result.err.startswith("error: list file:///")
        assert "Traceback" not in result.err
        assert everything(folder) == []

    def test_an_option_that_does_not_exist_is_an_error(self, cloudsync, site):
        assert "there is no such option" in cloudsync("testremote", "site", "--option", "nonsense=1", code=2).err

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_an_interrupted_one_leaves_nothing(self, start, site, number):
        before = everything(site)
        process = start("testremote", "site")
        wait_for(lambda: list(site.glob("cloudsync-test-*/*/first")))
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "interrupted: removing what was written" in err
        assert "Traceback" not in err
        assert out.splitlines()[-1].endswith("removed, 0 left")
        assert (read_tree(site), everything(site)) == (THEIRS, before)

    def test_a_reader_that_goes_away_ends_it_and_leaves_nothing(self, start, site):
        before = everything(site)
        process = start("testremote", "site", "--json")
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(timeout=60) == 141
        assert "Traceback" not in err
        assert everything(site) == before


class TestMemory:
    """A store whose names form no tree, as those of most providers."""

    def test_keeps_every_clause(self, cloudsync):
        report = cloudsync("testremote", "memory://anything", "--json").report
        assert (report["failed"], report["left"], report["refusals"]) == (0, {}, {})

    def test_a_container_that_is_missing_is_known_to_be(self, cloudsync):
        events = cloudsync("testremote", "memory://anything", "--clause", "L2", "--json").of("clause")
        assert [event["outcome"] for event in events] == ["passed", "passed"]


class TestAzure:
    def test_a_prefix_of_a_container_keeps_all_but_one_clause_and_is_left_as_it_was(self, cloudsync, azurite):
        """Azurite cannot make blocks of another object's bytes, so a copy carries what the source carries."""
        container = azurite.make_container()
        azurite.client.get_blob_client(container, "folder/precious").upload_blob(b"precious")
        options = flags(azurite.options)
        result = cloudsync("testremote", f"az://{container}/folder", *CHOSEN, *options, "--json", code=1)
        failed = [event["test"] for event in result.of("clause") if event["outcome"] == "failed"]
        assert (failed, result.report["left"]) == (["test_P3_a_copy_can_carry_something_else"], {})
        assert azurite.contents(container) == {"folder/precious": b"precious"}


class TestGoogle:
    def test_a_prefix_of_a_bucket_keeps_the_clauses_and_is_left_as_it_was(self, cloudsync, gcs):
        bucket = gcs.make_bucket()
        gcs.put(bucket, "folder/precious", b"precious")
        result = cloudsync("testremote", f"gs://{bucket}/folder", *CHOSEN, *flags(gcs.options), "--json")
        assert (result.report["failed"], result.report["left"]) == (0, {})
        assert gcs.contents(bucket) == {"folder/precious": b"precious"}


class TestS3:
    def test_a_prefix_of_a_bucket_keeps_the_clauses_and_is_left_as_it_was(self, cloudsync, moto_s3):
        bucket = moto_s3.make_bucket()
        moto_s3.client.put_object(Bucket=bucket, Key="folder/precious", Body=b"precious")
        result = cloudsync("testremote", f"s3://{bucket}/folder", *CHOSEN, *flags(moto_s3.options), "--json")
        assert (result.report["failed"], result.report["left"]) == (0, {})
        assert moto_s3.contents(bucket) == {"folder/precious": b"precious"}

    def test_a_condition_that_is_declared_and_ignored_is_overstated(self, cloudsync, moto_s3):
        """A server that knows no If-None-Match, opened as one that does."""
        bucket = moto_s3.make_bucket()
        with proxy_before(moto_s3) as proxy:

            def ignores_conditions(request, forward):
                request.headers.pop("if-none-match", None)
                return forward()

            proxy.rule = ignores_conditions
            options = flags({**proxy.server.options, "conditional_writes": "true"})
            result = cloudsync("testremote", f"s3://{bucket}", "--clause", "P4", *options, "--json", code=1)
        found = {event["capability"]: event for event in result.of("capability")}
        assert found["put_if_absent"] == {
            "event": "capability",
            "capability": "put_if_absent",
            "declared": True,
            "found": "no",
            "note": "",
            "overstated": True,
        }
        failed = {event["test"] for event in result.of("clause") if event["outcome"] == "failed"}
        assert "test_P4_if_absent_that_meets_an_object_raises" in failed
        assert moto_s3.contents(bucket) == {}

    def test_what_a_server_does_not_keep_is_told_and_what_it_does_not_let_go(self, cloudsync, rclone_s3):
        """A server over a directory, which loses slashes, and lists two names that it has refused."""
        bucket = rclone_s3.make_bucket()
        options = flags(rclone_s3.options)
        result = cloudsync("testremote", f"s3://{bucket}", "--clause", "L4", *options, code=1)
        assert "failed   test_L4_keys_are_exact[marker]\n    AssertionError: assert ['a'] == ['a/']" in result.err
        assert "not removed: cloudsync-test-" in result.err
        assert "it is still listed after it was deleted" in result.err
        assert result.out.splitlines()[-1].endswith("2 left")

    def test_a_bucket_that_is_missing_is_an_error(self, cloudsync, moto_s3):
        result = cloudsync("testremote", "s3://no-such-bucket", *flags(moto_s3.options), code=4)
        assert result.err.startswith("error: list s3://no-such-bucket: ")

    def test_where_no_container_can_be_known_to_be_missing_that_clause_does_not_apply(self, cloudsync, moto_s3):
        """As with credentials that may see one bucket only."""
        bucket = moto_s3.make_bucket()
        with proxy_before(moto_s3) as proxy:
            proxy.rule = lambda request, forward: (
                error(403, "AccessDenied") if request.path.startswith("/cloudsync-no-such-") else forward()
            )
            result = cloudsync("testremote", f"s3://{bucket}", "--clause", "L2", *flags(proxy.server.options), "--json")
        events = result.of("clause")
        assert [event["outcome"] for event in events] == ["skipped", "skipped"]
        assert all(event["reason"].startswith("no container can be known to be missing: ") for event in events)

    def test_a_server_that_is_gone_at_the_end_is_told(self, cloudsync, moto_s3):
        bucket = moto_s3.make_bucket()
        with proxy_before(moto_s3) as proxy:
            gone = []

            def goes_away(request, forward):
                gone.extend(["now"] if "delete" in request.query else [])
                return None if gone else forward()

            proxy.rule = goes_away
            result = cloudsync("testremote", f"s3://{bucket}", "--clause", "S1", *flags(proxy.server.options), code=1)
        [told] = [line for line in result.err.splitlines() if line.startswith("not removed: ")]
        assert re.match(
            rf"not removed: {PREFIX.pattern}/: it is not known what is left there: list s3://{bucket}", told
        )
        assert "Traceback" not in result.err

    def test_a_bucket_that_may_not_be_written_is_an_error(self, cloudsync, moto_s3):
        bucket = moto_s3.make_bucket()
        with proxy_before(moto_s3) as proxy:
            proxy.rule = lambda request, forward: error(403, "AccessDenied") if request.method == "PUT" else forward()
            result = cloudsync("testremote", f"s3://{bucket}", *flags(proxy.server.options), code=4)
        assert "error: put s3://" in result.err
        assert "Traceback" not in result.err


def test_without_pytest_it_says_what_to_install(invoke, site, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest", None)
    result = invoke("testremote", "site", code=2)
    assert result.err.splitlines() == [
        "error: testremote needs pytest, which is not installed",
        "  pip install 'cloudsync-core[testing]'",
    ]


def test_the_surroundings_take_no_part(cloudsync, folder, site):
    """Neither what pytest finds in the working directory nor what the environment tells it."""
    (folder / "conftest.py").write_text("raise RuntimeError('loaded')\n")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --nonsense\n")
    env = {"PYTEST_ADDOPTS": "--more-nonsense", "PYTEST_PLUGINS": "no_such_plugin"}
    report = cloudsync("testremote", "site", "--clause", "S1", "--json", env=env).report
    assert (report["passed"], report["failed"]) == (2, 0)


def test_the_clauses_are_those_of_the_contract():
    from cloudsync_core import backend

    assert list(CLAUSES) == re.findall(r"^([A-Z]\d)  ", backend.__doc__, re.MULTILINE)


def test_the_prefix_is_another_one_every_time(cloudsync, site):
    first, second = (PREFIX.search(cloudsync("testremote", "site", "--clause", "D3").err)[0] for _ in range(2))
    assert first != second
