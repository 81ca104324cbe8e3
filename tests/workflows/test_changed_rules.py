"""A job whose rules were edited since its last run: what that brings into scope, and what objects carry (A09, B16)."""

import shutil

import pytest

from cloudsync_core.engine.diff import HEADERS_CHANGED
from cloudsync_core.engine.state import State
from cloudsync_core.errors import AccessDeniedError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.runs import Counts
from tests.workflows.world import NO_REQUEST_PER_OBJECT, MemoryPlace, World, contents, requests_per_object, store

LOGS = {"exclude": ["logs/"]}
NO_CACHE = {"match": ["*.html"], "cache_control": "no-cache"}
FOR_EVER = {"match": ["*.html"], "cache_control": "max-age=31536000"}


@pytest.fixture
def filtered(memory_world):
    """A job that has run, with `delete`, by a filter that keeps the target's `logs/` out of it."""
    store(memory_world.source(), "kept")
    store(memory_world.target(), "logs/1")
    store(memory_world.target(), "logs/2")
    memory_world.rules = {"delete": True}
    assert memory_world.mirror(**LOGS).counts == Counts(added=1)
    return memory_world


class TestFilters:
    def test_A09_what_a_changed_filter_brings_into_scope_is_not_deleted(self, filtered):
        for _ in range(2):
            report = filtered.mirror()
            assert (report.status, report.exit_code) == ("partial", 1)
            assert "2 deletes were held back" in report.message
            assert "--accept-filter-change" in report.message
            assert report.deletes_withheld == 2
            assert filtered.left_out == [("skipped", "logs/1"), ("skipped", "logs/2")]
        assert sorted(contents(filtered.target())) == ["kept", "logs/1", "logs/2"]

    def test_A09_other_deletes_are_done_as_ever(self, filtered):
        store(filtered.target(), "old")
        assert filtered.mirror().counts.deleted == 1
        assert sorted(contents(filtered.target())) == ["kept", "logs/1", "logs/2"]

    def test_A09_one_run_that_is_told_deletes_them_and_the_next_needs_no_telling(self, filtered):
        filtered.mirror()
        report = filtered.mirror(accept_filter_change=True)
        assert (report.status, report.counts.deleted) == ("done", 2)
        store(filtered.target(), "logs/3")
        assert filtered.mirror().counts.deleted == 1

    def test_A09_the_filter_of_before_needs_no_telling(self, filtered):
        filtered.mirror()
        assert filtered.mirror(**LOGS).status == "done"
        assert sorted(contents(filtered.target())) == ["kept", "logs/1", "logs/2"]

    def test_A09_a_filter_that_leaves_out_more_needs_no_telling_and_counts_from_then_on(self, filtered):
        exclude = {"exclude": ["logs/", "tmp/"]}
        store(filtered.target(), "tmp/1")
        assert filtered.mirror(**exclude).status == "done"
        report = filtered.mirror(**LOGS)
        assert (report.counts.deleted, report.deletes_withheld) == (0, 1)

    @pytest.mark.parametrize(
        ("before", "now"),
        [
            ({"include": ["a*"]}, {}),
            ({"include": ["a*"]}, {"include": ["a*", "logs/*"]}),
            ({"exclude_regex": ["^logs"]}, {"exclude_regex": ["^other"]}),
        ],
    )
    def test_A09_whichever_pattern_it_is(self, memory_world, before, now):
        store(memory_world.source(), "a")
        store(memory_world.target(), "logs/1")
        memory_world.mirror(delete=True, **before)
        assert memory_world.mirror(delete=True, **now).deletes_withheld == 1
        assert "logs/1" in contents(memory_world.target())

    def test_A09_a_run_that_deletes_nothing_does_not_accept_it(self, filtered):
        filtered.mirror(delete=False)
        assert filtered.mirror().deletes_withheld == 2

    def test_A09_a_run_whose_deletes_were_refused_does_not_accept_it(self, filtered):
        assert filtered.mirror(accept_filter_change=True, max_delete=1).status == "refused"
        assert filtered.mirror().deletes_withheld == 2

    def test_A09_what_both_sides_have_is_compared_as_ever(self, filtered):
        store(filtered.source(), "logs/1", b"changed")
        report = filtered.mirror()
        assert (report.counts.updated, report.deletes_withheld) == (1, 1)

    def test_A09_a_dry_run_says_the_same_and_accepts_nothing(self, filtered):
        for _ in range(2):
            dry = filtered.mirror(dry_run=True)
            assert (dry.status, dry.deletes_withheld, dry.counts.deleted) == ("partial", 2, 0)
        assert filtered.mirror(dry_run=True, accept_filter_change=True).counts.deleted == 2
        real = filtered.mirror()
        assert (real.message, real.counts) == (dry.message, dry.counts)

    def test_A09_a_plan_that_was_saved_has_none_of_them(self, filtered, tmp_path):
        filtered.save_plan(tmp_path / "plan")
        report = filtered.apply(tmp_path / "plan")
        assert report.counts.deleted == 0
        assert "logs/1" in contents(filtered.target())

    def test_A09_they_are_not_counted_against_the_limit(self, filtered):
        assert filtered.mirror(max_delete=0).status == "partial"

    def test_a_lost_state_is_a_first_run(self, filtered, state):
        shutil.rmtree(state.parent)
        assert filtered.mirror().counts.deleted == 2

    def test_a_filter_that_a_later_version_kept_in_another_way_holds_nothing_back(self, filtered, state):
        with State(state) as database, database.writing() as connection:
            connection.execute("UPDATE pinned SET rules = '{}' WHERE what = 'filter'")
        assert filtered.mirror().counts.deleted == 2


