"""From a location as written to an open backend, with the file's line in every error."""

from pathlib import Path

import pytest
from pydantic import FilePath, SecretStr

from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
from cloudsync_core.config.loader import LoadedConfig
from cloudsync_core.config.model import LocationConfig, MirrorJob
from cloudsync_core.config.opening import header_rules, open_location
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.errors import ConfigError, OptionsError, SecretNotFoundError, UnknownBackendError
from cloudsync_core.location import Location
from cloudsync_core.options import BackendOptions
from cloudsync_core.plugins import BackendInfo, hookimpl
from cloudsync_core.plugins.facade import Plugins


class DemoOptions(BackendOptions):
    region: str = "here"
    password: SecretStr | None = None
    certificate: FilePath | None = None
    create: bool = False


class DemoBackend(MemoryBackend):
    """A memory backend that remembers how it was opened."""

    def __init__(self, location: Location, options: DemoOptions) -> None:
        super().__init__(location, MemoryOptions())
        self.opened = (location, options)


class DemoPlugin:
    """Serves demo:// and knows the reference vault:x."""

    @hookimpl
    def cloudsync_register_backends(self):
        factory, options = f"{__name__}:DemoBackend", f"{__name__}:DemoOptions"
        return [BackendInfo(schemes=("demo",), summary="a demo", factory=factory, options=options)]

    @hookimpl
    def cloudsync_resolve_secret(self, ref):
        return "from-the-vault" if ref == "vault:x" else None


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.load(allow=[], extra=[DemoPlugin()])


class Opened:
    """A configuration with the location under test as the source of its one job."""

    def __init__(self, config, plugins: Plugins, source: str) -> None:
        self.plugins = plugins
        self.loaded: LoadedConfig = config.load(f"version: 1\njobs:\n  a:\n    target: x\n    source:\n{source}")
        self.resolver = Resolver(
            directory=self.loaded.directory,
            where=self.loaded.where,
            hook=plugins.resolve_secret,
            environ={"WORD": "hunter2", "PLACE": "demo://bucket"},
        )

    def open(self, *, create: bool = False):
        return open_location(
            self.loaded.jobs()["a"].source,
            plugins=self.plugins,
            loaded=self.loaded,
            resolver=self.resolver,
            create=create,
            at=("jobs", "a", "source"),
        )

    def fails(self, kind: type[ConfigError]) -> str:
        with pytest.raises(kind) as caught:
            self.open()
        assert type(caught.value) is kind
        return str(caught.value)


@pytest.fixture
def written(config, plugins):
    return lambda source: Opened(config, plugins, source)


class TestOpening:
    def test_references_are_looked_up(self, written):
        source = written("      url: ${env:PLACE}/x\n      options: {password: '${env:WORD}', region: '${vault:x}'}\n")
        location, options = source.open().opened
        assert location == Location("demo", "bucket/x")
        assert options.password.get_secret_value() == "hunter2"
        assert options.region == "from-the-vault"

    @pytest.mark.parametrize("create", [True, False])
    def test_a_target_may_be_made(self, written, create):
        _, options = written("      url: demo://x\n").open(create=create).opened
        assert options.create is create

    def test_paths_in_options_are_relative_to_the_file(self, written, tmp_path, monkeypatch):
        (tmp_path / "ca.pem").write_text("x")
        source = written("      url: demo://x\n      options: {certificate: ca.pem}\n")
        monkeypatch.chdir("/")
        assert source.open().opened[1].certificate == tmp_path / "ca.pem"

    def test_without_a_file(self, plugins, tmp_path):
        location = LocationConfig(url="demo://x/y", options={"region": "there"})
        backend = open_location(
            location, plugins=plugins, loaded=None, resolver=Resolver(directory=tmp_path), create=False
        )
        assert backend.opened[0] == Location("demo", "x/y")


class TestLocalPaths:
    @pytest.mark.parametrize(
        ("url", "path"),
        [
            ("./public", "{here}/public"),
            ("public/", "{here}/public"),
            ("deep/../x", "{here}/deep/../x"),
            ("/srv/data", "/srv/data"),
            ("~/data", "/home/x/data"),
            ("file:///srv/data", "/srv/data"),
            ("FILE:///srv/data", "/srv/data"),
        ],
    )
    def test_are_relative_to_the_file(self, written, tmp_path, monkeypatch, url, path):
        monkeypatch.setenv("HOME", "/home/x")
        source = written(f"      url: {url}\n")
        monkeypatch.chdir("/")
        assert source.open().location == f"file://{path.format(here=tmp_path)}"

    @pytest.mark.parametrize("url", ["file://", "file://public", "file://./public", "file://~/x"])
    def test_a_file_url_is_absolute(self, written, url):
        assert written(f"      url: {url}\n").fails(ConfigError) == (
            "config.yaml:6: jobs.a.source: "
            "a file:// URL holds an absolute path: file:///srv/data; write a relative one without it"
        )


