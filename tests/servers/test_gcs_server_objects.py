"""What the Cloud Storage of the tests does to objects that are there: conditions, bytes, metadata, copies, batches."""

import gzip
import os
import re

import pytest

from tests.servers.gcs import Answer, GcsServer, running_gcs

MIB = 1024 * 1024


@pytest.fixture
def bucket(gcs: GcsServer) -> str:
    return gcs.make_bucket()


def test_what_is_missing_is_told_apart(gcs: GcsServer, bucket):
    for query in ({}, {"generation": 5}):
        answer = gcs.ask("GET", f"b/{bucket}/o/a%2Fb", **query)
        assert (answer.status, answer.reason) == (404, "notFound")
        message = f"No such object: {bucket}/a/b"
        assert answer.json == {
            "error": {
                "code": 404,
                "message": message,
                "errors": [{"message": message, "domain": "global", "reason": "notFound"}],
            }
        }
        media = gcs.ask("GET", f"b/{bucket}/o/a%2Fb", alt="media", **query)
        assert (media.status, media.body) == (404, message.encode())
        assert media.headers["content-type"] == "text/html; charset=UTF-8"
    for path in ("b/no-such-bucket/o/a", "b/no-such-bucket", "b/no-such-bucket/o"):
        answer = gcs.ask("GET", path)
        assert (answer.status, answer.json["error"]["message"]) == (404, "The specified bucket does not exist.")


class TestConditions:
    """https://cloud.google.com/storage/docs/request-preconditions."""

    @pytest.fixture
    def stored(self, gcs: GcsServer, bucket) -> int:
        generation = gcs.put(bucket, "a", b"content", metadata={"k": "v"})
        gcs.ask("PATCH", f"b/{bucket}/o/a", {"metadata": {"k": "w"}})
        return generation

    def ask(self, gcs: GcsServer, bucket: str, what: str, **query: object) -> Answer:
        if what == "insert":
            return gcs.ask("POST", f"/upload/storage/v1/b/{bucket}/o", b"new", uploadType="media", name="a", **query)
        if what == "media":
            return gcs.ask("GET", f"b/{bucket}/o/a", alt="media", **query)
        if what == "compose":
            body = {"sourceObjects": [{"name": "a"}]}
            return gcs.ask("POST", f"b/{bucket}/o/a/compose", body, **query)
        if what in {"copyTo", "rewriteTo"}:
            return gcs.ask("POST", f"b/{bucket}/o/a/{what}/b/{bucket}/o/a", **query)
        return gcs.ask(what, f"b/{bucket}/o/a", {} if what in {"PATCH", "PUT"} else b"", **query)

    everything = ("insert", "media", "GET", "PATCH", "PUT", "DELETE", "compose", "copyTo", "rewriteTo")

    @pytest.mark.parametrize("what", everything)
    @pytest.mark.parametrize(
        ("condition", "value", "refused"),
        [
            ("ifGenerationMatch", "same", None),
            ("ifGenerationMatch", "other", 412),
            ("ifGenerationMatch", 0, 412),
            ("ifGenerationNotMatch", "same", 304),
            ("ifGenerationNotMatch", "other", None),
            ("ifGenerationNotMatch", 0, None),
            ("ifMetagenerationMatch", 2, None),
            ("ifMetagenerationMatch", 1, 412),
            ("ifMetagenerationNotMatch", 2, 304),
            ("ifMetagenerationNotMatch", 1, None),
        ],
    )
    def test_they_are_judged_everywhere(self, gcs: GcsServer, bucket, stored, what, condition, value, refused):  # noqa: PLR0917
        before = gcs.resource(bucket, "a")
        answer = self.ask(gcs, bucket, what, **{condition: {"same": stored, "other": stored + 1}.get(value, value)})
        if refused is None:
            assert answer.status in {200, 204}
            return
        assert answer.status == refused
        assert gcs.resource(bucket, "a") == before
        if refused == 304:
            assert answer.body == b""
        elif what == "media":
            assert answer.body == b"At least one of the pre-conditions you specified did not hold."
        else:
            assert answer.reason == "conditionNotMet"

    @pytest.mark.parametrize("what", ["insert", "compose", "copyTo", "rewriteTo"])
    def test_an_object_that_is_not_there_has_generation_zero(self, gcs: GcsServer, bucket, what):
        gcs.put(bucket, "source", b"content")

        def ask(**query):
            target = f"b/{bucket}/o/new"
            if what == "insert":
                path = f"/upload/storage/v1/b/{bucket}/o"
                return gcs.ask("POST", path, b"new", uploadType="media", name="new", **query)
            if what == "compose":
                return gcs.ask("POST", f"{target}/compose", {"sourceObjects": [{"name": "source"}]}, **query)
            return gcs.ask("POST", f"b/{bucket}/o/source/{what}/{target}", **query)

        assert ask(ifGenerationMatch=5).status == 412
        assert ask(ifGenerationNotMatch=0).status == 304
        assert ask(ifGenerationMatch=0).status == 200
        assert ask(ifGenerationMatch=0).status == 412

    def test_missing_objects_are_missing_whatever_the_condition(self, gcs: GcsServer, bucket):
        for method in ("GET", "PATCH", "DELETE"):
            assert gcs.ask(method, f"b/{bucket}/o/a", ifGenerationMatch=5).status == 404

    def test_a_number_is_a_number(self, gcs: GcsServer, bucket, stored):
        answer = gcs.ask("GET", f"b/{bucket}/o/a", ifGenerationMatch="x")
        assert (answer.status, answer.reason) == (400, "invalid")


