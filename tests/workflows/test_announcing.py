"""What is in a location is published as updates of a channel: each change once, whole, and by the job's rules."""

import dataclasses
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from cloudsync_core import open_backend
from cloudsync_core.body import Body
from cloudsync_core.engine.diff import BaseRow
from cloudsync_core.errors import OverlappingLocationsError, StateError, UnavailableError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.plugins import hookimpl
from cloudsync_core.testing.faults import Faulty, LoseAnswer, at
from cloudsync_core.workflows.announcer import BATCH_LENGTH, SMALL
from tests.workflows.announcements import Desk
from tests.workflows.world import FilePlace, MemoryPlace


@pytest.fixture
def desk(tmp_path):
    """From a directory to a channel in memory."""
    return Desk(FilePlace(tmp_path / "source"), MemoryPlace(), tmp_path / "state.db")


@pytest.fixture
def source(desk):
    return desk.source.path


class TestARun:
    def test_publishes_what_is_there_and_then_what_is_new_or_has_changed(self, desk, source):
        (source / "europe").mkdir()
        (source / "europe/news.feed").write_text("one")
        (source / "plain").write_bytes(b"\0\xff")
        report = desk.announce()
        assert (report.status, report.counts.added, report.run.workflow) == ("done", 2, "publish")
        first = [("europe/news.feed", b"one"), ("plain", b"\0\xff")]
        assert desk.said() == first
        assert desk.announce().counts.unchanged == 2
        (source / "europe/news.feed").write_text("two")
        (source / "new.json").write_text("{}")
        assert desk.announce().counts.added == 2
        assert desk.said() == [*first, ("europe/news.feed", b"two"), ("new.json", b"{}")]

    def test_says_of_each_what_it_is(self, desk, source):
        (source / "a").mkdir()
        (source / "a/b.json").write_text("{}")
        desk.announce(topic="feeds/{parent}/{stem}", metadata={"site": "here"})
        [update] = desk.updates()
        assert (update.topic, update.publisher, update.content_type) == ("feeds/a/b", "here", "application/json")
        assert update.metadata == {"site": "here", "filename": "b.json", "path": "a/b.json"}

    @pytest.mark.parametrize(
        ("template", "key", "topic"),
        [
            ("{path}", "a/b.tar.gz", "a/b.tar.gz"),
            ("{name}", "a/b.tar.gz", "b.tar.gz"),
            ("x/{stem}", "a/b.tar.gz", "x/b.tar"),
            ("ends{suffix}", "a/b.tar.gz", "ends.gz"),
            ("{stem}{suffix}", "a/.hidden", ".hidden"),
            ("all/{parent}/{name}", "a/b/c", "all/a/b/c"),
            ("all/{parent}/{name}", "c", "all/c"),
            ("same", "c", "same"),
        ],
    )
    def test_makes_topics_by_the_template(self, desk, source, template, key, topic):
        (source / key).parent.mkdir(parents=True, exist_ok=True)
        (source / key).write_text("x")
        desk.announce(topic=template)
        assert [update.topic for update in desk.updates()] == [topic]

    def test_with_a_template_of_something_else_is_refused(self, desk):
        with pytest.raises(ValidationError, match=r"\{folder\} is nothing of an object; there are \{path\}, \{name\}"):
            desk.announce(topic="{folder}/x")

    def test_fails_the_objects_that_no_topic_can_be_made_of(self, desk, source):
        (source / "line\nbreak").write_text("x")
        (source / "good").write_text("x")
        report = desk.announce()
        assert (report.status, report.counts.added, report.counts.failed) == ("partial", 1, 1)
        assert "a topic holds printable characters only" in report.failures[0].examples[0]

    def test_publishes_what_is_in_scope(self, desk, source):
        for name in ("a.feed", "b.feed", "c.txt"):
            (source / name).write_text(name)
        desk.announce(include=["*.feed"], exclude=["b.*"])
        assert [update.topic for update in desk.updates()] == ["a.feed"]
        desk.announce()
        assert [update.topic for update in desk.updates()] == ["a.feed", "b.feed", "c.txt"]

    def test_does_not_forget_what_is_out_of_scope_for_a_while(self, desk, source):
        (source / "a.feed").write_text("x")
        (source / "b.feed").write_text("x")
        desk.announce()
        desk.announce(exclude=["a.feed"])
        assert desk.announce().counts.added == 0

    def test_publishes_no_change_of_times_alone(self, desk, source):
        (source / "small").write_bytes(b"x")
        (source / "large").write_bytes(b"x" * (SMALL + 1))
        desk.announce()
        for name in ("small", "large"):
            os.utime(source / name, (1, 1))
        report = desk.announce()
        assert (report.counts.added, report.counts.unchanged) == (0, 2)
        (source / "large").write_bytes(b"y" * (SMALL + 1))
        assert desk.announce().counts.added == 1

    def test_forgets_what_is_gone_and_publishes_it_when_it_is_there_again(self, desk, source):
        (source / "stays").write_text("x")
        (source / "goes").write_text("x")
        desk.announce()
        (source / "goes").unlink()
        assert desk.announce().counts.added == 0
        (source / "goes").write_text("x")
        assert desk.announce().counts.added == 1

    def test_of_an_empty_source_forgets_nothing(self, desk, source, tmp_path):
        """It may be a file system that is not mounted."""
        (source / "a").write_text("x")
        desk.announce()
        source.rename(tmp_path / "away")
        source.mkdir()
        assert desk.announce().counts.added == 0
        source.rmdir()
        (tmp_path / "away").rename(source)
        assert desk.announce().counts.added == 0

    def test_takes_nothing_for_published_that_a_mirror_has_remembered(self, desk, source):
        (source / "a").write_text("x")
        with desk.context() as context, desk.source.open() as one, desk.target.open() as other:
            base = context.state.open_job("announce", str(one.identity), str(other.identity))
            base.record("a", BaseRow(one.stat("a").fingerprint, "etag", None))
            base.close()
        assert desk.announce().counts.added == 1

    def test_of_a_missing_source_says_so(self, desk, source):
        source.rmdir()
        report = desk.announce()
        assert (report.status, report.exit_code) == ("aborted", 4)
        assert "there is no such directory" in report.message

    def test_streams_large_files_into_payloads(self, desk, source):
        content = os.urandom(3 * 1024 * 1024)
        (source / "large.bin").write_bytes(content)
        desk.announce()
        [update] = desk.updates()
        assert update.payload is not None
        assert b"".join(update.chunks()) == content

    def test_puts_many_small_ones_into_few_objects_in_order(self, desk, source):
        names = [f"{number:04}" for number in range(BATCH_LENGTH + 1)]
        for name in names:
            (source / name).write_text(name)
        report = desk.announce()
        assert report.counts.added == len(names)
        assert [update.topic for update in desk.updates()] == names
        assert len({update.key for update in desk.updates()}) == 2
        assert report.requests["target"]["put"] <= 4

    def test_takes_objects_of_any_location(self, desk):
        place = MemoryPlace()
        with place.open() as backend:
            backend.put("a//odd key", Body(b"small"))
            backend.put("large", Body(b"x" * (SMALL + 1)))
            backend.put("folder/", Body(b""))
        elsewhere = dataclasses.replace(desk, source=place)
        assert elsewhere.announce().counts.added == 2 - 1
        assert elsewhere.said() == [("large", b"x" * (SMALL + 1))]
        assert elsewhere.announce(topic="all/{name}").counts.added == 1
        assert elsewhere.said()[1:] == [("all/odd key", b"small")]

    def test_into_a_channel_in_the_source_is_refused(self, desk, tmp_path):
        with pytest.raises(OverlappingLocationsError):
            dataclasses.replace(desk, target=FilePlace(tmp_path / "source/channel")).announce()

    def test_beside_another_of_the_same_job_is_refused(self, desk):
        with desk.following(), pytest.raises(StateError, match="is already being run"):
            desk.announce()

    def test_leaves_out_what_a_plugin_leaves_out(self, desk, source):
        class Plugin:
            @hookimpl
            def cloudsync_include_object(self, entry):
                return entry.key != "b"

            @hookimpl
            def cloudsync_outcomes(self, outcomes):
                told.extend(outcome.action.key for outcome in outcomes)

        told = []
        (source / "a").write_text("x")
        (source / "b").write_text("x")
        desk.announce(plugins=[Plugin()])
        assert [update.topic for update in desk.updates()] == told == ["a"]


