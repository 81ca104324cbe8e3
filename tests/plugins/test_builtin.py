"""What the core brings itself goes the way of any plugin, and loading plugins loads none of their SDKs."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cloudsync_core.backend import Backend
from cloudsync_core.event_source import Watched
from cloudsync_core.location import Location
from cloudsync_core.options import BackendOptions, NoOptions
from cloudsync_core.plugins import builtin, known, opening
from cloudsync_core.plugins.facade import Plugins

from .conftest import status

REPOSITORY = Path(__file__).parents[2]
CORE = Plugins.load(allow=()).statuses[0]
RECORDS = [*builtin.cloudsync_register_backends(), builtin.FALLBACK]
PROJECTS = sorted(REPOSITORY.glob("plugins/*/pyproject.toml"))
SDKS = {
    "s3fs", "botocore", "aiobotocore", "boto3", "adlfs", "azure", "gcsfs", "google", "google_crc32c",
    "aiohttp", "urllib3", "requests", "fsspec",
}  # fmt: skip


class TestTheBuiltIns:
    def test_register_by_the_hooks_that_plugins_use(self):
        assert CORE.distribution == "cloudsync-core"
        assert {"register_backends", "register_comparators", "register_event_sources"} <= set(CORE.hooks)

    @pytest.mark.parametrize("info", RECORDS, ids=lambda info: info.factory)
    def test_offer_backends_that_can_be_imported(self, info):
        assert issubclass(opening.resolve(info.factory, CORE), Backend)
        assert issubclass(opening.options_model(info, CORE), BackendOptions)

    @pytest.mark.parametrize("name", ["auto", "size", "mtime", "checksum", "always"])
    def test_offer_comparators_that_can_be_made(self, name):
        assert Plugins.load(allow=()).comparator(name) is not None

    @pytest.mark.parametrize("name", ["local", "poll"])
    def test_offer_event_sources_that_can_watch_a_directory(self, name, tmp_path):
        plugins, location = Plugins.load(allow=()), Location("file", str(tmp_path))
        with plugins.open(location) as backend:
            plugins.event_source(name, Watched(location, backend, NoOptions())).close()


class TestThePluginsOfThisRepository:
    @pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
    def test_are_active_and_known_by_the_schemes_that_they_register(self, project):
        name = tomllib.loads(project.read_text())["project"]["name"]
        found = status(Plugins.load(), name)
        assert (found.status, found.reason) == ("active", "")
        assert {scheme for scheme, distribution in known.distributions().items() if distribution == name} == {
            *found.schemes
        }

    def test_are_loaded_without_any_sdk(self):
        code = """
import json, sys
from cloudsync_core.plugins.facade import Plugins
plugins = Plugins.load()
print(json.dumps([sorted(sys.modules), [status.distribution for status in plugins.statuses if status.schemes]]))
"""
        ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
        modules, active = json.loads(ran.stdout)
        assert {"cloudsync-s3", "cloudsync-azure", "cloudsync-gcs"} <= set(active)
        assert {"cloudsync_s3.plugin", "cloudsync_azure.plugin", "cloudsync_gcs.plugin"} <= set(modules)
        loaded = {name.partition(".")[0] for name in modules}
        assert loaded.isdisjoint(SDKS)
