"""What messages say: every form that S3's events come in, keys decoded exactly once, and everything else told apart."""

import contextlib
import json
from urllib.parse import quote, quote_plus

import pytest
from cloudsync_s3.events import Event, UnreadableError, read
from hypothesis import given
from hypothesis import strategies as st

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def record(key, bucket="bucket", **about):
    return {"eventSource": "aws:s3", "s3": {"bucket": {"name": bucket}, "object": {"key": key, **about}}}


def of_s3(*records):
    return json.dumps({"Records": list(records)})


def of_bridge(key, **about):
    detail = {"bucket": {"name": "bucket"}, "object": {"key": key, **about}}
    return json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail})


def of_sns(text):
    return json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": text})


@given(keys)
def test_a_key_of_s3_is_decoded_once(key):
    for encoded in (quote_plus(key), quote(key, safe=""), quote(key)):
        assert read(of_s3(record(encoded))) == [Event("bucket", key)]


@given(keys)
def test_a_key_of_eventbridge_is_not_decoded(key):
    assert read(of_bridge(key)) == [Event("bucket", key)]


@given(keys)
def test_the_envelope_of_sns_changes_nothing(key):
    assert read(of_sns(of_s3(record(quote_plus(key))))) == read(of_s3(record(quote_plus(key))))
    assert read(of_sns(of_bridge(key))) == read(of_bridge(key))


def test_an_encoded_percent_sign_stays_one():
    assert read(of_s3(record("100%2525+a%2Bb"))) == [Event("bucket", "100%25 a+b")]


def test_one_message_holds_many_records():
    found = read(of_s3(record("a"), record("b", "other"), record("c", sequencer="0A")))
    assert found == [Event("bucket", "a"), Event("other", "b"), Event("bucket", "c", sequencer="0A")]


def test_what_is_no_key_is_said():
    [event] = read(of_s3(record("a%FFb")))
    assert (event.valid, event.key) == (False, "a\ufffdb")


@pytest.mark.parametrize(
    "text", ['{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}', '{"Records": []}']
)
def test_what_tells_of_no_object_holds_no_event(text):
    assert read(text) == read(of_sns(text)) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "not JSON"),
        ("hello", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no event"),
        ("7", "no event"),
        ("{}", "no event"),
        ('{"Records": {}}', "no event"),
        ('{"Records": [7]}', "no events of S3's"),
        ('{"Records": [{"eventSource": "aws:dynamodb"}]}', "no events of S3's"),
        ('{"Records": [{"eventSource": "aws:s3"}]}', "names no object"),
        (of_s3(record(7)), "names no object"),
        ('{"source": "aws.s3", "detail": {"bucket": {"name": "b"}}}', "names no object"),
        ('{"source": "aws.ec2", "detail": {}}', "no event"),
        ('{"Type": "SubscriptionConfirmation", "Message": "{}"}', "no event"),
        (of_sns("hello"), "not JSON"),
    ],
)
def test_anything_else_is_told_apart(text, kind):
    with pytest.raises(UnreadableError, match=kind):
        read(text)


@given(
    st.text(max_size=200)
    | st.recursive(
        st.none() | st.text(),
        lambda x: st.dictionaries(
            st.sampled_from(
                ["Records", "s3", "Type", "Message", "source", "detail", "bucket", "object", "key", "name"]
            ),
            x | st.lists(x),
        ),
    ).map(json.dumps)
)
def test_no_message_does_harm(text):
    with contextlib.suppress(UnreadableError):
        assert isinstance(read(text), list)


class TestTheOrderOfTwoEvents:
    def test_is_that_of_their_sequencers(self):
        assert Event("b", "k", sequencer="0055AED6DCD90281E4").is_older("0055aed6dcd90281e5")
        assert not Event("b", "k", sequencer="0055AED6DCD90281E5").is_older("0055AED6DCD90281E5")
        assert not Event("b", "k", sequencer="0055AED6DCD90281E6").is_older("0055AED6DCD90281E5")

    def test_is_unknown_where_they_differ_in_length(self):
        assert not Event("b", "k", sequencer="1").is_older("FF")
        assert not Event("b", "k").is_older("FF")

    def test_is_unknown_of_what_is_no_number(self):
        assert read(of_s3(record("a", sequencer="zz")))[0].sequencer == ""
