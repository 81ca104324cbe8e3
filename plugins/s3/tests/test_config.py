"""The options: what is refused, what is hidden, and what is documented."""

import pytest
from cloudsync_s3.config import MIB, S3Options
from pydantic import SecretStr, ValidationError

KEYS = {"access_key_id": "AKID", "secret_access_key": "hush-hush"}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"access_key_id": "AKID"}, "go together"),
        ({"secret_access_key": "hush-hush"}, "go together"),
        ({"session_token": "hush-hush"}, "session_token needs"),
        ({"anonymous": True, **KEYS}, "anonymous excludes"),
        ({"anonymous": True, "profile": "p"}, "anonymous excludes"),
        ({"profile": "p", **KEYS}, "profile excludes"),
        ({"access_key_id": "", "secret_access_key": ""}, "at least 1 character"),
        ({"endpoint_url": "minio:9000"}, "an endpoint is a URL"),
        ({"endpoint_url": "s3://minio"}, "an endpoint is a URL"),
        ({"endpoint_url": "http://"}, "an endpoint is a URL"),
        ({"endpoint_url": "http://user:hush-hush@minio"}, "no credentials, query or fragment"),
        ({"endpoint_url": "http://minio?x=1"}, "no credentials, query or fragment"),
        ({"endpoint": "http://minio"}, "Extra inputs"),
        ({"part_size": "0"}, "greater than or equal to 1"),
        ({"part_size": "6GiB"}, "less than or equal to"),
        ({"multipart_threshold": "6GiB"}, "less than or equal to"),
        ({"multipart_threshold": "many"}, "could not parse"),
        ({"connect_timeout": 0}, "greater than 0"),
        ({"conditional_writes": "sometimes"}, "conditional_writes"),
        ({"ca_bundle": "/no/such/file"}, "does not point to a file"),
        ({"ca_bundle": __file__, "verify_tls": False}, "ca_bundle has no use"),
    ],
    ids=str,
)
def test_nonsense_is_refused_without_showing_values(options, complaint):
    with pytest.raises(ValidationError) as caught:
        S3Options(**options)
    assert complaint in str(caught.value)
    assert "hush-hush" not in str(caught.value)


def test_sizes_are_numbers_or_text():
    assert S3Options(part_size="5MiB", multipart_threshold=1000).part_size == 5 * MIB
    assert S3Options(multipart_threshold="0").multipart_threshold == 0


@pytest.mark.parametrize(("given", "meant"), [("true", True), ("false", False), (True, True), ("auto", "auto")])
def test_text_from_the_command_line_is_understood(given, meant):
    assert S3Options(conditional_writes=given).conditional_writes is meant or given == meant
    assert S3Options(conditional_writes=given).conditional_writes == meant


def test_no_secret_is_shown():
    options = S3Options(**KEYS, session_token="hush-hush")
    for shown in (repr(options), str(options), options.model_dump_json(), repr(options.credentials())):
        assert "hush-hush" not in shown
    assert isinstance(options.session_token, SecretStr)


def test_every_option_is_documented():
    undocumented = [name for name, field in S3Options.model_fields.items() if not field.description]
    assert undocumented == []
    assert set(S3Options.model_json_schema()["properties"]) == set(S3Options.model_fields)


def test_locations_of_equal_credentials_are_known_to_be_so():
    assert S3Options(**KEYS).credentials() == S3Options(**KEYS).credentials()
    assert S3Options(**KEYS).credentials() != S3Options(**{**KEYS, "secret_access_key": "other"}).credentials()
    assert S3Options().credentials() != S3Options(profile="p").credentials()
