"""What is decided about an installed plugin before its code runs, and which one of two installs counts."""

import sys

import pytest

from cloudsync_core.errors import PluginIncompatibleError, UnknownBackendError
from cloudsync_core.location import Location
from cloudsync_core.plugins.facade import Plugins

DEMO = Location.parse("demo://place")


class TestAnInstalledPlugin:
    def test_is_active_and_says_what_it_is(self, site, status_of):
        site.install("cloudsync-demo", version="1.2")
        status = status_of("cloudsync-demo")
        assert (status.name, status.version, status.status) == ("demo", "1.2", "active")
        assert status.schemes == ("demo",)
        assert status.hooks == ("register_backends",)
        assert status.requires_core == "<0.2,>=0.1"
        assert (status.reason, status.remedy) == ("", "")

    def test_serves_its_scheme(self, site):
        site.install("cloudsync-demo")
        assert str(Plugins.load().open(DEMO).location) == "demo://place"

    def test_is_not_needed_for_the_built_ins(self):
        first, *_ = Plugins.load(allow=()).statuses
        assert (first.distribution, first.status, first.schemes) == ("cloudsync-core", "active", ("file", "memory"))

    def test_that_asks_for_no_core_is_active(self, site, status_of):
        site.install("cloudsync-demo", requires=())
        assert status_of("cloudsync-demo").status == "active"

    def test_may_name_an_object_of_its_module(self, site, status_of):
        source = """
            from cloudsync_core.plugins import hookimpl

            class Listener:
                @hookimpl
                def cloudsync_run_started(self, run):
                    pass

            listener = Listener()
        """
        site.install("cloudsync-demo", source, entry_points="[cloudsync]\nears = cloudsync_demo_plugin:listener\n")
        assert status_of("cloudsync-demo").hooks == ("run_started",)

    def test_stands_where_its_name_puts_it_wherever_it_is_installed(self, site):
        site.install("cloudsync-first-on-the-path", entry="zebra")
        _, *names = [status.name for status in Plugins.load().statuses]
        assert len(names) > 1
        assert names == sorted(names)

    def test_may_print_without_reaching_standard_output(self, site, status_of, capsys):
        site.install("cloudsync-demo", "print('imported')\n" + "import cloudsync_core")
        status_of("cloudsync-demo")
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "imported" in printed.err


class TestTheAllowAndDenyLists:
    def test_a_plugin_that_the_allow_list_does_not_name_is_not_imported(self, site, status_of):
        module = site.install("cloudsync-demo")
        status = status_of("cloudsync-demo", allow=["cloudsync-other"])
        assert status.status == "refused"
        assert status.reason == "the allow list does not name it"
        assert status.remedy == "add cloudsync-demo to plugins.allow"
        assert module not in sys.modules

    def test_a_plugin_that_the_deny_list_names_is_not_imported(self, site, status_of):
        module = site.install("cloudsync-demo")
        status = status_of("cloudsync-demo", allow=["cloudsync-demo"], deny=["cloudsync-demo"])
        assert status.status == "refused"
        assert status.reason == "the deny list names it"
        assert status.remedy == "take cloudsync-demo out of plugins.deny"
        assert module not in sys.modules

    @pytest.mark.parametrize("spelling", ["cloudsync-demo", "Cloudsync_Demo", "CLOUDSYNC.demo", "cloudsync-_demo"])
    def test_names_are_compared_as_pip_compares_them(self, site, status_of, spelling):
        site.install("Cloudsync.Demo")
        assert status_of("Cloudsync.Demo", allow=[spelling]).status == "active"
        assert status_of("Cloudsync.Demo", deny=[spelling]).status == "refused"

    def test_an_empty_allow_list_allows_none(self, site, status_of):
        site.install("cloudsync-demo")
        assert status_of("cloudsync-demo", allow=()).status == "refused"

    def test_a_location_that_needs_a_refused_plugin_is_an_error_that_says_so(self, site):
        site.install("cloudsync-demo")
        plugins = Plugins.load(deny=["cloudsync-demo"])
        with pytest.raises(UnknownBackendError) as raised:
            plugins.open(DEMO)
        assert "demo (cloudsync-demo 1.0), which serves demo://, is refused: the deny list names it" in str(
            raised.value
        )
        assert "take cloudsync-demo out of plugins.deny" in str(raised.value)

    def test_a_refusal_is_no_warning(self, site, caplog):
        site.install("cloudsync-demo")
        Plugins.load(allow=())
        assert "cloudsync-demo" not in caplog.text


