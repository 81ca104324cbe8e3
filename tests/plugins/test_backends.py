"""From a scheme to a backend, and what a location gets when there is none, two, or one that cannot be had."""

import pydantic
import pytest

from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
from cloudsync_core.errors import (
    ContainerNotFoundError,
    OptionsError,
    PluginConflictError,
    PluginError,
    PluginLoadError,
    UnknownBackendError,
)
from cloudsync_core.location import Location
from cloudsync_core.options import BackendOptions
from cloudsync_core.plugins import BackendInfo, hookimpl, known
from cloudsync_core.plugins.facade import Plugins

from .conftest import status

DEMO = Location.parse("demo://user:p4ssw0rd@host/place")


class Offer:
    """A plugin of this process that serves demo://."""

    def __init__(self, factory, options="cloudsync_core.options:NoOptions", install_hint=""):
        self.info = BackendInfo(("demo",), "…", factory, options, install_hint=install_hint)

    @hookimpl
    def cloudsync_register_backends(self):
        return [self.info]


def here(name):
    return f"{__name__}:{name}"


class Options(BackendOptions):
    endpoint_url: str | None = None
    parts: int = 1
    password: pydantic.SecretStr | None = None
    limits: dict[str, int] = pydantic.Field(default_factory=dict)
    create: bool = False

    @pydantic.field_validator("endpoint_url")
    @classmethod
    def _has_a_scheme(cls, value):
        if value is not None and "://" not in value:
            raise ValueError(f"{value} has no scheme")
        return value

    @pydantic.model_validator(mode="after")
    def _whole(self):
        if self.parts == 13 and self.password:
            raise ValueError(f"13 parts do not go with {self.password.get_secret_value()}")
        return self


class Remembering(MemoryBackend):
    """Keeps the options that it was opened with."""

    def __init__(self, location, options):
        super().__init__(location, MemoryOptions())
        self.options = options


def not_a_backend(location, options):
    return object()


def failing(location, options):
    raise RuntimeError("cannot parse connection string key=p4ssw0rd")


def lacking(location, options):
    import no_such_sdk_at_all  # noqa: F401


def refusing(location, options):
    raise ContainerNotFoundError("no such place", operation="open", location="demo://host/place")


@pytest.fixture
def plugins():
    return Plugins.load(allow=(), extra=[Offer(here("Remembering"), here("Options"))])


class TestOpening:
    def test_gives_the_factory_the_location_and_the_checked_options(self, plugins):
        backend = plugins.open(DEMO, {"parts": "3", "password": "p4ssw0rd"})
        assert backend.location == str(DEMO)
        assert backend.options == Options(parts=3, password=pydantic.SecretStr("p4ssw0rd"))

    @pytest.mark.parametrize(
        ("create", "options", "passed"),
        [(True, {}, True), (False, {}, False), (True, {"create": False}, False), (False, {"create": True}, True)],
    )
    def test_tells_a_target_that_it_may_be_made_unless_the_user_said_so(self, plugins, create, options, passed):
        assert plugins.open(DEMO, options, create=create).options.create is passed

    def test_tells_nothing_to_a_backend_without_that_option(self):
        plugins = Plugins.load(allow=(), extra=[Offer(here("Remembering"))])
        assert plugins.open(DEMO, create=True).location == str(DEMO)

    def test_takes_the_built_ins_without_any_plugin(self):
        assert isinstance(Plugins.load(allow=()).open(Location.parse("memory://place")), MemoryBackend)

    def test_offers_the_model_of_the_options(self, plugins):
        assert plugins.options_model("demo") is Options


