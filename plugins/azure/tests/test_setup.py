"""`cloudsync azure setup`, on Azurite's queue service."""

import itertools
import json
import re
import shlex
import subprocess

import click
import pytest
from click.testing import CliRunner
from cloudsync_azure import plugin, setup, templating
from cloudsync_azure.config import AzureOptions
from cloudsync_azure.events import TYPES, Scope, parse
from cloudsync_azure.queue import open_queue, queue_name
from cloudsync_azure.setup import Wanted

from cloudsync_core.errors import ConfigError, ContainerNotFoundError, UnauthenticatedError
from cloudsync_core.location import Location
from tests.servers.event_grid import event, message

NAME = "cloudsync-my-box"
WANTED = Wanted("one", "my-box", "photos/it's $HOME/", "my-queue")


@pytest.fixture
def call(azurite, azurite_queues, monkeypatch):
    """Return a function that runs the command and returns what it printed; no queue is there before or after."""
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    group = click.Group("cloudsync")
    plugin.cloudsync_register_commands(cli=group)

    def run(*arguments, answer=None, **options):
        end = ["--endpoint", azurite_queues.account_url]
        result = CliRunner().invoke(group, ["azure", "setup", *arguments, *end], input=answer, **options)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    yield run
    if azurite_queues.exists(NAME):
        azurite_queues.delete_queue(NAME)


class TestQueue:
    def test_is_made_once(self, call, azurite_queues):
        first = call("my-box", "--yes").output
        assert first.startswith(f"  create the queue {NAME} in the storage account cloudsynctests\nDone.\n")
        azurite_queues.put(NAME, "kept")
        second = call("az://my-box").output
        assert second.startswith(f"  keep the queue {NAME} in the storage account cloudsynctests\nNothing to do: ")
        assert azurite_queues.count(NAME) == 1
        assert first.partition("The subscription")[2] == second.partition("The subscription")[2]

    def test_is_not_made_before_somebody_has_agreed(self, call, azurite_queues):
        assert call("my-box", answer="n\n").exit_code == 1
        assert not azurite_queues.exists(NAME)
        assert call("my-box", answer="y\n").exit_code == 0
        assert azurite_queues.exists(NAME)

    def test_a_dry_run_makes_and_removes_nothing(self, call, azurite_queues):
        made = call("my-box", "--dry-run").output
        assert "create the queue" in made
        assert "Nothing was done: this was a dry run." in made
        assert not azurite_queues.exists(NAME)
        call("my-box", "--yes")
        assert "delete the queue" in call("my-box", "--remove", "--dry-run").output
        assert azurite_queues.exists(NAME)

    def test_is_removed_with_a_word_about_what_is_in_it(self, call, azurite_queues):
        call("my-box", "--yes")
        azurite_queues.put(NAME, "one", "two")
        removed = call("my-box", "--remove", "--yes").output
        assert removed.startswith(
            f"  delete the queue {NAME} in the storage account cloudsynctests, with about 2 messages\n"
        )
        assert "az eventgrid event-subscription delete --name cloudsync-my-box" in removed
        assert not azurite_queues.exists(NAME)
        assert call("my-box", "--remove", "--yes").output.startswith(f"  no queue {NAME}")

    @pytest.mark.parametrize("remove", [[], ["--remove"]], ids=["make", "remove"])
    def test_of_somebody_else_is_left_alone(self, call, azurite_queues, remove):
        azurite_queues.make_queue(NAME)
        with pytest.raises(ConfigError, match="made for something else"):
            call("my-box", "--yes", *remove)
        assert azurite_queues.exists(NAME)

    def test_serves_one_prefix(self, call):
        call("my-box", "--prefix", "a", "--queue", NAME, "--yes")
        assert "Nothing to do" in call("az://my-box/a", "--queue", NAME).output
        for other in (["my-box"], ["my-box", "--prefix", "b"], ["my-box", "--remove"]):
            with pytest.raises(ConfigError, match="made for something else"):
                call(*other, "--queue", NAME, "--yes")

    def test_can_have_another_name(self, call, azurite_queues):
        name = azurite_queues.make_queue()
        azurite_queues.delete_queue(name)
        output = call("my-box", "--queue", name, "--yes").output
        assert f"--event-option queue={name}" in output
        assert azurite_queues.metadata(name) == {"cloudsync": "my-box/"}
        azurite_queues.delete_queue(name)

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (["my-box", "--queue", "Upper"], "queue"),
            (["s3://my-box"], "no location of Azure"),
            (["az://my-box/a", "--prefix", "b"], "has a prefix already"),
            (["my-box", "--option", "account_key"], "write NAME=VALUE"),
            (["my-box", "--option", "account=one"], "did you mean account_key"),
            (["No"], "is not the name of a container"),
        ],
    )
    def test_what_is_wrong_is_told(self, call, arguments, problem):
        with pytest.raises(ConfigError, match=problem):
            call(*arguments)

    def test_who_is_not_let_in_is_told(self, call, azurite, monkeypatch):
        monkeypatch.setenv(
            "AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string.replace("AccountKey=", "AccountKey=AAAA")
        )
        with pytest.raises(UnauthenticatedError, match=f"look up queue {NAME} of cloudsynctests"):
            call("my-box")

    def test_a_queue_that_goes_while_it_is_removed_is_told(self, azurite_queues, azurite):
        options = AzureOptions(**azurite.options)
        queue = open_queue(Location("az", "my-box"), options, "no-such-queue", azurite_queues.account_url)
        with pytest.raises(ContainerNotFoundError, match="there is no such queue"):
            setup.perform(queue, WANTED, setup.Step("", "remove"))
        queue.close()


