"""From what a configuration says to what delivers: every kind, its paths, its secrets, and where it is wrong."""

import inspect
import operator

import pytest

from cloudsync_core.channels.deliveries.callback import CallbackDelivery
from cloudsync_core.channels.deliveries.command import CommandDelivery
from cloudsync_core.channels.deliveries.directory import DirectoryDelivery
from cloudsync_core.channels.deliveries.factory import KINDS, deliverer
from cloudsync_core.channels.deliveries.webhook import WebhookDelivery
from cloudsync_core.config import deliveries as models
from cloudsync_core.config.deliveries import DeliverConfig
from cloudsync_core.config.delivering import open_deliveries
from cloudsync_core.config.loader import load
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.errors import ConfigError, SecretNotFoundError
from tests.channels.updates import update
from tests.channels.web import Server

CLASSES = {
    "callback": CallbackDelivery,
    "command": CommandDelivery,
    "directory": DirectoryDelivery,
    "webhook": WebhookDelivery,
}


@pytest.fixture
def opened(tmp_path):
    """Open deliveries as the command line does."""
    resolver = Resolver(directory=tmp_path, environ={"SECRET": "geheim-and-long"})

    def run(*configured):
        return open_deliveries([DeliverConfig(**one) for one in configured], resolver=resolver, loaded=None), resolver

    return run


def test_there_is_a_model_and_a_class_for_each_kind():
    assert set(KINDS) == set(models.DELIVERIES) == set(CLASSES)


@pytest.mark.parametrize("kind", ["command", "directory", "webhook"])
def test_the_model_of_a_kind_has_what_its_class_takes_with_the_same_defaults(kind):
    taken = inspect.signature(CLASSES[kind]).parameters
    fields = getattr(models, f"{kind.title()}Delivery").model_fields
    assert set(fields) == set(taken)
    given = {name: one.default for name, one in taken.items() if one.default is not inspect.Parameter.empty}
    assert {name: fields[name].default for name in given} == given


def test_each_kind_is_opened(opened):
    found, _ = opened(
        {"directory": "inbox"},
        {"callback": "json:loads"},
        {"command": ["true"]},
        {"webhook": {"url": "http://127.0.0.1/hook/${env:SECRET}", "allow_private": True}},
    )
    described = list(map(operator.methodcaller("describe"), found))
    assert described[1:] == ["callback json:loads", "command true", "webhook http://127.0.0.1"]
    assert described[0].startswith("directory ")


def test_secrets_are_looked_up_used_and_kept_out_of_sight(opened):
    with Server() as server:
        [[deliver], resolver] = opened(
            {"webhook": {"url": f"{server.origin}/${{env:SECRET}}", "secret": "written-out", "allow_private": True}}
        )
        deliver(update())
    assert server.got[0].path == "/geheim-and-long"
    assert resolver.values.redact("geheim-and-long written-out") == "*** ***"


def test_a_reference_that_leads_nowhere_is_named(opened):
    with pytest.raises(SecretNotFoundError, match=r"\$\{env:NONE\}"):
        opened({"webhook": {"url": "http://127.0.0.1/", "allow_private": True, "secret": "${env:NONE}"}})


def test_paths_are_relative_to_the_file_and_errors_name_its_line(tmp_path):
    (tmp_path / "conf").mkdir()
    config = tmp_path / "conf/config.yaml"
    text = """\
version: 1
jobs:
  inbox:
    workflow: watch
    source: {channel: ./channel}
    deliver:
      - directory: inbox
      - callback: "no_such_module:f"
"""
    config.write_text(text)
    loaded = load(config)
    both = loaded.config.jobs["inbox"].deliver
    resolver = Resolver(directory=loaded.directory)
    at = ("jobs", "inbox", "deliver")
    [deliver] = open_deliveries(both[:1], resolver=resolver, loaded=loaded, at=at)
    deliver(update())
    assert [path.read_text() for path in (tmp_path / "conf/inbox").rglob("*.txt")] == ["hello"]
    with pytest.raises(ConfigError, match=r"config\.yaml:\d+.*no module no_such_module"):
        open_deliveries(both, resolver=resolver, loaded=loaded, at=at)


def test_a_kind_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="there are callback, command, directory, webhook"):
        deliverer("mail", {})
