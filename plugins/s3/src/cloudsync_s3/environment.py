"""What the options of a location and the standard AWS environment and files say, as botocore reads them."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore
import botocore.config
import botocore.exceptions
import botocore.loaders
import botocore.session
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.utils import validate_region_name

from cloudsync_core.backends.objectstore.server import DEFAULT_PORTS, server_of
from cloudsync_core.errors import ConfigError
from cloudsync_s3.config import S3Options

USER_AGENT = f"cloudsync-s3 botocore/{botocore.__version__}"

_AMAZON = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws")
_GLOBAL = "us-east-1"
"""Where the servers sign that are in no region."""


class Environment:
    """How one location is reached; safe to use from many threads.

    Reading it asks nothing of the server. Off Amazon's machines it may look for a machine role, as botocore does.

    Args:
        options: the location's; each wins over the environment.
        location: for messages.

    Raises:
        ConfigError: the options or the AWS environment cannot be used: no such profile, half a pair of keys, a URL
            that is none.

    Attributes:
        url: of the server.
        region: for signatures.
        ca_bundle: file of the certificate authorities to trust, `None` for the system's.
        endpoint: the server's host, with its port where it is not the scheme's own: equal for equal places.
        is_amazon: whether it is one of Amazon's.
        path_style: whether buckets stand in the path.
    """

    def __init__(self, options: S3Options, location: str) -> None:
        try:
            session = _session(options)
            if options.region is not None:
                session.set_config_variable("region", options.region)
            self.url, self.region = _endpoint(session, options)
            self.endpoint = _normalised(self.url)
            self.ca_bundle = options.ca_bundle or _path(session.get_config_variable("ca_bundle"))
            self._anonymous = options.anonymous
            self._credentials = _credentials(session, options)
            style = (session.get_config_variable("s3") or {}).get("addressing_style")
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise ConfigError(f"{location}: the connection to S3 cannot be set up: {error}") from error
        if self.ca_bundle is not None and not self.ca_bundle.is_file():
            raise ConfigError(
                f"{location}: there is no file {self.ca_bundle} of certificate authorities",
                hint="Set ca_bundle or AWS_CA_BUNDLE to an existing file.",
            )
        self.is_amazon = self.endpoint.endswith(_AMAZON)
        self.path_style = not self.is_amazon
        if options.path_style is not None:
            self.path_style = options.path_style
        elif style in {"path", "virtual", "auto"}:
            self.path_style = style == "path"

    def credentials(self) -> ReadOnlyCredentials | None:
        """Return the credentials of now, refreshed where they had to be; `None` for anonymous requests.

        Raises:
            botocore.exceptions.BotoCoreError: there are none, or they cannot be refreshed.
        """
        if self._anonymous:
            return None
        if self._credentials is None:
            raise botocore.exceptions.NoCredentialsError
        found: ReadOnlyCredentials = self._credentials.get_frozen_credentials()
        return found


def client(options: S3Options, service: str, *, region: str, url: str | None) -> Any:
    """Return botocore's client of a service, which retries; for what is done once and need not be fast.

    Args:
        options: of the location whose credentials and certificates it uses.
        service: `s3` or `sqs`.
        region: of the service.
        url: of its server; `None` for the one that the environment or Amazon has for it.

    Raises:
        botocore.exceptions.BotoCoreError: it cannot be set up.
    """
    session = _session(options)
    keys = {}
    if options.access_key_id is not None and options.secret_access_key is not None:
        keys["aws_access_key_id"] = options.access_key_id
        keys["aws_secret_access_key"] = options.secret_access_key.get_secret_value()
        if options.session_token is not None:
            keys["aws_session_token"] = options.session_token.get_secret_value()
    styles = {None: "auto", True: "path", False: "virtual"}
    config = botocore.config.Config(
        user_agent=USER_AGENT,
        connect_timeout=options.connect_timeout,
        read_timeout=options.read_timeout,
        s3={"addressing_style": styles[options.path_style]},
    )
    verify = str(options.ca_bundle) if options.verify_tls and options.ca_bundle is not None else options.verify_tls
    return session.create_client(
        service,
        region_name=region,
        endpoint_url=url,
        # True would keep botocore from asking the environment for a bundle.
        verify=None if verify is True else verify,
        config=config,
        **keys,
    )


def queue_url(options: S3Options, region: str) -> str:
    """Return the URL of the server of a region's queues: the one that holds the bucket where that is not Amazon's.

    Raises:
        botocore.exceptions.BotoCoreError: the AWS environment cannot be used.
        ValueError: what the environment names is no URL.
    """
    url = os.environ.get("AWS_ENDPOINT_URL_SQS") or options.endpoint_url
    if url is None or is_amazons(url):
        session = _session(options)
        # With keys of no meaning, so that it does not look for any.
        made = session.create_client("sqs", region, aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106
        url = str(made.meta.endpoint_url)
        made.close()
    server_of(url)
    return url


def is_amazons(url: str) -> bool:
    """Tell whether a server is one of Amazon's."""
    return (urlsplit(url).hostname or "").endswith(_AMAZON)


@functools.cache
def models() -> Any:
    """Return botocore's descriptions of the services, read once: most of the time of making a client goes there."""
    return botocore.loaders.create_loader()


def _session(options: S3Options) -> Any:
    session = botocore.session.Session(profile=options.profile)
    session.register_component("data_loader", models())
    return session


def _endpoint(session: Any, options: S3Options) -> tuple[str, str]:
    """Return the URL of the server and the region.

    What a profile, or Amazon's rules for its regions, have to say about the URL, only a client knows; it is not made
    where the URL is plain, because that takes half as long as importing botocore.
    """
    region = session.get_config_variable("region")
    validate_region_name(region)
    url = options.endpoint_url
    if url is None and not session.get_config_variable("ignore_configured_endpoint_urls"):
        url = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if url is None:
        # With keys of no meaning, so that it does not look for any.
        client = session.create_client("s3", aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106
        url, region = client.meta.endpoint_url, client.meta.region_name
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is no URL of a server")
    return url, _GLOBAL if region in {None, "aws-global"} else region


def _credentials(session: Any, options: S3Options) -> Any:
    if options.anonymous:
        return None
    if options.access_key_id is None or options.secret_access_key is None:
        return session.get_credentials()
    token = options.session_token and options.session_token.get_secret_value()
    return Credentials(options.access_key_id, options.secret_access_key.get_secret_value(), token)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _normalised(url: str) -> str:
    parts = urlsplit(url)
    host = {"localhost": "127.0.0.1", "::1": "127.0.0.1"}.get(parts.hostname or "", parts.hostname or "")
    port = parts.port
    return host if port in {None, DEFAULT_PORTS.get(parts.scheme)} else f"{host}:{port}"
