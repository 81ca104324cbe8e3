"""What the options of every object store have in common: how its server is reached."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from cloudsync_core.options import BackendOptions


class ServerOptions(BackendOptions):
    """Rules for the options `endpoint_url`, `verify_tls` and `ca_bundle`.

    Each plugin declares these fields itself, with its own words and defaults and in its own order.

    Attributes:
        endpoint_examples: what an endpoint looks like, in words, for who has given something else.
    """

    endpoint_examples: ClassVar[str]

    @field_validator("endpoint_url", check_fields=False)
    @classmethod
    def _is_plain_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"an endpoint is a URL such as {cls.endpoint_examples}")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("an endpoint URL holds no credentials, query or fragment")
        return url

    @field_validator("ca_bundle", check_fields=False)
    @classmethod
    def _is_absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else path.absolute()

    @model_validator(mode="after")
    def _has_a_use_for_authorities(self) -> Self:
        if getattr(self, "ca_bundle", None) is not None and not getattr(self, "verify_tls", True):
            raise ValueError("ca_bundle has no use with verify_tls: false")
        return self
