"""`backup` and `cloudsync restore`, as a user has them: in every store, through the installed command."""

import json
import re
import uuid

import pytest
import yaml

from cloudsync_core.crashpoints import EXIT_CODE
from tests.cli.conftest import read_tree, snapshot, write_tree

SITE = {"index.html": "<h1>old</h1>", "gone/for ever.txt": "precious", "same": "same"}
NEW = {"index.html": "<h1>new</h1>!", "same": "same"}
RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")


@pytest.fixture
def site(folder):
    """A directory ./site, and what it was when it was last mirrored."""
    write_tree(folder / "site", SITE)
    return folder / "site"


def changed(site):
    """Overwrite one object of the source, and remove another."""
    (site / "index.html").write_text(NEW["index.html"])
    (site / "gone/for ever.txt").unlink()
    (site / "gone").rmdir()


@pytest.fixture
def kept(invoke, site):
    """The backup ./aside after one run that replaced ./site in ./mirrored, and the run's id."""
    invoke("mirror", "site", "mirrored", "--state", "none")
    changed(site)
    flags = ("--delete", "--backup", "aside", "--state", "none")
    report = invoke("mirror", "site", "mirrored", *flags, "--json").report
    assert (report["kept"], report["bytes_kept"]) == (2, 20)
    return report["run"]["id"]


def mirrored(folder):
    """Return what is in ./mirrored, without what cloudsync keeps there for itself: a run that dies leaves its lease."""
    return {name: text for name, text in read_tree(folder / "mirrored").items() if not name.startswith(".cloudsync/")}


REPLACED = {name: text for name, text in SITE.items() if name != "same"}


def place_in(store, request):
    """Return the URL and the options of a place on a server of the tests."""
    name = uuid.uuid4().hex[:8]
    if store == "directory":
        return f"./{name}", {}
    server = request.getfixturevalue({"s3": "moto_s3", "azure": "azurite", "gcs": "gcs"}[store])
    make = server.make_container if store == "azure" else server.make_bucket
    return f"{ {'s3': 's3', 'azure': 'az', 'gcs': 'gs'}[store] }://{make()}/{name}", dict(server.options)


class TestEveryStore:
    @pytest.fixture(params=["directory", "s3", "azure", "gcs"])
    def place(self, request):
        return place_in(request.param, request)

    @pytest.mark.parametrize("where", ["beside", "inside", "another store"])
    def test_what_a_run_replaces_comes_back(self, request, site, place, where):
        # As users have it in one of the places; a process for each command takes its time.
        cloudsync = request.getfixturevalue("cloudsync" if where == "inside" else "invoke")
        folder = site.parent
        url, options = place
        backup = {
            "beside": {"url": f"{url}-aside/of it", "options": options},
            "inside": {"url": f"{url}/.old", "options": options},
            "another store": {"url": "./elsewhere"},
        }[where]
        target = {"url": url, "options": options}
        up = {"source": "./site", "target": target, "delete": True, "max_delete": "100%", "backup": backup}
        down = {"source": target, "target": "./down", "delete": True, "exclude": ["/.old/"]}
        (folder / "config.yaml").write_text(
            yaml.safe_dump({"version": 1, "jobs": {"up": up, "down": down}}, sort_keys=False)
        )

        first = cloudsync("run", "config.yaml", "--json").of("report")
        changed(site)
        second = cloudsync("run", "config.yaml", "--json").of("report")
        assert [report["kept"] for report in (*first, *second)] == [0, 0, 2, 0]
        assert read_tree(folder / "down") == NEW
        again = cloudsync("run", "config.yaml", "--json").of("report")
        assert again[0]["counts"]["unchanged"] == len(NEW), "the backup is no part of the target"
        assert again[0]["counts"]["deleted"] == again[0]["kept"] == 0

        listed = cloudsync("restore", "config.yaml", "--json")
        [run] = listed.of("kept_run")
        assert (run["run"], run["objects"], run["bytes"], run["job"]) == (second[0]["run"]["id"], 2, 20, "up")
        objects = cloudsync("restore", "config.yaml", run["run"], "--json").of("kept_object")
        assert {entry["key"]: entry["size"] for entry in objects} == {
            name: len(text) for name, text in REPLACED.items()
        }
        cloudsync("restore", "config.yaml", run["run"], "--to", "./back")
        assert read_tree(folder / "back") == REPLACED
        refused = cloudsync("restore", "config.yaml", run["run"], "--to-target", "--json", code=1).report
        assert (refused["counts"]["added"], refused["counts"]["failed"]) == (1, 1)
        cloudsync("restore", "config.yaml", run["run"], "--to-target", "--overwrite")
        cloudsync("run", "config.yaml", "--job", "down")
        assert read_tree(folder / "down") == SITE

    @pytest.mark.parametrize("store", ["s3", "azure", "gcs"])
    def test_a_provider_copies_by_itself(self, cloudsync, site, request, store):
        url, options = place_in(store, request)
        flags = [part for name, value in options.items() for part in ("--target-option", f"{name}={value}")]
        more = [part.replace("--target-option", "--backup-option") for part in flags]
        cloudsync("mirror", "site", url, *flags, "--state", "state.db")
        changed(site)
        rules = ("--delete", "--backup", f"{url}-aside", "--state", "state.db", "--json")
        report = cloudsync("mirror", "site", url, *flags, *more, *rules).report
        assert report["kept"] == 2
        assert not {"get", "read"} & set(report["requests"]["target"])


