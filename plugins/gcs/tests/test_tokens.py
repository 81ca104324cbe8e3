"""Access tokens: got when they are needed, replaced before their end, and once more when they are refused."""

import json
import threading
import time

import pytest
from cloudsync_gcs import environment
from cloudsync_gcs.backend import GCSBackend
from cloudsync_gcs.config import GCSOptions

from cloudsync_core.body import Body
from cloudsync_core.errors import Disposition, UnauthenticatedError, UnavailableError
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.location import Location
from tests.servers.gcs import running_gcs


@pytest.fixture
def bucket(gcs_guarded):
    return gcs_guarded.make_bucket()


@pytest.fixture
def open_as_account(gcs_guarded, bucket):
    """Return a function that opens the bucket with the key of a service account."""
    opened = []

    def open_backend(**options):
        common = {"endpoint_url": gcs_guarded.endpoint_url, "preconditions": True}
        opened.append(GCSBackend(Location("gs", bucket), GCSOptions(**common, **options)))
        return opened[-1]

    yield open_backend
    for backend in opened:
        backend.close()


@pytest.fixture
def account(gcs_guarded):
    return {"service_account_json": json.dumps(gcs_guarded.tokens.service_account)}


def test_a_key_of_a_service_account_gets_one_token_for_all_requests(gcs_guarded, open_as_account, account, tmp_path):
    (tmp_path / "key.json").write_text(json.dumps(gcs_guarded.tokens.service_account))
    for options in (account, {"service_account_file": tmp_path / "key.json"}):
        before = gcs_guarded.tokens.issued
        backend = open_as_account(**options)
        assert gcs_guarded.tokens.issued == before, "it was asked for before a request needed it"
        backend.put("key", Body(b"content"))
        assert backend.read("key", 10).read() == b"content"
        backend.delete("key")
        assert gcs_guarded.tokens.issued == before + 1


def test_a_token_is_replaced_before_its_end(gcs_guarded, open_as_account, account, monkeypatch):
    gcs_guarded.tokens.lifetime = 3600
    backend = open_as_account(**account)
    backend.put("key", Body(b"content"))
    begun = time.monotonic()
    for later, issued in ((3600 - environment.EARLY - 60, 1), (3600 - environment.EARLY + 1, 2), (3700, 2)):
        monkeypatch.setattr(environment.time, "monotonic", lambda later=later: begun + later)
        backend.stat("key")
        assert gcs_guarded.tokens.issued == issued, later


def test_a_short_life_is_used_for_the_most_part(gcs_guarded, open_as_account, account):
    gcs_guarded.tokens.lifetime = 60
    backend = open_as_account(**account)
    for _ in range(5):
        backend.put("key", Body(b"content"))
    assert gcs_guarded.tokens.issued == 1


def test_many_threads_ask_for_one_token(gcs_guarded, open_as_account, account):
    backend = open_as_account(**account)
    start = threading.Barrier(8)
    failures = []

    def work(number):
        start.wait()
        try:
            backend.put(str(number), Body(b"content"))
        except Exception as error:  # noqa: BLE001 - raised by the test below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert gcs_guarded.tokens.issued == 1


class TestRefused:
    """A token may end early: by a clock that is wrong, or because somebody revoked it."""

    def test_the_next_attempt_has_another_one(self, gcs_guarded, open_as_account, account):
        backend = open_as_account(**account)
        backend.put("key", Body(b"content"))
        gcs_guarded.tokens.expire()
        with pytest.raises(UnauthenticatedError, match="another one is asked for") as caught:
            backend.stat("key")
        assert caught.value.disposition is Disposition.RETRY
        assert backend.stat("key").size == 7
        assert gcs_guarded.tokens.issued == 2

    @pytest.mark.parametrize("size", [10, 900_000])
    def test_so_a_run_goes_on(self, gcs_guarded, open_as_account, account, size):
        inner = open_as_account(**account, resumable_threshold="300KiB", chunk_size="256KiB")
        backend = Retry(inner, RetryPolicy(attempts=3, first_wait=0))
        inner.put("key", Body(b"x" * size))
        gcs_guarded.tokens.expire()
        assert backend.stat("key").size == size
        gcs_guarded.tokens.expire()
        assert [key for page in backend.list() for key in page.keys] == ["key"]
        gcs_guarded.tokens.expire()
        assert [result.error for result in backend.delete_many([("key", None), ("b", None)])] == [None, None]

    def test_a_new_one_that_is_refused_too_ends_it(self, gcs_guarded, open_as_account, account, monkeypatch):
        monkeypatch.setattr(gcs_guarded.tokens, "check", lambda request: self.refuse())
        backend = open_as_account(**account)
        with pytest.raises(UnauthenticatedError) as caught:
            backend.stat("key")
        assert caught.value.disposition is Disposition.ABORT
        assert gcs_guarded.tokens.issued == 1

    @staticmethod
    def refuse():
        from tests.servers.gcs_tokens import _unauthorized

        raise _unauthorized("authError", "Invalid Credentials", "")

    def test_one_that_the_user_gave_ends_it_at_once(self, gcs_guarded, open_gcs, bucket):
        backend = open_gcs(gcs_guarded, bucket)
        backend.put("key", Body(b"content"))
        gcs_guarded.tokens.expire()
        with pytest.raises(UnauthenticatedError, match="not valid, or has expired") as caught:
            backend.stat("key")
        assert caught.value.disposition is Disposition.ABORT


class TestNone:
    """There is no token, and the error says why and what to do."""

    def test_nobody_knows_the_account(self, gcs_guarded, open_as_account):
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key = {**gcs_guarded.tokens.service_account, "private_key": other.decode()}
        backend = open_as_account(service_account_json=json.dumps(key))
        with pytest.raises(UnauthenticatedError, match="Google gives no access token") as caught:
            backend.stat("key")
        assert "BEGIN" not in str(caught.value)

    def test_the_key_is_damaged(self, gcs_guarded, open_as_account):
        key = {**gcs_guarded.tokens.service_account, "private_key": "hush-hush"}
        with pytest.raises(UnauthenticatedError, match="Google gives no access token") as caught:
            open_as_account(service_account_json=json.dumps(key)).stat("key")
        assert "hush" not in str(caught.value)

    def test_who_gives_tokens_cannot_be_reached(self, gcs_guarded, open_as_account):
        with running_gcs() as gone:
            nowhere = gone.endpoint_url
        key = {**gcs_guarded.tokens.service_account, "token_uri": f"{nowhere}/token"}
        with pytest.raises(UnavailableError, match="server of access tokens") as caught:
            open_as_account(service_account_json=json.dumps(key)).stat("key")
        assert caught.value.disposition is Disposition.RETRY

    def test_there_are_no_default_credentials(self):
        with (
            GCSBackend(Location("gs", "bucket"), GCSOptions(endpoint_url="https://127.0.0.1:1")) as backend,
            pytest.raises(UnauthenticatedError, match="no credentials were found") as caught,
        ):
            backend.stat("key")
        assert "GOOGLE_APPLICATION_CREDENTIALS" in str(caught.value)
        assert caught.value.disposition is Disposition.ABORT