class TestErrors:
    def test_unknown_scheme(self, written):
        message = written("      url: dem://x\n").fails(UnknownBackendError)
        assert message.startswith("config.yaml:6: jobs.a.source: ")
        assert "dem" in message

    def test_every_wrong_option_with_its_line(self, written):
        text = "      url: demo://x\n      options:\n        regoin: hunter2\n        password: {a: hunter2}\n"
        message = written(text).fails(OptionsError)
        first, second = message.splitlines()
        assert first.startswith("config.yaml:8:9: jobs.a.source.options.regoin: ")
        assert "did you mean region?" in first
        assert second.startswith("config.yaml:9:9: jobs.a.source.options.password: ")
        assert "hunter2" not in message

    def test_missing_secret(self, written):
        source = written("      url: demo://x\n      options:\n        password: ${env:MISSING}\n")
        assert source.fails(SecretNotFoundError).startswith(
            "config.yaml:8: jobs.a.source.options.password: ${env:MISSING}: no such environment variable"
        )

    def test_a_job_that_is_not_opened_needs_no_secrets(self, written):
        assert written("      url: demo://x/${env:MISSING}\n").loaded.jobs()


class TestSecretsAreKept:
    def test_that_python_gives_as_such(self, plugins, tmp_path):
        location = LocationConfig(url="demo://x", options={"password": SecretStr("hunter2")})
        resolver = Resolver(directory=tmp_path)
        backend = open_location(location, plugins=plugins, loaded=None, resolver=resolver, create=False)
        assert backend.opened[1].password.get_secret_value() == "hunter2"
        assert resolver.values.redact("<hunter2>") == "<***>"

    @pytest.mark.parametrize(
        ("source", "secret"),
        [
            ("{url: 'demo://x', options: {password: '${env:WORD}'}}", "hunter2"),
            ("{url: 'demo://x', options: {password: written-out}}", "written-out"),
            ("{url: 'demo://user:pass-word@host/x'}", "pass-word"),
            ("{url: 'demo://user:${env:WORD}@host/x'}", "hunter2"),
            ("{url: 'demo://x', options: {password: nested-wrong, regoin: x}}", "nested-wrong"),
        ],
    )
    def test_for_redaction(self, written, source, secret):
        opened = written(f"      {source}\n")
        try:
            opened.open()
        except OptionsError:
            assert "regoin" in source
        assert opened.resolver.values.redact(f"<{secret}>") == "<***>"

    def test_and_what_is_none_is_not(self, written):
        opened = written("      {url: '${env:PLACE}', options: {region: elsewhere}}\n")
        opened.open()
        assert opened.resolver.values.redact("demo://bucket elsewhere") == "demo://bucket elsewhere"


class TestHeaderRules:
    def test_are_resolved(self, tmp_path):
        job = MirrorJob.model_validate(
            {"source": "a", "target": "b", "headers": [{"match": ["*"], "metadata": {"build": "${env:BUILD}"}}]}
        )
        (rule,) = header_rules(job, resolver=Resolver(directory=tmp_path, environ={"BUILD": "1234"}))
        assert rule.metadata == {"build": "1234"}

    def test_a_missing_reference_is_named_with_its_line(self, config):
        loaded = config.load(
            "version: 1\njobs:\n  a:\n    source: x\n    target: y\n    headers:\n    - match: ['*']\n"
            "      cache_control: no-cache\n    - match: ['b']\n      metadata:\n        c: ${env:MISSING}\n"
        )
        resolver = Resolver(directory=Path(), where=loaded.where, environ={})
        with pytest.raises(SecretNotFoundError) as caught:
            header_rules(loaded.jobs()["a"], resolver=resolver, at=("jobs", "a"))
        assert str(caught.value).startswith("config.yaml:11: jobs.a.headers[1].metadata.c: ${env:MISSING}: ")
