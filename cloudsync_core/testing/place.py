"""A location of a user's, and the fresh prefix below it that a test keeps to."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from types import MappingProxyType

from cloudsync_core.backend import Backend
from cloudsync_core.config.locations import LocationConfig
from cloudsync_core.config.opening import open_location
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.errors import CloudSyncError, ConfigError, ContainerNotFoundError
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.location import Location
from cloudsync_core.plugins.facade import Plugins

_NAME = "cloudsync-test-{}"
_NO_SUCH = "cloudsync-no-such-{}"
_RANDOM_BYTES = 8
_NOTHING: Mapping[str, object] = MappingProxyType({})


class Place:
    """Opens backends at and below a location; what it opens tries again what may succeed later, as every run does.

    Args:
        where: the location as the user gave it.
        plugins: what serves its scheme.
        resolver: looks up its references to secrets.

    Attributes:
        prefix: the name of the fresh prefix, relative to the location.
    """

    def __init__(self, where: LocationConfig, plugins: Plugins, resolver: Resolver) -> None:
        self._where = where
        self._plugins = plugins
        self._resolver = resolver
        self._no_such = _NO_SUCH.format(secrets.token_hex(_RANDOM_BYTES))
        self.prefix = _NAME.format(secrets.token_hex(_RANDOM_BYTES))

    def open(self) -> Backend:
        """Return the backend of the location itself, whose container nobody makes; for looking and for cleaning up."""
        return self._open(self._where.url, create=False)

    def open_root(self, name: str) -> Backend:
        """Return a backend on a root below the fresh prefix, which the first put may make."""
        return self._open(_below(self._where.url, f"{self.prefix}/{name}"), create=True)

    def open_missing(self) -> Backend:
        """Return a backend whose container does not exist: in a tree a folder, else one of another name."""
        scheme = Location.parse(self._resolver.resolve(self._where.url, "url", secret=False)).scheme
        can_make = "create" in self._plugins.options_model(scheme).model_fields
        forced = {"create": False} if can_make else {}
        with self.open() as backend:
            tree = backend.capabilities.hierarchical
        folder = _below(self._where.url, f"{self.prefix}/{self._no_such}")
        return self._open(folder if tree else f"{scheme}://{self._no_such}/{self.prefix}", forced, create=False)

    def why_no_missing(self) -> str:
        """Say why nothing can be learnt from a container that does not exist, or return "" when something can."""
        try:
            with self.open_missing() as backend:
                next(iter(backend.list()), None)
        except ContainerNotFoundError:
            return ""
        except CloudSyncError as error:
            return f"no container can be known to be missing: {error}"
        return ""

    def check_fresh(self, backend: Backend) -> None:
        """Look at the fresh prefix, which has to be there for us alone.

        Raises:
            ContainerNotFoundError: the location's container does not exist.
            BackendError: it cannot be listed.
            ConfigError: something is under the prefix.
        """
        if any(len(page) for page in backend.list(self.prefix)):
            raise ConfigError(f"{backend.location}: there is something under {self.prefix}/ already")

    def _open(self, url: str, forced: Mapping[str, object] = _NOTHING, *, create: bool) -> Backend:
        backend = open_location(
            LocationConfig(url=url, options={**self._where.options, **forced}),
            plugins=self._plugins,
            loaded=None,
            resolver=self._resolver,
            create=create,
        )
        return Retry(backend, RetryPolicy())


def _below(url: str, name: str) -> str:
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{rest.removesuffix('/')}/{name}" if mark else f"{url.removesuffix('/')}/{name}"
