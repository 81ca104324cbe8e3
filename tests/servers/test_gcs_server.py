"""The Cloud Storage of the tests, as real clients and the wire see it."""

import base64
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest
import requests

from tests.servers.gcs import GcsServer, gcs_error, running_gcs
from tests.servers.process import running
from tests.servers.proxy import Proxy

ROOT = Path(__file__).parents[2]
CHUNK = 256 * 1024
LARGE = os.urandom(3 * CHUNK + 1000)


@pytest.fixture
def bucket(gcs: GcsServer) -> str:
    return gcs.make_bucket()


class TestGoogleCloudStorage:
    """Google's own client."""

    @pytest.fixture
    def blobs(self, gcs: GcsServer, bucket):
        return gcs.client.bucket(bucket)

    def test_keeps_content_and_metadata(self, blobs):
        blob = blobs.blob("folder/ü a+b%?#.txt")
        blob.metadata = {"owner": "me"}
        blob.cache_control = "no-store"
        blob.upload_from_string(b"content", content_type="text/plain", checksum="md5")
        found = blobs.get_blob("folder/ü a+b%?#.txt")
        assert found.download_as_bytes(checksum="crc32c") == b"content"
        assert (found.size, found.content_type, found.cache_control) == (7, "text/plain", "no-store")
        assert (found.metadata, found.generation, found.metageneration) == ({"owner": "me"}, blob.generation, 1)

    @pytest.mark.parametrize("checksum", ["md5", "crc32c"])
    def test_uploads_in_chunks(self, gcs: GcsServer, blobs, bucket, checksum):
        blob = blobs.blob("large", chunk_size=CHUNK)
        blob.upload_from_file(io.BytesIO(LARGE), checksum=checksum)
        assert gcs.contents(bucket) == {"large": LARGE}
        assert gcs.open_uploads(bucket) == []

    def test_uploads_in_chunks_what_has_no_known_size(self, gcs: GcsServer, blobs, bucket):
        with blobs.blob("stream").open("wb", chunk_size=CHUNK) as stream:
            for start in range(0, len(LARGE), 100_000):
                stream.write(LARGE[start : start + 100_000])
        assert gcs.contents(bucket) == {"stream": LARGE}

    def test_downloads_in_chunks(self, gcs: GcsServer, blobs, bucket):
        gcs.put(bucket, "large", LARGE)
        target = io.BytesIO()
        blobs.blob("large", chunk_size=CHUNK).download_to_file(target)
        assert target.getvalue() == LARGE

    def test_reads_a_range(self, gcs: GcsServer, blobs, bucket):
        gcs.put(bucket, "a", b"0123456789")
        assert blobs.blob("a").download_as_bytes(start=3, end=5) == b"345"

    def test_lists_as_folders(self, gcs: GcsServer, blobs, bucket):
        for key in ("a/b", "a/c", "d", "e", "e/f", "e/g/h"):
            gcs.put(bucket, key, b"")
        listing = gcs.client.list_blobs(bucket, delimiter="/")
        assert [blob.name for blob in listing] == ["d", "e"]
        assert listing.prefixes == {"a/", "e/"}

    def test_lists_page_by_page(self, gcs_small_pages: GcsServer):
        bucket = gcs_small_pages.make_bucket()
        keys = [f"key-{number:02d}" for number in range(10)]
        for key in keys:
            gcs_small_pages.put(bucket, key, b"")
        listing = gcs_small_pages.client.list_blobs(bucket)
        assert [[blob.name for blob in page] for page in listing.pages] == [keys[:3], keys[3:6], keys[6:9], keys[9:]]

    def test_refuses_what_a_condition_forbids(self, gcs: GcsServer, blobs, bucket):
        from google.api_core.exceptions import PreconditionFailed

        first = gcs.put(bucket, "a", b"first")
        with pytest.raises(PreconditionFailed):
            blobs.blob("a").upload_from_string(b"second", if_generation_match=0)
        with pytest.raises(PreconditionFailed):
            blobs.blob("a").delete(if_generation_match=first + 1)
        assert gcs.contents(bucket) == {"a": b"first"}
        blobs.blob("a").upload_from_string(b"second", if_generation_match=first)
        assert gcs.contents(bucket) == {"a": b"second"}

    def test_misses_objects_and_buckets(self, gcs: GcsServer, blobs, bucket):
        from google.api_core.exceptions import NotFound

        with pytest.raises(NotFound, match=f"No such object: {bucket}/nothing"):
            blobs.blob("nothing").download_as_bytes()
        with pytest.raises(NotFound, match=f"No such object: {bucket}/nothing"):
            blobs.blob("nothing").reload()
        with pytest.raises(NotFound, match="The specified bucket does not exist"):
            list(gcs.client.list_blobs("no-such-bucket"))

    def test_rewrites_in_several_calls(self):
        with running_gcs(rewrite_bytes=CHUNK) as server:
            bucket, other = server.make_bucket(), server.make_bucket()
            generation = server.put(bucket, "a", LARGE, metadata={"k": "v"})
            source, target = server.client.bucket(bucket).blob("a"), server.client.bucket(other).blob("b")
            token, done, size = target.rewrite(source, if_source_generation_match=generation)
            assert (done, size) == (CHUNK, len(LARGE))
            assert server.contents(other) == {}
            while token:
                token, done, _ = target.rewrite(source, token=token)
            assert done == len(LARGE)
            assert server.contents(other) == {"b": LARGE}
            assert server.resource(other, "b")["metadata"] == {"k": "v"}

    def test_composes(self, gcs: GcsServer, blobs, bucket):
        import google_crc32c

        parts = [blobs.blob(name) for name in ("a", "b")]
        for part in parts:
            part.upload_from_string(part.name.encode() * 1000)
        whole = blobs.blob("whole")
        whole.compose(parts)
        assert (whole.component_count, whole.md5_hash) == (2, None)
        assert gcs.contents(bucket, "whole") == {"whole": b"a" * 1000 + b"b" * 1000}
        wanted = google_crc32c.value(b"a" * 1000 + b"b" * 1000)
        assert base64.b64decode(whole.crc32c) == wanted.to_bytes(4, "big")
        assert whole.download_as_bytes() == b"a" * 1000 + b"b" * 1000

    def test_deletes_in_a_batch(self, gcs: GcsServer, blobs, bucket):
        for number in range(5):
            gcs.put(bucket, f"a/{number}", b"")
        with gcs.client.batch(raise_exception=False) as calls:
            for key in ("a/0", "nothing", "a/3"):
                blobs.blob(key).delete()
        assert list(gcs.contents(bucket)) == ["a/1", "a/2", "a/4"]
        assert len(calls._responses) == 3

    def test_changes_metadata(self, gcs: GcsServer, blobs, bucket):
        gcs.put(bucket, "a", b"", contentType="text/plain", metadata={"keep": "1", "drop": "2"})
        blob = blobs.get_blob("a")
        blob.metadata = {"drop": None, "new": "3"}
        blob.patch()
        resource = gcs.resource(bucket, "a")
        assert resource["metadata"] == {"keep": "1", "new": "3"}
        assert (resource["contentType"], resource["metageneration"]) == ("text/plain", "2")

    def test_sees_what_is_stored_compressed(self, gcs: GcsServer, blobs, bucket):
        import gzip

        packed = gzip.compress(b"text " * 1000)
        gcs.put(bucket, "a", packed, contentEncoding="gzip", contentType="text/plain")
        assert blobs.blob("a").download_as_bytes(raw_download=True) == packed
        assert blobs.blob("a").download_as_bytes() == b"text " * 1000

    def test_makes_and_removes_buckets(self, gcs: GcsServer):
        from google.api_core.exceptions import Conflict

        name = gcs.make_bucket() + "-more"
        made = gcs.client.create_bucket(name)
        assert gcs.client.get_bucket(name).name == name
        assert name in [bucket.name for bucket in gcs.client.list_buckets()]
        with pytest.raises(Conflict):
            gcs.client.create_bucket(name)
        gcs.put(name, "a", b"")
        with pytest.raises(Conflict, match="not empty"):
            made.delete()
        made.delete(force=True)
        assert not gcs.client.bucket(name).exists()

    def test_keeps_versions_where_the_bucket_does(self, gcs: GcsServer):
        bucket = gcs.make_bucket(versioning={"enabled": True})
        first = gcs.put(bucket, "a", b"first")
        second = gcs.put(bucket, "a", b"second")
        blobs = gcs.client.bucket(bucket)
        blobs.blob("a").delete()
        assert not blobs.blob("a").exists()
        listed = gcs.client.list_blobs(bucket, versions=True)
        assert [(blob.generation, blob.time_deleted is None) for blob in listed] == [(first, False), (second, False)]
        assert blobs.blob("a", generation=first).download_as_bytes() == b"first"
        blobs.blob("a", generation=first).delete()
        assert [blob.generation for blob in gcs.client.list_blobs(bucket, versions=True)] == [second]


