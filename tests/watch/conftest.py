"""Stores behind a proxy, a plugin that tells of changes as badly as can be, and processes that watch."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cloudsync_core.api import open_backend
from cloudsync_core.errors import ObjectNotFoundError, UnavailableError
from tests.crash.zygote import zygote
from tests.equivalence.stores import STORES
from tests.servers.dialects import S3, Azure, Gcs
from tests.servers.proxy import Proxy, proxy_before

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("cloudsync")
DIALECTS = {"s3": S3, "azure": Azure, "gcs": Gcs}


@dataclasses.dataclass
class Cloud:
    """An empty place in a store, and the proxy by which those who watch reach it.

    Attributes:
        proxy: stands before its server.
        dialect: what the faults have to know of its protocol.
        url: of the place.
        options: of the location, as it is reached through the proxy.
        direct: the same past the proxy.
    """

    proxy: Proxy
    dialect: Any
    url: str
    options: Mapping[str, Any]
    direct: Mapping[str, Any]

    def opened(self):
        """Open the place past the proxy."""
        return open_backend(self.url, **self.direct)

    def keys(self):
        """Return the keys that are there."""
        with self.opened() as backend:
            return {key for page in backend.list() for key in page.keys}

    def contents(self):
        """Return what is there, but for empty folders."""
        found = {}
        with self.opened() as backend:
            for key in [key for page in backend.list() for key in page.keys if not key.endswith("/")]:
                # It may be gone since it was listed; moto answers a read of what is just being deleted with status 500.
                with contextlib.suppress(ObjectNotFoundError, UnavailableError), backend.get(key) as reader:
                    found[key] = reader.read()
        return found

    @property
    def config(self):
        """How a configuration names it."""
        return {"url": self.url, "options": dict(self.options)}


@pytest.fixture
def cloud(request, tmp_path):
    """Return a function that makes a place in a store, given by its name in `STORES`, and some ways to reach it."""
    with contextlib.ExitStack() as stack:

        def make(name, ways=1):
            store = STORES[name]
            server = request.getfixturevalue(store.fixture)
            place = store.place(server, tmp_path)
            found = []
            for _ in range(ways):
                proxy = stack.enter_context(proxy_before(server))
                reached = {**place.options, **{option: proxy.server.options[option] for option in server.options}}
                found.append(Cloud(proxy, DIALECTS[name](), place.url, reached, place.options))
            return found

        yield make


@pytest.fixture(scope="session")
def unreliable(tmp_path_factory):
    """The environment of a process in which the plugin `unreliable` is installed."""
    folder = tmp_path_factory.mktemp("plugins")
    (metadata := folder / "unreliable-1.0.dist-info").mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: unreliable\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[cloudsync]\nunreliable = tests.watch.unreliable\n")
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


@pytest.fixture(scope="session")
def watchers(unreliable):
    """What makes processes that watch, and kills them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", unreliable["PYTHONPATH"])
        with zygote() as process:
            yield process