class TestACrash:
    @pytest.mark.parametrize("at", ["put.acked:1", "put.verified:1", "del.precheck", "del.acked"])
    def test_P6_between_keeping_and_replacing_loses_neither(self, cloudsync, folder, site, at):
        cloudsync("mirror", "site", "mirrored", "--state", "none")
        changed(site)
        flags = ("--delete", "--backup", "aside", "--state", "none", "--transfers", "1")
        cloudsync("mirror", "site", "mirrored", *flags, code=EXIT_CODE, env={"CLOUDSYNC_CRASH_AT": at})
        now = mirrored(folder)
        [run] = cloudsync("restore", "aside", "--json").of("kept_run")
        cloudsync("restore", "aside", run["run"], "--to", "back")
        back = read_tree(folder / "back")
        assert {name: text for name, text in SITE.items() if text not in (now.get(name), back.get(name))} == {}
        assert run["job"] is None
        cloudsync("mirror", "site", "mirrored", *flags)
        assert mirrored(folder) == NEW


class TestListing:
    def test_runs_are_listed_with_what_they_kept(self, invoke, kept):
        heading, row = invoke("restore", "aside").out.splitlines()
        assert heading.split() == ["run", "started", "job", "objects", "bytes"]
        assert row.split()[0] == kept
        assert row.split()[2:] == ["mirror", "2", "20", "B"]

    def test_a_run_is_listed_without_its_manifest_too(self, invoke, folder, kept):
        (folder / "aside" / f"{kept}.json").write_text("{ damaged")
        assert [(run["run"], run["job"]) for run in invoke("restore", "aside", "--json").of("kept_run")] == [
            (kept, None)
        ]

    def test_what_one_run_kept_is_listed_by_key(self, invoke, kept):
        lines = invoke("restore", "aside", kept).out.splitlines()
        assert [line.split(maxsplit=1) for line in lines] == [["8", "gone/for ever.txt"], ["12", "index.html"]]
        assert invoke("restore", "aside", kept, "--include", "*.html", "--json").report["objects"] == 1

    def test_other_files_there_are_no_runs(self, invoke, folder, kept):
        write_tree(folder / "aside", {"notes/x": "", "readme": ""})
        assert len(invoke("restore", "aside", "--json").of("kept_run")) == 1

    def test_an_empty_place_has_none(self, invoke, folder):
        (folder / "aside").mkdir()
        assert "nothing has been put aside" in invoke("restore", "aside").err


