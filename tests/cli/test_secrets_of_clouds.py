"""What a run keeps of the secrets of a store, whatever happens: nothing, in any form, anywhere."""

import dataclasses

import pytest
import yaml

from cloudsync_core.crashpoints import EXIT_CODE
from tests.cli.canaries import forms, search
from tests.cli.conftest import write_tree
from tests.servers.proxy import Response, proxy_before

FILES = {f"{number}.txt": str(number) for number in range(5)}


@dataclasses.dataclass
class Store:
    """A place in a store that is reached through a proxy.

    Attributes:
        url: of the place.
        options: of its location, with references to the first of the secrets.
        secrets: by name; "wrong" is one that opens nothing.
        proxy: stands before the server.
        judges: whether the server refuses what is wrong.
        leases: whether it can keep a lease, which is the first thing that is written.
        lists_uploads: whether it can tell what uploads were begun.
    """

    url: str
    options: dict
    secrets: dict
    proxy: object
    judges: bool = True
    leases: bool = True
    lists_uploads: bool = True

    def options_with(self, reference):
        return {name: reference if value == SECRET else value for name, value in self.options.items()}


SECRET = "${env:SECRET}"


def s3(server, proxy):
    secrets = {"secret key": server.secret_access_key, "wrong": "wrong/canary+of=the key"}
    options = {**proxy.server.options, "secret_access_key": SECRET}
    return Store(f"s3://{server.make_bucket()}/x", options, secrets, proxy, leases=False, lists_uploads=False)


def s3_by_token(server, proxy):
    secrets = {"token": "canary/of+a=session token", "wrong": "wrong/canary+of=the token"}
    options = {**proxy.server.options, "session_token": SECRET}
    return Store(f"s3://{server.make_bucket()}/x", options, secrets, proxy, judges=False, leases=False)


def azure_by_key(server, proxy):
    secrets = {"account key": server.account_key, "wrong": "d3JvbmcvY2FuYXJ5K29mIHRoZSBrZXk="}
    options = {**proxy.server.options, "account_key": SECRET}
    return Store(f"az://{server.make_container()}/x", options, secrets, proxy)


def azure_by_signature(server, proxy):
    token = server.sas_token()
    signature = token.partition("sig=")[2].partition("&")[0]
    secrets = {"token": token, "signature": signature, "wrong": "sv=2024-01-01&sig=wrongcanary%2Fofasignature%3D"}
    options = {**proxy.server.options, "sas_token": SECRET}
    del options["account_key"]
    return Store(f"az://{server.make_container()}/x", options, secrets, proxy)


def gcs(server, proxy):
    options = dict(proxy.server.options)
    secrets = {"token": options["token"], "wrong": "wrong-canary-of.a.token"}
    return Store(f"gs://{server.make_bucket()}/x", {**options, "token": SECRET}, secrets, proxy)


STORES = {
    s3: "rclone_s3",
    s3_by_token: "moto_s3",
    azure_by_key: "azurite",
    azure_by_signature: "azurite",
    gcs: "gcs_guarded",
}
"""Stores, and the servers that they are on: rclone judges signatures, moto takes tokens of sessions."""


@pytest.fixture(params=STORES, ids=lambda make: make.__name__)
def store(request, monkeypatch, folder):
    """The store, and a configuration whose jobs open it in every way in which a secret can be said."""
    server = request.getfixturevalue(STORES[request.param])
    with proxy_before(server) as proxy:
        made = request.param(server, proxy)
        secret = next(iter(made.secrets.values()))
        write_tree(folder / "site", FILES)
        (folder / "secret").write_text(f"{secret}\n")
        (folder / "back").mkdir()
        monkeypatch.setenv("SECRET", secret)
        monkeypatch.setenv("WRONG", made.secrets["wrong"])
        place = {"url": made.url, "options": made.options}
        jobs = {
            "up": {"source": "./site", "target": place},
            "unleased": {"source": "./site", "target": place, "lease": False},
            "kept": {"source": "./site", "target": place, "backup": {**place, "url": f"{made.url}/kept"}},
            "down": {"source": place, "target": "./back"},
            "filed": {"source": "./site", "target": {**place, "options": made.options_with("${file:secret}")}},
            "wrong": {"source": "./site", "target": {**place, "options": made.options_with("${env:WRONG}")}},
        }
        jobs = {name: {**job, "retries": 2, "delete": True} for name, job in jobs.items()}
        (folder / "config.yaml").write_text(yaml.safe_dump({"version": 1, "state": "state.db", "jobs": jobs}))
        yield made


