"""Uploads to the Cloud Storage of the tests: what Google documents of them, by raw requests."""

import base64
import hashlib
import itertools
import json
import os
import threading
from urllib.parse import quote

import google_crc32c
import pytest

from tests.servers.gcs import Answer, GcsServer

CHUNK = 256 * 1024
WRONG = base64.b64encode(b"\0" * 16).decode()


@pytest.fixture
def bucket(gcs: GcsServer) -> str:
    return gcs.make_bucket()


@pytest.fixture
def insert(gcs: GcsServer, bucket):
    """Upload in one request: `insert(metadata, content, **query)`."""

    def upload(metadata: dict, content: bytes = b"content", *, newline: str = "\r\n", **query: object) -> Answer:
        path = f"/upload/storage/v1/b/{bucket}/o"
        return gcs.ask("POST", path, *related(metadata, content, newline), uploadType="multipart", **query)

    return upload


def related(metadata: dict, content: bytes, newline: str = "\r\n") -> tuple[bytes, dict[str, str]]:
    head = ["--b0", "Content-Type: application/json; charset=UTF-8", "", json.dumps(metadata), "--b0"]
    head += ["Content-Type: image/png", "", ""]
    body = newline.join(head).encode() + content + f"{newline}--b0--".encode()
    return body, {"Content-Type": 'multipart/related; boundary="b0"'}