class TestADryRun:
    def test_says_what_would_be_published_and_changes_nothing(self, desk, source):
        (source / "a").write_text("x")
        for _ in range(2):
            report = desk.announce(dry_run=True)
            assert report.counts.added == 1
            assert [event.action.key for event in desk.events if type(event).__name__ == "ActionPlanned"] == ["a"]
        assert desk.said() == []
        desk.announce()
        assert desk.announce(dry_run=True, follow=True).counts.added == 0


class TestAJobThatFollows:
    def test_publishes_files_as_they_are_written_each_once(self, desk, source):
        (source / "before").write_text("1")
        with desk.following() as reports:
            desk.wait_for(("before", b"1"))
            (source / "new").mkdir()
            (source / "new/deep").mkdir()
            (source / "new/deep/file").write_text("2")
            desk.wait_for(("before", b"1"), ("new/deep/file", b"2"))
            (source / "before").write_text("3")
            desk.wait_for(("before", b"1"), ("new/deep/file", b"2"), ("before", b"3"))
        assert (reports[0].status, reports[0].counts.added) == ("done", 3)
        assert desk.announce().counts.added == 0

    def test_publishes_nothing_that_is_still_being_written(self, desk, source):
        with desk.following(settle=0.4), (source / "log").open("w") as file:
            for _ in range(20):
                file.write("a line\n")
                file.flush()
                time.sleep(0.06)
                assert desk.said() == []
            desk.wait_for(("log", b"a line\n" * 20))

    def test_takes_several_changes_within_the_time_for_one(self, desk, source):
        with desk.following(settle=0.4):
            for number in range(5):
                (source / "a").write_text(str(number))
                time.sleep(0.03)
            desk.wait_for(("a", b"4"))
        assert desk.said() == [("a", b"4")]

    def test_publishes_what_was_written_while_it_was_not_there(self, desk, source):
        with desk.following():
            (source / "a").write_text("1")
            desk.wait_for(("a", b"1"))
        (source / "a").write_text("2")
        (source / "b").write_text("2")
        with desk.following():
            desk.wait_for(("a", b"1"), ("a", b"2"), ("b", b"2"))

    @pytest.mark.parametrize("how", ["atomic", "truncated", "copied", "moved in", "checked out"])
    def test_publishes_what_editors_and_tools_leave(self, desk, source, tmp_path, how):
        (source / "tree").mkdir()
        (source / "tree/old").write_text("old")
        with desk.following(exclude=[".git/"]):
            desk.wait_for(("tree/old", b"old"))
            MANNERS[how](source, tmp_path)
            desk.wait_for(("tree/old", b"old"), ("tree/new", b"new"))
        assert {update.topic for update in desk.updates()} == {"tree/old", "tree/new"}

    def test_follows_the_directory_that_takes_the_place_of_its_own(self, desk, source, tmp_path):
        with desk.following() as reports:
            (source / "a").write_text("1")
            desk.wait_for(("a", b"1"))
            source.rename(tmp_path / "away")
            time.sleep(0.3)
            source.mkdir()
            (source / "b").write_text("2")
            desk.wait_for(("a", b"1"), ("b", b"2"))
        assert reports[0].status == "done"

    def test_goes_on_when_the_channel_is_out_of_reach_for_a_while(self, desk, source):
        place = desk.target
        troubled = Troubled(place)
        with dataclasses.replace(desk, target=troubled).following():
            (source / "a").write_text("1")
            desk.wait_for(("a", b"1"))
            troubled.out.set()
            (source / "b").write_text("2")
            assert troubled.met.wait(10)
            troubled.out.clear()
            desk.wait_for(("a", b"1"), ("b", b"2"))

    def test_that_is_to_run_once_ends_when_all_is_published(self, desk, source):
        (source / "a").write_text("1")
        report = desk.announce(follow=True, once=True)
        assert (report.counts.added, desk.said()) == (1, [("a", b"1")])

    def test_needs_a_directory(self, desk):
        report = dataclasses.replace(desk, source=MemoryPlace()).announce(follow=True)
        assert "cannot be followed: only a directory of this machine can" in report.message


