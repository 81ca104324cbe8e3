"""The kinds of jobs: told apart, complete, and explained in the words of their own kind."""

import re
from typing import assert_type

import pydantic
import pytest

from cloudsync_core.config.deliveries import CommandDelivery, DeliverConfig, DirectoryDelivery, WebhookDelivery
from cloudsync_core.config.jobs.fetch import FetchJob, ReleaseSource
from cloudsync_core.config.jobs.mirror import MirrorJob
from cloudsync_core.config.jobs.publish import PublishJob
from cloudsync_core.config.jobs.release import ReleaseJob
from cloudsync_core.config.jobs.subscribe import ChannelSource, SubscribeJob
from cloudsync_core.config.jobs.watch import WatchJob
from cloudsync_core.config.locations import LocationConfig
from cloudsync_core.config.model import Config
from cloudsync_core.config.validation import explain

WATCHED = "must be a location, or a mapping with either 'channel' or 'release', which is watched"
NAMED = "a name begins with a letter or a digit and holds only those, '.', '_' and '-', 64 at most"

JOBS = [
    MirrorJob(source="a", target="b"),
    PublishJob(source="a", target="b", topic="feeds/{stem}", metadata={"Kind": "feed"}, settle=0),
    ReleaseJob(source="a", target="b", tree="whole", keep=3, headers=[{"match": ["*"], "cache_control": "no-cache"}]),
    SubscribeJob(
        source={"channel": "c"},
        deliver=[{"directory": "in"}, {"command": ["run", "{file}"]}],
        start="2026-11-20T20:00:00+01:00",
    ),
    SubscribeJob(source={"channel": {"url": "c"}}, deliver={"webhook": "https://example.com"}, start="latest"),
    FetchJob(source={"release": "c"}, target="site", pointer="canary", interval=0.5),
    WatchJob(source="a", target="s3://b/c", events={"source": "poll", "options": {"interval": 1}}, grace=0, settle=0.1),
]


@pytest.fixture
def problems(config):
    """Return the problems of a job that is written as `text`, without their places."""
    return lambda text: [
        problem.partition(": jobs.a")[2] for problem in config.problems(f"version: 1\njobs:\n  a: {{{text}}}\n")
    ]


class TestKinds:
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("source: x, target: y", MirrorJob),
            ("workflow: mirror, source: x, target: y", MirrorJob),
            ("workflow: publish, source: x, target: y", PublishJob),
            ("workflow: publish, as: updates, source: x, target: y", PublishJob),
            ("workflow: publish, as: release, source: x, target: y", ReleaseJob),
            ("workflow: watch, source: {channel: x}, deliver: {callback: 'a:b'}", SubscribeJob),
            ("workflow: watch, source: {release: x}, target: y", FetchJob),
            ("workflow: watch, source: x, target: y", WatchJob),
            ("workflow: watch, source: {url: x}, target: y, events: poll", WatchJob),
        ],
    )
    def test_are_told_apart(self, config, text, kind):
        assert type(config.load(f"version: 1\njobs:\n  a: {{{text}}}\n").jobs()["a"]) is kind

    @pytest.mark.parametrize("job", JOBS, ids=lambda job: type(job).__name__)
    def test_come_back_from_what_they_dump(self, job):
        config = Config(version=1, jobs={"a": job})
        assert config.jobs["a"] == job
        assert Config.model_validate(config.model_dump(by_alias=True)).jobs["a"] == job
        assert Config.model_validate_json(config.model_dump_json(by_alias=True)).jobs["a"] == job

    @pytest.mark.parametrize("job", JOBS, ids=lambda job: type(job).__name__)
    def test_every_option_is_described(self, job):
        for name, field in type(job).model_fields.items():
            assert re.fullmatch(r"[^|\n]+[.)]", field.description or ""), name

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("workflow: sync, source: x, target: y", ".workflow: must be 'mirror', 'publish' or 'watch'"),
            ("workflow: [mirror], source: x, target: y", ".workflow: must be 'mirror', 'publish' or 'watch'"),
            ("workflow: publish, as: realese, source: x, target: y", ".as: must be 'updates' or 'release'"),
            ("workflow: watch", ".source: required, and missing"),
            ("workflow: watch, source: s3://b/c", ".target: required, and missing"),
            ("workflow: watch, source: {chanel: x}", f".source: {WATCHED}"),
            ("workflow: watch, source: {channel: x, release: y}", f".source: {WATCHED}"),
        ],
    )
    def test_what_is_of_no_kind_is_told_what_there_is(self, problems, text, problem):
        assert problems(text) == [problem]