class TestBytes:
    @pytest.mark.parametrize("path", ["/storage/v1/b/{}/o/a", "/download/storage/v1/b/{}/o/a"])
    def test_they_come_with_what_is_known_of_them(self, gcs: GcsServer, bucket, path):
        generation = gcs.put(bucket, "a", b"content", contentType="text/css", cacheControl="no-store")
        answer = gcs.ask("GET", path.format(bucket), alt="media")
        resource = gcs.resource(bucket, "a")
        assert (answer.status, answer.body) == (200, b"content")
        wanted = {
            "content-type": "text/css",
            "content-length": "7",
            "cache-control": "no-store",
            "etag": resource["etag"],
            "x-goog-generation": str(generation),
            "x-goog-metageneration": "1",
            "x-goog-hash": f"crc32c={resource['crc32c']},md5={resource['md5Hash']}",
            "x-goog-stored-content-encoding": "identity",
            "x-goog-stored-content-length": "7",
        }
        assert answer.headers.items() >= wanted.items()

    @pytest.mark.parametrize(
        ("asked", "status", "body", "told"),
        [
            ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
            ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
            ("bytes=9-100", 206, b"9", "bytes 9-9/10"),
            ("bytes=-3", 206, b"789", "bytes 7-9/10"),
            ("bytes=-30", 206, b"0123456789", "bytes 0-9/10"),
            ("bytes=10-", 416, b"Request range not satisfiable", "bytes */10"),
            ("bytes=-0", 416, b"Request range not satisfiable", "bytes */10"),
            ("bytes=5-2", 200, b"0123456789", None),
            ("bytes=0-1,3-4", 200, b"0123456789", None),
            ("lines=1-2", 200, b"0123456789", None),
        ],
    )
    def test_a_range_can_be_asked_for(self, gcs: GcsServer, bucket, asked, status, body, told):  # noqa: PLR0917
        gcs.put(bucket, "a", b"0123456789")
        answer = gcs.ask("GET", f"b/{bucket}/o/a", headers={"Range": asked}, alt="media")
        assert (answer.status, answer.body, answer.headers.get("content-range")) == (status, body, told)

    def test_an_empty_object_has_no_range(self, gcs: GcsServer, bucket):
        gcs.put(bucket, "a", b"")
        assert gcs.ask("GET", f"b/{bucket}/o/a", headers={"Range": "bytes=0-"}, alt="media").status == 416

    def test_a_generation_that_was_replaced_is_gone(self, gcs: GcsServer, bucket):
        first = gcs.put(bucket, "a", b"first")
        second = gcs.put(bucket, "a", b"second")
        assert gcs.ask("GET", f"b/{bucket}/o/a", alt="media", generation=second).body == b"second"
        assert gcs.ask("GET", f"b/{bucket}/o/a", alt="media", generation=first).status == 404