@pytest.fixture
def watched(store, folder, tmp_path, cloudsync, invoke):
    """Run the command, and look for the secrets in everything; by `run`, in a process of its own."""

    def watch(command):
        def run(*args, **options):
            result = command(*args, **options)
            search(store.secrets, result, tmp_path, given={folder / "secret"})
            return result

        return run

    found = watch(invoke)
    found.alone = watch(cloudsync)
    return found


def test_what_succeeds(watched, folder):
    watched.alone("run", "config.yaml", "--job", "up", "-vvv")
    (folder / "site/0.txt").write_text("changed")
    watched("plan", "config.yaml", "--job", "up", "-o", "plan.jsonl", "-vvv")
    watched("apply", "plan.jsonl", "-vvv")
    watched("run", "config.yaml", "--job", "filed", "--job", "down", "--json", "-vvv")
    (folder / "site/1.txt").unlink()
    watched("run", "config.yaml", "--job", "up", "--dry-run", "--json")
    watched("status", "config.yaml", "--json")


def test_what_is_kept_aside_and_all_that_is_in_the_store(watched, folder):
    watched("run", "config.yaml", "--job", "kept")
    (folder / "site/0.txt").write_text("changed")
    watched("run", "config.yaml", "--job", "kept", "-vvv")
    watched("restore", "config.yaml", "--job", "kept", "-vvv")
    watched("run", "config.yaml", "--job", "down", "-vvv")
    assert (folder / "back/kept").is_dir()


def test_looking_and_cleaning_up(watched, store):
    flags = [f"--option={name}={value}" for name, value in store.options.items()]
    watched("ls", store.url, *flags, "-vvv")
    watched("testremote", store.url, *flags, "--clause", "S1", "--json", "-vvv")
    if store.lists_uploads:
        watched("gc", "config.yaml", "--job", "up", "-vvv")


def test_wrong_credentials(watched, store):
    if store.judges:
        result = watched("run", "config.yaml", "--job", "wrong", "-vvv", code=4)
        assert "error: " in result.err
        watched("run", "config.yaml", "--job", "wrong", "--json", code=4)
        watched("status", "config.yaml", "--json")


def test_a_server_that_quotes_what_it_was_sent(watched, store):
    """In the words of its error, which a report and the state database keep."""
    quoted = " ".join(f"your {name} was {secret}" for name, secret in store.secrets.items() if name != "wrong")
    body = f"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>{quoted}</Message></Error>".encode()
    if store.url.startswith("gs:"):
        body = f'{{"error": {{"code": 403, "message": "{quoted}", "errors": [{{"reason": "forbidden"}}]}}}}'.encode()
    refused = store.proxy.disturb(
        lambda request: request.method == "PUT" or "upload" in request.path,
        lambda *_: Response(403, body, {}),
    )
    if store.leases:
        watched("run", "config.yaml", "--job", "up", "-vvv", code=4)
    for volume in ("-vvv", "--json"):
        watched("run", "config.yaml", "--job", "unleased", volume, code=1)
    assert refused.met
    watched("status", "config.yaml", "--json")


@pytest.mark.parametrize("answer", [500, None], ids=["errors", "resets"])
def test_a_server_in_trouble(watched, store, answer):
    store.proxy.answer(lambda _: True, None if answer is None else Response(answer, b"no", {}), times=999)
    watched("run", "config.yaml", "--job", "up", "-vvv", code=4)
    watched("run", "config.yaml", "--job", "down", "--json", code=4)


def test_what_a_crash_leaves_behind(watched):
    watched.alone(
        "run", "config.yaml", "--job", "up", "-vvv", code=EXIT_CODE, env={"CLOUDSYNC_CRASH_AT": "put.acked:2"}
    )


class TestTheSearch:
    """What the tests above rest on."""

    @pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
    def test_finds_a_secret_in_the_middle_of_base64(self, before):
        import base64

        text = base64.b64encode(f"{before}canary of mine, and more".encode())
        assert any(form in text for form in forms("canary of mine"))

    def test_finds_it_in_an_address(self):
        assert b"a%2Bb%20c" in forms("a+b c")
        assert b"a%2bb%20c" in forms("a+b c")

    def test_finds_nothing_where_nothing_is(self):
        assert not any(form in b"the quick brown fox" for form in forms("canary of mine"))