class TestProblems:
    """What is unknown or wrong is explained by the options of the job's own kind."""

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("workflow: publish, source: x, target: y, folow: true", ".folow: unknown option; did you mean 'follow'?"),
            (
                "workflow: publish, as: release, source: x, target: y, poiner: z",
                (".poiner: unknown option; did you mean 'pointer'?"),
            ),
            (
                "workflow: watch, source: {release: x}, target: y, pointr: z",
                (".pointr: unknown option; did you mean 'pointer'?"),
            ),
            (
                "source: x, target: y, topics: []",
                (".topics: unknown option of a mirror job; it is one of a subscribe job"),
            ),
            (
                "workflow: publish, source: x, target: y, keep: 3",
                (".keep: unknown option of a publish job; it is one of a release job or a fetch job"),
            ),
            (
                "workflow: publish, source: x, target: y, topics: [a]",
                ".topics: unknown option; did you mean 'topic'?",
            ),
            (
                "workflow: watch, source: x, target: y, deliver: {directory: z}",
                ".deliver: unknown option of a watch job; it is one of a subscribe job",
            ),
            ("workflow: publish, source: x, target: y, publisher: my host", f".publisher: {NAMED}"),
            (
                'workflow: publish, source: x, target: y, topic: "a/{stm}"',
                ".topic: {stm} is nothing of an object; there are {path}, {name}, {stem}, {suffix}, {parent}",
            ),
            ("workflow: publish, source: x, target: y, settle: -1", ".settle: must be a number of seconds"),
            ("workflow: watch, source: {release: x}, target: y, pointer: ../x", f".pointer: {NAMED}"),
            (
                "workflow: watch, source: {release: x}, target: y, interval: 0",
                (".interval: must be at least 0.05 seconds"),
            ),
            (
                "workflow: watch, source: {release: x}, target: y, interval: '5'",
                (".interval: must be a number of seconds"),
            ),
            ("workflow: watch, source: {release: x}, target: y, keep: 0", ".keep: must be at least 1"),
            (
                "workflow: watch, source: {release: x, at: y}, target: y",
                (".source.at: unknown option; there is: release"),
            ),
        ],
    )
    def test_of_options(self, problems, text, problem):
        assert problems(text) == [problem]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (
                "start: yesterday",
                (".start: must be 'earliest', 'latest', or a time with its zone: '2026-11-20T20:00:00Z'"),
            ),
            (
                "start: 2026-11-20",
                (".start: must be 'earliest', 'latest', or a time with its zone: '2026-11-20T20:00:00Z'"),
            ),
            ("start: 5", ".start: must be 'earliest', 'latest', or a time with its zone: '2026-11-20T20:00:00Z'"),
            ("topics: feeds", ".topics: must be a list: put the text in [ ]"),
            ("topics: [a//b]", ".topics[0]: 'a//b' matches no topic: a topic has no empty segment"),
            ("attempts: 0", ".attempts: must be at least 1"),
        ],
    )
    def test_of_a_subscription(self, problems, text, problem):
        (found,) = problems(f"workflow: watch, source: {{channel: x}}, deliver: {{directory: y}}, {text}")
        assert found == problem

    @pytest.mark.parametrize(
        ("deliver", "problem"),
        [
            ("./inbox", ": must be a mapping, for instance {directory: ./inbox}, or a list of such"),
            ("[]", ": must have at least one entry"),
            ("{}", ": must have one of: directory, callback, command, webhook"),
            ("[{}]", "[0]: must have one of: directory, callback, command, webhook"),
            ("{directry: x}", ".directry: unknown option; did you mean 'directory'?"),
            ("[{callback: 'a:b'}, {directry: x}]", "[1].directry: unknown option; did you mean 'directory'?"),
            ("{directory: 5}", ".directory: must be a path, or a mapping with 'path'"),
            ("{directory: {name: x}}", ".directory.path: required, and missing"),
            ("{command: ls -l}", ".command: must be the list of the arguments, or a mapping with 'arguments'"),
            ("{command: []}", ".command.arguments: must have at least one entry"),
            ("{command: [ls, 5]}", ".command.arguments[1]: must be text; put it in quotes"),
            ("{webhook: [x]}", ".webhook: must be a URL, or a mapping with 'url'"),
            ("{webhook: {url: 'https://x', secrt: y}}", ".webhook.secrt: unknown option; did you mean 'secret'?"),
            (
                "{webhook: {url: 'https://x', secret: '${env.X}'}}",
                (
                    ".webhook.secret: a reference is written ${env:NAME} "
                    "or ${file:path}, and the characters ${ themselves $${"
                ),
            ),
        ],
    )
    def test_of_what_is_delivered_to(self, problems, deliver, problem):
        assert problems(f"workflow: watch, source: {{channel: x}}, deliver: {deliver}") == [f".deliver{problem}"]

    def test_stand_where_they_were_written(self, config):
        text = (
            "version: 1\njobs:\n  a:\n    workflow: watch\n    source: {channel: x}\n"
            "    deliver:\n      directory: ./inbox\n      webhook:\n        url: 5\n"
        )
        assert config.problems(text) == ["9:9: jobs.a.deliver.webhook.url: must be text; put it in quotes"]

    def test_without_a_file_are_those_of_the_kind(self):
        with pytest.raises(pydantic.ValidationError) as caught:
            PublishJob.model_validate({"source": "a", "target": "b", "folow": True})
        assert [str(problem) for problem in explain(caught.value, ("jobs", "cli"))] == [
            "jobs.cli.folow: unknown option; did you mean 'follow'?"
        ]


