"""`cloudsync gc`: what crashes have left behind goes, and nothing else does."""

import dataclasses
import fcntl
import os

import pytest
import yaml

from cloudsync_core.engine.holder import Holder
from cloudsync_core.engine.lock import lock_job
from cloudsync_core.engine.state import State
from cloudsync_core.engine.unfinished import Unfinished
from cloudsync_core.runs import RunInfo
from tests.cli.conftest import read_tree, write_tree

TEMPORARY = ".cs-0123456789ab.tmp"


@pytest.fixture
def left(folder):
    """A directory with objects, and with what two crashes left."""
    names = {"a": "a", "b/c": "c", TEMPORARY: "half", f"b/{TEMPORARY}": "a quarter"}
    write_tree(folder / "left", names)
    return folder / "left"


def fates(result):
    return {event["key"]: event["fate"] for event in result.of("leftover")}


class TestADirectory:
    def test_temporary_files_go_and_objects_stay(self, cloudsync, left):
        result = cloudsync("gc", "left", "--older-than", "0", "--json")
        assert fates(result) == {TEMPORARY: "removed", f"b/{TEMPORARY}": "removed"}
        assert read_tree(left) == {"a": "a", "b/c": "c"}
        assert result.report["places"] == [
            {"location": f"file://{left}", "removed": 2, "kept": 0, "failed": 0, "bytes": 13, "exit_code": 0}
        ]

    def test_what_is_young_stays(self, invoke, left):
        result = invoke("gc", "left")
        assert "younger than --older-than" in result.out
        assert len(read_tree(left)) == 4

    def test_a_dry_run_removes_nothing(self, invoke, left):
        result = invoke("gc", "left", "--older-than", "0", "--dry-run", "--json")
        assert set(fates(result).values()) == {"would-remove"}
        assert len(read_tree(left)) == 4

    def test_what_another_process_is_writing_stays(self, invoke, left):
        with (left / TEMPORARY).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            result = invoke("gc", "left", "--older-than", "0", "--json")
        assert fates(result) == {f"b/{TEMPORARY}": "removed"}
        assert (left / TEMPORARY).exists()

    @pytest.mark.parametrize("make", ["folder", "link", "look-alike"])
    def test_what_only_looks_like_a_temporary_file_stays(self, invoke, folder, make):
        (folder / "left").mkdir()
        (folder / "precious").write_text("precious")
        path = folder / "left" / (TEMPORARY if make != "look-alike" else ".cs-0123456789AB.tmp.txt")
        if make == "folder":
            path.mkdir()
        elif make == "link":
            path.symlink_to(folder / "precious")
        else:
            path.write_text("mine")
        assert fates(invoke("gc", "left", "--older-than", "0", "--json")) == {}
        assert os.path.lexists(path)
        assert (folder / "precious").read_text() == "precious"

    def test_what_cannot_be_removed_is_told(self, invoke, left):
        (left / "b").chmod(0o500)
        try:
            result = invoke("gc", "left", "--older-than", "0", "--json", code=0 if os.geteuid() == 0 else 1)
        finally:
            (left / "b").chmod(0o700)
        assert fates(result)[f"b/{TEMPORARY}"] == ("removed" if os.geteuid() == 0 else "failed")

    def test_the_targets_of_jobs(self, invoke, left, config):
        jobs = "  one: {source: ./site, target: ./left}\n  two: {source: ./site, target: ./not-there}\n"
        result = invoke("gc", config(jobs=jobs), "--older-than", "0", "--json")
        assert {event["job"] for event in result.of("leftover")} == {"one"}
        assert read_tree(left) == {"a": "a", "b/c": "c"}
        assert invoke("gc", "config.yaml", "--job", "two", "--json").report["places"][0]["removed"] == 0

    def test_the_target_of_a_job_that_is_being_run_is_left_alone(self, invoke, left, config, folder):
        write_tree(folder / "site", {"a": "a"})
        invoke("run", config("target: ./left", jobs="  one: {source: ./site, target: ./left}\n"))
        with lock_job("one", folder / ".cloudsync/state.db.1.lock"):
            result = invoke("gc", "config.yaml", "--older-than", "0", code=4)
        assert "already being run" in result.err
        assert (left / TEMPORARY).exists()


