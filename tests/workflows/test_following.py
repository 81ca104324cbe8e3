"""A job that follows a pointer keeps a directory at the release that it names, through trouble of every kind."""

import threading

import pytest

from cloudsync_core.config.model import FetchJob
from cloudsync_core.engine.events import RunFinished
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.state import State
from cloudsync_core.errors import ConfigError, ContainerNotFoundError, ManifestError, RunError, UnavailableError
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.releases.names import place
from cloudsync_core.releases.swapping import Place
from cloudsync_core.testing.faults import Faulty, Raise, at
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.following import follow
from tests.engine.stores import memory
from tests.releases.published import Publisher, contents

DOWN = Raise(UnavailableError("down"))


class Following:
    """A job that fetches what is published in a container of its own to `directory`."""

    def __init__(self, directory):
        self.store = memory()
        self.publisher = Publisher(self.store)
        self.directory = directory
        self.seen_through = self.store
        self.reports = []
        self.finished = threading.Condition()
        self.stop = Stop()

    def heard(self, event):
        if isinstance(event, RunFinished):
            with self.finished:
                self.reports.append(event.report)
                self.finished.notify_all()

    def until(self, condition):
        """Wait until a report says so."""
        with self.finished:
            assert self.finished.wait_for(lambda: any(map(condition, self.reports)), 20), self.reports

    def run(self, *, once=True, dry_run=False, interval=0.05, **rules):
        target = rules.pop("target", str(self.directory))
        retries = rules.pop("retries", 1)
        check = rules.pop("check", False)
        job = FetchJob(source={"release": "memory://"}, target=target, interval=interval, retries=retries, **rules)
        plugins = Plugins.load()
        with State(None) as state:
            context = Context(
                plugins=plugins,
                open=lambda _side, _create: self.seen_through,
                state=state,
                once=once,
                stop=self.stop,
                dry_run=dry_run,
                listener=self.heard,
            )
            return follow("site", job, context, check=check)

    def in_background(self, **rules):
        """Follow until the block ends; what the job returns is the thread's `report`."""
        return _Background(self, rules)


class _Background:
    def __init__(self, following, rules):
        self.following = following
        self.report = None
        self.thread = threading.Thread(target=self._run, args=(rules,))

    def _run(self, rules):
        self.report = self.following.run(once=False, **rules)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.following.stop.end()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def following(tmp_path):
    return Following(tmp_path / "site")


class TestOnce:
    def test_the_report_tells_what_was_done(self, following):
        first = following.publisher.publish(a="one", b="same", c="gone")
        report = following.run()
        assert (report.status, report.release, report.counts.added) == ("done", first, 3)
        assert report.bytes_transferred == 11
        second = following.publisher.publish(a="two", b="same", d="new")
        report = following.run()
        counts = report.counts
        assert (counts.added, counts.updated, counts.unchanged, counts.deleted) == (1, 1, 1, 1)
        assert (report.release, report.run.workflow) == (second, "watch")
        assert report.verified == {"sha256": 2}
        assert report.requests == {"source": {"get": 4}}
        assert contents(following.directory) == {"a": "two", "b": "same", "d": "new"}

    def test_one_request_where_the_release_is_there(self, following):
        following.publisher.publish(a="one")
        following.run()
        assert following.run().requests == {"source": {"get": 1}}

    def test_a_release_that_cannot_be_had_whole_is_partial(self, following):
        first = following.publisher.publish(a="one")
        following.run()
        release = following.publisher.publish(a="two", b="two")
        following.store.delete(place(release, "b"))
        report = following.run()
        assert (report.status, report.exit_code, report.counts.failed, report.release) == ("partial", 1, 1, first)
        assert f"the directory stays at {first}" in report.message

    def test_errors_are_in_the_report(self, following):
        report = following.run()
        assert isinstance(report.error, ManifestError)
        assert report.exit_code == 4

    def test_a_directory_that_is_in_the_way_is_left_alone(self, following):
        following.publisher.publish(a="one")
        following.directory.mkdir()
        report = following.run()
        assert isinstance(report.error, RunError)
        assert report.exit_code == 4

    def test_a_dry_run_writes_nothing_and_tells_the_release(self, following):
        release = following.publisher.publish(a="one")
        report = following.run(dry_run=True)
        assert (report.status, report.release) == ("done", release)
        assert not Place(following.directory).store.exists()

    def test_check_mends_what_is_there(self, following):
        following.publisher.publish(a="one")
        following.run()
        (following.directory / "a").write_text("bad")
        assert following.run().counts.updated + following.run(check=True).counts.added == 1
        assert contents(following.directory) == {"a": "one"}

    @pytest.mark.parametrize("target", ["s3://bucket/site", "memory://x"])
    def test_only_a_local_directory_can_follow(self, following, target):
        with pytest.raises(ConfigError, match="only a directory of this machine"):
            following.run(target=target)