class TestSubscription:
    def test_the_commands_are_what_a_shell_can_run(self, tmp_path):
        """Each `az` prints the arguments that it gets."""
        program = tmp_path / "az"
        program.write_text('#!/bin/sh\n[ "$2" = account ] && echo /the/account && exit\nprintf \'%s\\n\' "$@"\n')
        program.chmod(0o755)
        script = "\n".join(templating.commands(WANTED))
        ran = subprocess.run(
            ["/bin/sh", "-euc", script], env={"PATH": f"{tmp_path}:/bin:/usr/bin"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        said = ran.stdout.splitlines()
        values = dict(itertools.pairwise(said))
        assert values["--source-resource-id"] == "/the/account"
        assert values["--endpoint"] == "/the/account/queueservices/default/queues/my-queue"
        assert values["--subject-begins-with"] == "/blobServices/default/containers/my-box/blobs/photos/it's $HOME/"
        first = said.index("--included-event-types") + 1
        assert tuple(said[first : first + len(TYPES)]) == TYPES

    def test_the_command_that_removes_names_what_the_other_made(self):
        made, removed = (
            shlex.split(templating.commands(WANTED, remove=remove)[-1].replace("\\\n", " ")) for remove in (False, True)
        )
        assert made[made.index("--name") + 1] == removed[removed.index("--name") + 1] == "my-queue"

    def test_the_template_makes_the_same(self, call):
        found = json.loads(call("az://my-box/a", "--template").output)
        queue, subscription = found["resources"]
        assert found["parameters"]["queue"]["defaultValue"] == queue_name("my-box", "a/")
        assert queue["properties"]["metadata"] == {"cloudsync": "my-box/a/"}
        properties = subscription["properties"]
        printed = " ".join(
            templating.commands(Wanted("one", "my-box", "a/", found["parameters"]["queue"]["defaultValue"]))
        )
        assert properties["filter"]["subjectBeginsWith"] in printed
        assert all(kind in printed for kind in properties["filter"]["includedEventTypes"])
        assert properties["eventDeliverySchema"].lower() in printed
        assert str(properties["destination"]["properties"]["queueMessageTimeToLiveInSeconds"]) in printed

    def test_a_template_asks_nobody(self, call, azurite_queues):
        call("my-box", "--template")
        assert not azurite_queues.exists(NAME)

    def test_the_filter_lets_through_what_is_watched_and_nothing_beside(self):
        scope = Scope("one", "my-box", "photos/")
        subject = Wanted("one", "my-box", "photos/", "q-1").subject
        for container, name in [("my-box", "photos/a"), ("my-box", "photos2/a"), ("my-box2", "photos/a")]:
            told = event("BlobCreated", "one", container, name)
            assert told["subject"].startswith(subject) == bool(list(scope.within(parse(message(told)))))

    @pytest.mark.parametrize("container", ["$web", "box", "x" * 63, "x" * 43 + "-" + "y" * 19])
    @pytest.mark.parametrize("folder", ["", "a/", "b/"])
    def test_names_fit_what_event_grid_and_queues_take(self, container, folder):
        name = queue_name(container, folder)
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        assert 3 <= len(name) <= 63

    def test_each_place_has_a_name_of_its_own(self):
        places = [("box", ""), ("box", "a/"), ("box", "b/"), ("x" * 63, ""), ("x" * 62 + "y", "")]
        assert len({queue_name(*place) for place in places}) == len(places)
