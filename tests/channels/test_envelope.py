"""The envelope: what was written is read back exactly, and nothing else is believed."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsync_core.channels import compression, envelope, ids, names
from cloudsync_core.channels.payloads import Payload
from cloudsync_core.channels.update import Update
from cloudsync_core.errors import DamagedUpdateError, UnsupportedFormatError

ID = "20261120T203540.123456Z-1a2b3c4d"
KEY = f"updates/2026-11-20T20/{ID}-web1.json"
ORIGIN = envelope.Origin(KEY, ID, "web1")
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
CONTENTS = (
    st.tuples(st.just("text"), TEXT) | st.tuples(st.just("json"), JSON) | st.tuples(st.just("bytes"), st.binary())
)


METADATA = st.dictionaries(st.just("name"), TEXT.filter(lambda text: "\0" not in text))
PAYLOAD = {
    "key": names.payload_key(ID, "web1", compressed=False),
    "size": 3,
    "digest": "sha256:" + "0" * 64,
    "kind": "bytes",
}


def an_update(kind="text", inline="hello", **changes):
    told = {
        "id": ID, "topic": "feeds/a", "publisher": "web1", "created": 1795206940.123456, "content_type": "text/plain",
        "metadata": {}, "kind": kind, "size": 5, "key": KEY, "inline": inline,
    }  # fmt: skip
    return Update(**{**told, **changes})


def a_line(**changes):
    """Return the line of an update, with some fields other than they must be; `None` leaves one out."""
    fields = {**json.loads(envelope.encode(an_update())), **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode() + b"\n"


@settings(max_examples=40)
@given(st.lists(CONTENTS, min_size=1, max_size=5), METADATA)
def test_what_is_written_is_read_back(contents, metadata):
    written = [
        an_update(kind, inline, id=ids.nth(ID, index), metadata=metadata)
        for index, (kind, inline) in enumerate(contents)
    ]
    read = envelope.decode_all(b"".join(map(envelope.encode, written)), ORIGIN)
    assert [(update.kind, update.content) for update in read] == contents
    assert [update.to_dict() | {"size": 5} for update in read] == [update.to_dict() for update in written]
    assert all(update.size == len(update.read()) for update in read)


@given(st.binary(max_size=200))
@settings(max_examples=30)
def test_no_bytes_bring_anything_but_damage(data):
    with pytest.raises((DamagedUpdateError, UnsupportedFormatError)):
        envelope.decode_all(data or b"x", ORIGIN)


@given(st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.lists(JSON, max_size=3))
@settings(max_examples=30)
def test_no_json_in_place_of_a_field_brings_anything_but_damage(value):
    for name in ("id", "publisher", "topic", "created", "content_type", "metadata", "payload", "format", "text"):
        with pytest.raises(DamagedUpdateError):
            envelope.decode_all(a_line(**{name: value}), ORIGIN)


def test_what_nobody_knows_yet_is_passed_over():
    assert envelope.decode_all(a_line(colour="blue"), ORIGIN) == [an_update()]


def test_a_newer_format_names_the_version_that_is_needed():
    with pytest.raises(UnsupportedFormatError, match=r"(?s)format 2.*upgrade cloudsync-core.*format 2") as caught:
        envelope.decode_all(a_line(format=2, id=7), ORIGIN)
    assert KEY in str(caught.value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "does not end as a line"),
        (a_line()[:-1], "does not end as a line"),
        (a_line()[:40] + b"\n", "no JSON"),
        (b"[]\n", "no envelope"),
        (b"[" * 100_000 + b"\n", "no JSON"),
        (b'{"format": NaN}\n', "no JSON"),
        (a_line(format=0), "which format"),
        (a_line(format=True), "which format"),
        (a_line(id=ID.replace("1a", "2b")), "another id"),
        (a_line() + a_line(), "another id"),
        (a_line(publisher="web2"), "another publisher"),
        (a_line(topic="../../etc/passwd"), "segment"),
        (a_line(topic="a\u001bb"), "printable"),
        (a_line(created="yesterday"), "created"),
        (a_line(created="2026-02-30T00:00:00Z"), "created"),
        (a_line(content_type="text/plain\r\nx: y"), "content type"),
        (a_line(metadata={"a": 1}), "metadata"),
        (a_line(metadata={"a": "x" * 17_000}), "metadata"),
        (a_line(text="\ud800"), "cannot be read"),
        (a_line(text=5), "no text"),
        (a_line(text=None), "not one content"),
        (a_line(json=5), "not one content"),
        (a_line(text=None, bytes="%%%"), "cannot be read"),
        (a_line(text=None, payload=[]), "not described"),
        (b"".join(a_line(id=ids.nth(ID, index)) for index in range(1001)), "1001 updates"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(line, reason):
    with pytest.raises(DamagedUpdateError, match=reason) as caught:
        envelope.decode_all(line, ORIGIN)
    assert KEY in str(caught.value)


class TestPayloads:
    def test_a_payload_is_written_and_read_back(self):
        for compressed in (False, True):
            payload = Payload(names.payload_key(ID, "web1", compressed=compressed), 3, "sha256:" + "a" * 64, compressed)
            (read,) = envelope.decode_all(envelope.encode(an_update("json", None, payload=payload, size=3)), ORIGIN)
            assert (read.kind, read.payload, read.size) == ("json", payload, 3)

    @pytest.mark.parametrize(
        "key",
        [
            "../secret", "updates/x", "payloads/2026-11-20T20/other", names.payload_key(ID, "web2", compressed=False),
            names.payload_key(ID, "web1", compressed=True), names.payload_key(ids.nth(ID, 1), "web1", compressed=False),
        ],
    )  # fmt: skip
    def test_no_key_but_its_own_is_ever_read(self, key):
        with pytest.raises(DamagedUpdateError, match="another key"):
            envelope.decode_all(a_line(text=None, payload={**PAYLOAD, "key": key}), ORIGIN)

    @pytest.mark.parametrize(
        "changes",
        [{"size": -1}, {"size": True}, {"digest": "md5:1"}, {"encoding": "gzip"}, {"encoding": []}, {"kind": "file"}],
    )
    def test_a_payload_that_is_not_described_right_is_damage(self, changes):
        with pytest.raises(DamagedUpdateError):
            envelope.decode_all(a_line(text=None, payload={**PAYLOAD, **changes}), ORIGIN)


class TestCompression:
    def test_nothing_expands_to_more_than_it_may(self):
        bomb = compression.compressed(bytes(64 * 1024 * 1024))
        assert len(bomb) < 10_000
        with pytest.raises(compression.DamagedError, match="more than 1000 bytes"):
            compression.expanded_whole(bomb, 1000)
        streamed = b"".join(compression.compressed_chunks([bytes(1024 * 1024)] * 64))
        with pytest.raises(compression.DamagedError):
            compression.expanded_whole(streamed, 1000)
        assert len(next(compression.expanded([bomb], 4096))) <= 4096

    @pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"x" + data])
    def test_what_is_cut_short_or_has_something_added_is_damage(self, change):
        with pytest.raises(compression.DamagedError):
            compression.expanded_whole(change(compression.compressed(b"content" * 100)), 10_000)

    @given(st.binary(max_size=5000))
    @settings(max_examples=20)
    def test_what_was_compressed_comes_back(self, data):
        assert compression.expanded_whole(compression.compressed(data), 5000) == data
        chunks = compression.compressed_chunks([data, data])
        assert b"".join(compression.expanded(chunks, 100)) == data * 2
