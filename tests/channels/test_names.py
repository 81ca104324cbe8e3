"""Names, ids and topics: what the format of a channel promises of them."""

import datetime as dt
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core.channels import ids, names, topics
from cloudsync_core.errors import ConfigError

ID = "20261120T203540.123456Z-1a2b3c4d"
MOMENTS = st.integers(min_value=0, max_value=4_102_444_800 * 10**9)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)


class TestIds:
    @given(MOMENTS)
    def test_an_id_tells_its_moment_in_microseconds(self, moment):
        object_id = ids.new(moment)
        assert ids.is_object_id(object_id)
        assert ids.time_ns(object_id) == moment - moment % 1000

    @given(MOMENTS, MOMENTS)
    def test_ids_sort_as_their_moments_do(self, one, other):
        if one // 1000 != other // 1000:
            assert (ids.new(one) < ids.new(other)) == (one < other)

    @given(MOMENTS)
    def test_a_stamp_is_below_every_id_of_its_moment_and_above_those_before(self, moment):
        moment = max(moment, 1000)
        assert ids.new(moment - 1000) < ids.stamp(moment) < ids.new(moment)

    @given(MOMENTS)
    def test_the_hour_is_that_of_utc(self, moment):
        there = dt.datetime.fromtimestamp(moment // 10**9, dt.UTC)
        assert ids.hour(ids.new(moment)) == there.strftime("%Y-%m-%dT%H")

    @given(st.integers(min_value=0, max_value=ids.MAX_UPDATES - 1))
    def test_updates_of_one_object_are_told_apart_and_sort_in_their_order(self, index):
        update_id = ids.nth(ID, index)
        assert ids.is_update_id(update_id)
        assert ids.object_of(update_id) == ID
        assert index == 0 or update_id > ids.nth(ID, index - 1)

    @pytest.mark.parametrize(
        "text",
        [
            "", "20261120T203540.123456Z", "20261320T203540.123456Z-1a2b3c4d", "20260230T203540.123456Z-1a2b3c4d",
            "20261120T243540.123456Z-1a2b3c4d", "20261120T206040.123456Z-1a2b3c4d", "20261120T203560.123456Z-1a2b3c4d",
            f"{ID}.0000", f"{ID}.1000", f"{ID}.01", ID.upper(), "२0261120T203540.123456Z-1a2b3c4d", f"{ID}\n",
        ],
    )  # fmt: skip
    def test_what_holds_no_time_or_has_another_form_is_no_id(self, text):
        assert not ids.is_update_id(text)
        assert not ids.is_object_id(text)


class TestKeys:
    @given(MOMENTS, NAMES, st.booleans())
    def test_a_key_tells_id_publisher_and_compression(self, moment, publisher, compressed):
        object_id = ids.new(moment)
        key = names.update_key(object_id, publisher, compressed=compressed)
        assert names.parse_update(key) == (object_id, publisher, compressed)

    @given(MOMENTS, MOMENTS, NAMES)
    def test_keys_sort_as_ids_do(self, one, other, name):
        first, second = ids.new(one), ids.new(other)
        keys = [names.update_key(object_id, name, compressed=False) for object_id in (first, second)]
        assert (keys[0] < keys[1]) == (first < second)

    @given(MOMENTS, NAMES)
    def test_every_key_from_a_floor_on_comes_after_the_start_of_the_floor(self, moment, name):
        object_id = ids.new(moment)
        key = names.update_key(object_id, name, compressed=False)
        assert key > names.start_of(object_id)
        assert key > names.start_of(ids.stamp(moment))

    @pytest.mark.parametrize(
        ("key", "reason"),
        [
            ("updates/x", "not that of an update"),
            ("updates/2026-11-20T20/", "not that of an update"),
            (f"updates/2026-11-20T20/{ID}-.json", "not that of an update"),
            (f"updates/2026-11-20T20/{ID}-web.json.gz", "not that of an update"),
            (f"updates/2026-11-20T20/sub/{ID}-web.json", "not that of an update"),
            (f"updates/2026-11-20T21/{ID}-web.json", "folder of its hour"),
            ("updates/2026-13-20T20/20261320T203540.123456Z-1a2b3c4d-web.json", "holds no time"),
        ],
    )
    def test_what_is_none_of_ours_says_why(self, key, reason):
        assert reason in names.parse_update(key)

    @pytest.mark.parametrize("name", ["", ".hidden", "-x", "a/b", "a b", "ü", "x" * 65, "a\n"])
    def test_a_name_that_could_be_taken_for_something_else_is_refused(self, name):
        with pytest.raises(ConfigError, match="the name of the publisher"):
            names.checked(name, "publisher")

    @pytest.mark.parametrize(
        ("host", "name"), [("web1.example.org", "web1.example.org"), ("müll host", "m-ll-host"), ("___", "host")]
    )
    def test_a_host_name_is_made_one_that_is_allowed(self, monkeypatch, host, name):
        monkeypatch.setattr(socket, "gethostname", lambda: host)
        assert names.host_name() == name


class TestTopics:
    @pytest.mark.parametrize("topic", ["a", "feeds/weather", "ä/ö ü", "a" * 255, "...", "a/.b"])
    def test_what_can_be_a_path_is_a_topic(self, topic):
        assert topics.problem(topic) is None

    @pytest.mark.parametrize(
        "topic", ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a\nb", "a\x1b", "\ud800", "a" * 256, "ä" * 128]
    )
    def test_what_cannot_is_none(self, topic):
        assert topics.problem(topic) is not None

    @pytest.mark.parametrize(
        ("pattern", "wanted", "unwanted"),
        [
            ("a/*", ["a/b"], ["a", "a/b/c"]),
            ("a/**", ["a", "a/b", "a/b/c"], ["b", "aa"]),
            ("**/c", ["c", "a/c", "a/b/c"], ["a/b", "cc"]),
            ("a/**/c", ["a/c", "a/b/c", "a/b/b/c"], ["a", "c"]),
            ("**", ["a", "a/b"], []),
            ("fe*s/[ab]?", ["feeds/ax", "fes/b1"], ["feeds/cx", "feeds/a", "FEEDS/ax"]),
            ("**/a/**/a/**", ["a/a", "x/a/y/a/z"], ["a", "x/a/y"]),
        ],
    )
    def test_a_pattern_is_matched_segment_by_segment(self, pattern, wanted, unwanted):
        chosen = topics.TopicFilter([pattern])
        assert [topic for topic in wanted if not chosen(topic)] == []
        assert [topic for topic in unwanted if chosen(topic)] == []

    def test_without_a_pattern_everything_is_wanted_and_one_of_several_is_enough(self):
        assert topics.TopicFilter()("anything")
        assert topics.TopicFilter(["a", "b"])("b")

    def test_a_pattern_that_no_topic_can_match_is_refused(self):
        with pytest.raises(ConfigError, match="empty segment"):
            topics.TopicFilter(["a//b"])

    @pytest.mark.parametrize("text", ["feeds/**", "f", ""])
    def test_one_text_is_no_list_of_patterns(self, text):
        with pytest.raises(ConfigError, match="topics are a list of patterns"):
            topics.TopicFilter(text)

    def test_what_is_no_text_is_no_topic(self):
        with pytest.raises(ConfigError, match="a topic is text, and no int"):
            topics.checked(5)

    @pytest.mark.timeout(5)
    def test_no_pattern_takes_long(self):
        hard = topics.TopicFilter(["/".join(["**", "a*a*a*a*b"] * 30)])
        assert not hard("/".join(["a" * 3] * 60))