class TestSubscribeJob:
    def test_reads_well_and_holds_what_it_means(self):
        job = SubscribeJob(source={"channel": "s3://b/c"}, deliver={"directory": "./inbox"})
        assert_type(job.source, ChannelSource)
        assert_type(job.deliver, tuple[DeliverConfig, ...])
        assert job.source.channel == LocationConfig(url="s3://b/c")
        assert job.deliver == (DeliverConfig(directory=DirectoryDelivery(path="./inbox")),)
        assert (job.name, job.topics, job.interval, job.start, job.attempts) == (None, (), 30, "earliest", 5)

    def test_delivers_to_one_kind_at_a_time_however_it_is_written(self):
        together = SubscribeJob(source={"channel": "c"}, deliver={"callback": "a:b", "command": ["x"]}).deliver
        apart = SubscribeJob(source={"channel": "c"}, deliver=[{"command": ["x"]}, {"callback": "a:b"}]).deliver
        assert [one.kinds for one in together] == [["callback"], ["command"]]
        assert [one.kinds for one in apart] == [["command"], ["callback"]]
        assert apart[0].command == CommandDelivery(arguments=["x"])
        assert apart[0].command.timeout == 300

    def test_begins_at_a_time_in_seconds_since_the_epoch(self):
        job = SubscribeJob(source={"channel": "c"}, deliver={"callback": "a:b"}, start="1970-01-01T00:01:40+00:00")
        assert job.start == 100.0

    def test_shows_no_secret(self):
        webhook = WebhookDelivery(url="https://user:hunter2@example.com", secret="hunter2")
        job = SubscribeJob(source={"channel": "c"}, deliver={"webhook": webhook})
        assert "hunter2" not in repr(job)


def test_a_fetch_job_holds_what_it_means():
    job = FetchJob(source={"release": "s3://b/site"}, target="./site")
    assert_type(job.source, ReleaseSource)
    assert (job.source.release.url, job.target.url, job.pointer, job.keep) == ("s3://b/site", "./site", "current", 2)
