"""What the options of a location and the standard Azure environment say.

An option wins over the environment. What the environment knows about one account is not used for another: a key or a
connection string that belongs elsewhere would at best be refused.
"""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from cloudsync_azure.address import (
    PUBLIC_SUFFIX,
    Address,
    account_of,
    is_container,
    is_near,
    queue_url,
    service_url,
    split_host,
)
from cloudsync_azure.config import AzureOptions
from cloudsync_azure.signing import Anonymous, Authorisation, Bearer, SharedAccess, SharedKey, Tokens
from cloudsync_core.errors import ConfigError
from cloudsync_core.location import Location

USER_AGENT: Final = "cloudsync-azure"

_EMULATOR_ACCOUNT = "devstoreaccount1"
# The key that Microsoft has published for its emulators: no secret.
_EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_EMULATOR_URL = f"http://127.0.0.1:10000/{_EMULATOR_ACCOUNT}"
_NOT_SET = frozenset({"", "0", "f", "false"})


class Environment:
    """How one location is reached; safe to use from many threads. Reading it asks nothing of anybody.

    Args:
        location: of the backend.
        options: the location's; each wins over the environment.

    Raises:
        ConfigError: the location names no container, or its options and the environment cannot be used.

    Attributes:
        address: where the container is.
        authorise: says who asks.
        ca_bundle: file of the certificate authorities to trust, `None` for the system's.
        endpoint: the server's host with the path that leads to the account: equal for equal places.
    """

    def __init__(self, location: Location, options: AzureOptions) -> None:
        text = shown(location)
        try:
            container, host_url = split_host(location.container)
            found = _found(options, host_url, os.environ)
            account = found.account or (account_of(found.url) if found.url else None)
            if account is None:
                raise ConfigError(
                    f"{text}: no storage account is named",
                    hint="Set account_name or connection_string, AZURE_STORAGE_ACCOUNT or "
                    "AZURE_STORAGE_CONNECTION_STRING.",
                )
            self.address = Address.of(found.url or service_url(account), account, container)
            self.authorise = _authorisation(found, self.address, options)
        except ValueError as error:
            raise ConfigError(f"{text}: the connection to Azure cannot be set up: {error}") from error
        if not is_container(container):
            raise ConfigError(
                f"{text}: {container!r} is not the name of a container" if container else f"{text}: no container",
                hint="Write it as az://container/prefix; a name has 3 to 63 lower-case letters, digits and hyphens.",
            )
        bundle = os.environ.get("REQUESTS_CA_BUNDLE")
        self.ca_bundle = options.ca_bundle or (Path(bundle) if bundle and options.verify_tls else None)
        if self.ca_bundle is not None and not self.ca_bundle.is_file():
            raise ConfigError(
                f"{text}: there is no file {self.ca_bundle} of certificate authorities",
                hint="Set ca_bundle or REQUESTS_CA_BUNDLE to an existing file.",
            )
        server = self.address.server
        host = "127.0.0.1" if is_near(server) else server.host
        self.endpoint = dataclasses.replace(server, host=host).netloc + self.address.base
        self._queue = found.queue if found.url else None

    def at_queue(
        self, queue: str, url: str | None = None, *, connection_string: str | None = None, sas: str | None = None
    ) -> Self:
        """Return how a storage queue is reached: by default one of the same account, with the same credentials.

        Args:
            queue: its name.
            url: of the account's queue service.
            connection_string: of the queue's account, if that is another one.
            sas: a shared access signature for the queue; one for a container is none.

        Raises:
            ValueError: it cannot be told where the queue is, or by what to be let in.
        """
        other = _Found.of_connection_string(connection_string) if connection_string else _Found(sas=sas)
        blobs = other.url or (self.address.server.url + self.address.base)
        url = url or other.queue or (None if connection_string else self._queue) or queue_url(blobs)
        account = other.account or account_of(url) or self.address.account
        found = copy.copy(self)
        found.address = Address.of(url, account, queue)
        if other.lets_in or connection_string:
            if not other.lets_in:
                raise ValueError("the connection string holds neither AccountKey nor SharedAccessSignature")
            found.authorise = _authorisation(other, found.address, AzureOptions.model_validate({}))
        elif isinstance(self.authorise, SharedKey | SharedAccess) and account != self.address.account:
            raise ValueError(
                f"the queue is in the account {account}, and the credentials are those of {self.address.account}"
            )
        elif isinstance(self.authorise, Bearer):
            _refuse_plain(found.address)
        return found


