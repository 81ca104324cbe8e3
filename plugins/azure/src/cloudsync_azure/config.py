"""The options of an `az://` location. What is left out comes from the standard Azure environment."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import ByteSize, Field, FilePath, SecretStr, model_validator

from cloudsync_core.backends.objectstore.options import ServerOptions

MIB = 1024 * 1024

LARGEST_PUT = 5000 * MIB
"""Bytes that one Put Blob takes
(https://learn.microsoft.com/azure/storage/blobs/scalability-targets)."""

LARGEST_BLOCK = 4000 * MIB
"""Bytes of a block (the same page)."""

_WAYS = ("connection_string", "account_key", "sas_token", "client_secret", "managed_identity", "anonymous")


class AzureOptions(ServerOptions):
    """Options of an Azure location."""

    endpoint_examples: ClassVar = "https://account.blob.core.windows.net or http://127.0.0.1:10000/devstoreaccount1"

    account_name: str | None = Field(
        None,
        pattern=r"^[a-z0-9]{3,24}$",
        description="Storage account. Default: the connection string, AZURE_STORAGE_ACCOUNT, "
        "AZURE_STORAGE_ACCOUNT_NAME, else the one that `endpoint_url` names.",
    )
    account_key: SecretStr | None = Field(
        None, min_length=1, description="Key of the account. Default: AZURE_STORAGE_KEY, AZURE_STORAGE_ACCOUNT_KEY."
    )
    connection_string: SecretStr | None = Field(
        None,
        min_length=1,
        description="Account, endpoint and credentials in one. Default: AZURE_STORAGE_CONNECTION_STRING.",
    )
    sas_token: SecretStr | None = Field(
        None,
        min_length=1,
        description="Shared access signature, with or without `?` before it. Default: AZURE_STORAGE_SAS_TOKEN.",
    )
    tenant_id: str | None = Field(
        None, min_length=1, description="Tenant of a service principal; goes with `client_id` and `client_secret`."
    )
    client_id: str | None = Field(
        None,
        min_length=1,
        description="Application of a service principal, or with `managed_identity` the identity to use of several.",
    )
    client_secret: SecretStr | None = Field(None, min_length=1, description="The secret of a service principal.")
    managed_identity: bool = Field(
        False, description="Use the machine's managed identity, and look for no other credentials."
    )
    anonymous: bool = Field(False, description="Send unsigned requests, for public containers.")
    endpoint_url: str | None = Field(
        None,
        description="URL of the account's blob service, for instance `http://127.0.0.1:10000/devstoreaccount1`. "
        "Default: the connection string, AZURE_STORAGE_SERVICE_ENDPOINT, "
        "else `https://ACCOUNT.blob.core.windows.net`.",
    )
    verify_tls: bool = Field(True, description="Check the server's certificate.")
    ca_bundle: FilePath | None = Field(
        None,
        description="File of the certificate authorities to trust. Default: REQUESTS_CA_BUNDLE, else the system's.",
    )
    connect_timeout: float = Field(10, gt=0, description="Seconds to wait for a connection.")
    read_timeout: float = Field(60, gt=0, description="Seconds to wait for the next bytes of an answer.")
    ordered_listing: bool = Field(
        True,
        description="Whether listings come in the order of the names, as they do in accounts without a hierarchical "
        "namespace. Say false for an account with one: cloudsync then sorts them itself from the start, instead of "
        "beginning again when it meets the disorder.",
    )
    content_md5: bool = Field(
        True,
        description="Whether the Content-MD5 of an object is the MD5 of its content. Anybody who writes objects can "
        "set it to what they like: say false where somebody has.",
    )
    multipart_threshold: ByteSize = Field(
        ByteSize(16 * MIB),
        ge=0,
        le=LARGEST_PUT,
        description="Objects larger than this are uploaded in blocks. Bytes, or text such as `16MiB`.",
    )
    part_size: ByteSize = Field(
        ByteSize(8 * MIB),
        ge=1,
        le=LARGEST_BLOCK,
        description="Size of a block. Objects of 256MiB or more have blocks of at least 16MiB, and those of more than "
        "50,000 blocks larger ones. Bytes, or text such as `8MiB`.",
    )

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        given = [name for name in _WAYS if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"{given[0]} excludes {given[1]}: it would be unclear which credentials are used")
        if self.connection_string is not None and (self.account_name or self.endpoint_url):
            raise ValueError("connection_string says account and endpoint: leave out account_name and endpoint_url")
        if self.client_secret is not None and (self.client_id is None or self.tenant_id is None):
            raise ValueError("client_secret needs client_id and tenant_id")
        if self.client_id is not None and self.client_secret is None and not self.managed_identity:
            raise ValueError("client_id goes with client_secret, or with managed_identity")
        if self.tenant_id is not None and self.client_secret is None:
            raise ValueError("tenant_id goes with client_id and client_secret")
        return self

    @property
    def names_credentials(self) -> bool:
        """Whether these options say by what to be let in, so that nothing else is looked for."""
        return any(getattr(self, name) for name in _WAYS)
