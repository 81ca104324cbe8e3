"""The process that makes the runs, and fresh places in every store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudsync_core.engine import resuming
from tests.crash.story import Scene, Unfinished, scene
from tests.crash.zygote import RESUMED_FROM, Zygote, zygote
from tests.equivalence.stores import STORES, Place
from tests.pauses import leave_out


@pytest.fixture(autouse=True)
def _as_in_the_zygote(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runs of this process be as those that die."""
    leave_out(monkeypatch)
    monkeypatch.setattr(resuming, "RESUMED_FROM", RESUMED_FROM)


@pytest.fixture(scope="session")
def runs() -> Iterator[Zygote]:
    """What makes the runs that die."""
    with zygote() as process:
        yield process


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str], Place]:
    """Return a function that makes an empty place in the store of a name, under a name of its own."""

    def make(name: str, called: str) -> Place:
        store = STORES[name]
        (folder := tmp_path / called).mkdir(parents=True)
        found = store.place(request.getfixturevalue(store.fixture) if store.fixture else None, folder)
        # What a crash leaves depends on it.
        return Place(found.url, {**found.options, "fsync": True}) if name == "file" else found

    return make


@pytest.fixture
def unfinished(request: pytest.FixtureRequest) -> Unfinished:
    """Return a function that tells what a place holds beside objects, as its server sees it."""

    def find(place: Place) -> list[str]:
        match place.scheme:
            case "":
                return [str(path) for path in Path(place.url).rglob(".cs-*")]
            case "s3":
                client = request.getfixturevalue("moto_s3").client
                uploads = client.list_multipart_uploads(Bucket=place.container).get("Uploads", [])
                return [upload["Key"] for upload in uploads]
            case "az":
                container = request.getfixturevalue("azurite").client.get_container_client(place.container)
                whole = set(container.list_blob_names())
                return [
                    blob.name for blob in container.list_blobs(include="uncommittedblobs") if blob.name not in whole
                ]
            case "gs":
                return list(request.getfixturevalue("gcs").open_uploads(place.container))
        raise AssertionError(place)

    return find


@pytest.fixture
def stage(
    place: Callable[[str, str], Place], runs: Zygote, unfinished: Unfinished, tmp_path: Path
) -> Callable[[str, str], Scene]:
    """Return a function that tells the story anew, between two stores given by their names."""
    number = 0

    def make(source: str, target: str) -> Scene:
        nonlocal number
        number += 1
        (job := tmp_path / f"{number}/job").mkdir(parents=True)
        return scene(job, place(source, f"{number}/source"), place(target, f"{number}/target"), runs, unfinished)

    return make
