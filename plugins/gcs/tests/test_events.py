"""What a notification of Cloud Storage says, and when there is nothing new in it."""

import base64
import json

import pytest
from cloudsync_gcs.events import Change, Settled, UnreadableError, read
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


def message(name="site/a", bucket="bucket", **attributes):
    told = {"bucketId": bucket, "objectId": name, "eventType": "OBJECT_FINALIZE", "objectGeneration": "5"}
    return {"messageId": "1", "attributes": {**told, **attributes}}


def resource(**fields):
    made = {"kind": "storage#object", "bucket": "bucket", "name": "site/a", "generation": "5", **fields}
    return {"data": base64.b64encode(json.dumps(made).encode()).decode()}


class TestReading:
    @given(NAMES)
    def test_H2_a_key_is_exactly_the_name_below_the_root_and_decoded_by_nobody(self, name):
        assert read(message(f"site/{name}"), "bucket", "site/").key == name
        assert read(message(name), "bucket", "").key == name

    @pytest.mark.parametrize("name", ["a%2Fb", "a+b", "a%20b", "%", "a//b", "/a", "a?b#c"])
    def test_H2_what_looks_encoded_is_taken_as_it_is(self, name):
        assert read(message(name), "bucket", "").key == name

    @pytest.mark.parametrize(
        ("name", "bucket"), [("site/a", "other"), ("sitemap/a", "bucket"), ("a", "bucket"), ("site/", "bucket")]
    )
    def test_what_is_elsewhere_is_nothing(self, name, bucket):
        assert read(message(name, bucket), "bucket", "site/") is None

    def test_tells_the_generation_its_forerunner_and_its_successor(self):
        created = message(overwroteGeneration="4")
        gone = message(eventType="OBJECT_DELETE", overwrittenByGeneration="6")
        assert read(created, "bucket", "site/") == Change("a", "OBJECT_FINALIZE", "5", "4", "")
        assert read(gone, "bucket", "site/") == Change("a", "OBJECT_DELETE", "5", "", "6")

    @pytest.mark.parametrize(
        "kind", ["OBJECT_DELETE", "OBJECT_ARCHIVE", "OBJECT_METADATA_UPDATE", "OBJECT_OF_TOMORROW"]
    )
    def test_every_kind_of_event_is_a_reason_to_look(self, kind):
        assert read(message(eventType=kind), "bucket", "site/").key == "a"

    def test_the_payload_tells_where_the_attributes_are_missing(self):
        assert read(resource(), "bucket", "site/") == Change("a", "", "5")
        assert read(resource(bucket="other"), "bucket", "site/") is None

    def test_a_payload_is_not_read_where_the_attributes_tell(self):
        assert read({**message(), "data": "no base64!"}, "bucket", "site/").key == "a"

    @pytest.mark.parametrize(
        "damaged",
        [
            {},
            {"attributes": {"bucketId": "bucket"}},
            {"attributes": "none"},
            {"data": "no base64!"},
            {"data": base64.b64encode(b"no JSON").decode()},
            {"data": base64.b64encode(b"\xff\xfe").decode()},
            {"data": base64.b64encode(b"[" * 100_000).decode()},
            {"data": base64.b64encode(b"[1]").decode()},
            resource(kind="storage#bucket"),
            resource(name=7),
            message("site/\ud800"),
        ],
    )
    def test_a_message_that_says_nothing_is_unreadable(self, damaged):
        with pytest.raises(UnreadableError):
            read(damaged, "bucket", "site/")


CREATED, DELETED, ARCHIVED, UPDATED = "OBJECT_FINALIZE", "OBJECT_DELETE", "OBJECT_ARCHIVE", "OBJECT_METADATA_UPDATE"


class TestWhatIsSettled:
    def settled(self, *changes):
        past = Settled()
        for change in changes:
            past.add(change)
        return past

    def test_covers_its_own_repetition(self):
        assert self.settled(Change("a", CREATED, "5")).covers(Change("a", CREATED, "5"))

    @pytest.mark.parametrize("kind", [DELETED, ARCHIVED, UPDATED])
    def test_covers_nothing_that_may_have_come_after_it(self, kind):
        past = self.settled(Change("a", CREATED, "5"))
        assert not past.covers(Change("a", kind, "5"))
        assert not past.covers(Change("a", CREATED, "6"))
        assert not past.covers(Change("a", CREATED, "4"))
        assert not past.covers(Change("b", CREATED, "5"))

    @pytest.mark.parametrize("kind", [CREATED, DELETED, ARCHIVED, UPDATED])
    def test_covers_all_that_comes_late_of_a_generation_that_was_overwritten(self, kind):
        assert self.settled(Change("a", CREATED, "5", overwrote="4")).covers(Change("a", kind, "4"))

    @pytest.mark.parametrize("kind", [DELETED, ARCHIVED])
    def test_covers_the_end_that_it_brought_about(self, kind):
        assert self.settled(Change("a", CREATED, "5")).covers(Change("a", kind, "4", overwritten_by="5"))

    def test_an_end_covers_the_creation_of_what_ended_and_not_of_what_followed(self):
        past = self.settled(Change("a", DELETED, "4", overwritten_by="5"))
        assert past.covers(Change("a", CREATED, "4"))
        assert not past.covers(Change("a", CREATED, "5", overwrote="4"))

    def test_what_tells_no_generation_is_never_covered(self):
        assert not self.settled(Change("a", CREATED)).covers(Change("a", CREATED))

    def test_remembers_a_bounded_number(self):
        past = Settled()
        for number in range(20_001):
            past.add(Change("a", CREATED, str(number + 1)))
        assert not past.covers(Change("a", CREATED, "1"))
        assert past.covers(Change("a", CREATED, "2"))
