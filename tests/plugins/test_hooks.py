"""Each hook reaches each plugin, and what one plugin does wrong stays with it."""

import logging

import click
import pytest

from cloudsync_core.backends.memory import MemoryBackend
from cloudsync_core.errors import (
    CancelledError,
    ConfigError,
    ListingOrderError,
    OptionsError,
    PlanRejectedError,
    PluginConflictError,
    PluginError,
    SecretNotFoundError,
)
from cloudsync_core.event_source import EventSource, Watched
from cloudsync_core.location import Location
from cloudsync_core.models import ObjectInfo
from cloudsync_core.options import NoOptions
from cloudsync_core.plugins import ComparatorInfo, EventSourceInfo, hookimpl, hookspecs
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.runs import Action, Outcome, RunInfo, RunReport

RUN = RunInfo("1", "site", "mirror", "memory://a", "memory://b", dry_run=False, started=0.0)
ENTRY = ObjectInfo("key", 1, "x", 0)
ACTION = Action("add", "key", "not-on-target", ENTRY)


def plugin(**hooks):
    """Return a plugin of this process that implements the hooks given by name, without `cloudsync_`."""
    members = {f"cloudsync_{name}": staticmethod(hookimpl(function)) for name, function in hooks.items()}
    return type("Demo", (), members)()


def load(*extra):
    plugins = Plugins.load(allow=(), extra=extra)
    assert [status.reason for status in plugins.statuses if status.status == "broken"] == []
    return plugins


def raising(error):
    def hook(run):
        raise error

    return hook


class TestNotifications:
    def test_reach_every_plugin_with_what_happened(self):
        told = []
        report = RunReport(RUN)

        def remember(outcomes):
            told.append(outcomes)

        plugins = load(
            plugin(
                run_started=lambda run: told.append(("started", run)),
                outcomes=lambda run, outcomes: told.append((run, outcomes)),
                run_finished=lambda run, report: told.append((run, report)),
            ),
            plugin(outcomes=remember),
        )
        plugins.run_started(RUN)
        outcomes = (Outcome(ACTION, "done"),)
        plugins.outcomes(RUN, outcomes)
        plugins.run_finished(RUN, report)
        assert told == [("started", RUN), outcomes, (RUN, outcomes), (RUN, report)]
        assert told[-1][1] is not report
        assert not plugins.hears_updates
        assert not plugins.hook_failures

    def test_of_updates_reach_those_who_want_them(self):
        told = []

        def fail(update):
            raise RuntimeError("no")

        plugins = load(
            plugin(update_received=fail), plugin(update_received=lambda channel, update: told.append((channel, update)))
        )
        assert plugins.hears_updates
        plugins.update_received("memory://channel", "an update")
        plugins.update_received("memory://channel", "another")
        assert told == [("memory://channel", "an update"), ("memory://channel", "another")]
        assert sum(plugins.hook_failures.values()) == 2

    @pytest.mark.parametrize("error", [RuntimeError("no"), SystemExit(3), CancelledError("no")])
    def test_that_fail_in_one_plugin_reach_the_others(self, error):
        told = []
        plugins = load(
            plugin(run_started=lambda run: told.append("first")),
            plugin(run_started=raising(error)),
            plugin(run_started=lambda run: told.append("last")),
        )
        plugins.run_started(RUN)
        assert sorted(told) == ["first", "last"]
        assert sum(plugins.hook_failures.values()) == 1

    def test_that_fail_are_counted_by_plugin_and_warned_of_once(self, caplog):
        plugins = load(plugin(run_started=raising(RuntimeError("no"))))
        with caplog.at_level(logging.DEBUG):
            for _ in range(3):
                plugins.run_started(RUN)
        assert plugins.hook_failures == {"Demo-1": 3}
        levels = [
            record.levelname for record in caplog.records if "failed in run_started: RuntimeError: no" in record.message
        ]
        assert levels == ["WARNING", "DEBUG", "DEBUG"]
        assert any(record.exc_info for record in caplog.records)

    def test_cannot_change_the_report(self):
        def vandalise(report):
            report.counts.failed = 0
            report.failures.clear()
            report.status = "done"

        report = RunReport(RUN, "partial")
        report.counts.failed = 7
        load(plugin(run_finished=vandalise)).run_finished(RUN, report)
        assert (report.status, report.counts.failed) == ("partial", 7)

    def test_carry_the_error_that_ended_the_run(self):
        told = []
        report = RunReport(RUN, "aborted", error=ListingOrderError("out of order", side="source"))
        load(plugin(run_finished=lambda report: told.append(report.error))).run_finished(RUN, report)
        assert told == [report.error]

    def test_leave_an_interrupt_to_the_user(self):
        with pytest.raises(KeyboardInterrupt):
            load(plugin(run_started=raising(KeyboardInterrupt()))).run_started(RUN)


