"""Options: what contradicts itself is refused in clear words, and nothing secret is shown."""

import pytest
from cloudsync_azure.config import LARGEST_BLOCK, LARGEST_PUT, MIB, AzureOptions
from pydantic import SecretStr, ValidationError

PRINCIPAL = {"tenant_id": "t", "client_id": "c", "client_secret": "hush-hush"}
STRING = {"connection_string": "AccountName=a;AccountKey=hush-hush"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"account_name": "account", "account_key": "a2V5"},
        STRING,
        {"account_name": "account", "sas_token": "?sv=1&sig=x"},
        {"account_name": "account", **PRINCIPAL},
        {"managed_identity": True},
        {"managed_identity": True, "client_id": "c"},
        {"anonymous": True, "endpoint_url": "https://account.blob.core.windows.net"},
        {"endpoint_url": "http://127.0.0.1:10000/devstoreaccount1"},
        {"multipart_threshold": "0", "part_size": 1},
        {"multipart_threshold": LARGEST_PUT, "part_size": LARGEST_BLOCK},
    ],
    ids=str,
)
def test_what_fits_together_is_taken(options):
    AzureOptions(**options)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({**STRING, "account_key": "k"}, "connection_string excludes account_key"),
        ({**STRING, "anonymous": True}, "connection_string excludes anonymous"),
        ({**STRING, "account_name": "account"}, "leave out account_name and endpoint_url"),
        ({**STRING, "endpoint_url": "http://127.0.0.1/a"}, "leave out account_name and endpoint_url"),
        ({"account_key": "hush-hush", "sas_token": "hush-hush"}, "account_key excludes sas_token"),
        ({"account_key": "k", **PRINCIPAL}, "account_key excludes client_secret"),
        ({"managed_identity": True, **PRINCIPAL}, "client_secret excludes managed_identity"),
        ({"managed_identity": True, "anonymous": True}, "managed_identity excludes anonymous"),
        ({"client_secret": "hush-hush"}, "client_secret needs client_id and tenant_id"),
        ({"client_secret": "hush-hush", "client_id": "c"}, "client_secret needs client_id and tenant_id"),
        ({"client_id": "c"}, "client_id goes with client_secret, or with managed_identity"),
        ({"tenant_id": "t"}, "tenant_id goes with client_id and client_secret"),
        ({"account_name": "Not An Account"}, "account_name"),
        ({"account_key": ""}, "should have at least 1"),
        ({"endpoint_url": "azurite:10000"}, "an endpoint is a URL"),
        ({"endpoint_url": "az://account"}, "an endpoint is a URL"),
        ({"endpoint_url": "http://user:hush-hush@host"}, "no credentials, query or fragment"),
        ({"endpoint_url": "https://a.blob.core.windows.net?sig=hush-hush"}, "no credentials, query or fragment"),
        ({"account": "a"}, "Extra inputs"),
        ({"part_size": "0"}, "greater than or equal to 1"),
        ({"part_size": "4001MiB"}, "less than or equal to"),
        ({"multipart_threshold": "5001MiB"}, "less than or equal to"),
        ({"connect_timeout": 0}, "greater than 0"),
        ({"ca_bundle": "/no/such/file"}, "does not point to a file"),
        ({"ca_bundle": __file__, "verify_tls": False}, "ca_bundle has no use"),
    ],
    ids=str,
)
def test_nonsense_is_refused_without_showing_values(options, complaint):
    with pytest.raises(ValidationError) as caught:
        AzureOptions(**options)
    assert complaint in str(caught.value)
    assert "hush-hush" not in str(caught.value)


def test_sizes_are_numbers_or_text():
    options = AzureOptions(part_size="5MiB", multipart_threshold=1000)
    assert (options.part_size, options.multipart_threshold) == (5 * MIB, 1000)


def test_no_secret_is_shown():
    for options in (
        AzureOptions(**STRING),
        AzureOptions(**PRINCIPAL),
        AzureOptions(account_key="hush-hush"),
        AzureOptions(sas_token="hush-hush"),
    ):
        for shown in (repr(options), str(options), options.model_dump_json()):
            assert "hush-hush" not in shown
    assert isinstance(AzureOptions(sas_token="x").sas_token, SecretStr)


def test_every_option_is_documented():
    assert [name for name, field in AzureOptions.model_fields.items() if not field.description] == []
    assert set(AzureOptions.model_json_schema()["properties"]) == set(AzureOptions.model_fields)