class TestGcsfs:
    """The filesystem that users of fsspec know."""

    def test_writes_reads_lists_and_deletes(self, gcs: GcsServer, bucket):
        files = gcs.filesystem()
        files.pipe_file(f"{bucket}/a/b.txt", b"content")
        assert files.cat_file(f"{bucket}/a/b.txt") == b"content"
        assert files.cat_file(f"{bucket}/a/b.txt", 2, 5) == b"nte"
        assert files.find(bucket) == [f"{bucket}/a/b.txt"]
        assert files.ls(f"{bucket}/a", detail=False) == [f"{bucket}/a/b.txt"]
        assert files.info(f"{bucket}/a/b.txt")["size"] == 7
        files.rm(f"{bucket}/a/b.txt")
        assert gcs.contents(bucket) == {}

    def test_puts_and_gets_a_tree(self, gcs: GcsServer, bucket, tmp_path):
        source, target = tmp_path / "source", tmp_path / "target"
        wanted = {f"dir {number % 3}/file-{number}.bin": os.urandom(number * 100) for number in range(20)}
        for key, content in wanted.items():
            path = source / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        files = gcs.filesystem()
        files.put(f"{source}/", f"{bucket}/tree/", recursive=True)
        assert gcs.contents(bucket) == {f"tree/{key}": wanted[key] for key in sorted(wanted)}
        files.get(f"{bucket}/tree/", f"{target}/", recursive=True)
        assert {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*.bin")} == wanted
        files.rm(f"{bucket}/tree", recursive=True)
        assert gcs.contents(bucket) == {}

    def test_writes_in_chunks(self, gcs: GcsServer, bucket, tmp_path):
        files = gcs.filesystem(consistency="md5")
        with files.open(f"{bucket}/large", "wb", block_size=CHUNK) as stream:
            stream.write(LARGE)
        (tmp_path / "large").write_bytes(LARGE)
        files.put_file(str(tmp_path / "large"), f"{bucket}/put", chunksize=CHUNK)
        assert gcs.contents(bucket) == {"large": LARGE, "put": LARGE}

    def test_leaves_nothing_of_a_discarded_file(self, gcs: GcsServer, bucket):
        stream = gcs.filesystem().open(f"{bucket}/large", "wb", block_size=CHUNK, autocommit=False)
        stream.write(LARGE)
        assert gcs.open_uploads(bucket) == ["large"]
        stream.discard()
        stream.closed = True
        assert gcs.open_uploads(bucket) == []
        assert gcs.contents(bucket) == {}

    def test_copies_and_moves(self, gcs: GcsServer, bucket):
        files = gcs.filesystem()
        gcs.put(bucket, "a", b"content", metadata={"k": "v"})
        files.cp_file(f"{bucket}/a", f"{bucket}/b")
        assert gcs.resource(bucket, "b")["metadata"] == {"k": "v"}
        files.mv(f"{bucket}/b", f"{bucket}/c")
        assert gcs.contents(bucket) == {"a": b"content", "c": b"content"}

    def test_deletes_in_a_batch_as_it_does_at_google(self, gcs: GcsServer, bucket):
        from fsspec.asyn import sync

        for key in ("a b", "c/d", "e"):
            gcs.put(bucket, key, b"")
        files = gcs.filesystem()
        found = sync(files.loop, files._rm_files, [f"{bucket}/a b", f"{bucket}/nothing", f"{bucket}/c/d"])
        assert [isinstance(each, OSError) for each in found] == [False, True, False]
        assert gcs.contents(bucket) == {"e": b""}

    def test_joins_files(self, gcs: GcsServer, bucket):
        gcs.put(bucket, "a", b"1")
        gcs.put(bucket, "b", b"2")
        gcs.filesystem().merge(f"{bucket}/whole", [f"{bucket}/a", f"{bucket}/b"])
        assert gcs.contents(bucket, "whole") == {"whole": b"12"}


class TestAccessTokens:
    def test_nobody_is_let_in_without(self, gcs_guarded: GcsServer):
        answer = gcs_guarded.ask("GET", "b/any/o")
        assert (answer.status, answer.reason) == (401, "required")
        assert answer.headers["www-authenticate"].startswith("Bearer ")

    def test_a_wrong_one_is_told_apart(self, gcs_guarded: GcsServer):
        answer = gcs_guarded.ask("GET", "b/any/o", headers={"Authorization": "Bearer nonsense"})
        assert (answer.status, answer.reason) == (401, "authError")
        assert answer.json["error"]["message"] == "Invalid Credentials"

    def test_a_service_account_gets_a_new_one_when_the_old_one_expires(self, gcs_guarded: GcsServer):
        from google.auth.transport.requests import Request as Transport
        from google.oauth2.service_account import Credentials

        path = f"b/{gcs_guarded.make_bucket()}"
        scopes = ["https://www.googleapis.com/auth/devstorage.read_write"]
        credentials = Credentials.from_service_account_info(gcs_guarded.tokens.service_account, scopes=scopes)

        def status():
            return gcs_guarded.ask("GET", path, headers={"Authorization": f"Bearer {credentials.token}"}).status

        with requests.Session() as session:
            credentials.refresh(Transport(session))
            assert status() == 200
            gcs_guarded.tokens.expire()
            assert status() == 401
            credentials.refresh(Transport(session))
        assert status() == 200
        assert gcs_guarded.tokens.issued == 2

    def test_gcsfs_gets_one(self, gcs_guarded: GcsServer):
        bucket = gcs_guarded.make_bucket()
        files = gcs_guarded.filesystem(token=gcs_guarded.tokens.service_account)
        files.pipe_file(f"{bucket}/a", b"content")
        assert files.cat_file(f"{bucket}/a") == b"content"

    @pytest.mark.parametrize(
        ("email", "scope"), [("other@example.org", "https://www.googleapis.com/auth/cloud-platform"), (None, "email")]
    )
    def test_none_is_given_to_others_or_for_something_else(self, gcs_guarded: GcsServer, email, scope):
        from google.auth.exceptions import RefreshError
        from google.auth.transport.requests import Request as Transport
        from google.oauth2.service_account import Credentials

        account = gcs_guarded.tokens.service_account
        credentials = Credentials.from_service_account_info(
            {**account, "client_email": email or account["client_email"]}, scopes=[scope]
        )
        with requests.Session() as session, pytest.raises(RefreshError, match="invalid_grant"):
            credentials.refresh(Transport(session))
        assert gcs_guarded.tokens.issued == 0

    def test_one_that_the_test_names_is_accepted(self, gcs_guarded: GcsServer):
        options = gcs_guarded.options
        bucket = gcs_guarded.make_bucket()
        answer = gcs_guarded.ask("GET", f"b/{bucket}/o", headers={"Authorization": f"Bearer {options['token']}"})
        assert answer.status == 200

    def test_a_resumable_session_is_its_own_permission(self, gcs_guarded: GcsServer):
        bucket, token = gcs_guarded.make_bucket(), gcs_guarded.options["token"]
        path = f"/upload/storage/v1/b/{bucket}/o"
        begun = gcs_guarded.ask(
            "POST", path, headers={"Authorization": f"Bearer {token}"}, uploadType="resumable", name="a"
        )
        session = begun.headers["location"].removeprefix(gcs_guarded.endpoint_url)
        assert gcs_guarded.ask("PUT", session, b"content").status == 200


class TestHttp:
    def test_a_connection_serves_many_requests(self, gcs: GcsServer, bucket):
        connection = http.client.HTTPConnection(gcs.endpoint_url.removeprefix("http://"))
        for _ in range(3):
            connection.request("GET", f"/storage/v1/b/{bucket}")
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["name"]) == (200, bucket)
            assert connection.sock is not None
        connection.close()

    def test_requests_may_follow_each_other_without_waiting(self, gcs: GcsServer, bucket):
        request = f"GET /storage/v1/b/{bucket} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
        with socket.create_connection(address(gcs)) as connection:
            connection.sendall(request * 2 + request.replace(b"host: x", b"connection: close"))
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        assert received.count(b"HTTP/1.1 200 OK") == 3

    def test_a_body_in_chunks_is_one_body(self, gcs: GcsServer, bucket):
        url = f"{gcs.endpoint_url}/upload/storage/v1/b/{bucket}/o?uploadType=media&name=a"
        pieces = [b"first", b"second" * 100_000, b"third"]
        request = urllib.request.Request(url, data=iter(pieces), method="POST")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        assert gcs.contents(bucket) == {"a": b"".join(pieces)}

    def test_whoever_waits_for_it_is_told_to_go_on(self, gcs: GcsServer, bucket):
        head = (
            f"POST /upload/storage/v1/b/{bucket}/o?uploadType=media&name=a HTTP/1.1\r\n"
            "host: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n"
        )
        with socket.create_connection(address(gcs)) as connection:
            connection.sendall(head.encode())
            assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"body")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert gcs.contents(bucket) == {"a": b"body"}

    @pytest.mark.parametrize("sent", [b"", b"01234"])
    def test_a_client_that_goes_in_the_middle_leaves_nothing(self, gcs: GcsServer, bucket, sent):
        head = f"POST /upload/storage/v1/b/{bucket}/o?uploadType=media&name=a HTTP/1.1\r\ncontent-length: 10\r\n\r\n"
        with socket.create_connection(address(gcs)) as connection:
            connection.sendall(head.encode() + sent)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(65536) == b""
        assert gcs.contents(bucket) == {}

    @pytest.mark.parametrize("request_", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n"])
    def test_what_is_not_http_is_refused(self, gcs: GcsServer, request_):
        with socket.create_connection(address(gcs)) as connection:
            connection.sendall(request_)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        assert received.startswith(b"HTTP/1.1 400 ")

    def test_head_tells_what_get_would(self, gcs: GcsServer, bucket):
        gcs.put(bucket, "a", b"content")
        answer = gcs.ask("HEAD", f"b/{bucket}/o/a", alt="media")
        assert (answer.status, answer.headers["content-length"], answer.body) == (200, "7", b"")

    def test_it_ends_with_connections_open(self):
        with running_gcs() as server:
            connection = socket.create_connection(address(server))
            bucket = server.make_bucket()
            assert server.ask("GET", f"b/{bucket}").status == 200
        assert connection.recv(1) == b""
        connection.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address(server))


