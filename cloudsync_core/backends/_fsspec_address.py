"""Where a location of the `fsspec` backend is: what its filesystem is made with, and what may be said of it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ConfigDict, Field

from cloudsync_core import keys
from cloudsync_core.errors import ConfigError, printable
from cloudsync_core.location import Location
from cloudsync_core.models import Identity
from cloudsync_core.options import BackendOptions

_IS_A_WRAPPER: Final = "it wraps another filesystem; give the location of that one"
_IS_AN_ARCHIVE: Final = "it is one archive file, not a store that objects can be put into one by one; unpack it first"
_HAS_NO_LISTING: Final = "a web server has no listing that can be trusted to be complete"

REFUSED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "async_wrapper", "asyncwrapper", "blockcache", "cached", "dask", "dir", "filecache", "generic",
            "reference", "simplecache",
        ),
        _IS_A_WRAPPER,
    ),
    **dict.fromkeys(("libarchive", "tar", "zip"), _IS_AN_ARCHIVE),
    **dict.fromkeys(("data", "http", "https"), _HAS_NO_LISTING),
}  # fmt: skip
"""Why fsspec's protocol of that name is no backend."""

_OURS: Final = frozenset({"asynchronous", "loop", "skip_instance_cache", "use_listings_cache"})
"""Arguments of every filesystem that the backend sets itself."""

_PLACE: Final = ("host", "port", "base_url", "endpoint_url", "url", "org", "repo", "sha", "instance")
"""Arguments that say where a filesystem is. They are shown; every other text is treated as a secret."""

_NAMES: Final = frozenset({*_PLACE, "user", "username", "encoding"})

_PORTS: Final = {"ftp": 21, "sftp": 22, "smb": 445}


class FsspecOptions(BackendOptions):
    """Options of a location that fsspec serves.

    Whatever else is given is passed to the filesystem's constructor by its name, for instance `password`; fsspec's
    documentation lists what each takes (https://filesystem-spec.readthedocs.io/en/latest/api.html).

    Attributes:
        create: whether a root folder that does not exist is made by the first put, and is empty until then. Without
            it, a missing root is an error (clause L2).
    """

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, str | int | float | bool] = Field(init=False)

    create: bool = False

    def __repr_args__(self) -> Any:
        """Show the names of the filesystem's arguments and none of their values."""
        yield "create", self.create
        for name in self.__pydantic_extra__:
            yield name, "***"


class Address:
    """One location, for one filesystem class.

    Attributes:
        location: the location without credentials.
        protocol: the filesystem's own name for itself, whichever alias was written.
        arguments: what the filesystem is constructed with.
        root: the root's path in the filesystem.
        identity: where the root is.
        secrets: texts that no message may show.

    Raises:
        ConfigError: the location or the options cannot be used with this filesystem.
    """

    def __init__(self, filesystem: Any, location: Location, options: FsspecOptions) -> None:
        protocols = (filesystem.protocol,) if isinstance(filesystem.protocol, str) else filesystem.protocol
        self.protocol: str = protocols[0]
        # A class registered under a name that it does not know itself would take that name for a part of the path.
        self._scheme = location.scheme if location.scheme in protocols else self.protocol
        has_authority = filesystem._get_kwargs_from_urls.__module__ != "fsspec.spec"  # noqa: SLF001 - fsspec's protocol for URLs
        self.location = self._without_credentials(location) if has_authority else str(location)
        given = options.__pydantic_extra__
        self.arguments: dict[str, Any] = {**(self._url_arguments(filesystem, location)), **given}
        self._check_arguments(filesystem)
        self.root = self._root(filesystem, location, has_authority=has_authority)
        self.identity = self._identity()
        self.secrets = tuple(
            str(value)
            for name, value in self.arguments.items()
            if name not in _NAMES and isinstance(value, str) and value
        )
        marker = "" if self.root else filesystem.root_marker
        self._base = f"{self.root.rstrip('/')}/" if self.root else marker

    def path(self, key: str) -> str:
        """Return the path of `key`, which is "" for the root, exactly as it is."""
        return self._base + key.removesuffix("/") if key else self.root

    def _without_credentials(self, location: Location) -> str:
        host = location.container.rpartition("@")[2]
        return f"{location.scheme}://{host}{location.rest[len(location.container) :]}"

    def _url_arguments(self, filesystem: Any, location: Location) -> dict[str, Any]:
        try:
            found = filesystem._get_kwargs_from_urls(f"{self._scheme}://{location.container}/")  # noqa: SLF001 - see above
        except ValueError as error:
            # The message of the error may hold a password.
            raise ConfigError(
                f"the address of the {location.scheme} location cannot be understood",
                hint=f"write {location.scheme}://host:port/path, and give user and password as options",
            ) from error
        return dict(found)

    def _check_arguments(self, filesystem: Any) -> None:
        for name in sorted(_OURS & set(self.arguments)):
            raise ConfigError(f"{self.location}: the option {name} cannot be set")
        try:
            inspect.signature(filesystem.__init__).bind(None, **self.arguments)
        except TypeError as error:
            raise ConfigError(
                f"{self.location}: {error}",
                hint=f"its options are the arguments of {filesystem.__module__}.{filesystem.__qualname__}",
            ) from error

    def _root(self, filesystem: Any, location: Location, *, has_authority: bool) -> str:
        if location.prefix and (why := keys.tree_problem(location.prefix)) is not None:
            raise ConfigError(f"{self.location} is no place in a tree: {why}")
        root: str = filesystem._strip_protocol(f"{self._scheme}://{location.rest}")  # noqa: SLF001 - fsspec's protocol for URLs
        if not root.endswith(location.prefix):
            raise ConfigError(
                f"{self.location} holds a character that is not part of a path in URLs of {printable(self.protocol)}",
                hint="rename the folder, or choose the one above it",
            )
        return root or ("/" if has_authority else "")

    def _identity(self) -> Identity:
        if self.protocol == "file":
            return Identity("file", os.path.realpath(self.root).rstrip("/") + "/")
        place = {name: self.arguments[name] for name in _PLACE if name in self.arguments}
        if "host" in place:
            place["host"] = str(place["host"]).lower()
        if "port" not in place and self.protocol in _PORTS:
            place["port"] = _PORTS[self.protocol]
        where = ",".join(f"{name}={value}" for name, value in place.items())
        return Identity(f"{self.protocol}:{where}", f"/{self.root.strip('/')}/".replace("//", "/"))
