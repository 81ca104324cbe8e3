"""`init`, `schema`, `plugins list`, `version`, help, and the commands of plugins."""

import json
import platform
import re
from importlib import metadata

import pytest

from cloudsync_core.cli.root import COMMANDS, cli
from tests.cli.conftest import read_tree, write_tree

CORE = metadata.version("cloudsync-core")


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Install a plugin of a distribution as pip leaves it, for processes that are started from here on."""
    place = tmp_path / "plugins"
    place.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(place))

    def install(name, source, requires=f"cloudsync-core>={CORE}"):
        (place / f"{name}_plugin.py").write_text(source)
        info = place / f"{name}-1.2.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\nRequires-Dist: {requires}\n"
        )
        (info / "entry_points.txt").write_text(f"[cloudsync]\n{name} = {name}_plugin\n")

    return install


GREETS = """
import click
from cloudsync_core.plugins import hookimpl

@hookimpl
def cloudsync_register_commands(cli):
    @cli.command()
    @click.option("--fail", is_flag=True)
    def greet(fail):
        "Greet."
        if fail:
            raise ZeroDivisionError("with the secret hunter2")
        click.echo("hello")
"""


class TestInit:
    def test_what_it_writes_can_be_run_at_once(self, cloudsync, folder):
        assert cloudsync("init").out == "cloudsync.yaml is written; try it: cloudsync plan cloudsync.yaml\n"
        write_tree(folder / "public", {"index.html": "hello"})
        cloudsync("run", "cloudsync.yaml")
        assert read_tree(folder / "backup") == {"index.html": "hello"}

    def test_it_replaces_nothing(self, invoke, folder):
        (folder / "cloudsync.yaml").write_text("mine")
        result = invoke("init", code=2)
        assert result.err.splitlines() == [
            "error: cloudsync.yaml: there is such a file already",
            "  Name another one: cloudsync init PATH",
        ]
        assert (folder / "cloudsync.yaml").read_text() == "mine"

    def test_not_even_what_a_dangling_link_points_to(self, invoke, folder):
        (folder / "cloudsync.yaml").symlink_to("elsewhere")
        invoke("init", code=2)
        assert not (folder / "elsewhere").exists()

    def test_a_place_where_nothing_can_be_written(self, invoke):
        result = invoke("init", "nowhere/x.yaml", code=2)
        assert result.err == "error: nowhere/x.yaml: cannot be written: No such file or directory\n"

    def test_json(self, invoke):
        assert invoke("init", "x.yaml", "--json").events == [{"event": "report", "path": "x.yaml", "exit_code": 0}]


class TestSchema:
    def test_it_is_a_json_schema(self, invoke):
        schema = json.loads(invoke("schema").out)
        assert schema["$schema"].startswith("https://json-schema.org/")
        assert "jobs" in schema["properties"]

    def test_json(self, invoke):
        [report] = invoke("schema", "--json").events
        assert report["schema"] == json.loads(invoke("schema").out)


class TestVersion:
    def test_it_names_what_it_runs_on(self, invoke):
        lines = invoke("version").out.splitlines()
        assert lines[0] == f"cloudsync-core {CORE}"
        assert f"python {platform.python_version()}" in lines
        assert f"cloudsync-s3 {metadata.version('cloudsync-s3')}" in lines

    def test_json(self, invoke):
        assert invoke("version", "--json").report["versions"]["cloudsync-core"] == CORE

    def test_the_option_is_one_line(self, invoke):
        assert invoke("--version").out == f"cloudsync {CORE}\n"


class TestPluginsList:
    def test_name_distribution_version_status_schemes_and_hooks(self, invoke):
        lines = [line.split() for line in invoke("plugins", "list").out.splitlines()]
        assert lines[0] == ["name", "distribution", "version", "status", "schemes", "hooks"]
        assert lines[1][:5] == ["builtin", "cloudsync-core", CORE, "active", "file,"]
        assert ["s3", "cloudsync-s3", CORE, "active", "s3"] in [line[:5] for line in lines]

    def test_json(self, invoke):
        result = invoke("plugins", "list", "--json")
        assert {event["name"] for event in result.of("plugin")} >= {"builtin", "s3"}
        assert result.report["plugins"] == len(result.of("plugin"))

    def test_one_that_is_broken_says_why_and_how_to_mend_it(self, cloudsync, plugin):
        plugin("broken", "import nothing_of_that_name\n")
        [found] = [event for event in cloudsync("plugins", "list", "--json").of("plugin") if event["name"] == "broken"]
        assert found["status"] == "broken"
        assert "No module named 'nothing_of_that_name'" in found["reason"]
        assert found["remedy"] == "pip install --upgrade --force-reinstall broken"
        shown = cloudsync("plugins", "list").out
        assert "broken (broken 1.2.3): ModuleNotFoundError: No module named 'nothing_of_that_name'" in shown
        assert "  pip install --upgrade --force-reinstall broken" in shown

    def test_one_that_wants_another_core(self, cloudsync, plugin):
        plugin("old", "", requires="cloudsync-core<0.1")
        out = cloudsync("plugins", "list").out
        assert f"it requires cloudsync-core <0.1, and {CORE} is installed" in out

    def test_one_that_the_configuration_refuses(self, invoke, config):
        config(head="plugins: {deny: [cloudsync-s3]}\n")
        [found] = [
            event
            for event in invoke("plugins", "list", "--config", "config.yaml", "--json").of("plugin")
            if event["name"] == "s3"
        ]
        assert (found["status"], found["reason"]) == ("refused", "the deny list names it")


class TestPluginsNew:
    def test_it_says_what_to_do_next(self, cloudsync, folder):
        out = cloudsync("plugins", "new", "demo").out
        assert out == "cloudsync-demo is written; try it: pip install ./cloudsync-demo\n"
        assert '"demo" = "cloudsync_demo.plugin"' in (folder / "cloudsync-demo/pyproject.toml").read_text()

    def test_the_place_and_the_scheme_can_be_chosen(self, invoke, folder):
        out = invoke("plugins", "new", "demo", "--directory", "my plugins", "--scheme", "dm").out
        assert out == "my plugins/cloudsync-demo is written; try it: pip install './my plugins/cloudsync-demo'\n"
        assert '"dm" = "cloudsync_demo.plugin"' in (folder / "my plugins/cloudsync-demo/pyproject.toml").read_text()

    def test_json(self, invoke, folder):
        assert invoke("plugins", "new", "demo", "--directory", folder, "--json").report == {
            "event": "report",
            "path": str(folder / "cloudsync-demo"),
            "distribution": "cloudsync-demo",
            "exit_code": 0,
        }

    def test_it_replaces_nothing(self, invoke, folder):
        (folder / "cloudsync-demo").mkdir()
        result = invoke("plugins", "new", "demo", code=2)
        assert result.err.splitlines() == [
            "error: cloudsync-demo exists already, and nothing is replaced",
            "  choose another place: cloudsync plugins new demo --directory DIRECTORY",
        ]
        assert list((folder / "cloudsync-demo").iterdir()) == []

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["My Store"], "'My Store' cannot be the name of a plugin"),
            (["../x"], "'../x' cannot be the name of a plugin"),
            (["demo", "--scheme", "file"], "the scheme 'file' is the core's own"),
            ([], "Missing argument 'NAME'."),
        ],
    )
    def test_what_cannot_be_is_a_usage_error(self, invoke, folder, arguments, message):
        result = invoke("plugins", "new", *arguments, code=2)
        assert message in result.err
        assert list(folder.iterdir()) == []


class TestPluginsCommands:
    def test_they_are_commands_like_any_other(self, cloudsync, plugin):
        plugin("greeter", GREETS)
        assert cloudsync("greet").out == "hello\n"
        assert "Greet." in cloudsync("greet", "--help").out
        assert "register_commands" in cloudsync("plugins", "list").out

    def test_one_cannot_replace_ours(self, cloudsync, plugin):
        plugin("thief", GREETS.replace("def greet", "def run"))
        result = cloudsync("run", "nope.yaml", code=2)
        assert "nope.yaml: no such file" in result.err
        assert "there is a command 'run' already" in cloudsync("other", code=2).err

    def test_what_one_raises_shows_neither_traceback_nor_its_words(self, cloudsync, plugin, tmp_path):
        plugin("greeter", GREETS)
        result = cloudsync("greet", "--fail", code=70)
        [report] = (tmp_path / "temporary").glob("cloudsync-error-*.txt")
        assert result.err.splitlines() == [
            "error: cloudsync met an error that it does not know: ZeroDivisionError",
            f"  This is a defect of cloudsync or of a plugin, please report it; the traceback is in {report}.",
        ]
        assert "Traceback (most recent call last)" in report.read_text()
        assert report.stat().st_mode & 0o777 == 0o600

    def test_a_name_that_nobody_has(self, invoke):
        result = invoke("rnu", code=2)
        assert result.err.startswith("error: No such command 'rnu'.")


LEAVES = [
    f"{name} {inner}".strip()
    for name in COMMANDS
    for inner in getattr(cli.get_command(None, name), "commands", None) or [""]
]
"""Every command that does something, those of groups with the name of their group."""


class TestHelp:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_the_summary_is_the_one_of_the_command(self, name):
        command = cli.get_command(None, name)
        assert command.help.splitlines()[0] == COMMANDS[name].summary
        assert command.name == name

    @pytest.mark.parametrize("name", LEAVES)
    def test_every_command_speaks_json_and_has_a_volume(self, invoke, name):
        out = invoke(*name.split(), "--help").out
        for option in ("--json", "-v, --verbose", "-q, --quiet"):
            assert option in out

    def test_defaults_and_texts_are_those_of_the_model(self, invoke):
        from cloudsync_core.config.model import MirrorJob

        out = " ".join(invoke("mirror", "--help").out.split())
        for name, field in MirrorJob.model_fields.items():
            if name in {"workflow", "source", "target", "headers"}:
                continue
            assert f"--{name.replace('_', '-')}" in out, "an option of the model that the command line lacks"
            assert field.description.replace("`", "") in out
        assert "[default: 256]" in out
        assert "[default: 128MiB]" in out
        assert "[default: 50%]" in out

    def test_no_command_at_all(self, invoke):
        result = invoke(code=2)
        # What click calls the program depends on how this process was started.
        assert re.search(r"Usage: .*cloudsync \[OPTIONS\] COMMAND", result.out + result.err)