class TestFollowing:
    def test_every_move_of_the_pointer_is_followed(self, following):
        first = following.publisher.publish(a="0")
        with following.in_background() as job:
            for number in range(1, 4):
                release = following.publisher.publish(a=f"{number}")
                following.until(lambda report, wanted=release: report.release == wanted)
                assert contents(following.directory) == {"a": f"{number}"}
            following.publisher.back(first)
            following.until(lambda report: report.release == first and report is not following.reports[0])
        assert (job.report.status, job.report.release) == ("done", first)

    def test_a_look_is_one_request_and_no_run(self, following):
        following.publisher.publish(a="0")
        calls = threading.Semaphore(0)

        def count(call):
            if call.verb == "get":
                calls.release()

        following.seen_through = Faulty(following.store, count)
        with following.in_background():
            for _ in range(10):
                assert calls.acquire(timeout=20)
        assert len(following.reports) == 1
        assert following.reports[0].requests["source"]["get"] == 3

    def test_it_waits_for_the_first_release(self, following):
        with following.in_background():
            following.until(lambda report: report.error is not None)
            release = following.publisher.publish(a="one")
            following.until(lambda report: report.release == release)
        assert contents(following.directory) == {"a": "one"}

    def test_a_store_that_is_away_for_a_while_ends_nothing(self, following):
        following.publisher.publish(a="one")
        following.seen_through = Faulty(following.store, at("get", DOWN, after=4, times=3))
        with following.in_background() as job:
            following.until(lambda report: report.status == "done")
            release = following.publisher.publish(a="two")
            following.until(lambda report: report.release == release)
        assert job.report.status == "done"

    def test_a_release_that_is_not_whole_is_tried_again(self, following):
        following.publisher.publish(a="one")
        with following.in_background():
            following.until(lambda report: report.status == "done")
            release = following.publisher.publish(a="two", b="two")
            following.store.delete(place(release, "b"))
            following.until(lambda report: report.status == "partial")
            assert contents(following.directory) == {"a": "one"}
            del following.publisher.entries["b"]
            following.publisher.entry(release, "b", "two")
            following.until(lambda report: report.release == release)
        assert contents(following.directory) == {"a": "two", "b": "two"}

    def test_what_waiting_does_not_mend_ends_the_job_at_its_start(self, following):
        following.seen_through = Faulty(following.store, at("get", Raise(ContainerNotFoundError("no such bucket"))))
        report = following.run(once=False)
        assert isinstance(report.error, ContainerNotFoundError)

    def test_what_went_wrong_is_told_on_one_line(self, following, caplog):
        with following.in_background():
            following.until(lambda report: report.error is not None)
            release = following.publisher.publish(a="one")
            following.until(lambda report: report.release == release)
        told = [record.getMessage() for record in caplog.records if "looks again later" in record.getMessage()]
        assert told
        assert all("has no pointer 'current'" in line and "\n" not in line for line in told)