class TestWrongOptions:
    def problems(self, plugins, **options):
        with pytest.raises(OptionsError) as raised:
            plugins.open(DEMO, options)
        assert "p4ssw0rd" not in str(raised.value)
        assert "demo://" in str(raised.value)
        assert all(message in str(raised.value) for _, message in raised.value.problems)
        return dict(raised.value.problems)

    def test_of_an_unknown_name_suggest_the_nearest(self, plugins):
        assert self.problems(plugins, endpoint="http://host") == {
            ("endpoint",): "there is no such option; did you mean endpoint_url?"
        }

    def test_of_an_unknown_name_like_no_other_list_all(self, plugins):
        assert self.problems(plugins, xyz=1) == {
            ("xyz",): "there is no such option; there are create, endpoint_url, limits, parts, password"
        }

    def test_of_a_backend_that_takes_none(self):
        plugins = Plugins.load(allow=(), extra=[Offer(here("Remembering"))])
        assert self.problems(plugins, xyz=1) == {("xyz",): "there is no such option; this backend takes none"}

    def test_are_all_reported_at_once_with_their_places(self, plugins):
        found = self.problems(plugins, parts="many", limits={"small": "p4ssw0rd"}, password=["p4ssw0rd"])
        assert set(found) == {("parts",), ("limits", "small"), ("password",)}
        assert "integer" in found["parts",]

    def test_never_repeat_a_value_that_a_validator_put_into_its_message(self, plugins):
        found = self.problems(plugins, endpoint_url="p4ssw0rd")
        assert found == {("endpoint_url",): "Value error, … has no scheme"}

    def test_never_repeat_a_secret_that_a_validator_of_the_whole_put_into_its_message(self, plugins):
        found = self.problems(plugins, parts=13, password=pydantic.SecretStr("p4ssw0rd"))
        assert found == {(): "Value error, 13 parts do not go with …"}


class TestABackendThatCannotBeHad:
    def load(self, factory, **offer):
        return Plugins.load(allow=(), extra=[Offer(factory, **offer)])

    def error(self, kind, factory, **offer):
        with pytest.raises(kind) as raised:
            self.load(factory, **offer).open(DEMO)
        assert "p4ssw0rd" not in str(raised.value)
        return raised.value

    def test_for_want_of_an_sdk_says_what_to_install(self, site):
        source = """
            from cloudsync_core.plugins import BackendInfo, hookimpl

            @hookimpl
            def cloudsync_register_backends():
                return [BackendInfo(("demo",), "…", "cloudsync_demo_backend:Backend")]
        """
        site.install("cloudsync-demo", source)
        (site.path / "cloudsync_demo_backend.py").write_text("import no_such_sdk_at_all")
        plugins = Plugins.load()
        assert status(plugins, "cloudsync-demo").status == "active"
        with pytest.raises(PluginLoadError, match="No module named 'no_such_sdk_at_all'") as raised:
            plugins.open(Location.parse("demo://place"))
        assert "demo (cloudsync-demo 1.0)" in str(raised.value)
        assert raised.value.hint == "pip install --upgrade --force-reinstall cloudsync-demo"
        assert isinstance(raised.value.__cause__, ModuleNotFoundError)

    def test_says_what_its_plugin_wants_installed(self):
        error = self.error(PluginLoadError, "no_such_module_at_all:Backend", install_hint="pip install demo-sdk")
        assert error.hint == "pip install demo-sdk"

    def test_whose_factory_imports_late_says_the_same(self):
        assert "no_such_sdk_at_all" in str(self.error(PluginLoadError, here("lacking")))

    def test_whose_options_cannot_be_imported(self):
        self.error(PluginLoadError, here("Remembering"), options="no_such_module_at_all:Options")

    def test_whose_options_are_no_model(self):
        error = self.error(PluginLoadError, here("Remembering"), options=here("failing"))
        assert "no subclass of BackendOptions" in str(error)

    def test_whose_factory_does_not_exist(self):
        assert "no_such_name" in str(self.error(PluginLoadError, here("no_such_name")))

    def test_whose_factory_makes_something_else(self):
        assert "returned no Backend" in str(self.error(PluginError, here("not_a_backend")))

    def test_whose_factory_raises_is_named_without_what_the_library_said(self):
        error = self.error(PluginError, here("failing"))
        assert "the plugin Offer-1 failed to open a location of demo://: RuntimeError" in str(error)
        assert isinstance(error.__cause__, RuntimeError)

    def test_says_its_own_errors_itself(self):
        assert "no such place" in str(self.error(ContainerNotFoundError, here("refusing")))


