"""The options: what is refused, what is hidden, and what is documented."""

import json

import pytest
from cloudsync_gcs.config import MIB, GCSOptions, service_account
from pydantic import ValidationError

KEY = json.dumps({"client_email": "me@example.com", "private_key": "hush-hush", "token_uri": "https://x.example"})


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"anonymous": True, "token": "hush-hush"}, "excludes"),
        ({"token": "hush-hush", "service_account_json": KEY}, "excludes"),
        ({"anonymous": True, "service_account_file": __file__}, "excludes"),
        ({"token": ""}, "at least 1 item"),
        ({"service_account_json": "hush-hush"}, "no JSON document"),
        ({"service_account_json": '{"private_key": "hush-hush"}'}, "not the JSON key of a service account"),
        ({"service_account_json": '["hush-hush"]'}, "not the JSON key of a service account"),
        ({"service_account_file": "/no/such/file"}, "does not point to a file"),
        ({"endpoint_url": "emulator:4443"}, "an endpoint is a URL"),
        ({"endpoint_url": "gs://emulator"}, "an endpoint is a URL"),
        ({"endpoint_url": "http://user:hush-hush@emulator"}, "no credentials, query or fragment"),
        ({"endpoint_url": "http://emulator?x=1"}, "no credentials, query or fragment"),
        ({"endpoint": "http://emulator"}, "Extra inputs"),
        ({"chunk_size": "300KiB"}, "multiples of 256KiB"),
        ({"chunk_size": "128KiB"}, "greater than or equal to"),
        ({"resumable_threshold": "2GiB"}, "less than or equal to"),
        ({"resumable_threshold": "many"}, "could not parse"),
        ({"connect_timeout": 0}, "greater than 0"),
        ({"preconditions": "sometimes"}, "preconditions"),
        ({"ca_bundle": "/no/such/file"}, "does not point to a file"),
        ({"ca_bundle": __file__, "verify_tls": False}, "ca_bundle has no use"),
    ],
    ids=str,
)
def test_nonsense_is_refused_without_showing_values(options, complaint):
    with pytest.raises(ValidationError) as caught:
        GCSOptions(**options)
    assert complaint in str(caught.value)
    assert "hush-hush" not in str(caught.value)


def test_sizes_are_numbers_or_text():
    assert GCSOptions(chunk_size="1MiB", resumable_threshold=1000).chunk_size == MIB
    assert GCSOptions(resumable_threshold="0").resumable_threshold == 0


@pytest.mark.parametrize(("given", "meant"), [("true", True), ("false", False), (True, True), ("auto", "auto")])
def test_text_from_the_command_line_is_understood(given, meant):
    assert GCSOptions(preconditions=given).preconditions == meant


def test_no_secret_is_shown():
    for options in (GCSOptions(token="hush-hush"), GCSOptions(service_account_json=KEY)):
        for shown in (repr(options), str(options), options.model_dump_json(), repr(options.credentials())):
            assert "hush-hush" not in shown


def test_the_key_of_a_service_account_is_read_as_it_is():
    assert service_account(KEY)["client_email"] == "me@example.com"


def test_every_option_is_documented():
    assert [name for name, field in GCSOptions.model_fields.items() if not field.description] == []


def test_locations_of_equal_credentials_are_known_to_be_so():
    assert GCSOptions(token="a").credentials() == GCSOptions(token="a").credentials()
    assert GCSOptions(token="a").credentials() != GCSOptions(token="b").credentials()
    assert GCSOptions().credentials() != GCSOptions(anonymous=True).credentials()
    assert GCSOptions().credentials() != GCSOptions(user_project="payer").credentials()
