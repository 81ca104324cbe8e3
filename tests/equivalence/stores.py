"""The stores of the matrix, each with how a test gets a fresh place in it.

To add a store, add an entry to `STORES`; the name of its fixture, if it needs a server, and how a place on that server
is written in a configuration are all there is to say.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cloudsync_core.api import open_backend
from cloudsync_core.backend import Backend

KIB = 1024

BOUNDARY = 256 * KIB
"""Bytes above which every store that can is told to write in parts, and bytes of a part."""


@dataclasses.dataclass(frozen=True)
class Place:
    """An empty place in a store, as a configuration names it."""

    url: str
    options: Mapping[str, Any]

    @property
    def scheme(self) -> str:
        """What its URL begins with; "" of a directory."""
        return self.url.rpartition("://")[0]

    @property
    def container(self) -> str:
        """The container in its URL; "" of a directory."""
        return self.url.partition("://")[2].partition("/")[0]

    @property
    def root(self) -> str:
        """The name of its root in the place above."""
        return self.url.rpartition("/")[2]

    @property
    def above(self) -> Place:
        """The place in which its root lies."""
        return dataclasses.replace(self, url=self.url.rpartition("/")[0])

    def open(self) -> Backend:
        """Open the place as a job does."""
        return open_backend(self.url, **self.options)


@dataclasses.dataclass(frozen=True)
class Store:
    """A provider in the matrix.

    Attributes:
        name: as tests and tables call it.
        title: as people call it.
        runs_on: what the runs are made against.
        place: returns a fresh place; called with the server of `fixture`, and an empty directory.
        fixture: the pytest fixture of the server; `None` where none is needed.
        outlives_processes: whether another process sees what this one stored.
        lists_digests: whether its listings tell the MD5 of an object that was written by one request.
        lists_digests_of_parts: whether they do so of one that was written in parts.
        digest_of_parts: what it tells of one that was written in parts: "md5", or "md5/N", that of its parts' MD5s.
        copies_with_other_headers: whether its server copies an object under other headers than it had.
        completes_parts_unasked: whether the server takes an upload in parts whatever its condition says.
    """

    name: str
    title: str
    runs_on: str
    place: Callable[[Any, Path], Place]
    fixture: str | None = None
    outlives_processes: bool = True
    lists_digests: bool = True
    lists_digests_of_parts: bool = True
    digest_of_parts: str = "md5"
    copies_with_other_headers: bool = True
    completes_parts_unasked: bool = False


def _directory(_: object, folder: Path) -> Place:
    return Place(str(folder), {"fsync": False})


def _memory(_: object, __: Path) -> Place:
    return Place(f"memory://{uuid.uuid4()}/data", {"create": True})


def _s3(server: Any, _: Path) -> Place:
    # As Amazon's, which honours every condition, and of which `auto` would say so.
    conditions = {"conditional_writes": True, "conditional_deletes": True}
    parts = {"multipart_threshold": BOUNDARY, "part_size": BOUNDARY}
    return Place(f"s3://{server.make_bucket()}/data", {**server.options, **conditions, **parts})


def _azure(server: Any, _: Path) -> Place:
    return Place(
        f"az://{server.make_container()}/data",
        {**server.options, "multipart_threshold": BOUNDARY, "part_size": BOUNDARY},
    )


def _gcs(server: Any, _: Path) -> Place:
    return Place(
        f"gs://{server.make_bucket()}/data", {**server.options, "resumable_threshold": BOUNDARY, "chunk_size": BOUNDARY}
    )


STORES = {
    store.name: store
    for store in (
        Store("file", "directory", "a local file system", _directory, lists_digests=False),
        Store("memory", "memory", "the process itself", _memory, outlives_processes=False),
        Store(
            "s3",
            "Amazon S3",
            "moto",
            _s3,
            "moto_s3",
            lists_digests_of_parts=False,
            digest_of_parts="md5/N",
            completes_parts_unasked=True,
        ),
        Store("azure", "Azure Blob Storage", "Azurite", _azure, "azurite", copies_with_other_headers=False),
        Store("gcs", "Google Cloud Storage", "a server of the tests that does what Google documents", _gcs, "gcs"),
    )
}
"""By their names, in the order of the tables."""