class TestASchemeThatNobodyServes:
    def error(self, scheme, **load):
        with pytest.raises(UnknownBackendError) as raised:
            Plugins.load(**load).backend_info(scheme)
        assert raised.value.exit_code == 2
        return str(raised.value)

    def test_says_what_to_install_where_a_plugin_is_known(self, monkeypatch):
        monkeypatch.setattr(known, "distributions", lambda: {"demo": "cloudsync-demo"})
        assert "no installed backend serves demo://; cloudsync-demo does\n  pip install cloudsync-demo" in self.error(
            "demo"
        )

    def test_recognises_the_known_plugin_that_is_installed_and_idle(self, site, monkeypatch):
        monkeypatch.setattr(known, "distributions", lambda: {"demo": "cloudsync-demo"})
        site.install("Cloudsync_Demo", entry="differently-named")
        assert "which serves demo://, is refused" in self.error("demo", allow=())

    def test_suggests_a_near_one(self):
        assert "no backend serves memry://; did you mean memory://?" in self.error("memry")

    def test_lists_what_there_is(self):
        assert "installed backends serve file://, memory://" in self.error("nothing-like-it", allow=())

    def test_is_served_by_the_generic_backend_where_that_can(self):
        info = Plugins.load(allow=()).backend_info("ftp")
        assert info.factory == "cloudsync_core.backends.fsspec:FsspecBackend"

    def test_is_not_left_to_the_generic_backend_when_a_plugin_is_known(self, monkeypatch):
        monkeypatch.setattr(known, "distributions", lambda: {"ftp": "cloudsync-ftp"})
        assert "pip install cloudsync-ftp" in self.error("ftp")

    def test_is_not_left_to_the_generic_backend_when_its_plugin_is_broken(self, site):
        site.install("cloudsync-ftp", "import no_such_module_at_all", entry="ftp")
        with pytest.raises(PluginLoadError):
            Plugins.load().backend_info("ftp")


class TestASchemeThatTwoPluginsClaim:
    @pytest.fixture
    def conflict(self, site):
        site.install("cloudsync-demo", entry="one")
        site.install("cloudsync-rival", entry="two")

    def test_is_an_error_that_names_both_and_the_way_out(self, conflict):
        with pytest.raises(PluginConflictError) as raised:
            Plugins.load().open(DEMO)
        message = str(raised.value)
        assert "the scheme 'demo' is claimed by" in message
        assert "one (cloudsync-demo 1.0)" in message
        assert "two (cloudsync-rival 1.0)" in message
        assert raised.value.hint is not None
        assert raised.value.hint.startswith("uninstall all but one, or name the others in plugins.deny: ")
        assert raised.value.exit_code == 3

    def test_harms_nothing_while_nobody_needs_it(self, conflict):
        assert Plugins.load().open(Location.parse("memory://place"))

    def test_shows_in_the_status_of_both(self, conflict, status_of):
        for distribution, other in [("cloudsync-demo", "cloudsync-rival"), ("cloudsync-rival", "cloudsync-demo")]:
            found = status_of(distribution)
            assert (found.status, found.schemes) == ("active", ("demo",))
            assert "the scheme 'demo' is also claimed by" in found.reason
            assert other in found.reason
            assert "plugins.deny" in found.remedy

    def test_is_resolved_by_the_deny_list(self, conflict, status_of):
        assert Plugins.load(deny=["cloudsync-rival"]).open(DEMO)
        assert status_of("cloudsync-demo", deny=["cloudsync-rival"]).reason == ""

    def test_may_be_one_of_the_cores_own(self, site):
        source = """
            from cloudsync_core.plugins import BackendInfo, hookimpl

            @hookimpl
            def cloudsync_register_backends():
                return [BackendInfo(("memory",), "…", "elsewhere:Backend")]
        """
        site.install("cloudsync-demo", source)
        with pytest.raises(PluginConflictError, match=r"builtin \(cloudsync-core .*\) and by demo") as raised:
            Plugins.load().backend_info("memory")
        assert raised.value.hint == "uninstall all but one, or name the others in plugins.deny: cloudsync-demo"
