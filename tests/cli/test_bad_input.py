"""Every kind of bad input of a configuration: a clear error, the right exit code, and nothing lost."""

import pytest

from tests.cli.conftest import snapshot, write_tree

GOOD = """\
version: 1
jobs:
  site:
    source: ./site
    target: ./mirrored
"""


@pytest.fixture
def refused(invoke, folder):
    """Run a configuration of that text: it must end with that code, change nothing, and say this."""

    def run(text, code=2):
        write_tree(folder, {"site/a": "a", "mirrored/old": "old"})
        (folder / "config.yaml").write_text(text)
        before = [snapshot(folder / name) for name in ("site", "mirrored")]
        result = invoke("run", "config.yaml", code=code)
        assert [snapshot(folder / name) for name in ("site", "mirrored")] == before, "nothing is started"
        assert code == 4 or result.out == ""
        assert "Traceback" not in result.err
        return result.err.splitlines()

    return run


class TestTheFile:
    def test_an_unknown_key_names_its_place_and_the_nearest_valid_one(self, refused):
        assert refused(GOOD + "    exlude: ['*.tmp']\n") == [
            "error: config.yaml:6:5: jobs.site.exlude: unknown option; did you mean 'exclude'?"
        ]

    def test_all_that_is_wrong_is_said_at_once(self, refused):
        assert refused(GOOD + "    delete: maybe\n    transfers: 0\n") == [
            "error: config.yaml:6:5: jobs.site.delete: must be true or false (yes, no, on and off are text)",
            "config.yaml:7:5: jobs.site.transfers: must be at least 1",
        ]

    def test_bad_yaml(self, refused):
        assert refused("version: 1\njobs: {a: [b}\n") == [
            "error: config.yaml:2:11: the list that begins here is not closed, or an item in it is not ended by a ','"
        ]

    def test_duplicate_keys(self, refused):
        assert refused(GOOD + "    source: ./other\n") == [
            "error: config.yaml:6:5: jobs.site: 'source' is written twice, first in line 4"
        ]

    def test_an_empty_file(self, refused):
        assert refused("# nothing\n")[0] == "error: config.yaml: the file is empty"

    def test_a_file_that_is_not_there(self, invoke):
        assert invoke("run", "config.yaml", code=2).err.splitlines() == [
            "error: config.yaml: no such file",
            "  write a starter configuration with: cloudsync init",
        ]

    def test_a_directory_instead_of_a_file(self, invoke, folder):
        (folder / "config.yaml").mkdir()
        assert invoke("run", "config.yaml", code=2).err == "error: config.yaml: cannot be read: Is a directory\n"

    def test_no_file_is_named(self, invoke):
        assert invoke("run", code=2).err.startswith("error: Missing argument 'CONFIG'.")


class TestReferences:
    def test_a_variable_that_is_not_set(self, refused, monkeypatch):
        monkeypatch.delenv("NOPE", raising=False)
        lines = refused(GOOD.replace("./mirrored", "{url: ./mirrored, options: {fsync: '${env:NOPE}'}}"))
        assert lines == [
            "error: job site: config.yaml:5: jobs.site.target.options.fsync: ${env:NOPE}: no such environment variable",
            "  set NOPE",
        ]

    def test_a_file_that_is_not_there(self, refused, folder):
        lines = refused(GOOD.replace("./mirrored", "{url: ./mirrored, options: {fsync: '${file:secret}'}}"))
        assert lines == [
            (
                "error: job site: config.yaml:5: jobs.site.target.options.fsync: ${file:secret}: "
                f"no such file: {folder}/secret"
            )
        ]

    def test_one_that_is_no_reference(self, refused):
        [line] = refused(GOOD.replace("./mirrored", "{url: './${HOME}'}"))
        assert line.startswith("error: config.yaml:5:14: jobs.site.target.url: a reference is written ${env:NAME}")


