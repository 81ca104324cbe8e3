"""`cloudsync run`: what a user does every day."""

import shutil

import pytest

from tests.cli.conftest import read_tree, snapshot, write_tree

SITE = {"index.html": "<h1>hello</h1>", "images/logo.svg": "<svg/>", "notes/été.txt": "leek", "empty": ""}


@pytest.fixture
def site(folder):
    write_tree(folder / "site", SITE)
    return folder / "site"


class TestAMirror:
    def test_the_target_is_the_source(self, cloudsync, site, config, folder):
        result = cloudsync("run", config(), "--json")
        assert read_tree(folder / "mirrored") == SITE
        assert result.report["counts"]["added"] == 4
        assert result.report["status"] == "done"

    def test_a_second_run_transfers_nothing_and_asks_no_object(self, cloudsync, site, config):
        cloudsync("run", config("delete: true"))
        report = cloudsync("run", "config.yaml", "--json").report
        assert report["counts"] == {
            "added": 0, "updated": 0, "deleted": 0, "unchanged": 4, "skipped": 0, "unknown": 0, "failed": 0
        }  # fmt: skip
        assert report["bytes_transferred"] == 0
        assert set(report["requests"]["source"]) == {"list"}
        assert set(report["requests"]["target"]) == {"list"}

    def test_a_file_that_is_gone_is_deleted_when_the_job_says_so(self, cloudsync, site, config, folder):
        cloudsync("run", config("delete: true"))
        (site / "empty").unlink()
        assert cloudsync("run", "config.yaml", "--json").report["counts"]["deleted"] == 1
        assert "empty" not in read_tree(folder / "mirrored")

    def test_it_stays_when_the_job_does_not(self, cloudsync, site, config, folder):
        cloudsync("run", config())
        (site / "empty").unlink()
        cloudsync("run", "config.yaml")
        assert "empty" in read_tree(folder / "mirrored")

    def test_once_is_what_a_mirror_does_anyway(self, invoke, site, config, folder):
        invoke("run", config(), "--once")
        assert read_tree(folder / "mirrored") == SITE

    def test_paths_are_relative_to_the_file_and_not_to_where_the_user_is(
        self, invoke, site, config, folder, monkeypatch
    ):
        config()
        monkeypatch.chdir(folder.parent)
        invoke("run", "work/config.yaml")
        assert read_tree(folder / "mirrored") == SITE
        assert (folder / ".cloudsync/state.db").exists()


class TestWhatProtectsData:
    def test_most_of_the_source_vanishing_is_refused_and_deletes_nothing(self, cloudsync, config, folder):
        write_tree(folder / "site", {f"{number}.txt": str(number) for number in range(10)})
        cloudsync("run", config("delete: true"))
        for number in range(6):
            (folder / f"site/{number}.txt").unlink()
        result = cloudsync("run", "config.yaml", code=4)
        assert len(read_tree(folder / "mirrored")) == 10
        assert (
            f"error: job site: 6 of the 10 objects of file://{folder}/mirrored would be deleted, which is more than "
            "max_delete (50%); nothing was deleted" in result.err
        )
        assert "--max-delete" in result.err

    def test_a_source_that_is_empty_deletes_nothing(self, invoke, site, config, folder):
        invoke("run", config("delete: true\nmax_delete: 100%"))
        shutil.rmtree(site)
        site.mkdir()
        result = invoke("run", "config.yaml", code=4)
        assert "is empty" in result.err
        assert read_tree(folder / "mirrored") == SITE

    def test_a_source_that_is_missing_is_not_an_empty_one(self, invoke, site, config, folder):
        invoke("run", config("delete: true\nmax_delete: 100%\nallow_empty_source: true"))
        shutil.rmtree(site)
        result = invoke("run", "config.yaml", code=4)
        assert f"error: job site: list file://{folder}/site: there is no such directory" in result.err
        assert read_tree(folder / "mirrored") == SITE


def everything(folder):
    """What is in the working directory and in the home of the user."""
    return snapshot(folder), snapshot(folder.parent / "home")


class TestADryRun:
    def test_it_changes_nothing_not_even_its_own_files(self, cloudsync, site, config, folder):
        config()
        before = everything(folder)
        cloudsync("run", "config.yaml", "--dry-run")
        assert everything(folder) == before

    def test_it_changes_nothing_after_a_run_either(self, cloudsync, site, config, folder):
        cloudsync("run", config("delete: true"))
        (site / "empty").unlink()
        (site / "index.html").write_text("<h1>changed</h1>")
        before = everything(folder)
        cloudsync("run", "config.yaml", "--dry-run")
        assert everything(folder) == before

    def test_it_says_what_the_run_then_does(self, cloudsync, site, config):
        cloudsync("run", config("delete: true"))
        (site / "empty").unlink()
        (site / "index.html").write_text("<h1>changed</h1>")
        (site / "new").write_text("new")
        rehearsed = cloudsync("run", "config.yaml", "--dry-run", "--json")
        done = cloudsync("run", "config.yaml", "--json")
        planned = {(event["action"], event["key"], event["reason"]) for event in rehearsed.of("action_planned")}
        assert planned == {(event["action"], event["key"], event["reason"]) for event in done.of("action_finished")}
        assert len(planned) == 3
        assert rehearsed.report["counts"] == done.report["counts"]

    def test_it_says_that_nothing_was_changed(self, invoke, site, config):
        result = invoke("run", config(), "--dry-run")
        assert "+ add" in result.out
        assert "done, dry run" in result.out
        assert "dry run: nothing was changed" in result.out


class TestSeveralJobs:
    JOBS = (
        "  first:\n    source: ./site\n    target: ./one\n"
        "  broken:\n    source: ./nowhere\n    target: ./two\n"
        "  last:\n    source: ./site\n    target: ./three\n"
    )

    def test_a_job_that_fails_does_not_stop_the_next_ones(self, invoke, site, config, folder):
        result = invoke("run", config(jobs=self.JOBS), code=4)
        assert read_tree(folder / "one") == read_tree(folder / "three") == SITE
        assert "error: job broken: " in result.err

    def test_they_run_in_the_order_of_the_file_whatever_the_order_of_the_options(self, invoke, site, config):
        result = invoke("run", config(jobs=self.JOBS), "--job", "last", "--job", "first", "--json")
        assert [event["job"] for event in result.of("run_started")] == ["first", "last"]

    def test_each_of_them_ends_with_its_report(self, invoke, site, config):
        result = invoke("run", config(jobs=self.JOBS), "--json", code=4)
        ends = [event for event in result.events if event["event"] in {"report", "error"}]
        assert [event["exit_code"] for event in ends] == [0, 4, 0]

    def test_the_exit_code_is_the_most_serious_one(self, invoke, site, config, folder):
        jobs = self.JOBS.replace("./nowhere", "nonsense://x")
        assert invoke("run", config(jobs=jobs), code=2)
        jobs += "  worse:\n    source: ./site\n    target: ./site/inside\n"
        assert invoke("run", config(jobs=jobs), code=4)

    def test_the_table_has_a_row_for_each(self, invoke, site, config):
        result = invoke("run", config(jobs=self.JOBS), "--job", "first", "--job", "last")
        assert [line.split()[0] for line in result.out.splitlines()[:3]] == ["job", "first", "last"]

    def test_a_job_that_is_not_there_runs_none(self, invoke, site, config, folder):
        result = invoke("run", config(jobs=self.JOBS), "--job", "frist", "--job", "last", code=2)
        assert result.err == "error: config.yaml: no job 'frist'; did you mean 'first'?\n"
        assert not (folder / "three").exists()