class TestTranscoding:
    """https://cloud.google.com/storage/docs/transcoding."""

    plain = b"some text " * 1000

    @pytest.fixture
    def packed(self, gcs: GcsServer, bucket) -> bytes:
        content = gzip.compress(self.plain)
        gcs.put(bucket, "a", content, contentEncoding="gzip")
        return content

    @pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-3"}, {"Accept-Encoding": "identity"}], ids=str)
    def test_what_is_stored_compressed_is_decompressed(self, gcs: GcsServer, bucket, packed, headers):
        answer = gcs.ask("GET", f"b/{bucket}/o/a", headers=headers, alt="media")
        assert (answer.status, answer.body) == (200, self.plain)
        assert not answer.headers.keys() & {"content-encoding", "content-length", "content-range"}
        assert answer.headers["x-goog-stored-content-encoding"] == "gzip"
        assert answer.headers["x-goog-stored-content-length"] == str(len(packed))
        assert gcs.resource(bucket, "a")["md5Hash"] in answer.headers["x-goog-hash"]

    def test_whoever_accepts_gzip_gets_it(self, gcs: GcsServer, bucket, packed):
        answer = gcs.ask("GET", f"b/{bucket}/o/a", headers={"Accept-Encoding": "gzip"}, alt="media")
        assert (answer.body, answer.headers["content-encoding"]) == (packed, "gzip")
        assert answer.headers["content-length"] == str(len(packed))
        headers = {"Accept-Encoding": "gzip", "Range": "bytes=2-5"}
        answer = gcs.ask("GET", f"b/{bucket}/o/a", headers=headers, alt="media")
        assert (answer.status, answer.body) == (206, packed[2:6])

    def test_an_object_can_forbid_it(self, gcs: GcsServer, bucket, packed):
        gcs.put(bucket, "b", packed, contentEncoding="gzip", cacheControl="no-transform")
        assert gcs.ask("GET", f"b/{bucket}/o/b", alt="media").body == packed

    def test_what_only_claims_to_be_gzip_is_left_alone(self, gcs: GcsServer, bucket):
        gcs.put(bucket, "c", b"no gzip", contentEncoding="gzip")
        assert gcs.ask("GET", f"b/{bucket}/o/c", alt="media").body == b"no gzip"


class TestMetadata:
    def test_a_patch_changes_what_it_names(self, gcs: GcsServer, bucket):
        generation = gcs.put(bucket, "a", b"", contentType="text/css", cacheControl="x", metadata={"a": "1", "b": "2"})
        changes = {"cacheControl": None, "contentLanguage": "en", "metadata": {"b": None, "c": "3"}, "size": "7"}
        resource = gcs.ask("PATCH", f"b/{bucket}/o/a", changes).json
        assert (resource["contentType"], resource["contentLanguage"]) == ("text/css", "en")
        assert (resource["metadata"], "cacheControl" in resource) == ({"a": "1", "c": "3"}, False)
        assert (resource["generation"], resource["metageneration"], resource["size"]) == (str(generation), "2", "0")

    def test_an_update_replaces_everything(self, gcs: GcsServer, bucket):
        gcs.put(bucket, "a", b"", contentType="text/css", metadata={"a": "1"})
        resource = gcs.ask("PUT", f"b/{bucket}/o/a", {"contentType": "image/png"}).json
        assert (resource["contentType"], "metadata" in resource) == ("image/png", False)

    @pytest.mark.parametrize("fields", ["name,size", "metadata"])
    def test_fields_can_be_chosen(self, gcs: GcsServer, bucket, fields):
        gcs.put(bucket, "a", b"", metadata={"k": "v"})
        assert gcs.ask("GET", f"b/{bucket}/o/a", fields=fields).json.keys() == set(fields.split(","))


