"""What the core meets when it loads the plugin."""

import importlib.metadata
import subprocess
import sys

import click
from cloudsync_s3 import plugin
from cloudsync_s3.backend import S3Backend
from cloudsync_s3.config import S3Options
from cloudsync_s3.source import SqsEvents, SqsOptions

from cloudsync_core.plugins import API_VERSION


def test_record_names_what_exists():
    [info] = plugin.cloudsync_register_backends()
    assert info.schemes == ("s3",)
    assert info.api_version == API_VERSION
    assert info.factory == f"{S3Backend.__module__}:{S3Backend.__name__}"
    assert info.options == f"{S3Options.__module__}:{S3Options.__name__}"
    assert info.install_hint == "pip install cloudsync-s3"


def test_event_source_names_what_exists():
    [info] = plugin.cloudsync_register_event_sources()
    assert (info.name, info.schemes) == ("sqs", ("s3",))
    assert info.factory == f"{SqsEvents.__module__}:{SqsEvents.__name__}"
    assert info.options == f"{SqsOptions.__module__}:{SqsOptions.__name__}"
    assert info.install_hint == "pip install cloudsync-s3"


def test_command_is_added():
    cli = click.Group()
    plugin.cloudsync_register_commands(cli)
    assert list(cli.commands) == ["s3"]
    assert list(cli.commands["s3"].commands) == ["setup"]


def test_entry_point_names_the_plugin():
    [entry] = importlib.metadata.entry_points(group="cloudsync", name="s3")
    assert entry.load() is plugin


def test_registering_imports_no_sdk():
    code = (
        "import click, sys, cloudsync_s3.plugin as plugin; plugin.cloudsync_register_backends();"
        "plugin.cloudsync_register_event_sources(); plugin.cloudsync_register_commands(click.Group());"
        "print([name for name in ('s3fs', 'fsspec', 'botocore', 'aiobotocore', 'aiohttp') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