class TestBringingBack:
    def test_a_dry_run_changes_nothing(self, invoke, folder, kept):
        before = snapshot(folder)
        result = invoke("restore", "aside", kept, "--to", "mirrored", "--overwrite", "--dry-run")
        assert snapshot(folder) == before
        assert "dry run: nothing was changed" in result.out

    def test_the_report_says_what_it_was(self, invoke, kept):
        report = invoke("restore", "aside", kept, "--to", "back", "--json").report
        assert (report["run"]["workflow"], report["run"]["job"], report["counts"]["added"]) == ("restore", "restore", 2)

    def test_the_state_of_the_job_is_not_touched(self, invoke, folder, site, config):
        path = config("delete: true\nmax_delete: 100%\nbackup: ./aside")
        invoke("run", path)
        changed(site)
        run = invoke("run", path, "--json").report["run"]["id"]
        before = {name: text for name, text in snapshot(folder).items() if name.startswith(".cloudsync/state.db")}
        invoke("restore", path, run, "--to-target", "--overwrite")
        after = {name: text for name, text in snapshot(folder).items() if name.startswith(".cloudsync/state.db")}
        assert after == before
        invoke("run", path)
        assert read_tree(folder / "mirrored") == NEW


class TestWhatPeopleSee:
    def test_a_dry_run_says_what_would_be_kept(self, invoke, site):
        invoke("mirror", "site", "mirrored", "--state", "none")
        changed(site)
        flags = ("--delete", "--backup", "aside", "--state", "none", "--dry-run")
        result = invoke("mirror", "site", "mirrored", *flags)
        assert re.search(r"^~ update .* index.html  \(kept aside\)$", result.out, re.MULTILINE)
        assert "would be kept aside: 2 objects, 20 B" in result.out
        assert {
            event["key"]: event["kept"]
            for event in invoke("mirror", "site", "mirrored", *flags, "--json").of("action_planned")
        } == {"index.html": True, "gone/for ever.txt": True}

    def test_a_run_says_what_was_kept(self, invoke, site):
        invoke("mirror", "site", "mirrored", "--state", "none")
        changed(site)
        out = invoke("mirror", "site", "mirrored", "--delete", "--backup", "aside", "--state", "none", "-v").out
        assert "- deleted" in out
        assert out.count("(kept aside)") == 2
        assert "kept aside: 2 objects, 20 B" in out

    def test_the_manifest_tells_which_run_it_was(self, folder, kept):
        told = json.loads((folder / "aside" / f"{kept}.json").read_text())
        assert (told["format"], told["id"], told["job"], told["objects"]) == (1, kept, "mirror", 2)
        assert told["target"].endswith("/mirrored")


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["nowhere"], "neither a configuration file nor a directory"),
            (["aside", "no-run"], "no run no-run has put anything aside"),
            (["aside", "../site"], "no run ../site has put anything aside"),
            (["aside", "--to", "x"], "name the RUN"),
            (["aside", "RUN", "--to", "x", "--to-target"], "choose one of"),
            (["aside", "RUN", "--to-target"], "--to-target needs a configuration file"),
            (["aside", "RUN", "--overwrite"], "need --to"),
            (["aside", "RUN", "--to-option", "a=b"], "--to-option needs --to"),
            (["aside", "--job", "site"], "--job needs a configuration file"),
            (["aside", "RUN", "--include", "./x"], "patterns are relative"),
            (["aside", "--option", "colour=red"], "colour"),
            (["aside", "RUN", "--to", "x", "--to-option", "colour=red"], "colour"),
        ],
    )
    def test_is_told_in_a_line(self, invoke, kept, arguments, message):
        arguments = [kept if word == "RUN" else word for word in arguments]
        result = invoke("restore", *arguments, code=2)
        assert message in result.err
        assert "Traceback" not in result.err

    def test_a_job_without_a_backup(self, invoke, site, config):
        result = invoke("restore", config(), code=2)
        assert "0 jobs have a backup" in result.err
        assert "job site has no backup" in invoke("restore", config(), "--job", "site", code=2).err

    def test_a_backup_that_would_mix_with_a_side(self, invoke, site):
        for place in ("site", "site/x", ".", "mirrored"):
            result = invoke("mirror", "site", "mirrored", "--backup", place, "--state", "none", code=4)
            assert "the backup" in result.err

    def test_into_the_backup(self, invoke, kept):
        for place in ("aside", "aside/x", f"aside/{kept}"):
            assert "overlap" in (err := invoke("restore", "aside", kept, "--to", place, code=4).err) or "lies in" in err

    def test_options_without_a_backup(self, invoke, site):
        assert "--backup-option needs" in invoke("mirror", "site", "x", "--backup-option", "a=b", code=2).err
        result = invoke("mirror", "site", "x", "--backup", "y", "--backup-option", "colour=red", code=2)
        assert "colour" in result.err