class TestDeletes:
    def test_a_deleted_object_is_gone(self, gcs: GcsServer, bucket):
        gcs.put(bucket, "a", b"")
        answer = gcs.ask("DELETE", f"b/{bucket}/o/a")
        assert (answer.status, answer.body) == (204, b"")
        assert gcs.ask("DELETE", f"b/{bucket}/o/a").status == 404

    def test_a_versioned_bucket_keeps_it_until_its_generation_is_deleted(self, gcs: GcsServer):
        bucket = gcs.make_bucket(versioning={"enabled": True})
        generation = gcs.put(bucket, "a", b"content")
        gcs.ask("DELETE", f"b/{bucket}/o/a")
        assert gcs.ask("GET", f"b/{bucket}/o/a", alt="media").status == 404
        assert gcs.ask("GET", f"b/{bucket}/o/a", alt="media", generation=generation).body == b"content"
        assert gcs.ask("DELETE", f"b/{bucket}").status == 409
        assert gcs.ask("DELETE", f"b/{bucket}/o/a", generation=generation).status == 204
        assert gcs.ask("DELETE", f"b/{bucket}").status == 204

    @pytest.mark.parametrize(("field", "kind"), [("temporaryHold", "Temporary"), ("eventBasedHold", "Event-Based")])
    def test_what_is_held_stays(self, gcs: GcsServer, bucket, field, kind):
        gcs.put(bucket, "a", b"content", **{field: True})
        path = f"/upload/storage/v1/b/{bucket}/o"
        for answer in (
            gcs.ask("DELETE", f"b/{bucket}/o/a"),
            gcs.ask("POST", path, b"new", uploadType="media", name="a"),
            gcs.ask("POST", f"b/{bucket}/o/a/moveTo/o/b"),
            gcs.ask("POST", f"b/{bucket}/o/a/compose", {"sourceObjects": [{"name": "a"}]}),
        ):
            assert (answer.status, answer.reason) == (403, "forbidden")
            assert f"is under active {kind} hold" in answer.json["error"]["message"]
        assert gcs.ask("DELETE", f"b/{bucket}/o/a", ifGenerationMatch=5).status == 412
        assert gcs.ask("PATCH", f"b/{bucket}/o/a", {field: False}).status == 200
        assert gcs.ask("DELETE", f"b/{bucket}/o/a").status == 204

    def test_what_is_retained_stays(self, gcs: GcsServer):
        bucket = gcs.make_bucket(retentionPolicy={"retentionPeriod": "3600"})
        gcs.put(bucket, "a", b"content")
        answer = gcs.ask("DELETE", f"b/{bucket}/o/a")
        assert (answer.status, answer.reason) == (403, "retentionPolicyNotMet")
        gcs.ask("PATCH", f"b/{bucket}", {"retentionPolicy": None})
        assert gcs.ask("DELETE", f"b/{bucket}/o/a").status == 204


class TestRequesterPays:
    def test_somebody_has_to(self, gcs: GcsServer):
        bucket = gcs.make_bucket(billing={"requesterPays": True})
        gcs.put(bucket, "a", b"content")
        answer = gcs.ask("GET", f"b/{bucket}/o")
        assert (answer.status, answer.reason) == (400, "required")
        message = "Bucket is a requester pays bucket but no user project provided."
        assert answer.json["error"]["message"] == message
        assert gcs.ask("GET", f"b/{bucket}/o/a", alt="media").body == message.encode()
        assert gcs.ask("GET", f"b/{bucket}/o", userProject="p").status == 200
        assert gcs.ask("GET", f"b/{bucket}/o", headers={"X-Goog-User-Project": "p"}).status == 200