class TestInOneRequest:
    def test_media_is_the_content_alone(self, gcs: GcsServer, bucket):
        path = f"/upload/storage/v1/b/{bucket}/o"
        answer = gcs.ask("POST", path, b"content", {"Content-Type": "text/css"}, uploadType="media", name="a/b")
        assert answer.status == 200
        assert gcs.contents(bucket) == {"a/b": b"content"}
        resource = answer.json
        assert (resource["name"], resource["contentType"], resource["size"]) == ("a/b", "text/css", "7")

    def test_the_resource_is_as_documented(self, gcs: GcsServer, bucket, insert):
        resource = insert({"name": "a b", "metadata": {"k": "v"}, "cacheControl": "no-store"}).json
        generation = resource["generation"]
        md5 = base64.b64encode(hashlib.md5(b"content").digest()).decode()
        crc32c = base64.b64encode(google_crc32c.value(b"content").to_bytes(4, "big")).decode()
        assert resource == {
            "kind": "storage#object",
            "id": f"{bucket}/a b/{generation}",
            "selfLink": f"{gcs.endpoint_url}/storage/v1/b/{bucket}/o/a%20b",
            "mediaLink": f"{gcs.endpoint_url}/download/storage/v1/b/{bucket}/o/a%20b?generation={generation}&alt=media",
            "name": "a b",
            "bucket": bucket,
            "generation": generation,
            "metageneration": "1",
            "contentType": "image/png",
            "storageClass": "STANDARD",
            "size": "7",
            "md5Hash": md5,
            "crc32c": crc32c,
            "etag": resource["etag"],
            "cacheControl": "no-store",
            "metadata": {"k": "v"},
            "timeCreated": resource["timeCreated"],
            "updated": resource["timeCreated"],
            "timeStorageClassUpdated": resource["timeCreated"],
        }
        assert 10**15 < int(generation) < 10**16, "microseconds since 1970"

    @pytest.mark.parametrize("newline", ["\r\n", "\n"], ids=["crlf", "lf"])
    @pytest.mark.parametrize("content", [b"", b"\r\n", b"\r", b"\n", b"--b", b"\r\n\r\n--b1\r\n", bytes(range(256))])
    def test_content_is_exact(self, gcs: GcsServer, bucket, insert, newline, content):
        assert insert({"name": "a"}, content, newline=newline).status == 200
        assert gcs.contents(bucket) == {"a": content}

    def test_the_metadata_outdoes_the_part_in_the_content_type(self, insert):
        assert insert({"name": "a", "contentType": "text/plain"}).json["contentType"] == "text/plain"

    @pytest.mark.parametrize("kind", ["media", "multipart", "resumable"])
    def test_what_comes_without_a_content_type_is_stored_without_one(self, gcs: GcsServer, bucket, kind):
        path = f"/upload/storage/v1/b/{bucket}/o"
        if kind == "media":
            gcs.ask("POST", path, b"content", uploadType=kind, name="a")
        elif kind == "multipart":
            body = b'--b0\r\n\r\n{"name": "a"}\r\n--b0\r\n\r\ncontent\r\n--b0--'
            gcs.ask("POST", path, body, {"Content-Type": "multipart/related; boundary=b0"}, uploadType=kind)
        else:
            begun = gcs.ask("POST", path, uploadType=kind, name="a")
            gcs.ask("PUT", begun.headers["location"].removeprefix(gcs.endpoint_url), b"content")
        assert gcs.contents(bucket) == {"a": b"content"}
        assert "contentType" not in gcs.resource(bucket, "a")
        answer = gcs.ask("GET", f"b/{bucket}/o/a", alt="media")
        assert answer.headers["content-type"] == "application/octet-stream"

    def test_the_name_in_the_query_outdoes_the_metadata(self, gcs: GcsServer, bucket, insert):
        insert({"name": "in the metadata"}, name="in the query")
        assert list(gcs.contents(bucket)) == ["in the query"]

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"nothing", "multipart/related; boundary=b0"),
            (b"--b0\r\n\r\n{}\r\n--b0--", "multipart/related; boundary=b0"),
            (b"--b0\r\n\r\n{}\r\n--b0\r\n\r\ncut", "multipart/related; boundary=b0"),
            (b"--b0\r\n\r\n{\r\n--b0\r\n\r\nx\r\n--b0--", "multipart/related; boundary=b0"),
            (b"--b0\r\n\r\n[]\r\n--b0\r\n\r\nx\r\n--b0--", "multipart/related; boundary=b0"),
            (related({"name": "a"}, b"")[0], "multipart/related"),
        ],
        ids=["no-parts", "one-part", "no-end", "no-json", "no-object", "no-boundary"],
    )
    def test_a_malformed_body_is_refused(self, gcs: GcsServer, bucket, body, content_type):
        path = f"/upload/storage/v1/b/{bucket}/o"
        answer = gcs.ask("POST", path, body, {"Content-Type": content_type}, uploadType="multipart", name="a")
        assert answer.status == 400
        assert gcs.contents(bucket) == {}

    @pytest.mark.parametrize("path", ["/upload/storage/v1/b/{}/o", "/storage/v1/b/{}/o"])
    def test_uploads_say_their_type_and_go_to_their_own_path(self, gcs: GcsServer, bucket, path):
        query = {"name": "a", "uploadType": "other" if path.startswith("/upload") else "media"}
        assert gcs.ask("POST", path.format(bucket), b"x", **query).status == 400
        assert gcs.contents(bucket) == {}

    def test_a_missing_bucket_is_told(self, gcs: GcsServer):
        answer = gcs.ask("POST", "/upload/storage/v1/b/no-such-bucket/o", b"x", uploadType="media", name="a")
        assert (answer.status, answer.reason) == (404, "notFound")
        assert answer.json["error"]["message"] == "The specified bucket does not exist."


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["/", "a/", "/a", "a//b", "./a", "a/../b", "...", ".well-known/acme", "a\tb", "\x01", "\x7f", "\0", "\ufffe",
         "%2F", "a+b", "a?b#c", "ü", "u\u0308", "\U0001f600", "x" * 1024, "ü" * 512],
    )  # fmt: skip
    def test_what_can_be_a_name_is_kept_exactly(self, gcs: GcsServer, bucket, insert, name):
        assert insert({"name": name}).json["name"] == name
        assert gcs.ask("GET", f"b/{bucket}/o/{quote(name, safe='')}", alt="media").body == b"content"
        assert [item["name"] for item in gcs.ask("GET", f"b/{bucket}/o").json["items"]] == [name]

    @pytest.mark.parametrize(
        "name",
        ["", ".", "..", "a\nb", "a\rb", "x" * 1025, "ü" * 513, ".well-known/acme-challenge/a", "\ud800"],
        ids=["empty", "dot", "dots", "lf", "cr", "1025-bytes", "1026-bytes", "acme", "half-a-surrogate-pair"],
    )
    def test_what_cannot_be_a_name_is_refused(self, gcs: GcsServer, bucket, insert, name):
        assert insert({"name": name}).status == 400
        path = f"/upload/storage/v1/b/{bucket}/o"
        assert gcs.ask("POST", path, {"name": name}, uploadType="resumable").status == 400
        assert gcs.contents(bucket) == {}

    def test_a_slash_in_a_path_is_no_part_of_a_name(self, gcs: GcsServer, bucket):
        gcs.put(bucket, "a/b", b"")
        assert gcs.ask("GET", f"b/{bucket}/o/a/b").status == 404
        assert gcs.ask("GET", f"b/{bucket}/o/a%2Fb").status == 200

    def test_a_path_that_is_not_utf_8_is_refused(self, gcs: GcsServer, bucket):
        assert gcs.ask("GET", f"b/{bucket}/o/%ff").status == 400
        answer = gcs.ask("POST", f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name=%ff", b"x")
        assert answer.status == 400


class TestHashes:
    @pytest.mark.parametrize(
        ("claimed", "wrong"),
        [
            ({"md5Hash": WRONG}, ["MD5 hash"]),
            ({"crc32c": "AAAAAA=="}, ["CRC32C"]),
            ({"md5Hash": WRONG, "crc32c": "AAAAAA=="}, ["CRC32C", "MD5 hash"]),
        ],
        ids=["md5", "crc32c", "both"],
    )
    def test_content_that_has_another_is_refused(self, gcs: GcsServer, bucket, insert, claimed, wrong):
        answer = insert({"name": "a", **claimed})
        assert (answer.status, answer.reason) == (400, "invalid")
        errors = [error["message"] for error in answer.json["error"]["errors"]]
        assert [message.startswith(f"Provided {what} ") for message, what in zip(errors, wrong, strict=True)] == [
            True
        ] * len(wrong)
        assert gcs.contents(bucket) == {}

    def test_content_that_has_it_is_stored(self, gcs: GcsServer, bucket, insert):
        md5 = base64.b64encode(hashlib.md5(b"content").digest()).decode()
        assert insert({"name": "a", "md5Hash": md5}).status == 200
        assert gcs.contents(bucket) == {"a": b"content"}


class TestResumable:
    """https://cloud.google.com/storage/docs/performing-resumable-uploads."""

    @pytest.fixture
    def begin(self, gcs: GcsServer, bucket):
        """Begin an upload, and return what sends to its session: `send(content, content_range, method)`."""

        def begun(metadata: dict | None = None, headers: dict[str, str] | None = None, **query: object):
            path = f"/upload/storage/v1/b/{bucket}/o"
            answer = gcs.ask("POST", path, metadata or {}, headers, uploadType="resumable", **query)
            assert (answer.status, answer.body) == (200, b"")
            session = answer.headers["location"].removeprefix(gcs.endpoint_url)

            def send(
                content: bytes = b"",
                content_range: str | None = None,
                method: str = "PUT",
                headers: dict[str, str] | None = None,
            ) -> Answer:
                ranged = {} if content_range is None else {"Content-Range": content_range}
                return gcs.ask(method, session, content, {**ranged, **(headers or {})})

            return send

        return begun

    def test_content_may_come_at_once(self, gcs: GcsServer, bucket, begin):
        send = begin({"name": "a", "metadata": {"k": "v"}}, {"X-Upload-Content-Type": "text/plain"})
        assert gcs.open_uploads(bucket) == ["a"]
        answer = send(b"content")
        assert (answer.status, answer.json["contentType"]) == (200, "text/plain")
        assert answer.json["metadata"] == {"k": "v"}
        assert gcs.contents(bucket) == {"a": b"content"}
        assert gcs.open_uploads(bucket) == []

    @pytest.mark.parametrize("total", [True, False], ids=["size-known", "size-unknown"])
    @pytest.mark.parametrize("method", ["PUT", "POST"])
    def test_content_may_come_in_chunks(self, gcs: GcsServer, bucket, begin, total, method):
        content = os.urandom(2 * CHUNK + 10)
        whole = len(content) if total else "*"
        send = begin(name="a")
        first = send(content[:CHUNK], f"bytes 0-{CHUNK - 1}/{whole}", method)
        assert (first.status, first.headers["range"], first.body) == (308, f"bytes=0-{CHUNK - 1}", b"")
        second = send(content[CHUNK : 2 * CHUNK], f"bytes {CHUNK}-{2 * CHUNK - 1}/{whole}", method)
        assert (second.status, second.headers["range"]) == (308, f"bytes=0-{2 * CHUNK - 1}")
        assert gcs.contents(bucket) == {}
        assert send(content[2 * CHUNK :], f"bytes {2 * CHUNK}-{len(content) - 1}/{len(content)}", method).status == 200
        assert gcs.contents(bucket) == {"a": content}

    @pytest.mark.parametrize("size", [0, CHUNK])
    def test_what_has_come_can_be_declared_to_be_all(self, gcs: GcsServer, bucket, begin, size):
        send = begin(name="a")
        if size:
            assert send(b"x" * size, f"bytes 0-{size - 1}/*").status == 308
        assert send(b"", f"bytes */{size}").status == 200
        assert gcs.contents(bucket) == {"a": b"x" * size}

    def test_a_query_tells_how_much_is_held(self, gcs: GcsServer, bucket, begin):
        send = begin(name="a")
        for total in ("*", CHUNK + 1):
            answer = send(b"", f"bytes */{total}")
            assert (answer.status, "range" in answer.headers) == (308, False)
        send(b"x" * CHUNK, f"bytes 0-{CHUNK - 1}/{CHUNK + 1}")
        answer = send(b"", f"bytes */{CHUNK + 1}")
        assert (answer.status, answer.headers["range"]) == (308, f"bytes=0-{CHUNK - 1}")
        send(b"y", f"bytes {CHUNK}-{CHUNK}/{CHUNK + 1}")
        assert (answer := send(b"", "bytes */*")).status == 200
        assert answer.json["name"] == "a"

    def test_of_an_odd_chunk_whole_units_are_kept(self, begin):
        answer = begin(name="a")(b"x" * (CHUNK + 5), f"bytes 0-{CHUNK + 4}/*")
        assert (answer.status, answer.headers["range"]) == (308, f"bytes=0-{CHUNK - 1}")

    def test_a_chunk_that_is_too_small_is_refused(self, gcs: GcsServer, bucket, begin):
        send = begin(name="a")
        assert send(b"x" * (CHUNK - 1), f"bytes 0-{CHUNK - 2}/*").status == 400
        assert "range" not in send(b"", "bytes */*").headers

    def test_a_chunk_that_was_sent_before_counts_once(self, gcs: GcsServer, bucket, begin):
        content = os.urandom(2 * CHUNK)
        send = begin(name="a")
        for _ in range(2):
            answer = send(content[:CHUNK], f"bytes 0-{CHUNK - 1}/{2 * CHUNK}")
            assert answer.headers["range"] == f"bytes=0-{CHUNK - 1}"
        assert send(content, f"bytes 0-{2 * CHUNK - 1}/{2 * CHUNK}").status == 200
        assert gcs.contents(bucket) == {"a": content}

    def test_a_chunk_that_leaves_a_gap_is_refused(self, begin):
        answer = begin(name="a")(b"x", "bytes 5-5/6")
        assert (answer.status, answer.headers["content-type"]) == (503, "text/plain; charset=utf-8")
        assert b"the upload offset is 5 byte(s), which exceeds already uploaded size of 0 byte(s)" in answer.body

    @pytest.mark.parametrize(
        ("content", "content_range"),
        [(b"xy", "bytes 0-2/3"), (b"x", "bytes */1"), (b"x", "0-0/1"), (b"xyz", "bytes 0-2/2")],
        ids=["other-length", "query-with-body", "no-unit", "more-than-all"],
    )
    def test_a_range_that_makes_no_sense_is_refused(self, gcs: GcsServer, bucket, begin, content, content_range):
        assert begin(name="a")(content, content_range).status == 400
        assert gcs.contents(bucket) == {}

    def test_the_size_that_was_announced_is_kept_to(self, gcs: GcsServer, bucket, begin):
        send = begin(None, {"X-Upload-Content-Length": "3"}, name="a")
        assert send(b"four").status == 400
        assert send(b"2b").status == 400
        assert send(b"3by").status == 200

    def test_a_cancelled_one_is_gone(self, gcs: GcsServer, bucket, begin):
        send = begin(name="a")
        send(b"x" * CHUNK, f"bytes 0-{CHUNK - 1}/*")
        assert send(method="DELETE").status == 499
        assert send(b"", "bytes */*").status == 499
        assert send(b"y", f"bytes {CHUNK}-{CHUNK}/{CHUNK + 1}").status == 499
        assert gcs.contents(bucket) == {}
        assert gcs.open_uploads(bucket) == []

    def test_an_unknown_one_is_not_found(self, gcs: GcsServer, bucket):
        path = f"/upload/storage/v1/b/{bucket}/o"
        assert gcs.ask("PUT", path, b"x", uploadType="resumable", upload_id="unknown").status == 404

    def test_a_finished_one_goes_on_answering(self, gcs: GcsServer, bucket, begin):
        send = begin(name="a")
        made = send(b"content").json
        assert [send(b"content").json["generation"], send(b"", "bytes */7").json["generation"]] == [
            made["generation"]
        ] * 2
        assert send(method="DELETE").status == 499
        assert gcs.contents(bucket) == {"a": b"content"}

    @pytest.mark.parametrize("where", ["metadata", "header"])
    def test_content_that_has_another_hash_is_refused(self, gcs: GcsServer, bucket, begin, where):
        send = begin({"name": "a", **({"md5Hash": WRONG} if where == "metadata" else {})})
        answer = send(b"content", headers={"X-Goog-Hash": f"md5={WRONG}"} if where == "header" else None)
        assert (answer.status, answer.reason) == (400, "invalid")
        assert gcs.contents(bucket) == {}

    def test_conditions_are_judged_at_the_beginning_and_at_the_end(self, gcs: GcsServer, bucket, begin):
        send = begin(name="a", ifGenerationMatch=0)
        gcs.put(bucket, "a", b"somebody else's")
        path = f"/upload/storage/v1/b/{bucket}/o"
        assert gcs.ask("POST", path, {}, uploadType="resumable", name="a", ifGenerationMatch=0).status == 412
        assert send(b"content").status == 412
        assert gcs.contents(bucket) == {"a": b"somebody else's"}

    def test_clients_for_which_308_is_a_redirect_get_another_status(self, begin):
        answer = begin(name="a")(b"", "bytes */*", headers={"X-GUploader-No-308": "yes"})
        assert (answer.status, answer.headers["x-http-status-code-override"]) == (200, "308")


class TestGenerations:
    def test_each_write_has_a_higher_one(self, insert):
        generations = [int(insert({"name": name}).json["generation"]) for name in "aabba"]
        assert all(before < after for before, after in itertools.pairwise(generations))

    def test_a_new_etag_comes_with_content_and_with_metadata(self, gcs: GcsServer, bucket, insert):
        etags = [insert({"name": "a"}).json["etag"] for _ in range(2)]
        etags.append(gcs.ask("PATCH", f"b/{bucket}/o/a", {"metadata": {"k": "v"}}).json["etag"])
        assert len(set(etags)) == 3

    def test_of_many_who_create_one_object_one_succeeds(self, insert):
        statuses = []
        start = threading.Barrier(12)

        def create():
            start.wait()
            statuses.append(insert({"name": "a"}, os.urandom(1000), ifGenerationMatch=0).status)

        threads = [threading.Thread(target=create) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200] + [412] * 11