class TestTheRequiredCore:
    @pytest.mark.parametrize("requirement", ["cloudsync-core>=7,<8", "CloudSync.Core>=7,<8", "cloudsync_core >=7, <8"])
    def test_a_plugin_for_another_core_is_not_imported(self, site, status_of, requirement, caplog):
        module = site.install("cloudsync-demo", requires=["fsspec>=2024", requirement])
        status = status_of("cloudsync-demo")
        assert status.status == "incompatible"
        assert status.requires_core == "<8,>=7"
        assert "it requires cloudsync-core <8,>=7, and 0." in status.reason
        assert status.remedy == "pip install --upgrade cloudsync-core cloudsync-demo"
        assert module not in sys.modules
        assert "demo (cloudsync-demo 1.0) is incompatible" in caplog.text

    def test_a_location_that_needs_it_is_an_error_that_mends(self, site):
        site.install("cloudsync-demo", requires=["cloudsync-core>=7"])
        with pytest.raises(PluginIncompatibleError, match="requires cloudsync-core >=7") as raised:
            Plugins.load().open(DEMO)
        assert raised.value.exit_code == 3
        assert raised.value.hint == "pip install --upgrade cloudsync-core cloudsync-demo"

    def test_what_only_an_extra_requires_does_not_count(self, site, status_of):
        site.install("cloudsync-demo", requires=["cloudsync-core>=7; extra == 'future'"])
        assert status_of("cloudsync-demo").status == "active"

    def test_several_requirements_all_count(self, site, status_of):
        site.install("cloudsync-demo", requires=["cloudsync-core>=0.1", "cloudsync-core<0.1"])
        assert status_of("cloudsync-demo").status == "incompatible"

    def test_another_interface_version_is_incompatible_and_registers_nothing(self, site, status_of):
        source = """
            from cloudsync_core.plugins import BackendInfo, hookimpl

            @hookimpl
            def cloudsync_register_backends():
                return [BackendInfo(("demo",), "…", "nowhere:Backend", api_version=99)]

            @hookimpl
            def cloudsync_run_started(run):
                raise AssertionError("a plugin for another interface is never called")
        """
        site.install("cloudsync-demo", source)
        plugins = Plugins.load()
        plugins.run_started(None)
        assert not plugins.hook_failures
        assert "demo" not in plugins.schemes()
        assert status_of("cloudsync-demo").status == "incompatible"
        assert "version 99 of the plugin interface; this core has 1" in status_of("cloudsync-demo").reason
        with pytest.raises(PluginIncompatibleError, match="version 99"):
            plugins.open(DEMO)


class TestInstallsThatWentWrong:
    def test_of_two_installs_the_first_on_the_path_counts(self, site, status_of, tmp_path_factory, monkeypatch):
        site.install("cloudsync-demo", version="2.0")
        later = tmp_path_factory.mktemp("later")
        monkeypatch.setattr(sys, "path", [*sys.path, str(later)])
        type(site)(later).install("Cloudsync_Demo", version="1.0")
        assert status_of("cloudsync-demo").version == "2.0"
        assert [status.distribution for status in Plugins.load().statuses if status.name == "demo"] == [
            "cloudsync-demo"
        ]

    def test_a_path_that_is_named_twice_counts_once(self, site, status_of, monkeypatch):
        site.install("cloudsync-demo")
        monkeypatch.setattr(sys, "path", [*sys.path, str(site.path)])
        assert status_of("cloudsync-demo").status == "active"

    def test_an_entry_point_that_cannot_be_parsed_breaks_its_distribution_alone(self, site, status_of):
        site.install("cloudsync-demo")
        site.install("cloudsync-torn", entry_points="[cloudsync]\nthis is no entry point\n")
        assert status_of("cloudsync-demo").status == "active"
        assert status_of("cloudsync-torn").status == "broken"
        assert "its metadata are damaged" in status_of("cloudsync-torn").reason

    def test_metadata_without_a_name_break_their_distribution_alone(self, site):
        site.install("cloudsync-demo")
        site.install("cloudsync-torn", entry="torn")
        (site.path / "cloudsync_torn-1.0.dist-info" / "METADATA").write_text("")
        broken = [status for status in Plugins.load().statuses if "damaged" in status.reason]
        assert [status.status for status in broken] == ["broken"]
        assert str(site.path) in broken[0].name

    def test_damaged_metadata_of_others_are_not_our_business(self, site, status_of):
        site.install("other", entry_points="[console_scripts]\nthis is no entry point\n")
        site.install("cloudsync-demo")
        assert status_of("cloudsync-demo").status == "active"
        assert "other" not in {status.distribution for status in Plugins.load().statuses}

    def test_two_entry_points_of_one_module_are_one_plugin_and_one_mistake(self, site):
        twice = "[cloudsync]\none = cloudsync_demo_plugin\ntwo = cloudsync_demo_plugin\n"
        site.install("cloudsync-demo", entry_points=twice)
        plugins = Plugins.load()
        one, two = (status for status in plugins.statuses if status.distribution == "cloudsync-demo")
        assert (one.status, two.status) == ("active", "broken")
        assert "it repeats one (cloudsync-demo 1.0)" in two.reason
        assert plugins.backend_info("demo").summary == "a demonstration"
