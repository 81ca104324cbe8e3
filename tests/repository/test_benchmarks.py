"""The benchmarks themselves: that they measure what they say, notice wrong results, and judge as promised."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError

from benchmarks import tables
from benchmarks.clouds import serve_azurite, serve_gcs
from benchmarks.exchange import Exchange
from benchmarks.measuring import WrongResultError, run
from benchmarks.results import CaseResult, Results, Run
from benchmarks.runner import Play
from benchmarks.servers import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, serve_synthetic
from benchmarks.stage import Theatre
from benchmarks.suite import CASES
from benchmarks.synthetic.buckets import Names
from benchmarks.synthetic.wire import Chunks
from benchmarks.targets import MIB, TARGETS, Ceiling, Growth, Rate, Ratio, Requests
from benchmarks.tools import RCLONE, MissingToolError, find_programs
from benchmarks.trees import Tree, digests_below, expect

ROOT = Path(__file__).parents[2]


def running(pid):
    """Tell whether a process runs: one that has ended and waits for its parent's look does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip()[:1] not in {"", "Z"}


class TestMeasuring:
    @staticmethod
    def measure(folder, code, timeout=60.0):
        return run([sys.executable, "-S", "-c", code], env={}, cwd=folder, timeout=timeout)

    def test_the_memory_of_whoever_measures_is_not_counted(self, tmp_path):
        ballast = bytearray(os.urandom(1)) * (200 * MIB)
        assert self.measure(tmp_path, "pass").peak < 50 * MIB
        assert len(ballast) == 200 * MIB

    def test_the_memory_of_the_program_is_counted(self, tmp_path):
        assert 100 * MIB < self.measure(tmp_path, "bytearray(b'1') * (100 << 20)").peak < 200 * MIB

    def test_the_processor_time_of_children_is_counted(self, tmp_path):
        burn = "import time\nwhile time.process_time() < 0.3: pass"
        code = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {burn!r}])"
        assert self.measure(tmp_path, code).cpu >= 0.3

    def test_the_wall_time_is_from_start_to_end(self, tmp_path):
        assert 0.2 <= self.measure(tmp_path, "import time; time.sleep(0.2)").wall < 30

    def test_what_was_printed_is_kept(self, tmp_path):
        assert self.measure(tmp_path, "print('hello')").output == "hello\n"

    def test_a_program_that_fails_is_no_result(self, tmp_path):
        with pytest.raises(WrongResultError, match=r"(?s)exited with 3.*the reason"):
            self.measure(tmp_path, "import sys; print('the reason'); sys.exit(3)")

    def test_a_program_that_does_not_end_is_ended(self, tmp_path):
        code = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
        with pytest.raises(WrongResultError, match="nothing within 5 s"):
            self.measure(tmp_path, code, timeout=5.0)
        program = int((tmp_path / "pid").read_text())
        deadline = time.monotonic() + 20
        while running(program):
            assert time.monotonic() < deadline, "it outlives the measurement"


class TestTrees:
    def test_every_file_has_other_bytes_and_the_same_in_every_run(self, tmp_path):
        one, other = (Tree.grow(tmp_path / name, 150, 1000) for name in ("one", "other"))
        assert len(set(one.digests.values())) == 150
        assert one.digests == other.digests == digests_below(one.root)

    def test_a_link_is_the_same_tree_and_leaves_it_alone(self, tmp_path):
        tree = Tree.grow(tmp_path / "tree", 5, 10)
        linked = tree.link(tmp_path / "linked", files=3)
        found = digests_below(linked)
        assert found == dict(list(tree.digests.items())[:3])
        for key in found:
            (linked / key).unlink()
        assert digests_below(tree.root) == tree.digests

    @pytest.mark.parametrize(
        ("found", "what"),
        [({"a": "1"}, "missing"), ({"a": "1", "b": "2", "c": "3"}, "should not be"), ({"a": "1", "b": "0"}, "other")],
    )
    def test_a_wrong_result_is_noticed(self, found, what):
        with pytest.raises(WrongResultError, match=what):
            expect(found, {"a": "1", "b": "2"})

    def test_a_right_result_passes(self):
        expect({"a": "1"}, {"a": "1"})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    rendered = {"rendered": 2500, "same": 2500}
    with serve_synthetic(tmp_path_factory.mktemp("synthetic"), rendered=rendered) as running:
        yield running


