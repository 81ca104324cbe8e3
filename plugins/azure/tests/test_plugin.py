"""What the core meets when it loads the plugin."""

import importlib.metadata
import subprocess
import sys

from cloudsync_azure import plugin

from cloudsync_core.plugins import API_VERSION


def test_record_names_the_schemes_and_what_to_install():
    [info] = plugin.cloudsync_register_backends()
    assert info.schemes == ("az", "abfs")
    assert info.api_version == API_VERSION
    assert info.install_hint == "pip install cloudsync-azure"


def test_entry_point_names_the_plugin():
    [entry] = importlib.metadata.entry_points(group="cloudsync", name="azure")
    assert entry.load() is plugin


def test_registering_imports_no_sdk():
    code = (
        "import sys, cloudsync_azure.plugin as plugin; plugin.cloudsync_register_backends();"
        "print([name for name in ('adlfs', 'azure', 'fsspec', 'aiohttp') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