def cache_control(world):
    return {key: world.target().stat(key).attributes.cache_control for key in sorted(contents(world.target()))}


@pytest.fixture
def published(memory_world):
    """A job that has written three objects by no rules."""
    for key in ("a.html", "b.html", "c.txt"):
        store(memory_world.source(), key, key.encode())
    memory_world.mirror()
    return memory_world


class TestHeaders:
    @pytest.mark.parametrize("compare", ["auto", "size", "mtime", "checksum"])
    @pytest.mark.parametrize("server_copy", [True, False])
    def test_B16_objects_whose_rules_changed_are_written_again_once(self, published, compare, server_copy):
        how = {"compare": compare, "server_copy": server_copy}
        published.mirror(**how)
        report = published.mirror(headers=[NO_CACHE], **how)
        assert report.counts == Counts(updated=2, unchanged=1)
        assert cache_control(published) == {"a.html": "no-cache", "b.html": "no-cache", "c.txt": None}
        assert published.mirror(headers=[NO_CACHE], **how).counts == Counts(unchanged=3)
        assert published.mirror(headers=[FOR_EVER], **how).counts == Counts(updated=2, unchanged=1)
        assert published.mirror(**how).counts == Counts(updated=2, unchanged=1)
        assert set(cache_control(published).values()) == {None}

    def test_B16_afterwards_a_run_asks_for_nothing_again(self, published):
        published.mirror(headers=[NO_CACHE])
        assert requests_per_object(published.mirror(headers=[NO_CACHE])) == NO_REQUEST_PER_OBJECT

    def test_B16_the_order_of_rules_counts_and_a_rule_for_nothing_does_not(self, published):
        published.mirror(headers=[NO_CACHE, FOR_EVER])
        other = {"match": ["*.zip"], "cache_control": "no-store"}
        assert published.mirror(headers=[NO_CACHE, other, FOR_EVER]).counts == Counts(unchanged=3)
        assert published.mirror(headers=[FOR_EVER, NO_CACHE]).counts == Counts(updated=2, unchanged=1)

    def test_B16_the_reason_is_told(self, published):
        actions = []
        published.mirror(headers=[NO_CACHE], listener=lambda event: actions.append(getattr(event, "outcome", None)))
        reasons = {outcome.action.key: outcome.action.reason for outcome in actions if outcome is not None}
        assert reasons == {"a.html": "headers-changed", "b.html": "headers-changed"}

    def test_B16_a_dry_run_says_the_same_and_the_run_after_it_does_it(self, published):
        for _ in range(2):
            assert published.mirror(headers=[NO_CACHE], dry_run=True).counts == Counts(updated=2, unchanged=1)
        assert published.mirror(headers=[NO_CACHE]).counts == Counts(updated=2, unchanged=1)

    def test_B16_what_could_not_be_written_is_written_by_the_next_run(self, published):
        target = published.target

        class Failing(Layer):
            def put(self, key, body, **how):
                if key == "b.html":
                    raise AccessDeniedError("denied", operation="put", location=self.location, key=key)
                return self.inner.put(key, body, **how)

        published.target = lambda: Failing(target())
        assert published.mirror(headers=[NO_CACHE], server_copy=False).counts.failed == 1
        published.target = target
        assert published.mirror(headers=[NO_CACHE]).counts == Counts(updated=1, unchanged=2)
        assert cache_control(published) == {"a.html": "no-cache", "b.html": "no-cache", "c.txt": None}

    def test_B16_a_target_without_headers_is_left_alone(self, tree):
        place = MemoryPlace()
        store(place.open(), "a.html")
        world = World(place.open, tree.open, tree.path.with_name("other.db"))
        world.mirror()
        assert world.mirror(headers=[NO_CACHE]).counts == Counts(unchanged=1)
        assert world.mirror(headers=[NO_CACHE], dry_run=True).counts == Counts(unchanged=1)

    def test_no_value_of_a_rule_is_kept(self, published, state):
        secret = {"match": ["*.html"], "metadata": {"token": "canary-of-a-header"}}
        published.mirror(headers=[secret])
        for path in state.parent.iterdir():
            assert b"canary" not in path.read_bytes()

    def test_rules_that_a_later_version_kept_in_another_way_change_nothing(self, published, state):
        with State(state) as database, database.writing() as connection:
            connection.execute("""UPDATE pinned SET rules = '{"a": 1}' WHERE what = 'headers'""")
        assert published.mirror(headers=[NO_CACHE]).counts == Counts(unchanged=3)

    def test_no_store_tells_the_mark_as_a_fingerprint(self, published):
        assert not any(info.fingerprint == HEADERS_CHANGED for page in published.target().list() for info in page)