class TestCopies:
    @pytest.mark.parametrize("how", ["copyTo", "rewriteTo"])
    @pytest.mark.parametrize(
        ("body", "metadata", "content_type"),
        [(b"", {"k": "v"}, "text/css"), ({}, {"k": "v"}, "text/css"), ({"metadata": {"n": "w"}}, {"n": "w"}, None)],
        ids=["no-body", "empty", "other-metadata"],
    )
    def test_metadata_is_kept_or_replaced(self, gcs: GcsServer, bucket, how, body, metadata, content_type):  # noqa: PLR0917
        other = gcs.make_bucket()
        gcs.put(bucket, "a/b", b"content", contentType="text/css", metadata={"k": "v"})
        answer = gcs.ask("POST", f"b/{bucket}/o/a%2Fb/{how}/b/{other}/o/c%2Fd", body)
        assert answer.status == 200
        assert gcs.contents(other) == {"c/d": b"content"}
        resource = gcs.resource(other, "c/d")
        assert (resource["metadata"], resource.get("contentType")) == (metadata, content_type)
        assert resource == (answer.json if how == "copyTo" else answer.json["resource"])
        assert resource["md5Hash"] == gcs.resource(bucket, "a/b")["md5Hash"]

    @pytest.mark.parametrize("how", ["copyTo", "rewriteTo"])
    def test_the_source_can_have_conditions(self, gcs: GcsServer, bucket, how):
        generation = gcs.put(bucket, "a", b"content")
        path = f"b/{bucket}/o/a/{how}/b/{bucket}/o/b"
        assert gcs.ask("POST", path, ifSourceGenerationMatch=generation + 1).status == 412
        assert gcs.ask("POST", path, ifSourceGenerationNotMatch=generation).status == 304
        assert gcs.ask("POST", path, sourceGeneration=generation + 1).status == 404
        assert gcs.ask("POST", path, ifSourceGenerationMatch=generation, ifSourceMetagenerationMatch=1).status == 200

    def test_one_call_tells_that_it_is_done(self, gcs: GcsServer, bucket):
        gcs.put(bucket, "a", b"content")
        path = f"b/{bucket}/o/a/rewriteTo/b/{bucket}/o/b"
        answer = gcs.ask("POST", path, maxBytesRewrittenPerCall=MIB).json
        assert answer.keys() == {"kind", "done", "totalBytesRewritten", "objectSize", "resource"}
        assert (answer["done"], answer["totalBytesRewritten"], answer["objectSize"]) == (True, "7", "7")
        assert gcs.ask("POST", path, maxBytesRewrittenPerCall=MIB + 1).status == 400

    def test_several_calls_pass_a_token_on(self):
        content = os.urandom(3 * MIB + 5)
        with running_gcs(rewrite_bytes=2 * MIB) as server:
            bucket = server.make_bucket()
            server.put(bucket, "a", content)
            path = f"b/{bucket}/o/a/rewriteTo/b/{bucket}/o/b"
            first = server.ask("POST", path, maxBytesRewrittenPerCall=MIB).json
            assert (first["done"], first["totalBytesRewritten"]) == (False, str(MIB))
            assert "resource" not in first
            token = first["rewriteToken"]
            other = f"b/{bucket}/o/a/rewriteTo/b/{bucket}/o/c"
            assert server.ask("POST", other, rewriteToken=token).status == 400
            assert server.ask("POST", path, rewriteToken="nonsense").status == 400
            second = server.ask("POST", path, rewriteToken=token).json
            assert (second["done"], second["totalBytesRewritten"]) == (False, str(3 * MIB))
            assert list(server.contents(bucket)) == ["a"]
            assert server.ask("POST", path, rewriteToken=token).json["done"]
            assert server.contents(bucket)["b"] == content

    def test_a_rewrite_ends_when_its_source_is_replaced(self):
        with running_gcs(rewrite_bytes=1) as server:
            bucket = server.make_bucket()
            server.put(bucket, "a", b"first")
            path = f"b/{bucket}/o/a/rewriteTo/b/{bucket}/o/b"
            token = server.ask("POST", path).json["rewriteToken"]
            server.put(bucket, "a", b"other")
            assert server.ask("POST", path, rewriteToken=token).status == 412
            assert list(server.contents(bucket)) == ["a"]

    def test_a_move_leaves_one_object(self, gcs: GcsServer, bucket):
        generation = gcs.put(bucket, "a", b"content", metadata={"k": "v"})
        path = f"b/{bucket}/o/a/moveTo/o/b%2Fc"
        assert gcs.ask("POST", path, ifSourceGenerationMatch=generation + 1).status == 412
        assert gcs.ask("POST", path, ifGenerationMatch=0).json["metadata"] == {"k": "v"}
        assert gcs.contents(bucket) == {"b/c": b"content"}
        assert gcs.ask("POST", f"b/{bucket}/o/b%2Fc/moveTo/o/b%2Fc").status == 400