def shown(location: Location) -> str:
    """Return a location as messages have it, without a slash at its end."""
    return f"{location.scheme}://{location.rest.removesuffix('/')}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """What is known of an account, and by what to be let in; whatever is not known is `None`."""

    account: str | None = None
    url: str | None = None
    key: str | None = dataclasses.field(default=None, repr=False)
    sas: str | None = dataclasses.field(default=None, repr=False)
    anonymous: bool = False
    queue: str | None = None

    @property
    def lets_in(self) -> bool:
        return bool(self.key or self.sas or self.anonymous)

    @classmethod
    def of_connection_string(cls, text: str) -> Self:
        """Return what a connection string says.

        https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string

        Raises:
            ValueError: it is none; the message holds nothing of it.
        """
        pairs = [part.partition("=") for part in text.strip().strip(";").split(";")]
        if not all(name and equals for name, equals, _ in pairs):
            raise ValueError("the connection string is damaged: it has the form Name=value;Name=value")
        said = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if said.get("usedevelopmentstorage", "").lower() == "true":
            return cls(_EMULATOR_ACCOUNT, _EMULATOR_URL, _EMULATOR_KEY)
        account, url = said.get("accountname"), said.get("blobendpoint")
        if url is None and account is not None:
            scheme = said.get("defaultendpointsprotocol", "https").lower()
            url = service_url(account, said.get("endpointsuffix") or PUBLIC_SUFFIX, scheme)
        queue = said.get("queueendpoint")
        if url is None and queue is None:
            raise ValueError("the connection string names neither AccountName nor BlobEndpoint")
        return cls(account, url, said.get("accountkey"), said.get("sharedaccesssignature"), queue=queue)


def _found(options: AzureOptions, host_url: str | None, environ: Mapping[str, str]) -> _Found:
    """Return what the options say, completed by the environment.

    Raises:
        ValueError: they contradict each other, or a connection string is damaged.
    """
    given = _given(options, host_url)
    around = _around(environ)
    wanted = given.account or (account_of(given.url) if given.url else None)
    if wanted is not None and around.account is not None and wanted != around.account:
        around = _Found()
    found = dataclasses.replace(
        given, account=wanted or around.account, url=given.url or around.url, queue=given.queue or around.queue
    )
    if options.names_credentials:
        return found
    return dataclasses.replace(found, key=around.key, sas=around.sas, anonymous=around.anonymous)


def _given(options: AzureOptions, host_url: str | None) -> _Found:
    """Return what the options and the location say."""
    if options.connection_string is not None:
        found = _Found.of_connection_string(options.connection_string.get_secret_value())
        if not found.lets_in:
            raise ValueError("the connection string holds neither AccountKey nor SharedAccessSignature")
    else:
        key, sas = options.account_key, options.sas_token
        found = _Found(
            options.account_name,
            options.endpoint_url,
            None if key is None else key.get_secret_value(),
            None if sas is None else sas.get_secret_value(),
            options.anonymous,
        )
    if host_url is None:
        return found
    named = account_of(host_url)
    if found.account not in {None, named}:
        raise ValueError(f"the location names the account {named}, and its options {found.account}")
    return dataclasses.replace(found, account=named, url=found.url or host_url)


def _around(environ: Mapping[str, str]) -> _Found:
    """Return what the environment says; a connection string says everything."""
    text = environ.get("AZURE_STORAGE_CONNECTION_STRING")
    if text:
        found = _Found.of_connection_string(text)
        return dataclasses.replace(found, account=found.account or account_of(found.url or ""))
    url = environ.get("AZURE_STORAGE_SERVICE_ENDPOINT") or None
    account = environ.get("AZURE_STORAGE_ACCOUNT") or environ.get("AZURE_STORAGE_ACCOUNT_NAME")
    return _Found(
        account or (account_of(url) if url else None),
        url,
        environ.get("AZURE_STORAGE_KEY") or environ.get("AZURE_STORAGE_ACCOUNT_KEY") or None,
        environ.get("AZURE_STORAGE_SAS_TOKEN") or None,
        environ.get("AZURE_STORAGE_ANON", "").lower() not in _NOT_SET,
    )


def _authorisation(found: _Found, address: Address, options: AzureOptions) -> Authorisation:
    """Return by what to be let in.

    Raises:
        ValueError: it may not go to that server.
    """
    if found.key:
        return SharedKey(address.account, found.key)
    if found.sas:
        return SharedAccess(found.sas)
    if found.anonymous:
        return Anonymous()
    _refuse_plain(address)
    return Bearer(Tokens(options))


def _refuse_plain(address: Address) -> None:
    """Raise `ValueError` unless a token may go to that server."""
    if address.server.scheme != "https" and not is_near(address.server):
        # Whoever sees a token on its way can use it; a key and what is signed by it stay here.
        raise ValueError("tokens of an identity are not sent over plain HTTP; write endpoint_url with https")
