"""What objects carry, as resources have it: nothing is lost, and what cannot be said fails that object alone."""

import pytest
from cloudsync_gcs import attributes
from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core.body import Body
from cloudsync_core.errors import Disposition, UnsupportedOperationError
from cloudsync_core.models import Attributes

TEXT = st.text(st.characters(codec="utf-8"))
HEADER = st.none() | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1)


@given(
    st.builds(
        Attributes,
        content_type=HEADER,
        cache_control=HEADER,
        content_encoding=HEADER,
        content_disposition=HEADER,
        content_language=HEADER,
        mtime_ns=st.none() | st.integers(-(10**20), 10**20),
        metadata=st.dictionaries(
            st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1).filter(lambda name: "mtime" not in name), TEXT
        ),
    )
)
def test_attributes_come_back_as_they_were(given):
    assert attributes.from_resource(attributes.to_resource(given)) == given


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("2009-02-13T23:31:30Z", 1_234_567_890_000_000_000),
        ("2009-02-13T23:31:30.123456789Z", 1_234_567_890_123_456_789),
        ("2009-02-14T00:31:30.5+01:00", 1_234_567_890_500_000_000),
        ("1969-12-31T23:59:59.75Z", -250_000_000),
        ("2009-02-13t23:31:30.1234567891z", 1_234_567_890_123_456_789),
        ("1234567890.5", 1_234_567_890_500_000_000),
        ("-0.25", -250_000_000),
        ("yesterday", None),
        ("2009-13-13T23:31:30Z", None),
        ("2009-02-13T23:31:30", None),
        ("", None),
    ],
)
def test_B05_times_are_read_to_the_nanosecond(text, nanoseconds):
    assert attributes.read_time(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("2009-02-13T23:31:30Z", 1_234_567_890_000_000_000),
        ("2009-02-13T23:31:30.123Z", 1_234_567_890_123_000_000),
        ("2009-02-14T00:31:30.123456+01:00", 1_234_567_890_123_456_000),
        ("2009-02-13T23:31:30", None),
        ("now", None),
        (None, None),
    ],
)
def test_B20_the_servers_times_are_of_utc(text, nanoseconds):
    assert attributes.instant(text) == nanoseconds


def test_times_are_written_as_other_tools_read_them():
    resource = attributes.to_resource(Attributes(mtime_ns=1_234_567_890_120_000_000))
    assert resource["metadata"] == {"mtime": "2009-02-13T23:31:30.12Z", "goog-reserved-file-mtime": "1234567890"}


def test_the_time_that_googles_tools_write_is_enough():
    found = attributes.from_resource({"metadata": {"goog-reserved-file-mtime": "1234567890", "owner": "me"}})
    assert found == Attributes(mtime_ns=1_234_567_890_000_000_000, metadata={"owner": "me"})


def test_what_is_no_time_stays_metadata():
    assert attributes.from_resource({"metadata": {"mtime": "noon"}}).metadata == {"mtime": "noon"}


@pytest.mark.parametrize("damaged", [None, [], "text"])
def test_metadata_that_is_none_is_ignored(damaged):
    assert attributes.from_resource({"metadata": damaged}) == Attributes()


@pytest.mark.parametrize(
    "given",
    [
        Attributes(content_type="text/plain\r\nx: y"),
        Attributes(cache_control="a\udcffb"),
        Attributes(metadata={"": "x"}),
        Attributes(metadata={"a\udcff": "x"}),
        Attributes(metadata={"a": "\ud800"}),
    ],
    ids=str,
)
def test_what_cannot_be_stored_fails_that_object_and_says_no_value(gcs, open_gcs, given):
    backend = open_gcs(gcs, gcs.make_bucket())
    with pytest.raises(
        UnsupportedOperationError, match=r"put gs://.*/key: Google Cloud Storage cannot store"
    ) as caught:
        backend.put("key", Body(b"content"), attributes=given)
    assert caught.value.disposition is Disposition.SKIP
    assert "x: y" not in str(caught.value)
    assert gcs.contents(backend.place.address.bucket) == {}


CARRIED = Attributes(
    content_type="text/x-demo; charset=utf-8",
    cache_control="max-age=60, public",
    content_disposition="attachment; filename*=UTF-8''na%C3%AFve.txt",
    content_language="de",
    mtime_ns=1_234_567_890_123_456_789,
    metadata={"owner": "Zoë =?UTF-8?Q?x?=", "multi": "a\nb"},
)


@pytest.mark.parametrize("size", [10, 300_000], ids=["in-one-request", "by-a-session"])
def test_P3_what_is_written_is_what_google_shows(gcs, open_gcs, size):
    bucket = gcs.make_bucket()
    backend = open_gcs(gcs, bucket, resumable_threshold=1000, chunk_size="256KiB")
    backend.put("key", Body(b"x" * size), attributes=CARRIED)
    blob = gcs.client.bucket(bucket).get_blob("key")
    assert blob.content_type == CARRIED.content_type
    assert blob.cache_control == CARRIED.cache_control
    assert blob.content_disposition == CARRIED.content_disposition
    assert blob.content_language == "de"
    assert blob.metadata == {
        **CARRIED.metadata,
        "mtime": "2009-02-13T23:31:30.123456789Z",
        "goog-reserved-file-mtime": "1234567890",
    }
    with backend.get("key") as reader:
        assert reader.info.attributes == CARRIED == backend.stat("key").attributes


def test_the_type_of_what_was_stored_without_one_is_none():
    assert attributes.from_resource({"contentType": "application/octet-stream"}).content_type is None