class TestLocations:
    def test_a_scheme_that_nobody_knows(self, refused):
        lines = refused(GOOD.replace("./mirrored", "nonsense://bucket/x"))
        assert lines[0] == "error: job site: config.yaml:5: jobs.site.target: no backend serves nonsense://"
        assert "installed backends serve " in lines[1]

    def test_a_scheme_that_is_misspelt(self, refused):
        lines = refused(GOOD.replace("./mirrored", "flie:///x"))
        assert lines[0].endswith("no backend serves flie://; did you mean file://?")

    def test_a_source_that_is_missing_is_not_an_empty_one(self, refused):
        lines = refused(GOOD.replace("./site", "./nowhere") + "    delete: true\n    max_delete: 100%\n", code=4)
        assert "/nowhere: there is no such directory" in lines[0]

    def test_a_file_url_that_is_relative(self, refused):
        [line] = refused(GOOD.replace("./site", "file://site"))
        assert line.startswith("error: job site: config.yaml:4: jobs.site.source: a file:// URL holds an absolute path")

    @pytest.mark.parametrize("target", ["./site", "./site/inside", ".", "./mirrored/../site"])
    def test_a_target_that_overlaps_the_source(self, refused, target):
        lines = refused(GOOD.replace("./mirrored", target), code=4)
        assert "overlap" in lines[0]
        assert lines[1] == "  Choose a target that is neither the source, nor inside it, nor around it."

    def test_options_that_the_backend_does_not_have(self, refused):
        [line] = refused(GOOD.replace("./mirrored", "{url: ./mirrored, options: {fsnyc: true}}"))
        assert line.startswith("error: job site: config.yaml:5:")
        assert line.endswith("jobs.site.target.options.fsnyc: there is no such option; did you mean fsync?")

    def test_a_comparator_that_is_not_there(self, refused):
        lines = refused(GOOD + "    compare: gut\n")
        assert lines == [
            "error: job site: there is no comparator 'gut'",
            "  there are always, auto, checksum, mtime, size",
        ]


@pytest.fixture
def shadowed(tmp_path, monkeypatch):
    """Put another cloudsync-s3 before the installed one, for processes that are started from here on."""

    def shadow(entry_points="", source=""):
        info = tmp_path / "plugins/cloudsync_s3-1.0.dist-info"
        info.mkdir(parents=True)
        (tmp_path / "plugins/s3_plugin.py").write_text(source)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cloudsync-s3\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "plugins"))

    return shadow


class TestThePlugin:
    def test_one_that_is_not_installed_is_named_with_the_way_to_get_it(self, refused, monkeypatch):
        monkeypatch.setattr("importlib.metadata.distributions", lambda: iter(()))
        assert refused(GOOD.replace("./mirrored", "s3://bucket/x")) == [
            "error: job site: config.yaml:5: jobs.site.target: no installed backend serves s3://; cloudsync-s3 does",
            "  pip install cloudsync-s3",
        ]

    def test_one_that_fails_to_import_is_an_error_when_it_is_needed(self, cloudsync, config, folder, shadowed):
        shadowed("[cloudsync]\ns3 = s3_plugin\n", "import nothing_of_that_name\n")
        write_tree(folder / "site", {"a": "a"})
        result = cloudsync("run", config(jobs="  site: {source: ./site, target: 's3://bucket/x'}\n"), code=3)
        assert (
            "error: job site: the plugin s3 (cloudsync-s3 1.0), which serves s3://, is broken: "
            "ModuleNotFoundError: No module named 'nothing_of_that_name'\n"
            "  pip install --upgrade --force-reinstall cloudsync-s3\n"
        ) in result.err
        assert "Traceback" not in result.err
        assert "Traceback" in cloudsync("run", "config.yaml", "-vv", code=3).err

    def test_it_is_no_more_than_a_warning_for_those_who_do_not_need_it(self, cloudsync, config, folder, shadowed):
        shadowed("[cloudsync]\ns3 = s3_plugin\n", "import nothing_of_that_name\n")
        write_tree(folder / "site", {"a": "a"})
        result = cloudsync("run", config())
        assert result.err.startswith("warning: the plugin s3 (cloudsync-s3 1.0) is broken: ModuleNotFoundError")

    def test_one_that_the_configuration_refuses(self, refused):
        lines = refused(GOOD.replace("./mirrored", "s3://bucket/x") + "plugins: {deny: [cloudsync-s3]}\n")
        assert lines == [
            (
                "error: job site: config.yaml:5: jobs.site.target: the plugin s3 (cloudsync-s3 0.1.0), which serves "
                "s3://, is refused: the deny list names it"
            ),
            "  take cloudsync-s3 out of plugins.deny",
        ]


class TestTheState:
    def test_a_place_where_it_cannot_be(self, refused):
        lines = refused(GOOD + "state: site/a/state.db\n", code=4)
        assert lines[0].startswith("error: ")
        assert "the directory of the state database cannot be made" in lines[0]
        assert "CLOUDSYNC_STATE_DIR" in lines[1]

    def test_a_file_that_is_no_database(self, invoke, folder, config):
        write_tree(folder, {"site/a": "a", "x.db": "what is this? " * 500})
        result = invoke("run", config(head="state: x.db\n"), code=4)
        assert "x.db cannot be used: file is not a database" in result.err
        assert not (folder / "mirrored").exists()


def test_the_same_in_json_is_the_last_line(invoke, folder, config):
    config("exlude: []")
    result = invoke("run", "config.yaml", "--json", code=2)
    assert result.events == [
        {
            "event": "error",
            "error": "ConfigError",
            "message": "config.yaml:6:5: jobs.site.exlude: unknown option; did you mean 'exclude'?",
            "exit_code": 2,
        }
    ]
