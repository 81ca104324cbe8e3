"""`cloudsync mirror`: the same without a file."""

import pytest

from tests.cli.conftest import read_tree, snapshot, write_tree

SITE = {"a.txt": "a", "b.log": "b", "deep/c.txt": "c", "deep/d.log": "d"}


@pytest.fixture
def site(folder):
    write_tree(folder / "site", SITE)
    return folder / "site"


def test_the_target_is_the_source(cloudsync, site, folder):
    cloudsync("mirror", "site", "copy")
    assert read_tree(folder / "copy") == SITE


def test_a_second_run_transfers_nothing(invoke, site):
    invoke("mirror", "site", "copy")
    report = invoke("mirror", "site", "copy", "--json").report
    assert report["counts"]["unchanged"] == 4
    assert report["bytes_transferred"] == 0


@pytest.mark.parametrize("where", ["site", "./site", "deep/../site", "{folder}/site", "file://{folder}/site"])
def test_it_remembers_the_same_places_by_whatever_name(invoke, site, folder, where):
    (folder / "deep").mkdir()
    invoke("mirror", "site", "copy")
    report = invoke("mirror", where.format(folder=folder), "copy", "--json").report
    assert set(report["requests"]["source"]) == {"list"}, "what is remembered needs no reading"


class TestState:
    def test_it_lives_in_the_users_state_directory(self, invoke, site, folder):
        invoke("mirror", "site", "copy")
        [database] = (folder.parent / "home").rglob("*.db")
        assert database.parent == folder.parent / "home/.local/state/cloudsync"
        assert "mirror" in invoke("status", "--state", database).out

    def test_it_lives_where_the_environment_says(self, invoke, site, folder, monkeypatch):
        monkeypatch.setenv("CLOUDSYNC_STATE_DIR", str(folder / "states"))
        invoke("mirror", "site", "copy")
        assert len(list((folder / "states").glob("*.db"))) == 1

    def test_it_lives_where_the_option_says(self, invoke, site, folder):
        invoke("mirror", "site", "copy", "--state", "here/state.db")
        assert (folder / "here/state.db").exists()
        assert not list((folder.parent / "home").rglob("*"))

    def test_none_remembers_nothing(self, invoke, site, folder):
        invoke("mirror", "site", "copy", "--state", "none")
        assert not list((folder.parent / "home").rglob("*"))
        assert not list(folder.rglob("*.db"))

    def test_a_dry_run_makes_none(self, invoke, site, folder):
        before = snapshot(folder.parent / "home"), snapshot(folder)
        invoke("mirror", "site", "copy", "--dry-run")
        assert (snapshot(folder.parent / "home"), snapshot(folder)) == before


class TestRules:
    def test_delete(self, invoke, site, folder):
        write_tree(folder / "copy", {"old": "old"})
        invoke("mirror", "site", "copy", "--max-delete", "100%")
        assert "old" in read_tree(folder / "copy"), "nothing is deleted unless it is said"
        invoke("mirror", "site", "copy", "--delete", "--max-delete", "1")
        assert read_tree(folder / "copy") == SITE

    def test_no_delete(self, invoke, site, folder):
        write_tree(folder / "copy", {"old": "old"})
        invoke("mirror", "site", "copy", "--no-delete")
        assert "old" in read_tree(folder / "copy")

    @pytest.mark.parametrize(("limit", "code"), [("1", 4), ("2", 0), ("33%", 4), ("34%", 0)])
    def test_max_delete(self, invoke, site, folder, limit, code):
        write_tree(folder / "copy", {**SITE, "old": "old", "older": "older"})
        invoke("mirror", "site", "copy", "--delete", "--max-delete", limit, code=code)
        assert ("old" in read_tree(folder / "copy")) == (code == 4)

    def test_allow_empty_source(self, invoke, folder):
        (folder / "site").mkdir()
        write_tree(folder / "copy", {"old": "old"})
        rules = ("--delete", "--max-delete", "100%")
        assert "--allow-empty-source" in invoke("mirror", "site", "copy", *rules, code=4).err
        invoke("mirror", "site", "copy", *rules, "--allow-empty-source")
        assert read_tree(folder / "copy") == {}

    @pytest.mark.parametrize(
        ("rules", "keys"),
        [
            (["--exclude", "*.log"], {"a.txt", "deep/c.txt"}),
            (["--exclude", "*.log", "--exclude", "deep/"], {"a.txt"}),
            (["--include", "*.log"], {"b.log", "deep/d.log"}),
            (["--include", "*.log", "--exclude", "deep/"], {"b.log"}),
            (["--exclude-regex", "^deep/.*g$"], {"a.txt", "b.log", "deep/c.txt"}),
        ],
    )
    def test_filters(self, invoke, site, folder, rules, keys):
        invoke("mirror", "site", "copy", *rules)
        assert set(read_tree(folder / "copy")) == keys

    def test_what_is_excluded_is_not_deleted_either(self, invoke, site, folder):
        write_tree(folder / "copy", {"old.log": "old"})
        invoke("mirror", "site", "copy", "--delete", "--exclude", "*.log")
        assert "old.log" in read_tree(folder / "copy")

    def test_compare(self, invoke, site, folder):
        write_tree(folder / "copy", {**SITE, "a.txt": "x"})
        assert invoke("mirror", "site", "copy", "--compare", "size", "--json").report["counts"]["updated"] == 0
        assert invoke("mirror", "site", "copy", "--compare", "checksum", "--json").report["counts"]["updated"] == 1
        assert invoke("mirror", "site", "copy", "--compare", "always", "--json").report["counts"]["updated"] == 4

    def test_verify(self, invoke, site):
        assert invoke("mirror", "site", "copy", "--verify", "size", "--json").report["verified"] == {"size": 4}
        assert invoke("mirror", "site", "other", "--json").report["verified"] == {"readback": 4}

    def test_transfers_retries_and_server_copy_are_taken(self, invoke, site, folder):
        invoke("mirror", "site", "copy", "--transfers", "1", "--retries", "2", "--no-server-copy")
        assert read_tree(folder / "copy") == SITE

    def test_limits_are_taken(self, invoke, site, folder):
        # 4 objects of some bytes each: the limits let them pass at once.
        invoke("mirror", "site", "copy", "--memory", "1B", "--bwlimit", "00:00,10MiB 12:00,off", "--tpslimit", "1e3")
        assert read_tree(folder / "copy") == SITE

    def test_options_of_the_backends(self, invoke, site, folder, monkeypatch):
        (site / "link").symlink_to("a.txt")
        assert invoke("mirror", "site", "copy", "--json").report["counts"]["skipped"] == 1
        monkeypatch.setenv("HOW", "follow")
        report = invoke(
            "mirror",
            "site",
            "copy",
            "--source-option",
            "symlinks=${env:HOW}",
            "--target-option",
            "fsync=false",
            "--json",
        ).report
        assert report["counts"]["added"] == 1
        assert read_tree(folder / "copy")["link"] == "a"


