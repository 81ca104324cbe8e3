"""What the core meets when it loads the plugin."""

import importlib.metadata
import subprocess
import sys

from cloudsync_gcs import plugin

from cloudsync_core.plugins import API_VERSION


def test_record_names_the_schemes_and_what_to_install():
    [info] = plugin.cloudsync_register_backends()
    assert info.schemes == ("gs", "gcs")
    assert info.api_version == API_VERSION
    assert info.install_hint == "pip install cloudsync-gcs"


def test_event_source_watches_what_the_backend_serves():
    [info] = plugin.cloudsync_register_event_sources()
    assert (info.name, info.schemes) == ("pubsub", ("gs", "gcs"))
    assert info.install_hint == "pip install cloudsync-gcs"


def test_entry_point_names_the_plugin():
    [entry] = importlib.metadata.entry_points(group="cloudsync", name="gcs")
    assert entry.load() is plugin


def test_registering_imports_no_sdk():
    code = (
        "import sys, cloudsync_gcs.plugin as plugin; plugin.cloudsync_register_backends();"
        "plugin.cloudsync_register_event_sources();"
        "print([name for name in ('gcsfs', 'google.auth', 'google.cloud', 'fsspec', 'aiohttp') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
