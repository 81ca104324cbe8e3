"""Registers the fixtures that the tests of the core and of every plugin share."""

import sys
from pathlib import Path

# Test modules are imported by path (`--import-mode=importlib`), so the shared fixtures need a way to be found that
# does not depend on the working directory.
ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))
# The examples are not installed, where every list of plugins would show them.
sys.path += [str(ROOT / "examples/cloudsync-sqlite"), str(ROOT / "examples/cloudsync-webdav/src")]

pytest_plugins = [
    "tests.servers.s3",
    "tests.servers.proxy",
    "tests.servers.azurite",
    "tests.servers.gcs",
    "tests.servers.ftp",
]