class TestProxy:
    def test_counts_and_disturbs_requests(self, gcs_proxy: Proxy):
        bucket = gcs_proxy.server.make_bucket()
        gcs_proxy.answer(lambda request: request.method == "PATCH", gcs_error(503, "backendError", "Try again"))
        gcs_proxy.server.put(bucket, "a", b"content")
        answers = [gcs_proxy.server.ask("PATCH", f"b/{bucket}/o/a", {"metadata": {"k": "v"}}) for _ in range(2)]
        assert [answer.status for answer in answers] == [503, 200]
        assert answers[0].reason == "backendError"
        assert gcs_proxy.count("PATCH") == 2
        assert gcs_proxy.server.resource(bucket, "a")["metadata"] == {"k": "v"}

    def test_resumable_sessions_stay_behind_it(self, gcs_proxy: Proxy):
        bucket = gcs_proxy.server.make_bucket()
        begun = gcs_proxy.server.ask("POST", f"/upload/storage/v1/b/{bucket}/o", uploadType="resumable", name="a")
        assert begun.headers["location"].startswith(gcs_proxy.server.endpoint_url)


def test_it_runs_by_itself(tmp_path):
    command = [sys.executable, "-m", "tests.servers.gcs_main"]
    ready = []

    def answers(url):
        with urllib.request.urlopen(f"{url}/storage/v1/b?project=p") as answer:
            ready.append(answer.status)

    announces = re.compile(r"(http://127\.0\.0\.1:\d+)\s")
    with running(
        "gcs", command, announces=announces, ready=answers, log=tmp_path / "log", env={"PYTHONPATH": str(ROOT)}
    ) as url:
        assert ready == [200]
        assert url.startswith("http://")


def test_it_ends_when_it_is_asked_to():
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.gcs_main"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_every_thread_sees_its_own_answer(gcs: GcsServer, bucket):
    for number in range(8):
        gcs.put(bucket, f"key-{number}", bytes([number]) * 10_000)
    wrong = []

    def read(number):
        for _ in range(30):
            answer = gcs.ask("GET", f"b/{bucket}/o/key-{number}", alt="media")
            if answer.body != bytes([number]) * 10_000:
                wrong.append(number)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def address(server: GcsServer) -> tuple[str, int]:
    host, port = server.endpoint_url.removeprefix("http://").split(":")
    return host, int(port)
