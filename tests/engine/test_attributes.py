"""What a written object carries: what the source's carries, completed by the job's rules."""

import pytest

from cloudsync_core.engine.attributes import AttributeRules
from cloudsync_core.engine.policy import HeaderRule
from cloudsync_core.models import Attributes
from tests.engine.objects import entry


def carried(key="a.html", attributes=None, *rules, keeps_headers=False, modified_ns=7):
    info = entry(key, modified_ns=modified_ns, attributes=attributes)
    return AttributeRules(rules).attributes(info, keeps_headers=keeps_headers)


class TestContentType:
    @pytest.mark.parametrize(("key", "expected"), [("a.html", "text/html"), ("a.unheard-of", None), ("a/", None)])
    def test_is_guessed_for_a_store_that_keeps_none(self, key, expected):
        assert carried(key).content_type == expected

    def test_is_the_sources_where_it_has_one(self):
        assert carried("a.html", Attributes("text/x-own")).content_type == "text/x-own"

    def test_is_none_where_a_store_that_keeps_headers_has_none(self):
        assert carried("a.html", Attributes(), keeps_headers=True).content_type is None


class TestMtime:
    def test_is_that_of_the_contents_origin(self):
        assert carried(attributes=Attributes(mtime_ns=3)).mtime_ns == 3

    def test_is_the_stores_own_where_nothing_is_kept(self):
        assert carried(attributes=Attributes()).mtime_ns == 7
        assert carried(attributes=None).mtime_ns == 7

    @pytest.mark.parametrize("mtime", [0, -1])
    def test_zero_and_before_are_times_too(self, mtime):
        assert carried(attributes=Attributes(mtime_ns=mtime)).mtime_ns == mtime


def test_everything_else_is_carried_over():
    everything = Attributes("a/b", "max-age=1", "gzip", "inline", "de", 3, {"a": "1"})
    assert carried("k", everything) == everything


class TestRules:
    def test_apply_where_the_key_matches(self):
        rules = AttributeRules([HeaderRule(("*.html", "docs/"), cache_control="no-cache")])
        assert [rules.matches(key) for key in ("a.html", "x/a.html", "docs/a", "a.css")] == [True, True, True, False]

    def test_replace_what_is_guessed_or_carried(self):
        rule = HeaderRule(("*",), "a/b", "c", "d", "e", "f")
        assert carried("a.html", Attributes("x/y", "1", "2", "3", "4", 5), rule) == Attributes(
            "a/b", "c", "d", "e", "f", 5
        )

    def test_leave_what_they_do_not_mention(self):
        found = carried("a.html", Attributes(cache_control="1"), HeaderRule(("*",), content_language="de"))
        assert (found.content_type, found.cache_control, found.content_language) == ("text/html", "1", "de")

    def test_of_several_that_set_one_header_the_last_wins(self):
        rules = [HeaderRule(("*",), cache_control="1"), HeaderRule(("*.html",), cache_control="2")]
        assert carried("a.html", None, *rules).cache_control == "2"
        assert carried("a.css", None, *rules).cache_control == "1"

    def test_add_metadata_name_by_name(self):
        rules = [HeaderRule(("*",), metadata={"Owner": "web", "b": "2"}), HeaderRule(("*.html",), metadata={"b": "3"})]
        found = carried("a.html", Attributes(metadata={"a": "1", "owner": "x"}), *rules)
        assert found.metadata == {"a": "1", "owner": "web", "b": "3"}

    def test_do_not_change_the_sources_own_metadata(self):
        metadata = {"a": "1"}
        carried("a.html", Attributes(metadata=metadata), HeaderRule(("*",), metadata={"b": "2"}))
        assert metadata == {"a": "1"}
