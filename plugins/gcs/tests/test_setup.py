"""`cloudsync gcs setup`: makes what is missing, shows it first, and takes away nothing but what it has made."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from cloudsync_gcs.commands import gcs as command
from cloudsync_gcs.config import GCSOptions
from cloudsync_gcs.setup import Setup
from cloudsync_gcs.source import PubSubEvents, PubSubOptions, default_name
from cloudsync_gcs.templating import Names, creating, removing

from cloudsync_core.errors import AccessDeniedError, ConfigError, ContainerNotFoundError, OptionsError
from cloudsync_core.event_source import Watched
from cloudsync_core.location import Location
from tests.servers.gcs_notifications import AGENT as STORAGE
from tests.servers.gcs_tokens import PROJECT
from tests.servers.pubsub_service import AGENT as PUBSUB
from tests.servers.pubsub_store import Topic, members


@pytest.fixture
def bucket(gcs):
    return gcs.make_bucket()


@pytest.fixture
def store(pubsub):
    return pubsub.service.store


@pytest.fixture
def run(gcs, pubsub_calm, monkeypatch):
    """Return a function that runs `cloudsync gcs setup` against the servers, and returns what it prints."""
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.endpoint_url)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_calm.host)

    def setup(*arguments, fails=None):
        result = CliRunner().invoke(command, ["setup", *arguments])
        if fails is None:
            assert result.exception is None, result.output
            return result.output
        assert isinstance(result.exception, fails), result.output
        return result.output + str(result.exception)

    return setup


def topic(name):
    return f"projects/{PROJECT}/topics/{name}"


def subscription(name):
    return f"projects/{PROJECT}/subscriptions/{name}"


def everything(store, gcs, bucket):
    """What is there that a setup could change."""
    with store.lock:
        return json.dumps(
            [
                {name: [found.resource, found.policy] for name, found in store.topics.items() if bucket in name},
                {name: [found.resource, found.policy] for name, found in store.subscriptions.items() if bucket in name},
                gcs.service.store.bucket(bucket).notifications.list(),
            ]
        )


class TestSettingUp:
    def test_what_it_made_tells_of_changes(self, run, gcs, bucket, pubsub):
        shown = run(f"gs://{bucket}/site", "--yes")
        assert "--events pubsub\n" in shown
        assert f"cloudsync watch gs://{bucket}/site DIRECTORY" in shown
        watched = Watched(Location("gs", f"{bucket}/site"), None, GCSOptions(anonymous=True))
        with PubSubEvents(watched, PubSubOptions()) as source:
            gcs.put(bucket, "elsewhere", b"x")
            gcs.put(bucket, "site/a", b"x")
            hints = source.wait(10)
            assert hints.keys == ("a",)
            hints.done()
        name = default_name(bucket, "site")
        assert not pubsub.service.store.subscriptions[subscription(name)].messages

    def test_it_makes_all_that_is_needed_and_messages_are_not_lost(self, run, bucket, store):
        run(bucket, "--subscription", f"q-{bucket}", "--yes")
        name, dead = f"q-{bucket}", f"q-{bucket}-dead"
        made = store.subscriptions[subscription(name)]
        assert made.resource["topic"] == topic(name)
        assert made.resource["expirationPolicy"] == {}
        assert made.resource["deadLetterPolicy"] == {"deadLetterTopic": topic(dead), "maxDeliveryAttempts": 10}
        assert store.subscriptions[subscription(dead)].resource["topic"] == topic(dead)
        assert members(store.topics[topic(name)].policy, "roles/pubsub.publisher") == {f"serviceAccount:{STORAGE}"}
        assert members(store.topics[topic(dead)].policy, "roles/pubsub.publisher") == {PUBSUB}
        assert members(made.policy, "roles/pubsub.subscriber") == {PUBSUB}
        assert store.may_forward(made)

    def test_it_says_first_what_it_will_do_and_a_dry_run_does_nothing(self, run, gcs, bucket, store):
        before = everything(store, gcs, bucket)
        shown = run(bucket, "--dry-run")
        assert everything(store, gcs, bucket) == before
        steps = [line for line in shown.splitlines() if line.startswith("  ")]
        assert len(steps) == 8
        assert shown.endswith("Nothing was done: this was a dry run.\n")
        assert run(bucket, "--yes").startswith("\n".join(steps))

    def test_a_second_time_there_is_nothing_to_do(self, run, gcs, bucket, store):
        run(bucket, "--yes")
        before = everything(store, gcs, bucket)
        assert "Nothing to do: everything is there." in run(bucket, "--yes")
        assert everything(store, gcs, bucket) == before

    def test_what_was_cut_short_is_completed(self, run, bucket, store, pubsub_calm):
        pubsub_calm.service.denied.add("pubsub.topics.setIamPolicy")
        run(bucket, "--yes", fails=AccessDeniedError)
        pubsub_calm.service.denied.clear()
        shown = run(bucket, "--yes")
        assert "create" not in shown
        assert "a notification" in shown
        assert "Nothing to do" in run(bucket)

    def test_what_others_have_made_stays(self, run, gcs, bucket, store):
        other = topic(f"other-{bucket}")
        grant = {"role": "roles/pubsub.publisher", "members": [f"serviceAccount:{STORAGE}"]}
        conditional = {"role": "roles/viewer", "members": ["user:x"], "condition": {"expression": "false"}}
        store.topics[other] = Topic(other, {})
        store.topics[other].policy["bindings"] = [grant]
        notifications = gcs.service.store.bucket(bucket).notifications
        wanted = {"topic": f"//pubsub.googleapis.com/{other}", "payload_format": "NONE"}
        theirs = notifications.insert(wanted, gcs.endpoint_url)
        name = default_name(bucket, "")
        store.topics[topic(name)] = Topic(topic(name), {})
        store.topics[topic(name)].policy["bindings"] = [conditional]
        run(bucket, "--yes")
        assert notifications.get(theirs["id"]) == theirs
        assert conditional in store.topics[topic(name)].policy["bindings"]
        shown = run(bucket, "--remove", "--yes")
        assert f"leave the topic {topic(name)}" in shown
        assert notifications.list()["items"] == [theirs]
        assert {other, topic(name)} <= set(store.topics)

    def test_a_notification_of_fewer_events_is_not_enough(self, run, gcs, bucket):
        run(bucket, "--yes")
        notifications = gcs.service.store.bucket(bucket).notifications
        [made] = notifications.list()["items"]
        notifications.delete(made["id"])
        notifications.insert({**made, "event_types": ["OBJECT_DELETE"]}, gcs.endpoint_url)
        notifications.insert({**made, "object_name_prefix": "elsewhere/"}, gcs.endpoint_url)
        run(bucket, "--yes")
        assert len(notifications.list()["items"]) == 3


class TestRemoving:
    def test_it_removes_all_that_it_made(self, run, gcs, bucket, store):
        before = everything(store, gcs, bucket)
        run(bucket, "--yes")
        assert "Done." in run(bucket, "--remove", "--yes")
        assert everything(store, gcs, bucket) == before
        assert "Nothing to do: nothing of it is there." in run(bucket, "--remove")

    def test_also_when_the_bucket_is_gone(self, run, gcs, bucket, store):
        run(bucket, "--yes")
        del gcs.service.store.buckets[bucket]
        run(bucket, "--remove", "--yes")
        assert not [name for name in (*store.topics, *store.subscriptions) if bucket in name]


class TestRefusals:
    def test_a_bucket_that_does_not_exist(self, run):
        assert "there is no such bucket" in run("no-such-bucket", "--yes", fails=ContainerNotFoundError)

    def test_a_subscription_of_another_topic(self, run, bucket, pubsub):
        queue = pubsub.make_queue()
        pubsub.service.store.subscriptions[queue.subscription].resource["topic"] = topic("other")
        shown = run(bucket, "--subscription", queue.name, "--yes", fails=ConfigError)
        assert "of another topic: projects/project-for-tests/topics/other" in shown

    def test_without_somebody_to_ask(self, run, gcs, bucket, store):
        before = everything(store, gcs, bucket)
        assert "nobody to ask" in run(bucket, fails=ConfigError)
        assert everything(store, gcs, bucket) == before

    @pytest.mark.parametrize("denied", ["topics.get", "topics.create", "topics.getIamPolicy", "subscriptions.create"])
    def test_what_is_not_allowed_is_printed_for_who_may(self, run, bucket, pubsub_calm, denied):
        pubsub_calm.service.denied.add(f"pubsub.{denied}")
        shown = run(bucket, "--yes", fails=AccessDeniedError)
        assert creating(Names(PROJECT, default_name(bucket, ""), bucket, "")) in shown

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (["gs://b/x", "--prefix", "y"], "twice"),
            (["s3://b"], "not the name of a bucket"),
            ([""], "not the name of a bucket"),
            (["b", "--subscription", "a/b"], "not the name of a subscription"),
            (["b", "--subscription", "google"], "not the name of a subscription"),
            (["b", "--option", "x"], "NAME=VALUE"),
        ],
    )
    def test_arguments_that_mean_nothing(self, run, arguments, error):
        assert error in run(*arguments, fails=ConfigError)

    def test_options_that_are_none(self, run):
        assert "no such option" in run("b", "--option", "tokn=x", fails=OptionsError)


GCLOUD = """#!/bin/sh
printf '%s\\n' "$*" >> "$0.log"
case "$*" in
  *notifications\\ list*) echo 7 ;;
  *service-agent*) echo agent@storage ;;
  *describe*) echo 12 ;;
