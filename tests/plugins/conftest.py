"""Plugins as pip leaves them: a distribution's metadata and a module, in a directory on the path."""

import dataclasses
import sys
import textwrap

import pytest

from cloudsync_core.plugins.facade import Plugins

CORE = "cloudsync-core>=0.1,<0.2"

GOOD = """
    from cloudsync_core.plugins import BackendInfo, hookimpl

    @hookimpl
    def cloudsync_register_backends():
        return [BackendInfo(("demo",), "a demonstration", "cloudsync_core.backends.memory:MemoryBackend",
                            "cloudsync_core.backends.memory:MemoryOptions")]
"""
"""The source of a plugin that serves demo://."""


@dataclasses.dataclass
class Site:
    """A directory of installed distributions."""

    path: object
    modules: list = dataclasses.field(default_factory=list)

    def install(self, name, source=GOOD, *, version="1.0", requires=(CORE,), entry="demo", entry_points=None):
        """Write a distribution whose entry point `entry` names a module with `source`; return the module's name."""
        module = name.replace("-", "_").replace(".", "_").lower() + "_plugin"
        self.modules.append(module)
        (self.path / f"{module}.py").write_text(textwrap.dedent(source))
        info = self.path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        required = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}")
        (info / "entry_points.txt").write_text(entry_points or f"[cloudsync]\n{entry} = {module}\n")
        return module


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    site = Site(tmp_path)
    yield site
    for module in site.modules:
        sys.modules.pop(module, None)


@pytest.fixture
def status_of():
    """Load the plugins, and return the status of the one plugin of a distribution."""

    def status_of(distribution, **load):
        return status(Plugins.load(**load), distribution)

    return status_of


def status(plugins, distribution):
    [found] = [status for status in plugins.statuses if status.distribution == distribution]
    return found