def client_of(server):
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def client(server):
    made = client_of(server)
    yield made
    made.close()


@pytest.fixture
def bucket(server, request):
    name = f"bucket-{abs(hash(request.node.nodeid))}"
    server.make_bucket(name)
    return name


def keys_of(client, operation="list_objects_v2", **asked):
    pages = client.get_paginator(operation).paginate(**asked)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


class TestRenderedListings:
    @pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
    @pytest.mark.parametrize("page", [1000, 999, 7])
    def test_they_hold_every_key_once_and_in_order(self, client, operation, page):
        asked = {"Bucket": "rendered", "PaginationConfig": {"PageSize": page}}
        assert keys_of(client, operation, **asked) == list(Names(2500))

    def test_two_of_one_size_are_alike(self, client):
        one, other = (client.list_objects_v2(Bucket=name)["Contents"] for name in ("rendered", "same"))
        assert one == other
        assert len({entry["ETag"] for entry in one}) == 1000

    @pytest.mark.parametrize("after", ["", "folder-000001/object-000001499.bin", "folder-000001/object-0000014", "zzz"])
    def test_they_start_after_any_key(self, client, after):
        assert keys_of(client, Bucket="rendered", StartAfter=after) == [key for key in Names(2500) if key > after]

    def test_they_can_be_cut_by_prefix(self, client):
        found = keys_of(client, Bucket="rendered", Prefix="folder-000001/")
        assert found == list(Names(2500))[1000:2000]

    def test_they_can_be_walked_by_folder(self, client):
        page = client.list_objects_v2(Bucket="rendered", Delimiter="/")
        assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == [f"folder-00000{n}/" for n in range(3)]

    @pytest.mark.parametrize(
        ("after", "folders"),
        [("folder-000000/object-000000500.bin", "012"), ("folder-000001/", "2"), ("folder-0000015", "2"), ("zzz", "")],
    )
    def test_they_can_be_walked_by_folder_after_any_key(self, client, after, folders):
        page = client.list_objects_v2(Bucket="rendered", Delimiter="/", StartAfter=after)
        found = [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        assert found == [f"folder-00000{number}/" for number in folders]

    def test_an_object_of_a_listing_has_no_content(self, client):
        key = Names(2500)[0]
        assert client.head_object(Bucket="rendered", Key=key)["ContentLength"] == 4096
        with pytest.raises(ClientError, match="NotImplemented"):
            client.get_object(Bucket="rendered", Key=key)
        with pytest.raises(ClientError, match="NotImplemented"):
            client.put_object(Bucket="rendered", Key=key)


class TestSyntheticObjects:
    KEYS = ("a b+c%&<>'\".txt", "folder/ü", "folder/x", "z")

    def test_what_was_put_is_listed_and_read(self, client, server, bucket):
        for key in self.KEYS:
            client.put_object(Bucket=bucket, Key=key, Body=key.encode(), Metadata={"name": "value"})
        assert keys_of(client, Bucket=bucket) == sorted(self.KEYS)
        for key in self.KEYS:
            found = client.get_object(Bucket=bucket, Key=key)
            assert (found["Body"].read(), found["Metadata"]) == (key.encode(), {"name": "value"})
        assert server.contents(bucket).keys() == set(self.KEYS)

    def test_a_range(self, client, bucket):
        client.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
        found = client.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")
        assert (found["Body"].read(), found["ContentRange"]) == (b"234", "bytes 2-4/10")

    def test_conditions(self, client, bucket):
        etag = client.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
        for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"other"'}):
            with pytest.raises(ClientError, match="PreconditionFailed"):
                client.put_object(Bucket=bucket, Key="k", Body=b"2", **condition)
        client.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
        assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"

    def test_parts_and_copies(self, client, bucket):
        upload = client.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
        parts = [
            {"PartNumber": number, "ETag": client.upload_part(**named, PartNumber=number, Body=body)["ETag"]}
            for number, body in ((2, b"b" * 10), (1, b"a" * 10))
        ]
        client.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
        client.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
        found = client.get_object(Bucket=bucket, Key="copy")
        assert found["Body"].read() == b"a" * 10 + b"b" * 10
        assert found["ETag"].endswith('-2"')

    def test_deletes_one_by_one_and_many_at_once(self, client, bucket):
        for key in self.KEYS:
            client.put_object(Bucket=bucket, Key=key)
        client.delete_object(Bucket=bucket, Key="z")
        many = {"Objects": [{"Key": key} for key in self.KEYS[:2]]}
        assert len(client.delete_objects(Bucket=bucket, Delete=many)["Deleted"]) == 2
        assert keys_of(client, Bucket=bucket) == ["folder/x"]

    def test_what_is_missing_is_said_to_be(self, client, bucket):
        with pytest.raises(client.exceptions.NoSuchKey):
            client.get_object(Bucket=bucket, Key="k")
        with pytest.raises(client.exceptions.NoSuchBucket):
            client.list_objects_v2(Bucket="no-such-bucket")

    def test_requests_are_counted_by_kind(self, client, server, bucket):
        server.forget_requests()
        client.put_object(Bucket=bucket, Key="k", Body=b"1")
        client.list_objects_v2(Bucket=bucket)
        client.list_objects_v2(Bucket="rendered")
        client.head_object(Bucket=bucket, Key="k")
        assert server.requests() == {"put": 1, "list": 2, "head": 1}

    def test_a_tree_is_taken_in(self, server, client, bucket, tmp_path):
        tree = Tree.grow(tmp_path / "tree", 5, 10)
        server.make_bucket("of-a-tree", tree)
        expect(server.contents("of-a-tree"), tree.digests)


def test_every_answer_is_held_back_by_the_latency(tmp_path):
    with serve_synthetic(tmp_path, latency=0.2) as server:
        started = time.monotonic()
        server.make_bucket("bucket")
        assert time.monotonic() - started >= 0.2


class TestChunks:
    WHOLE = b"5;chunk-signature=abc\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"

    @pytest.mark.parametrize("step", [1, 2, 7, 1000])
    def test_a_body_may_arrive_in_any_pieces(self, step):
        chunks, data = Chunks(), bytearray()
        complete = []
        for start in range(0, len(self.WHOLE), step):
            data += self.WHOLE[start : start + step]
            complete.append(chunks.feed(data))
        assert chunks.content == b"hello world"
        assert complete[-1]
        assert not any(complete[:-1])

    def test_what_follows_is_left(self):
        data = bytearray(self.WHOLE + b"GET")
        assert Chunks().feed(data)
        assert data == b"GET"


def runs(tool, walls, *, peak=1, cpu=1.0, counts=True):
    family = tool.split()[0]
    return [Run(tool, family, counts, number, wall, cpu, peak) for number, wall in enumerate(walls, 1)]


def results_of(*cases):
    return Results({"date": "today"}, {"rclone": "1.2"}, 1.0, 3, list(cases))


CASE = CaseResult(
    "case",
    "a case",
    "none",
    [
        *runs("cloudsync", [9.0, 2.0, 1.0], peak=90 * MIB),
        *runs("rclone", [5.0]),
        *runs("rclone 32", [4.0], cpu=0.5),
        *runs("rclone lax", [0.1], counts=False),
        *runs("s5cmd", [1.0]),
    ],
    {"cloudsync": {"list": 3, "head": 1, "bucket": 1}},
)


class TestJudging:
    @pytest.mark.parametrize(
        ("target", "measured", "missed_by"),
        [
            (Ratio(case="case", peer="rclone", at_most=0.5), "0.50 x", ""),
            (Ratio(case="case", peer="rclone", at_most=0.4), "0.50 x", "25%"),
            (Ratio(case="case", peer="best", at_most=1.0), "2.00 x", "100%"),
            (Ratio(case="case", peer="rclone", at_most=1.0, quantity="cpu"), "2.00 x", "100%"),
            (Ceiling(case="case", at_most=1.5), "2.00 s", "33%"),
            (Ceiling(case="case", at_most=100 * MIB, quantity="peak"), "90 MiB", ""),
            (Rate(case="case", at_least=25, count=50, of="updates"), "25", ""),
            (Rate(case="case", at_least=50, count=50, of="updates"), "25", "50%"),
            (Growth(case="case", smaller="small", at_most=20 * MIB), "30 MiB", "50%"),
            (Requests(case="case", only=("list",)), "3 LIST, 1 BUCKET, 1 HEAD", "1 HEAD"),
            (Requests(case="case", none_of=("get",)), "3 LIST, 1 BUCKET, 1 HEAD", ""),
            (Requests(case="case", none_of=("list",), but=2), "3 LIST, 1 BUCKET, 1 HEAD", "3 LIST"),
            (Requests(case="case", none_of=("list",), but=3), "3 LIST, 1 BUCKET, 1 HEAD", ""),
        ],
    )
    def test_the_medians_are_held_against_the_better_setting_that_counts(self, target, measured, missed_by):
        small = CaseResult("small", "", "none", runs("cloudsync", [1.0], peak=60 * MIB))
        judgement = target.judge(results_of(CASE, small))
        assert (judgement.measured, judgement.missed_by) == (measured, missed_by)
        assert judgement.met == (missed_by == "")

    def test_a_rate_is_that_of_what_was_done(self):
        target = Rate(case="case", at_least=50, count=50, of="updates")
        assert target.judge(dataclasses.replace(results_of(CASE), scale=0.5)).measured == "12"

    @pytest.mark.parametrize(
        "target",
        [
            Ratio(case="other", peer="rclone", at_most=1),
            Rate(case="other", at_least=1, count=1, of="updates"),
            Ratio(case="case", peer="aws", at_most=1),
            Growth(case="case", smaller="other", at_most=1),
        ],
    )
    def test_what_was_not_measured_is_not_judged(self, target):
        assert target.judge(results_of(CASE)) is None

    def test_a_server_of_one_processor_is_told_to_be_the_limit(self):
        busy = dataclasses.replace(CASE, runs=[dataclasses.replace(run, server_cpu=1.8) for run in CASE.runs])
        target = Ratio(case="case", peer="rclone", at_most=0.4, one_processor=True)
        assert target.judge(results_of(busy)).missed_by == "25%; server busy 90% of the time"
        assert target.judge(results_of(CASE)).missed_by == "25%", "nobody knows"
        other = dataclasses.replace(target, quantity="cpu", at_most=1.0)
        assert other.judge(results_of(busy)).missed_by == "100%", "what the client spends is its own affair"
        assert dataclasses.replace(target, at_most=0.5).judge(results_of(busy)).missed_by == ""

    def test_every_target_is_of_a_case_with_the_peers_that_it_names(self):
        cases = {case.name: case for case in CASES}
        assert len(cases) == len(CASES)
        for target in TARGETS:
            families = {tool.family for tool in cases[target.case].tools if tool.counts}
            assert "cloudsync" in families
            if isinstance(target, Ratio) and target.peer != "best":
                assert target.peer in families
            if isinstance(target, Growth):
                assert target.smaller in cases

    def test_no_two_tools_of_a_case_have_one_name(self):
        for case in CASES:
            names = [tool.name for tool in case.tools]
            assert len(names) == len(set(names))


class TestTables:
    PAGE = f"Before.\n\n{tables.BEGIN}\nold\n{tables.END}\n\nAfter.\n"

    def test_the_results_come_back_from_json(self):
        results = results_of(CASE)
        assert Results.from_dict(json.loads(json.dumps(results.to_dict()))) == results

    def test_a_table_tells_the_medians_the_ratio_and_the_requests(self):
        rows = tables.cases(results_of(CASE)).splitlines()
        assert rows[2] == (
            "| **case**: a case | cloudsync | 2.00 | 1.00-9.00 | 1.00 | 1.00 | 90 |  | 3 LIST, 1 BUCKET, 1 HEAD |"
        )
        assert rows[4].startswith("|  | rclone 32 | 4.00 | one run | 2.00 | 0.50 |")
        assert "rclone lax (proves less)" in rows[5]

    def test_a_failure_is_in_the_tables(self):
        failed = CaseResult("small-up", "a case", "none", failures={"cloudsync": "the command\nthe reason"})
        assert "| **small-up** | cloudsync failed |  |  |  |  |  |  | the reason |" in tables.cases(results_of(failed))
        assert "| small-up | time ≤ 0.60 x rclone | failed | **missed** |" in tables.targets(results_of(failed))

    def test_better_peers_are_named(self):
        lines = tables.better_peers(results_of(CASE))
        assert lines == "- **case**: rclone lax (proves less) in 0.05 x; s5cmd in 0.50 x the time of cloudsync."
        alone = dataclasses.replace(CASE, runs=CASE.runs[:3])
        assert tables.better_peers(results_of(alone)) == "In no case that was measured."

    def test_a_target_that_was_not_measured_is_in_the_table(self):
        rows = tables.targets(results_of()).splitlines()[2:]
        assert len(rows) == len(TARGETS)
        assert all("not measured" in row for row in rows)

    def test_only_what_was_measured_is_replaced(self):
        page = tables.fill(self.PAGE, results_of(CASE))
        assert page.startswith(f"Before.\n\n{tables.BEGIN}\n")
        assert page.endswith(f"{tables.END}\n\nAfter.\n")
        assert "old" not in page
        assert tables.fill(page, results_of(CASE)) == page

    @pytest.mark.parametrize("mark", [tables.BEGIN, tables.END])
    def test_a_page_without_a_mark_is_left_alone(self, mark):
        with pytest.raises(ValueError, match="lacks the mark"):
            tables.fill(self.PAGE.replace(mark, ""), results_of(CASE))

    def test_the_page_of_the_documentation_can_be_filled(self):
        assert "a case" in tables.fill((ROOT / "docs/performance.md").read_text(), results_of(CASE))


class TestOtherClouds:
    CASES = ("azure-up", "azure-down", "gcs-up", "gcs-down")

    @pytest.mark.parametrize("serve", [serve_azurite, serve_gcs])
    def test_their_servers_keep_a_tree_and_tell_of_it(self, tmp_path, serve):
        tree = Tree.grow(tmp_path / "tree", 12, 500)
        with serve(tmp_path) as server:
            server.make_bucket("empty")
            server.make_bucket("source", tree)
            assert server.contents("empty") == {}
            assert server.contents("source") == tree.digests
            assert server.cpu() is not None

    def test_more_than_a_page_of_objects_is_told_of(self, tmp_path):
        tree = Tree.grow(tmp_path / "tree", 1001, 1)
        with serve_gcs(tmp_path) as server:
            server.make_bucket("source", tree)
            assert server.contents("source") == tree.digests

    def test_what_lies_in_another_cloud_is_measured_beside_its_filesystem(self, tmp_path):
        file = tmp_path / "results.json"
        arguments = [part for case in self.CASES for part in ("--only", case)]
        small = ("--scale", "0.005", "--rounds", "1", "--work", str(tmp_path))
        finished = TestCommand.bench(*arguments, *small, "--json", str(file))
        assert finished.returncode == 0, finished.stderr
        results = Results.from_dict(json.loads(file.read_text()))
        peers = {"azure-up": "adlfs", "azure-down": "adlfs", "gcs-up": "gcsfs", "gcs-down": "gcsfs"}
        assert {case.name: [run.family for run in case.runs] for case in results.cases} == {
            name: ["cloudsync", peer] for name, peer in peers.items()
        }
        assert all(run.cpu > 0 and run.server_cpu is not None for case in results.cases for run in case.runs)
        assert not any(case.requests for case in results.cases), "the synthetic server speaks S3 alone"

    @pytest.mark.parametrize("missing", ["adlfs", "gcsfs"])
    def test_a_missing_filesystem_is_named_with_the_way_out(self, monkeypatch, missing):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(MissingToolError, match=f"{missing} is not installed; `nox -s bench` installs it"):
            find_programs([missing], None)


class TestPublishing:
    def test_updates_and_releases_are_measured(self, tmp_path):
        file = tmp_path / "results.json"
        names = ("channel-publish", "channel-deliver", "release")
        arguments = [part for name in names for part in ("--only", name)]
        small = ("--scale", "0.02", "--rounds", "1", "--work", str(tmp_path))
        finished = TestCommand.bench(*arguments, *small, "--json", str(file))
        assert finished.returncode == 0, finished.stderr
        published, delivered, released = Results.from_dict(json.loads(file.read_text())).cases
        assert (published.title[:11], delivered.title[:11]) == ("100 updates", "100 updates")
        assert all(0 < case.runs[0].wall < 60 for case in (published, delivered, released))
        assert 100 <= published.requests["cloudsync"]["put"] < 150, "each update is an object of its own"
        assert 400 <= delivered.requests["cloudsync"]["get"] < 450, "each subscriber receives all"
        # Two of 200 files, the manifest and the pointer, and the lease.
        assert 4 <= released.requests["cloudsync"]["put"] < 10

    @staticmethod
    def exchange(folder, **changes):
        values = Exchange(
            url=str(folder / "channel"),
            options={},
            state=str(folder),
            publishers=2,
            subscribers=2,
            updates=3,
            size=1024,
        )
        return run(
            [sys.executable, ROOT / "benchmarks/exchange.py", json.dumps(dataclasses.asdict(values) | changes)],
            env={"HOME": str(folder), "PATH": os.environ["PATH"]},
            cwd=folder,
            timeout=60,
        )

    def test_the_wait_is_from_publishing_to_the_callback(self, tmp_path):
        said = json.loads(self.exchange(tmp_path, interval=0.3, pace=0.4, batch=2).output)
        assert 0 < said["wait"] < said["receiving"]
        assert 0.4 <= said["publishing"] < 30

    def test_another_content_is_noticed(self, tmp_path):
        self.exchange(tmp_path, subscribers=0)
        with pytest.raises(WrongResultError, match=r"publisher-[01]: 0 has another content"):
            self.exchange(tmp_path, publishing=False, size=1023)

    def test_an_update_that_comes_twice_is_noticed(self, tmp_path):
        self.exchange(tmp_path, subscribers=0)
        [first, *_] = sorted((tmp_path / "channel/updates").rglob("*-publisher-0.json*"))
        self.exchange(tmp_path, publishers=1, subscribers=0)
        assert first.exists()
        with pytest.raises(WrongResultError, match="publisher-0: 0 came where 3 was the next one"):
            self.exchange(tmp_path, publishing=False)


class TestCommand:
    @staticmethod
    def bench(*arguments):
        command = [sys.executable, "-m", "benchmarks", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    def test_it_measures_verifies_counts_and_writes(self, tmp_path):
        file, page = tmp_path / "results.json", tmp_path / "page.md"
        arguments = [part for case in ("small-up", "hundred-thousand") for part in ("--only", case)]
        arguments += [part for family in ("cloudsync", "rclone", "fsspec") for part in ("--family", family)]
        small = ("--scale", "0.001", "--rounds", "1", "--work", str(tmp_path))
        finished = self.bench(*arguments, *small, "--json", str(file))
        assert finished.returncode == 0, finished.stderr
        results = Results.from_dict(json.loads(file.read_text()))
        up, listed = results.cases
        assert {run.family for run in up.runs} == {"cloudsync", "rclone", "fsspec"}
        assert {run.family for run in listed.runs} == {"cloudsync", "rclone"}
        # The ten objects, the lease, and the tries by which it is found out which conditions the server honours.
        assert 10 < up.requests["cloudsync"]["put"] < 25
        assert listed.requests["cloudsync"] == {"list": 2}
        assert all(run.wall > 0 and run.cpu > 0 and run.peak > MIB for case in results.cases for run in case.runs)
        assert not [path for path in tmp_path.iterdir() if path != file]

        page.write_text(TestTables.PAGE)
        shown = self.bench("--render", str(file), "--markdown", str(page))
        assert shown.stdout in finished.stdout
        assert tables.cases(results) in page.read_text()

    def test_a_tool_that_leaves_something_undone_fails(self, tmp_path):
        lazy = tmp_path / "rclone"
        real = find_programs(["rclone"], None)["rclone"]
        lazy.write_text(f'#!/bin/sh\ncase $1 in copy) exit 0;; *) exec {real} "$@";; esac\n')
        lazy.chmod(0o755)
        theatre = Theatre(tmp_path, {"rclone": lazy}, 0.001)
        play = Play(theatre, rounds=3, wanted=lambda tool: tool == RCLONE, count_peers=True, say=print)
        case = next(case for case in CASES if case.name == "small-up")
        result = play.case(case)
        assert not result.runs
        assert "10 objects are missing" in result.failures["rclone"]

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_an_end_from_outside_leaves_nothing_behind(self, tmp_path, number):
        command = [sys.executable, "-m", "benchmarks", "--only", "small-up", "--family", "cloudsync", "--scale", "0.1"]
        process = subprocess.Popen([*command, "--work", str(tmp_path)], cwd=ROOT)
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*/*/server.log")):
            assert time.monotonic() < deadline, "no server was started"
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert not list(tmp_path.iterdir())

    def test_a_page_is_not_written_from_a_run_at_less_than_full_size(self):
        finished = self.bench("--scale", "0.5", "--markdown", "docs/performance.md")
        assert finished.returncode == 2
        assert "full size" in finished.stderr

    def test_a_missing_peer_is_named_with_the_way_out(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
        with pytest.raises(MissingToolError, match="aws is not installed; `nox -s bench` installs it"):
            find_programs(["aws"], tmp_path)
