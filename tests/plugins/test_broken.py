"""A plugin that fails is a warning, until a location needs it; then it is an error that says how to mend it."""

import pytest

from cloudsync_core.errors import PluginLoadError, UnknownBackendError
from cloudsync_core.location import Location
from cloudsync_core.plugins.facade import Plugins

from .conftest import status

DEMO = Location.parse("demo://place")
REMEDY = "pip install --upgrade --force-reinstall cloudsync-demo"

HEADER = "from cloudsync_core.plugins import BackendInfo, ComparatorInfo, hookimpl\nimport pluggy\n"


def backends(value):
    return f"{HEADER}@hookimpl\ndef cloudsync_register_backends():\n    return {value}\n"


def record(**fields):
    values = {"schemes": ("demo",), "summary": "…", "factory": "module:Factory"} | fields
    return "BackendInfo(" + ", ".join(f"{name}={value!r}" for name, value in values.items()) + ")"


BROKEN = {
    "missing-module": ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
    "missing-name": ("from cloudsync_core.keys import no_such_name", "ImportError: cannot import name"),
    "exception": ("raise RuntimeError('at import')", "RuntimeError: at import"),
    "syntax": ("def", "SyntaxError"),
    "exit": ("import sys; sys.exit(0)", "SystemExit: 0"),
    "no-hook": ("hooks = []", "it implements no hook"),
    "misspelt": (
        f"{HEADER}@hookimpl\ndef cloudsync_register_backend(): return []",
        "there is no hook cloudsync_register_backend; did you mean cloudsync_register_backends?",
    ),
    "unmarked": (
        f"{HEADER}@hookimpl\ndef cloudsync_run_started(run): pass\ndef cloudsync_review_plan(run, plan): pass",
        "cloudsync_review_plan is not marked with @hookimpl",
    ),
    "signature": (f"{HEADER}@hookimpl\ndef cloudsync_run_started(run, extra): pass", "Argument(s) {'extra'}"),
    "wrapper": (
        f"{HEADER}@hookimpl(wrapper=True)\ndef cloudsync_review_plan(run, plan):\n    yield",
        "cloudsync_review_plan is a wrapper, which could hide what another plugin says",
    ),
    "raising-hook": (
        f"{HEADER}@hookimpl\ndef cloudsync_register_backends(): raise LookupError('no')",
        "LookupError: no",
    ),
    "no-records": (backends(None), "TypeError: cloudsync_register_backends returns a list of BackendInfo"),
    "one-record": (backends(record()), "TypeError: cloudsync_register_backends returns a list of BackendInfo"),
    "wrong-records": (backends("['demo']"), "TypeError: cloudsync_register_backends returns a list of BackendInfo"),
    "no-scheme": (backends(f"[{record(schemes=())}]"), "the backend 'module:Factory' serves no scheme"),
    "upper-case-scheme": (backends(f"[{record(schemes=('Demo',))}]"), "'Demo' is no URL scheme in lower case"),
    "scheme-as-text": (backends(f"[{record(schemes='demo')}]"), "the schemes of 'module:Factory' are no tuple: 'demo'"),
    "scheme-twice": (backends(f"[{record()}, {record()}]"), "it registers the scheme 'demo' twice"),
    "factory": (backends(f"[{record(factory='module.Factory')}]"), "the factory 'module.Factory' does not read"),
    "options": (backends(f"[{record(options='Options')}]"), "the options 'Options' do not read"),
}


@pytest.fixture(params=BROKEN)
def broken(request, site):
    """Install a broken plugin; return what its reason holds."""
    source, reason = BROKEN[request.param]
    site.install("cloudsync-demo", source)
    return reason


class TestABrokenPlugin:
    def test_is_listed_with_reason_and_remedy(self, broken, status_of):
        found = status_of("cloudsync-demo")
        assert found.status == "broken"
        assert broken in found.reason
        assert "\n" not in found.reason
        assert found.remedy == REMEDY
        assert (found.schemes, found.hooks) == ((), ())

    def test_is_a_warning_while_nobody_needs_it(self, broken, caplog):
        plugins = Plugins.load()
        assert [record.levelname for record in caplog.records if "cloudsync-demo" in record.message] == ["WARNING"]
        assert broken in caplog.text
        assert plugins.open(Location.parse("memory://place")).location == "memory://place"

    def test_is_an_error_with_its_cause_and_the_way_out_once_needed(self, broken):
        with pytest.raises(PluginLoadError) as raised:
            Plugins.load().open(DEMO)
        message = str(raised.value)
        assert "the plugin demo (cloudsync-demo 1.0), which serves demo://, is broken" in message
        assert broken in message
        assert message.endswith(REMEDY)
        assert raised.value.__cause__ is not None
        assert raised.value.exit_code == 3

    def test_keeps_no_other_from_loading(self, broken, site):
        site.install("cloudsync-other", backends(f"[{record(schemes=('other',))}]"), entry="other")
        plugins = Plugins.load()
        assert status(plugins, "cloudsync-other").status == "active"
        assert "other" in plugins.schemes()


class TestTheCauseOfABrokenPlugin:
    def test_keeps_its_traceback(self, site):
        site.install("cloudsync-demo", "def fail():\n    raise RuntimeError('deep')\nfail()")
        with pytest.raises(PluginLoadError) as raised:
            Plugins.load().open(DEMO)
        traceback = raised.value.__cause__.__traceback__
        names = []
        while traceback:
            names.append(traceback.tb_frame.f_code.co_name)
            traceback = traceback.tb_next
        assert names[-1] == "fail"

    def test_is_shortened_and_cannot_forge_output(self, site, status_of):
        site.install("cloudsync-demo", r"raise RuntimeError('\x1b[2J' + 'x' * 10_000)")
        reason = status_of("cloudsync-demo").reason
        assert len(reason) < 1000
        assert r"\x1b[2J" in reason


def test_an_interrupt_during_an_import_is_the_users(site):
    site.install("cloudsync-demo", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Plugins.load()


def test_a_hook_of_a_later_core_may_be_marked_optional(site, status_of):
    source = f"{HEADER}@hookimpl(optionalhook=True)\ndef cloudsync_run_paused(run): pass"
    site.install("cloudsync-demo", source)
    assert status_of("cloudsync-demo").status == "active"


def test_a_scheme_that_nobody_is_known_to_serve_names_the_plugins_that_are_idle(site):
    site.install("cloudsync-demo", "import no_such_module_at_all", entry="differently-named")
    with pytest.raises(UnknownBackendError, match=r"not in use: differently-named \(cloudsync-demo 1.0\) is broken"):
        Plugins.load().open(DEMO)