class TestBadInput:
    @pytest.mark.parametrize(
        ("rules", "message"),
        [
            (["--max-delete", "101%"], "--max-delete: '101%' is more than 100%"),
            (
                ["--max-delete", "some"],
                "--max-delete: 'some' is neither a number of objects (100) nor a percentage (25%)",
            ),
            (["--exclude", ""], "--exclude: must not be empty"),
            (["--exclude-regex", "("], "--exclude-regex: '(' is not a valid regular expression:"),
            (["--transfers", "0"], "--transfers: must be at least 1"),
            (["--retries", "101"], "--retries: must be at most 100"),
            (["--memory", "128"], "--memory: '128' is no number of bytes with its unit"),
            (["--bwlimit", "10M"], "--bwlimit: '10M' is no number of bytes with its unit"),
            (["--bwlimit", "08:00"], "--bwlimit: '08:00' is no number of bytes with its unit"),
            (["--tpslimit", "0"], "--tpslimit: must be a number of operations a second, more than 0"),
            (["--tpslimit", "nan"], "--tpslimit: must be a number of operations a second, more than 0"),
            (["--verify", "hope"], "--verify: must be 'digest' or 'size'"),
            (["--compare", "gut"], "there is no comparator 'gut'"),
            (["--transfers", "many"], "Invalid value for '--transfers': 'many' is not a valid integer."),
            (["--source-option", "fsync"], "--source-option: write NAME=VALUE"),
            (["--source-option", "=x"], "--source-option: write NAME=VALUE"),
            (["--target-option", "fsync=true", "--target-option", "fsync=no"], "--target-option: fsync is given twice"),
            (
                ["--target-option", "fsnyc=true"],
                "target: the options of file:// are wrong: fsnyc: there is no such option; did you mean fsync?",
            ),
            (["--target-option", "fsync=${env}"], "--target-option fsync: a reference is written ${env:NAME}"),
            (["--target-option", "fsync=${env:NOPE}"], "${env:NOPE}: no such environment variable\n  set NOPE"),
            (["--delete=yes"], "Option '--delete' does not take a value."),
        ],
    )
    def test_a_rule_that_is_wrong(self, invoke, site, folder, rules, message):
        result = invoke("mirror", "site", "copy", *rules, code=2)
        assert result.err.startswith(f"error: {message}") or message in result.err
        assert "Traceback" not in result.err
        assert not (folder / "copy").exists()

    def test_everything_that_is_wrong_is_said_at_once(self, invoke, site):
        result = invoke("mirror", "", "copy", "--transfers", "0", "--max-delete", "x%", code=2)
        assert result.err.splitlines() == [
            "error: SOURCE: must not be empty",
            "--max-delete: 'x%' is neither a number of objects (100) nor a percentage (25%)",
            "--transfers: must be at least 1",
        ]

    def test_a_side_is_missing(self, invoke, site):
        result = invoke("mirror", "site", code=2)
        assert result.err.splitlines() == [
            "error: Missing argument 'TARGET'.",
            "  Usage: cloudsync mirror [OPTIONS] SOURCE TARGET",
            "  Help: cloudsync mirror --help",
        ]

    @pytest.mark.parametrize("target", ["site", "site/inside", ".", "deep/../site"])
    def test_a_target_that_overlaps_the_source(self, invoke, site, folder, target):
        (folder / "deep").mkdir()
        before = snapshot(folder)
        result = invoke("mirror", "site", target, "--delete", code=4)
        assert "overlap" in result.err
        assert "Choose a target that is neither the source, nor inside it, nor around it." in result.err
        assert snapshot(folder) == before

    def test_a_target_that_is_a_file(self, invoke, site, folder):
        (folder / "file").write_text("x")
        result = invoke("mirror", "site", "file", code=4)
        assert f"file://{folder}/file" in result.err
        assert (folder / "file").read_text() == "x"