class TestALease:
    """What keeps two runs apart is removed where its holder is certain to be gone."""

    @staticmethod
    def holder(**changes):
        run = RunInfo("run", "job", "mirror", "source", "target", dry_run=False, started=0.0)
        return dataclasses.replace(Holder.of(run), **changes).written(0)

    def leave(self, left, content):
        (left / ".cloudsync").mkdir()
        (left / ".cloudsync/lease").write_bytes(content)

    def test_of_a_process_that_is_gone_goes(self, invoke, left):
        self.leave(left, self.holder(started="1"))
        assert fates(invoke("gc", "left", "--older-than", "0", "--json"))[".cloudsync/lease"] == "removed"
        assert read_tree(left) == {"a": "a", "b/c": "c"}

    @pytest.mark.parametrize("changes", [{}, {"machine": "another", "started": "1"}], ids=["alive", "elsewhere"])
    def test_of_a_process_that_may_be_alive_stays(self, invoke, left, changes):
        self.leave(left, self.holder(**changes))
        assert ".cloudsync/lease" not in fates(invoke("gc", "left", "--older-than", "0", "--json"))
        assert (left / ".cloudsync/lease").exists()

    def test_that_nobody_can_read_stays(self, invoke, left):
        self.leave(left, b"what is this?")
        assert ".cloudsync/lease" not in fates(invoke("gc", "left", "--older-than", "0", "--json"))


class TestABucket:
    @pytest.fixture
    def bucket(self, moto_s3, folder):
        """A bucket with three unfinished uploads: one is recorded, one is not, one is beside the prefix."""
        bucket = moto_s3.make_bucket()
        jobs = {"up": {"source": "./site", "target": {"url": f"s3://{bucket}/x", "options": moto_s3.options}}}
        (folder / "config.yaml").write_text(yaml.safe_dump({"version": 1, "jobs": jobs}))
        write_tree(folder / "site", {"a": "a"})
        return bucket

    @staticmethod
    def begin(server, bucket, key):
        return server.client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]

    @staticmethod
    def uploads(server, bucket):
        return {entry["Key"] for entry in server.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])}

    def test_recorded_uploads_go_and_those_of_others_are_listed(self, invoke, moto_s3, bucket, folder):
        invoke("run", "config.yaml")
        recorded = self.begin(moto_s3, bucket, "x/a space + %41")
        self.begin(moto_s3, bucket, "x/another's")
        self.begin(moto_s3, bucket, "xyz")
        with State(folder / ".cloudsync/state.db") as state:
            Unfinished(state, 1).save("a space + %41", "fingerprint", recorded)
        result = invoke("gc", "config.yaml", "--older-than", "0", "--json")
        assert fates(result) == {"a space + %41": "removed", "another's": "not-ours"}
        assert self.uploads(moto_s3, bucket) == {"x/another's", "xyz"}
        with State(folder / ".cloudsync/state.db", read_only=True) as state:
            assert Unfinished(state, 1).find("a space + %41") is None

        result = invoke("gc", "config.yaml", "--older-than", "0", "--all", "--json")
        assert fates(result) == {"another's": "removed"}
        assert self.uploads(moto_s3, bucket) == {"xyz"}
        assert moto_s3.contents(bucket) == {"x/a": b"a"}

    def test_what_a_next_run_could_go_on_from_stays_for_a_day(self, invoke, moto_s3, bucket, folder):
        invoke("run", "config.yaml")
        recorded = self.begin(moto_s3, bucket, "x/b")
        with State(folder / ".cloudsync/state.db") as state:
            Unfinished(state, 1).save("b", "fingerprint", recorded)
        assert fates(invoke("gc", "config.yaml", "--json")) == {"b": "too-young"}
        with State(folder / ".cloudsync/state.db", read_only=True) as state:
            assert Unfinished(state, 1).find("b") is not None

    def test_a_record_of_what_is_gone_is_forgotten(self, invoke, moto_s3, bucket, folder):
        invoke("run", "config.yaml")
        with State(folder / ".cloudsync/state.db") as state:
            Unfinished(state, 1).save("b", "fingerprint", "no-such-upload")
        assert fates(invoke("gc", "config.yaml", "--json")) == {}
        with State(folder / ".cloudsync/state.db", read_only=True) as state:
            assert Unfinished(state, 1).find("b") is None

    def test_a_missing_bucket_is_told(self, invoke, moto_s3):
        options = [f"--option={name}={value}" for name, value in moto_s3.options.items()]
        assert "no such bucket" in invoke("gc", "s3://no-such-bucket-here/x", *options, code=4).err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing-here"], "neither a configuration file nor a directory"),
        ([".", "--job", "x"], "needs a configuration file"),
        (["config.yaml", "--option", "a=b"], "for locations"),
        ([".", "--older-than", "5"], "write 24h"),
        (["no-such-scheme://x"], "no-such-scheme"),
    ],
)
def test_what_cannot_be_meant(invoke, config, arguments, message):
    config()
    assert message in invoke("gc", *arguments, code=2).err