def _atomic(source, _):
    (source / "tree/.new.tmp~").write_text("new")
    (source / "tree/.new.tmp~").rename(source / "tree/new")


def _truncated(source, _):
    with (source / "tree/new").open("w") as file:
        file.write("something longer")
        file.flush()
        file.truncate(0)
        file.seek(0)
        file.write("new")


def _copied(source, elsewhere):
    (elsewhere / "tree").mkdir()
    (elsewhere / "tree/new").write_text("new")
    os.utime(elsewhere / "tree/new", (1, 1))
    subprocess.run(["cp", "-a", elsewhere / "tree", source], check=True)


def _moved_in(source, elsewhere):
    (elsewhere / "new").write_text("new")
    (elsewhere / "new").rename(source / "tree/new")


def _checked_out(source, elsewhere):
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main", "-C"]
    work = elsewhere / "work"
    (work / "tree").mkdir(parents=True)
    (work / "tree/new").write_text("new")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "new"]):
        subprocess.run([*git, work, *arguments], check=True)
    subprocess.run([*git, work, f"--work-tree={source}", "checkout", "-q", "-f", "main"], check=True)


MANNERS = {
    "atomic": _atomic,
    "truncated": _truncated,
    "copied": _copied,
    "moved in": _moved_in,
    "checked out": _checked_out,
}


