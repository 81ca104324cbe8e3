"""What the options and the environment say of a server and of credentials."""

import json

import pytest
from cloudsync_gcs.config import GCSOptions
from cloudsync_gcs.environment import Environment

from cloudsync_core.errors import ConfigError


def environment(**options):
    return Environment(GCSOptions(**options), "gs://bucket")


def test_googles_server_is_the_default():
    found = environment(anonymous=True)
    assert (found.url, found.endpoint, found.is_google) == (
        "https://storage.googleapis.com",
        "storage.googleapis.com",
        True,
    )


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:4443", "http://127.0.0.1:4443"),
        ("http://127.0.0.1:4443", "http://127.0.0.1:4443"),
        ("https://emulator.example.com/base", "https://emulator.example.com/base"),
        (" emulator ", "http://emulator"),
        ("", "https://storage.googleapis.com"),
    ],
)
def test_an_emulator_may_be_named_with_or_without_a_scheme(monkeypatch, text, url):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", text)
    assert environment(anonymous=True).url == url


def test_an_option_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:4443")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "ambient")
    found = environment(endpoint_url="http://127.0.0.1:1", project="own")
    assert (found.url, found.project) == ("http://127.0.0.1:1", "own")
    assert environment().project == "ambient"


@pytest.mark.parametrize("text", ["ftp://emulator", "http://", "127.0.0.1:many"])
def test_an_emulator_that_is_none_is_an_error_that_names_the_variable(monkeypatch, text):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", text)
    with pytest.raises(ConfigError, match="gs://bucket: STORAGE_EMULATOR_HOST"):
        environment()


@pytest.mark.parametrize(
    ("url", "is_google"),
    [
        ("https://storage.europe-west3.rep.googleapis.com", True),
        ("https://storage-xyz.p.googleapis.com", True),
        ("http://storage.googleapis.com", False),
        ("https://storage.googleapis.com.example.org", False),
        ("https://notgoogleapis.com", False),
    ],
)
def test_google_is_known_by_its_name_and_by_tls(url, is_google):
    assert environment(endpoint_url=url, anonymous=True).is_google is is_google


def test_default_credentials_never_go_over_plain_http(monkeypatch, tmp_path):
    """Whoever starts an emulator does not want to send it an access token of Google's."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none"))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:4443")
    assert environment().credentials() == {}
    assert environment(endpoint_url="http://storage.example.com").credentials() == {}


def test_a_token_that_is_given_is_sent_as_it_is():
    found = environment(token="hush-hush", endpoint_url="http://127.0.0.1:1")
    assert found.credentials() == {"authorization": "Bearer hush-hush"}
    assert not found.refused(0.0)
    assert environment(anonymous=True).credentials() == {}
    assert not environment(anonymous=True).refused(0.0)


@pytest.mark.parametrize("content", ["hush-hush", "[]", json.dumps({"private_key": "hush-hush"})])
def test_a_file_that_holds_no_key_is_an_error_that_shows_nothing_of_it(tmp_path, content):
    file = tmp_path / "key.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"service_account_file .*key.json: this is no") as caught:
        environment(service_account_file=file)
    assert "hush" not in str(caught.value)


def test_reading_it_imports_no_sdk():
    import subprocess
    import sys

    code = (
        "import sys; from cloudsync_gcs.backend import GCSBackend; from cloudsync_gcs.config import GCSOptions;"
        "from cloudsync_core.location import Location;"
        "GCSBackend(Location('gs', 'bucket'), GCSOptions()).close();"
        "sdks = {'gcsfs', 'fsspec', 'google.auth', 'requests', 'aiohttp', 'grpc'};"
        "print(sorted(sdks & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
