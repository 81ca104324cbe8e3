"""What an object carries survives the way to Azure and back."""

import json
import os
import subprocess

import pytest
from cloudsync_azure.attributes import METADATA, from_headers, is_folder, to_headers
from hypothesis import example, given
from hypothesis import strategies as st

from cloudsync_core.backends.objectstore.words import AttributesError
from cloudsync_core.body import Body
from cloudsync_core.errors import Disposition
from cloudsync_core.models import Attributes
from tests.servers.s3 import rclone_binary

names = st.text(st.characters(exclude_categories=["Cs", "Lu", "Lt"]), min_size=1, max_size=20).filter(
    lambda name: name == name.lower() and name != "mtime"
)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def there_and_back(attributes):
    headers = to_headers(attributes)
    assert all(name.isascii() and value.isascii() and value.isprintable() for name, value in headers.items())
    answered = {name.replace("x-ms-blob-", ""): value for name, value in headers.items()}
    return from_headers(answered)


@given(st.dictionaries(names, values, max_size=4))
@example(
    {"dash-ed": "a=b&c", "1st": "", "a_2d_b": "=?UTF-8?B?eA==?=", "ä": " padded ", "_": "two  spaces", "_2d_": "x"}
)
@example({"a_c3_b": "\x00", "_ff_": "1", "-_61_-": "é"})
@example({"_00:": "what is escaped after it ends in what would be an escape"})
def test_metadata_survives(metadata):
    found = there_and_back(Attributes(metadata=metadata))
    assert dict(found.metadata) == metadata


@given(st.integers(-(10**20), 10**20))
@example(0)
@example(-1)
@example(1_234_567_890_123_456_789)
@example(253_402_300_799_999_999_999)
@example(253_402_300_800_000_000_000)
def test_times_survive(mtime_ns):
    assert there_and_back(Attributes(mtime_ns=mtime_ns)).mtime_ns == mtime_ns


def test_headers_survive():
    given = Attributes(
        content_type="text/html; charset=utf-8",
        cache_control="max-age=60, public",
        content_encoding="gzip",
        content_disposition='attachment; filename="x.txt"',
        content_language="de, en",
    )
    assert there_and_back(given) == given


@pytest.mark.parametrize(
    ("text", "mtime_ns"),
    [
        ("2006-01-02T15:04:05.000000001Z", 1136214245_000000001),
        ("2006-01-02T15:04:05Z", 1136214245_000000000),
        ("2006-01-02t15:04:05.5z", 1136214245_500000000),
        ("2006-01-02T16:04:05.5+01:00", 1136214245_500000000),
        ("1136214245.5", 1136214245_500000000),
        ("-1.25", -1_250000000),
    ],
)
def test_times_of_others_are_read(text, mtime_ns):
    found = from_headers({METADATA + "mtime": text})
    assert (found.mtime_ns, dict(found.metadata)) == (mtime_ns, {})


@pytest.mark.parametrize("text", ["", "yesterday", "2006-13-02T15:04:05Z", "2006-01-02", "٣", "1e9"])
def test_what_is_no_time_stays_metadata(text):
    found = from_headers({METADATA + "mtime": text})
    assert (found.mtime_ns, dict(found.metadata)) == (None, {"mtime": text})


@pytest.mark.parametrize(
    "attributes",
    [
        Attributes(content_type="a\nb"),
        Attributes(content_disposition='attachment; filename="ä"'),
        Attributes(metadata={"": "x"}),
        Attributes(metadata={"a\udcffb": "x"}),
        Attributes(metadata={"a": "\udcff"}),
    ],
    ids=str,
)
def test_what_cannot_be_said_fails_this_object_alone(attributes):
    with pytest.raises(AttributesError) as caught:
        to_headers(attributes)
    assert caught.value.disposition is Disposition.SKIP


def test_content_type_that_azure_makes_up_is_none():
    assert from_headers({"content-type": "application/octet-stream"}).content_type is None


@pytest.mark.parametrize(
    ("headers", "folder"),
    [
        ({}, False),
        ({"x-ms-resource-type": "file"}, False),
        ({"x-ms-resource-type": "directory"}, True),
        ({METADATA + "hdi_isfolder": "true"}, True),
        ({METADATA + "hdi_isfolder": "True"}, True),
        ({METADATA + "hdi_isfolder": "false"}, False),
    ],
    ids=str,
)
def test_directories_are_known(headers, folder):
    assert is_folder(headers) is folder


def test_rclone_reads_and_writes_the_same_times(azurite, backend, tmp_path):
    """Two tools may work on one container, each seeing what the other says of the files."""
    (tmp_path / "theirs").write_text("x")
    os.utime(tmp_path / "theirs", ns=(0, 1_234_567_890_123_456_789))
    settings = {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_AZ_TYPE": "azureblob",
        "RCLONE_CONFIG_AZ_ACCOUNT": azurite.account_name,
        "RCLONE_CONFIG_AZ_KEY": azurite.account_key,
        "RCLONE_CONFIG_AZ_ENDPOINT": azurite.account_url,
    }
    remote = f"az:{backend.place.address.container}/root"

    def rclone(*arguments):
        command = [rclone_binary(), *arguments]
        return subprocess.run(
            command, env={**os.environ, **settings}, capture_output=True, text=True, check=True
        ).stdout

    rclone("copy", str(tmp_path), remote)
    theirs = backend.stat("theirs")
    assert theirs.attributes == Attributes(mtime_ns=1_234_567_890_123_456_789)
    backend.put("ours", Body(b"x"), attributes=Attributes(mtime_ns=987_654_321_000_000_001))
    listed = {entry["Path"]: entry for entry in json.loads(rclone("lsjson", "--hash", remote))}
    assert listed["ours"]["ModTime"] == "2001-04-19T04:25:21.000000001Z"
    assert listed["ours"]["Hashes"]["md5"] == listed["theirs"]["Hashes"]["md5"] == theirs.digests[0].value


def test_microsofts_client_reads_what_is_written(backend):
    """The names are Azure's, and what needs no encoding has none."""
    given = Attributes("text/x-demo", "no-cache", None, None, "de", 1_500_000_000, {"owner": "Jane Doe", "a-b": "ä"})
    backend.put("key", Body(b"x"), attributes=given)
    told = backend.server.client.get_blob_client(backend.place.address.container, "root/key").get_blob_properties()
    assert told.metadata == {
        "owner": "Jane Doe",
        "a_2d_b": "=?UTF-8?B?w6Q=?=",
        "mtime": "1970-01-01T00:00:01.500000000Z",
    }
    settings = told.content_settings
    assert (settings.content_type, settings.cache_control, settings.content_language) == (
        "text/x-demo",
        "no-cache",
        "de",
    )