class Troubled:
    """A place whose puts fail while `out` is set; `met` says that one did."""

    def __init__(self, place):
        self.place = place
        self.out = threading.Event()
        self.met = threading.Event()

    def open(self):
        return _Out(self.place.open(), self)


class _Out(Layer):
    def __init__(self, inner, place):
        super().__init__(inner)
        self._place = place

    def put(self, key, body, **how):
        if self._place.out.is_set():
            self._place.met.set()
            raise UnavailableError("the network is out", operation="put", location=self.location, key=key)
        return super().put(key, body, **how)


class TestACrash:
    """The process is killed, and another one goes on: each change is in the channel once."""

    def run(self, *arguments):
        ran = subprocess.run(
            # Later Pythons warn of a fork beside threads; those that are left here wait for nothing.
            [
                sys.executable,
                "-W",
                "ignore::DeprecationWarning",
                "-m",
                "tests.workflows.dying_announcers",
                *map(str, arguments),
            ],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        return int(ran.stdout)

    def test_at_any_point_of_a_run(self, tmp_path):
        assert self.run("points", tmp_path) > 10

    def test_at_any_moment_while_it_follows(self, tmp_path):
        assert self.run("moments", tmp_path) > 8


def test_a_put_whose_answer_was_lost_is_found_out_about(desk, source):
    """The update is there, though the run that wrote it was told that it is not."""
    place = desk.target
    lossy = Wrapped(place, lambda backend: Faulty(backend, at("put", LoseAnswer(), times=None)))
    (source / "a").write_text("x")
    assert dataclasses.replace(desk, target=lossy).announce().status == "aborted"
    assert desk.said() == [("a", b"x")]
    report = desk.announce()
    assert (report.status, report.counts.added, report.counts.unchanged) == ("done", 0, 1)
    assert desk.said() == [("a", b"x")]


@dataclasses.dataclass
class Wrapped:
    """A place whose backend is wrapped."""

    place: object
    wrap: object

    def open(self):
        return self.wrap(self.place and self.place.open())


def test_another_name_of_the_publisher_finds_what_the_old_one_has_left(desk, source):
    place = desk.target
    lossy = Wrapped(place, lambda backend: Faulty(backend, at("put", LoseAnswer(), times=None)))
    (source / "a").write_text("x")
    dataclasses.replace(desk, target=lossy).announce(publisher="old")
    assert desk.announce(publisher="new").counts.added == 0
    assert [update.publisher for update in desk.updates()] == ["old"]


def test_what_changes_while_it_is_read_is_published_as_it_is_then(desk, source):
    """The large file is replaced between the look and the reading: the run looks once more."""
    (source / "large").write_bytes(b"x" * (SMALL + 1))
    changed = []

    def change(call):
        if call.verb == "get" and not changed:
            changed.append(call)
            (source / "large").write_bytes(b"y" * (SMALL + 2))

    watched = Wrapped(desk.source, lambda backend: Faulty(backend, change))
    report = dataclasses.replace(desk, source=watched).announce()
    assert (report.status, report.counts.added) == ("done", 1)
    assert desk.said() == [("large", b"y" * (SMALL + 2))]


def test_it_goes_into_a_bucket(desk, source, moto_s3):
    url = f"s3://{moto_s3.make_bucket()}/channel"
    (source / "a").write_text("x")
    (source / "large").write_bytes(b"x" * (SMALL + 1))
    bucket = Wrapped(None, lambda _: open_backend(url, **moto_s3.options))
    there = dataclasses.replace(desk, target=bucket)
    assert there.announce().counts.added == 2
    assert there.said() == [("a", b"x"), ("large", b"x" * (SMALL + 1))]
    assert there.announce().counts.added == 0


def test_each_look_that_did_something_is_told_with_what_it_did(desk, source):
    with desk.following():
        (source / "a").write_text("1")
        desk.wait_for(("a", b"1"))
        (source / "b").write_text("1")
        desk.wait_for(("a", b"1"), ("b", b"1"))
    looks = [event.report.counts.added for event in desk.events if type(event).__name__ == "LookFinished"]
    assert (looks[-1], sum(looks)) == (1, 2)