class TestReviewPlan:
    def test_is_asked_for_only_where_a_plugin_reviews(self):
        assert not load().reviews_plans
        assert load(plugin(review_plan=lambda plan: None)).reviews_plans

    def test_shows_every_plugin_the_plan(self):
        seen = []
        reviewers = [plugin(review_plan=lambda run, plan: seen.append((run, list(plan)))) for _ in range(2)]
        load(*reviewers).review_plan(RUN, [ACTION])
        assert seen == [(RUN, [ACTION])] * 2

    def test_passes_a_veto_on_as_it_is(self):
        def veto(plan):
            raise PlanRejectedError("not on a Friday")

        with pytest.raises(PlanRejectedError, match=r"^not on a Friday$"):
            load(plugin(review_plan=veto)).review_plan(RUN, [ACTION])

    @pytest.mark.parametrize("error", [RuntimeError("no"), SystemExit(0), ConfigError("no")])
    def test_stops_the_run_when_a_reviewer_fails(self, error):
        def fail(plan):
            raise error

        with pytest.raises(PlanRejectedError, match="the plugin Demo-1 failed while it reviewed") as raised:
            load(plugin(review_plan=fail)).review_plan(RUN, [ACTION])
        assert raised.value.__cause__ is error

    def test_lets_an_interruption_through(self):
        def interrupted(plan):
            raise CancelledError("interrupted")

        with pytest.raises(CancelledError):
            load(plugin(review_plan=interrupted)).review_plan(RUN, [ACTION])


class TestIncludeObject:
    def test_is_nothing_where_nobody_asks(self):
        assert load().include_object(RUN) is None

    @pytest.mark.parametrize(("answer", "included"), [(True, True), (False, False), (None, True)])
    def test_follows_the_plugins_answer(self, answer, included):
        include = load(plugin(include_object=lambda run, entry: answer)).include_object(RUN)
        assert include(ENTRY) is included

    def test_takes_the_first_answer_that_is_one(self):
        include = load(
            plugin(include_object=lambda entry: True),
            plugin(include_object=lambda entry: False),
            plugin(include_object=lambda entry: None),
        ).include_object(RUN)
        assert include(ENTRY) is False

    def test_stops_the_run_when_a_plugin_fails(self):
        def fail(entry):
            raise LookupError(entry.key)

        include = load(plugin(include_object=fail)).include_object(RUN)
        with pytest.raises(PluginError, match="Demo-1 failed in include_object: LookupError: key"):
            include(ENTRY)


class TestResolveSecret:
    def test_is_none_where_nobody_knows(self):
        assert load(plugin(resolve_secret=lambda ref: None)).resolve_secret("vault:x") is None

    def test_takes_the_first_answer(self):
        assert (
            load(plugin(resolve_secret=lambda ref: f"secret of {ref}")).resolve_secret("vault:x") == "secret of vault:x"
        )

    def test_passes_an_error_of_ours_on(self):
        def fail(ref):
            raise SecretNotFoundError("there is no vault:x")

        with pytest.raises(SecretNotFoundError, match=r"^there is no vault:x$"):
            load(plugin(resolve_secret=fail)).resolve_secret("vault:x")

    def test_says_of_other_errors_who_failed_and_not_what_was_said(self):
        def fail(ref):
            raise RuntimeError("token hunter2 expired")

        with pytest.raises(PluginError, match=r"failed to resolve \$\{vault:x\}: RuntimeError$"):
            load(plugin(resolve_secret=fail)).resolve_secret("vault:x")

    def test_refuses_what_is_no_text_without_showing_it(self):
        with pytest.raises(PluginError, match="something that is no text") as raised:
            load(plugin(resolve_secret=lambda ref: b"hunter2")).resolve_secret("vault:x")
        assert "hunter2" not in str(raised.value)


class TestRegisterCommands:
    @pytest.fixture
    def cli(self):
        return click.Group("cloudsync", commands={"run": click.Command("run")})

    def test_adds_commands(self, cli):
        load(plugin(register_commands=lambda cli: cli.add_command(click.Command("bless")))).register_commands(cli)
        assert sorted(cli.commands) == ["bless", "run"]

    @pytest.mark.parametrize("name", ["run", "half"])
    def test_of_a_plugin_that_fails_or_replaces_a_command_leave_no_trace(self, cli, name, caplog):
        def register(cli):
            cli.add_command(click.Command(name))
            if name == "half":
                raise RuntimeError("no")

        before = dict(cli.commands)
        good = plugin(register_commands=lambda cli: cli.add_command(click.Command("bless")))
        plugins = load(good, plugin(register_commands=register))
        plugins.register_commands(cli)
        assert cli.commands == {**before, "bless": cli.commands["bless"]}
        assert sum(plugins.hook_failures.values()) == 1
        assert "failed in register_commands" in caplog.text