esac
"""


class TestTemplate:
    def typed(self, script, folder):
        """What a script calls gcloud with, a line a call."""
        gcloud = folder / "gcloud"
        gcloud.write_text(GCLOUD)
        gcloud.chmod(0o755)
        env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
        subprocess.run(["bash", "-c", script], env=env, check=True)
        return (folder / "gcloud.log").read_text().splitlines()

    def test_it_makes_what_the_command_makes(self, run, bucket, store, tmp_path):
        script = run(f"gs://{bucket}/a b", "--template")
        name = default_name(bucket, "a b")
        lines = self.typed(script, tmp_path)
        created = {line.split()[3] for line in lines if " create " in line and line.startswith("pubsub")}
        run(f"gs://{bucket}/a b", "--yes")
        made = {full.rpartition("/")[2] for full in (*store.topics, *store.subscriptions) if bucket in full}
        assert created == made == {name, f"{name}-dead"}
        grants = [line for line in lines if "add-iam-policy-binding" in line]
        assert [grant.split("--member=")[1].split()[0] for grant in grants] == [
            "serviceAccount:agent@storage",
            *["serviceAccount:service-12@gcp-sa-pubsub.iam.gserviceaccount.com"] * 2,
        ]
        assert f"--topic={topic(name)}" in lines[-1]
        assert lines[-1].endswith("--object-prefix=a b/")

    def test_it_removes_what_it_made(self, tmp_path):
        lines = self.typed(removing(Names("p", "q", "b", "")), tmp_path)
        assert lines[1:] == [
            "storage buckets notifications delete projects/_/buckets/b/notificationConfigs/7",
            "pubsub subscriptions delete q q-dead --project=p",
            "pubsub topics delete q q-dead --project=p",
        ]

    def test_a_name_is_one_word_whatever_is_in_it(self, tmp_path):
        bad = "b; touch injected"
        for script in (creating(Names("p", "q", bad, "$(touch injected)")), removing(Names("p", "q", bad, ""))):
            self.typed(f"cd {tmp_path}; {script}", tmp_path)
        assert not (tmp_path / "injected").exists()


def test_a_policy_that_somebody_else_is_changing_is_read_again(run, bucket, pubsub, store):
    run(bucket, "--yes")
    full = topic(default_name(bucket, ""))
    policy = store.topics[full].policy
    names = Names(PROJECT, default_name(bucket, ""), bucket, "")
    setup = Setup(names, GCSOptions())
    asked, ask = [], setup._policy

    def reads(name):
        found = ask(name)
        if not asked:
            store.topics[full].policy = {**policy, "etag": "changed"}
        asked.append(name)
        return found

    setup._policy = reads
    setup._grant(full, "roles/viewer", "user:x")
    setup.close()
    assert len(asked) == 2
    assert members(store.topics[full].policy, "roles/viewer") == {"user:x"}
    assert members(store.topics[full].policy, "roles/pubsub.publisher") == {f"serviceAccount:{STORAGE}"}


def test_cloudsync_has_the_command(run, bucket):
    arguments = ["gcs", "setup", bucket, "--dry-run"]
    call = [sys.executable, "-m", "cloudsync_core", *arguments]
    found = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    assert f"create the topic: {topic(default_name(bucket, ''))}" in found.stdout
