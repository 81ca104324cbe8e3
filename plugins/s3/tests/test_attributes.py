"""What objects carry: to S3 and back."""

import pytest
from cloudsync_s3.attributes import from_response, to_request
from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core.backends.objectstore.words import AttributesError
from cloudsync_core.body import Body
from cloudsync_core.errors import Disposition, UnsupportedOperationError
from cloudsync_core.models import Attributes


def there_and_back(attributes):
    return from_response(to_request(attributes))


class TestTimes:
    @pytest.mark.parametrize(
        ("nanoseconds", "written"),
        [
            (0, "0"),
            (1, "0.000000001"),
            (1_500_000_000, "1.5"),
            (1_354_040_105_123_123_123, "1354040105.123123123"),
            (1_354_040_105_000_000_000, "1354040105"),
            (-1, "-0.000000001"),
            (-1_500_000_000, "-1.5"),
        ],
    )
    def test_time_is_written_as_rclone_writes_it(self, nanoseconds, written):
        assert to_request(Attributes(mtime_ns=nanoseconds))["Metadata"] == {"mtime": written}
        assert from_response({"Metadata": {"mtime": written}}) == Attributes(mtime_ns=nanoseconds)

    @given(st.integers(-(10**19), 10**19))
    def test_every_time_comes_back(self, nanoseconds):
        assert there_and_back(Attributes(mtime_ns=nanoseconds)).mtime_ns == nanoseconds

    @pytest.mark.parametrize("text", ["", "yesterday", "1e9", "1.", ".5", "1.0000000001", "1.5s", "+1", " 1"])
    def test_metadata_of_that_name_that_is_no_time_is_the_users_own(self, text):
        assert from_response({"Metadata": {"mtime": text}}) == Attributes(metadata={"mtime": text})

    def test_rclone_understands_the_time(self, moto_s3, open_s3):
        import json
        import os
        import subprocess

        from tests.servers.s3 import rclone_binary

        bucket = moto_s3.make_bucket()
        open_s3(moto_s3, bucket).put("key", Body(b"x"), attributes=Attributes(mtime_ns=1_354_040_105_123_456_789))
        env = {
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_ORACLE_TYPE": "s3",
            "RCLONE_CONFIG_ORACLE_PROVIDER": "Other",
            "RCLONE_CONFIG_ORACLE_ENDPOINT": moto_s3.endpoint_url,
            "RCLONE_CONFIG_ORACLE_ACCESS_KEY_ID": moto_s3.access_key_id,
            "RCLONE_CONFIG_ORACLE_SECRET_ACCESS_KEY": moto_s3.secret_access_key,
        }
        listed = subprocess.run(
            [rclone_binary(), "lsjson", f"oracle:{bucket}"], env={**os.environ, **env}, capture_output=True, check=True
        )
        [found] = json.loads(listed.stdout)
        assert found["ModTime"].startswith("2012-11-27T18:15:05.123456789")


class TestMetadata:
    @given(st.dictionaries(st.from_regex(r"[a-z0-9-]{1,10}", fullmatch=True), st.text(max_size=30), max_size=4))
    def test_every_text_comes_back(self, metadata):
        metadata = {name: value for name, value in metadata.items() if name != "mtime"}
        request = to_request(Attributes(metadata=metadata))
        for value in request["Metadata"].values():
            assert value.isascii()
            assert value.isprintable()
            assert value == value.strip()
        assert there_and_back(Attributes(metadata=metadata)).metadata == metadata

    @pytest.mark.parametrize("value", ["=?UTF-8?B?w7w=?=", "=?utf-8?q?=C3=BC?=", "a =?x?b?y?= b"])
    def test_text_that_looks_encoded_comes_back(self, value):
        assert there_and_back(Attributes(metadata={"name": value})).metadata == {"name": value}

    def test_what_S3_encoded_is_decoded(self):
        assert from_response({"Metadata": {"x": "=?UTF-8?Q?=C3=BCber?="}}).metadata == {"x": "über"}

    def test_what_cannot_be_decoded_stays(self):
        assert from_response({"Metadata": {"x": "=?no-such-charset?B?AA?="}}).metadata == {
            "x": "=?no-such-charset?B?AA?="
        }

    def test_names_become_lower_case(self):
        assert there_and_back(Attributes(metadata={"Owner": "me"})).metadata == {"owner": "me"}
        assert from_response({"Metadata": {"Owner": "me"}}).metadata == {"owner": "me"}

    @pytest.mark.parametrize("name", ["", "a b", "ü", "a:b", "a\nb", "(x)"])
    def test_name_that_no_header_can_have_is_refused(self, name):
        with pytest.raises(AttributesError, match="cannot store metadata of the name"):
            to_request(Attributes(metadata={name: "x"}))

    def test_our_own_bookkeeping_is_not_shown_and_not_copied(self):
        assert from_response({"Metadata": {"cloudsync-part-size": "5"}}) == Attributes()
        assert to_request(Attributes(metadata={"cloudsync-part-size": "5"})) == {"Metadata": {}}


class TestHeaders:
    def test_headers_come_back(self):
        given_attributes = Attributes("text/plain", "no-cache", "gzip", "inline", "de")
        assert there_and_back(given_attributes) == given_attributes

    def test_unset_type_is_none(self):
        assert from_response({"ContentType": "binary/octet-stream"}) == Attributes()

    @pytest.mark.parametrize(
        ("stored", "meant"), [("aws-chunked", None), ("aws-chunked,gzip", "gzip"), ("gzip, br", "gzip, br"), ("", None)]
    )
    def test_how_an_upload_was_sent_is_not_the_contents_encoding(self, stored, meant):
        assert from_response({"ContentEncoding": stored}).content_encoding == meant

    @pytest.mark.parametrize("name", ["content_type", "cache_control", "content_disposition"])
    def test_line_breaks_are_refused(self, name):
        with pytest.raises(AttributesError, match=name):
            to_request(Attributes(**{name: "a\r\nx-amz-acl: public-read"}))


class TestOnServers:
    def test_all_of_it_comes_back(self, s3_server, open_s3):
        backend = open_s3(s3_server, s3_server.make_bucket())
        carried = Attributes(
            content_type="text/x-demo",
            cache_control="max-age=60",
            content_disposition="attachment; filename=\"x.txt\"; filename*=UTF-8''%C3%BC.txt",
            content_language="de",
            mtime_ns=1_234_567_890_123_456_789,
            metadata={"plain": "text", "umlaut": "für", "empty": "", "spaced": " a ", "lines": "a\nb"},
        )
        backend.put("key", Body(b"x"), attributes=carried)
        found = backend.stat("key").attributes
        expected = dict(carried.metadata)
        if s3_server.name == "rclone":
            expected.pop("empty")  # rclone keeps no empty values
            expected.update({"empty": ""} if "empty" in found.metadata else {})
        assert dict(found.metadata) == expected
        assert (found.content_type, found.mtime_ns) == (carried.content_type, carried.mtime_ns)

    def test_what_cannot_be_stored_fails_the_object_only(self, moto_s3, open_s3):
        backend = open_s3(moto_s3, moto_s3.make_bucket())
        with pytest.raises(UnsupportedOperationError, match=r"put s3://.*/key: S3 cannot store") as caught:
            backend.put("key", Body(b"x"), attributes=Attributes(metadata={"a b": "hush-hush"}))
        assert caught.value.disposition is Disposition.SKIP
        assert "hush-hush" not in str(caught.value)
        assert list(backend.list()) == []