class Fixed:
    """A comparator of this process."""


def unmade():
    raise RuntimeError("no")


class TestComparators:
    def offer(self, name, factory="Fixed"):
        return plugin(register_comparators=lambda: [ComparatorInfo(name, "…", f"{__name__}:{factory}")])

    def test_are_made_by_name(self):
        assert type(load(self.offer("fixed")).comparator("fixed")).__name__ == "Fixed"

    def test_are_listed_with_the_built_in_ones(self):
        assert load(self.offer("fixed")).comparators() == ("always", "auto", "checksum", "fixed", "mtime", "size")

    def test_of_an_unknown_name_list_what_there_is(self):
        with pytest.raises(ConfigError, match="there is no comparator 'sise'\n  there are always, auto"):
            load().comparator("sise")

    def test_of_two_plugins_are_a_conflict(self):
        with pytest.raises(PluginConflictError, match="the comparator 'auto' is claimed by builtin"):
            load(self.offer("auto")).comparator("auto")

    def test_that_cannot_be_made_name_the_plugin(self):
        with pytest.raises(PluginError, match="the plugin Demo-1 failed to make 'x': RuntimeError: no"):
            load(self.offer("x", "unmade")).comparator("x")


class Quiet(EventSource):
    """An event source of this process."""

    def __init__(self, watched, options):
        self.watched = watched

    def wait(self, timeout):
        return None

    def close(self):
        pass


def unwatched(watched, options):
    raise RuntimeError("password=secret")


def nothing(watched, options):
    return None


class TestEventSources:
    WATCHED = Watched(Location("memory", "x"), MemoryBackend(Location("memory", "x")), NoOptions())

    def offer(self, name, factory="Quiet", **fields):
        record = EventSourceInfo(name, "…", f"{__name__}:{factory}", **fields)
        return plugin(register_event_sources=lambda: [record])

    def test_are_opened_by_name_with_what_they_watch(self):
        opened = load(self.offer("quiet")).event_source("quiet", self.WATCHED)
        assert opened.watched is self.WATCHED

    def test_are_listed_with_the_built_in_ones(self):
        assert load(self.offer("quiet")).event_sources() == ("local", "poll", "quiet")

    def test_of_an_unknown_name_list_what_there_is(self):
        with pytest.raises(ConfigError, match="there is no event source 'pull'\n  there are local, poll"):
            load().event_source("pull", self.WATCHED)

    def test_of_two_plugins_are_a_conflict(self):
        with pytest.raises(PluginConflictError, match="the event source 'poll' is claimed by builtin"):
            load(self.offer("poll")).event_source("poll", self.WATCHED)

    def test_for_other_schemes_are_refused(self):
        message = "the event source 'local' watches file://, and no location of memory://"
        with pytest.raises(ConfigError, match=message):
            load().event_source("local", self.WATCHED)

    def test_take_no_options_that_they_do_not_have(self):
        message = "the options of the event source 'poll' are wrong: intervall: .* did you mean interval"
        with pytest.raises(OptionsError, match=message):
            load().event_source("poll", self.WATCHED, {"intervall": 3})

    def test_that_cannot_be_opened_name_the_plugin_and_no_secret(self):
        with pytest.raises(PluginError) as caught:
            load(self.offer("x", "unwatched")).event_source("x", self.WATCHED)
        assert str(caught.value) == "the plugin Demo-1 failed to watch a location of memory://: RuntimeError"

    def test_that_are_none_are_refused(self):
        with pytest.raises(PluginError, match="returned no EventSource"):
            load(self.offer("x", "nothing")).event_source("x", self.WATCHED)

    @pytest.mark.parametrize("fields", [{"schemes": "file"}, {"options": "nowhere"}])
    def test_with_a_wrong_record_break_their_plugin(self, fields):
        statuses = Plugins.load(allow=(), extra=[self.offer("x", **fields)]).statuses
        [status] = [found for found in statuses if found.name.startswith("Demo")]
        assert status.status == "broken"


def test_every_hook_that_exists_is_tested_here_or_registers_records():
    hooks = {name.removeprefix("cloudsync_") for name in vars(hookspecs) if name.startswith("cloudsync_")}
    tested = {"run_started", "run_finished", "outcomes", "review_plan", "include_object", "resolve_secret"}
    tested.add("update_received")
    records = {"register_backends", "register_comparators", "register_event_sources"}
    assert hooks == tested | records | {"register_commands"}