class TestCompositions:
    """https://cloud.google.com/storage/docs/composite-objects."""

    def compose(self, gcs: GcsServer, bucket: str, *sources: dict, **destination: object) -> Answer:
        body = {"sourceObjects": list(sources), "destination": destination}
        return gcs.ask("POST", f"b/{bucket}/o/whole/compose", body)

    def test_they_have_a_count_and_no_md5(self, gcs: GcsServer, bucket):
        for key in "abc":
            gcs.put(bucket, key, key.encode())
        first = self.compose(gcs, bucket, {"name": "a"}, {"name": "b"}, contentType="text/plain").json
        assert (first["componentCount"], first["contentType"], "md5Hash" in first) == (2, "text/plain", False)
        second = self.compose(gcs, bucket, {"name": "whole"}, {"name": "c"}).json
        assert second["componentCount"] == 3
        gcs.put(bucket, "same", b"abc")
        assert second["crc32c"] == gcs.resource(bucket, "same")["crc32c"]
        answer = gcs.ask("GET", f"b/{bucket}/o/whole", alt="media")
        assert (answer.body, answer.headers["x-goog-component-count"]) == (b"abc", "3")
        assert re.fullmatch("crc32c=[^,]+", answer.headers["x-goog-hash"])

    def test_a_copy_of_one_is_one(self, gcs: GcsServer, bucket):
        gcs.compose(bucket, "whole", [b"a", b"b"])
        resource = gcs.ask("POST", f"b/{bucket}/o/whole/copyTo/b/{bucket}/o/copy").json
        assert (resource["componentCount"], "md5Hash" in resource) == (2, False)

    def test_sources_can_have_conditions(self, gcs: GcsServer, bucket):
        generation = gcs.put(bucket, "a", b"a")
        condition = {"ifGenerationMatch": str(generation + 1)}
        assert self.compose(gcs, bucket, {"name": "a", "objectPreconditions": condition}).status == 412
        assert self.compose(gcs, bucket, {"name": "a", "generation": str(generation + 1)}).status == 404
        assert self.compose(gcs, bucket, {"name": "a", "generation": str(generation)}).status == 200

    @pytest.mark.parametrize("count", [0, 33])
    def test_there_are_between_1_and_32_sources(self, gcs: GcsServer, bucket, count):
        gcs.put(bucket, "a", b"a")
        assert self.compose(gcs, bucket, *[{"name": "a"}] * 32).json["size"] == "32"
        assert self.compose(gcs, bucket, *[{"name": "a"}] * count).status == 400


