"""A channel from Python: what a program publishes there, and what it receives."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cloudsync_core.api.reading import Readable
from cloudsync_core.backend import Backend
from cloudsync_core.channels import names
from cloudsync_core.channels.publisher import Message, Publisher
from cloudsync_core.channels.update import Update
from cloudsync_core.config.locations import LocationConfig
from cloudsync_core.config.opening import open_location
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.errors import BackendError
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.plugins.facade import Plugins

_LOG = logging.getLogger(__name__)


class Channel(Readable):
    """A channel: updates in a prefix of any location, in order, for any number of subscribers (docs/channels.md).

        with Channel("./feeds", publisher="web1") as channel:
            channel.publish("feeds/weather", {"url": "https://example.org/weather", "items": 12})

    A channel needs no making: the first update makes it. Methods may be called from many threads.

    Args:
        location: a URL, a path, or a `LocationConfig` with options.
        publisher: the name under which this program publishes; by default that of the host.
        **options: of the backend that serves the location, for instance `endpoint_url`.

    Raises:
        ConfigError: the location, an option or the name is wrong.
        PluginError: the backend's plugin cannot be used.

    Attributes:
        url: the location, as it was written.
        publisher: the name.
    """

    def __init__(self, location: str | LocationConfig, *, publisher: str | None = None, **options: Any) -> None:
        config = location if isinstance(location, LocationConfig) else LocationConfig(url=location)
        if options:
            config = LocationConfig(url=config.url, options={**config.options, **options})
        self.url = config.url
        self.publisher = names.host_name() if publisher is None else names.checked(publisher, "publisher")
        plugins = Plugins.load()
        self._policy = RetryPolicy()
        self._resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
        backend = open_location(config, plugins=plugins, loaded=None, resolver=self._resolver, create=True)
        self._backend = Retry(backend, self._policy)
        self._beginning = threading.Lock()

    def publish(
        self,
        topic: str,
        content: object,
        metadata: Mapping[str, str] | None = None,
        *,
        content_type: str | None = None,
    ) -> Update:
        """Publish one update, and return it when it is in the channel, for every subscriber to find.

        Args:
            topic: 1 to 255 bytes of printable text, with `/` between its segments.
            content: text, bytes, a JSON value (dict, list, int, float, bool, None), or a `Path`, whose file is sent.
            metadata: text by name, 16 KiB in all at most.
            content_type: the media type; by default told by the kind of the content, or by the name of the file.

        Raises:
            ConfigError: the topic, the metadata or the content cannot be published.
            ContainerNotFoundError: the container does not exist.
            BackendError: it could not be written. Where the store did not answer, it may be in the channel all the
                same, and the message says so.
        """
        return self._publisher().publish(Message(topic, content, metadata or {}, content_type))

    def publish_many(self, messages: Iterable[Message]) -> list[Update]:
        """Publish updates in order, and return them when all are in the channel.

        They share objects, up to 1,000 updates and about 1 MiB in each, and so round trips: a thousand small updates
        cost as much as one. What is in one object is seen as a whole or not at all.

        Args:
            messages: the updates. A list or a tuple is checked before anything is written; other iterables are read as
                they are published.

        Raises:
            ConfigError, BackendError: see `publish`.
        """
        return self._publisher().publish_many(messages)

    def close(self) -> None:
        """Release connections; subscriptions have to be closed before."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self) -> Backend:
        return self._backend

    def _publisher(self) -> Publisher:
        with self._beginning:
            return self._publishing

    @functools.cached_property
    def _publishing(self) -> Publisher:
        """What publishes; made before the first update, when what the store can do has to be found out."""
        try:
            self._backend.probe()
        except BackendError as error:
            _LOG.info(
                "what %s can do was not found out, and nothing is taken for granted: %s", self._backend.location, error
            )
        return Publisher(self._backend, self.publisher, policy=self._policy)
