"""The options of a location, as users write them."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import urllib3
from cloudsync_core.options import BackendOptions
from pydantic import Field, SecretStr, model_validator


class WebdavOptions(BackendOptions):
    """Options of a `dav://` or `davs://` location.

    Attributes:
        username: for basic authentication.
        password: likewise; often one that the service made for this application.
        token: for bearer authentication, instead of both.
        ca_bundle: a file of certificates to trust instead of the system's.
        connect_timeout: seconds.
        read_timeout: seconds without a byte from the server.
        lock_timeout: seconds to wait for what somebody else has locked.
        create: whether a root folder that does not exist is made by the first put, and is empty until then. cloudsync
            sets it for targets.
    """

    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None
    ca_bundle: Path | None = None
    connect_timeout: float = Field(default=10.0, gt=0)
    read_timeout: float = Field(default=60.0, gt=0)
    lock_timeout: float = Field(default=10.0, ge=0)
    create: bool = False

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("a username and a password belong together")
        if self.token is not None and self.username is not None:
            raise ValueError("give a token, or a username and a password")
        return self

    def headers(self) -> dict[str, str]:
        """Return the headers that every request carries."""
        if self.token is not None:
            return {"Authorization": f"Bearer {self.token.get_secret_value()}"}
        if self.username is None or self.password is None:
            return {}
        return urllib3.make_headers(basic_auth=f"{self.username}:{self.password.get_secret_value()}")