class TestBatches:
    """https://cloud.google.com/storage/docs/batch."""

    def batch(self, gcs: GcsServer, *calls: str, headers: dict[str, str] | None = None) -> Answer:
        parts = [
            f"--b0\r\nContent-Type: application/http\r\nContent-ID: <id+{number}>\r\n\r\n{call}\r\n"
            for number, call in enumerate(calls)
        ]
        content_type = {"Content-Type": "multipart/mixed; boundary=b0"}
        return gcs.ask("POST", "/batch/storage/v1", "".join(parts) + "--b0--", {**content_type, **(headers or {})})

    def test_every_call_is_answered_in_its_place(self, gcs: GcsServer, bucket):
        generation = gcs.put(bucket, "a/b", b"")
        gcs.put(bucket, "c", b"")
        change = '{"metadata": {"k": "v"}}'
        answer = self.batch(
            gcs,
            f"DELETE /storage/v1/b/{bucket}/o/a%2Fb?ifGenerationMatch={generation + 1} HTTP/1.1\r\n",
            f"DELETE /storage/v1/b/{bucket}/o/nothing HTTP/1.1\r\n\r\n",
            f"PATCH /storage/v1/b/{bucket}/o/c HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{change}",
            f"DELETE /storage/v1/b/{bucket}/o/a%2Fb?ifGenerationMatch={generation} HTTP/1.1\r\n\r\n",
        )
        assert answer.status == 200
        boundary = answer.headers["content-type"].partition("boundary=")[2]
        first, *parts, last = answer.body.decode().split(f"--{boundary}")
        assert (first, last) == ("", "--\r\n")
        assert [re.search(r"Content-ID: <(.*)>", part)[1] for part in parts] == [f"response-id+{n}" for n in range(4)]
        assert [re.search(r"HTTP/1\.1 (\d+)", part)[1] for part in parts] == ["412", "404", "200", "204"]
        assert "conditionNotMet" in parts[0]
        assert list(gcs.contents(bucket)) == ["c"]
        assert gcs.resource(bucket, "c")["metadata"] == {"k": "v"}

    @pytest.mark.parametrize(("calls", "status"), [(100, 200), (101, 400)])
    def test_there_are_at_most_a_hundred(self, gcs: GcsServer, bucket, calls, status):
        gcs.put(bucket, "a", b"")
        answer = self.batch(gcs, *[f"DELETE /storage/v1/b/{bucket}/o/a HTTP/1.1\r\n"] * calls)
        assert answer.status == status
        assert gcs.contents(bucket) == ({} if status == 200 else {"a": b""})

    @pytest.mark.parametrize(
        "call", ["POST /upload/storage/v1/b/{}/o?uploadType=media&name=b", "GET /storage/v1/b/{}/o/a?alt=media", ""]
    )
    def test_bytes_and_nonsense_are_refused(self, gcs: GcsServer, bucket, call):
        gcs.put(bucket, "a", b"")
        assert self.batch(gcs, call.format(bucket)).status == 400
        assert list(gcs.contents(bucket)) == ["a"]

    def test_the_outer_token_counts_for_every_call(self, gcs_guarded: GcsServer):
        bucket = gcs_guarded.make_bucket()
        call = f"GET /storage/v1/b/{bucket} HTTP/1.1\r\n"
        assert self.batch(gcs_guarded, call).status == 401
        answer = self.batch(gcs_guarded, call, headers={"Authorization": f"Bearer {gcs_guarded.options['token']}"})
        assert b"HTTP/1.1 200 " in answer.body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/storage/v1/nothing", 404),
        ("POST", "b/{}/o/a", 405),
        ("POST", "b/{}", 405),
        ("GET", "b/{}/o/a/compose", 404),
        ("GET", "/upload/storage/v1/b/{}/o", 405),
        ("POST", "b", 400),
    ],
)
def test_other_requests_are_refused(gcs: GcsServer, bucket, method, path, status):
    gcs.put(bucket, "a", b"")
    assert gcs.ask(method, path.format(bucket)).status == status
