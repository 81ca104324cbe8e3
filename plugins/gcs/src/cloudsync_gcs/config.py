"""The options of a `gs://` location. What is left out comes from Google's standard environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import ByteSize, Field, FilePath, SecretStr, field_validator, model_validator

from cloudsync_core.backends.objectstore.options import ServerOptions

MIB = 1024 * 1024

UNIT = 256 * 1024
"""Bytes of which every chunk of an upload but the last is a multiple
(https://cloud.google.com/storage/docs/performing-resumable-uploads)."""

LARGEST_OBJECT = 5 * 1024 * 1024 * MIB
"""Bytes of an object (https://cloud.google.com/storage/quotas#objects)."""


class GCSOptions(ServerOptions):
    """Options of a location on Google Cloud Storage."""

    endpoint_examples: ClassVar = "http://127.0.0.1:4443 or https://storage.example.com"

    endpoint_url: str | None = Field(
        None,
        description="URL of the server, for instance that of an emulator, `http://127.0.0.1:4443`. "
        "Default: STORAGE_EMULATOR_HOST, else Google Cloud Storage.",
    )
    service_account_file: FilePath | None = Field(
        None, description="File with the JSON key of a service account. Default: the application's default credentials."
    )
    service_account_json: SecretStr | None = Field(
        None, min_length=1, description="The content of such a file, for instance by a reference to a secret."
    )
    token: SecretStr | None = Field(
        None, min_length=1, description="An OAuth 2.0 access token, used as it is and never refreshed."
    )
    anonymous: bool = Field(False, description="Send requests without credentials, for public buckets.")
    project: str | None = Field(
        None,
        min_length=1,
        description="Project that gcsfs is told of, through which requests go where a proxy is of an unusual kind. "
        "Default: GOOGLE_CLOUD_PROJECT.",
    )
    user_project: str | None = Field(
        None, min_length=1, description="Project that is billed for requests to a bucket whose requesters pay."
    )
    verify_tls: bool = Field(True, description="Check the server's certificate.")
    ca_bundle: FilePath | None = Field(
        None, description="File of the certificate authorities to trust. Default: the system's."
    )
    connect_timeout: float = Field(10, gt=0, description="Seconds to wait for a connection.")
    read_timeout: float = Field(60, gt=0, description="Seconds to wait for the next bytes of an answer.")
    preconditions: Literal["auto"] | bool = Field(
        "auto",
        description="Whether the server honours ifGenerationMatch. One that ignores it overwrites and deletes what it "
        "should not, so say true only of a server that is known to honour it. auto: true for Google, false for any "
        "other server.",
    )
    resumable_threshold: ByteSize = Field(
        ByteSize(16 * MIB),
        ge=0,
        le=1024 * MIB,
        description="Objects larger than this are uploaded by a session, smaller ones in one request. "
        "Bytes, or text such as `16MiB`.",
    )
    chunk_size: ByteSize = Field(
        ByteSize(8 * MIB),
        ge=UNIT,
        le=1024 * MIB,
        description="Bytes of an upload by a session that are held in memory at a time; a multiple of 256KiB. "
        "Bytes, or text such as `8MiB`.",
    )

    @field_validator("service_account_file")
    @classmethod
    def _file_is_absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else path.absolute()

    @field_validator("service_account_json")
    @classmethod
    def _is_a_key(cls, text: SecretStr | None) -> SecretStr | None:
        if text is not None:
            service_account(text.get_secret_value())
        return text

    @field_validator("chunk_size")
    @classmethod
    def _is_whole(cls, size: ByteSize) -> ByteSize:
        if size % UNIT:
            raise ValueError("the server takes chunks that are multiples of 256KiB")
        return size

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        named = ("service_account_file", "service_account_json", "token", "anonymous")
        given = [name for name in named if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"{given[0]} excludes {given[1]}: it would be unclear whose credentials are used")
        return self

    @property
    def names_credentials(self) -> bool:
        """Whether the options themselves say whose credentials are used."""
        return bool(self.service_account_file or self.service_account_json or self.token)

    def credentials(self) -> tuple[object, ...]:
        """Return what tells whose credentials are used; equal for two locations that use the same ones."""
        return self.service_account_file, self.service_account_json, self.token, self.anonymous, self.user_project


def service_account(text: str) -> dict[str, object]:
    """Return the key of a service account that a JSON document holds.

    Raises:
        ValueError: it holds none; the message tells nothing of its content.
    """
    try:
        key = json.loads(text)
    except ValueError:
        raise ValueError("this is no JSON document") from None
    wanted = {"client_email", "private_key", "token_uri"}
    if not isinstance(key, dict) or not wanted <= key.keys():
        raise ValueError("this is not the JSON key of a service account: it has client_email, private_key, token_uri")
    return key
