"""`cloudsync plan` and `cloudsync apply`: look first, then do exactly that."""

import json

import pytest

from tests.cli.conftest import read_tree, snapshot, write_tree


@pytest.fixture
def changed(folder, config, invoke):
    """A job whose target differs in one object to add, one to update and one to delete."""
    write_tree(folder / "site", {"kept": "kept", "changed": "old", "gone": "gone"})
    invoke("run", config("delete: true"))
    (folder / "site/changed").write_text("a new text")
    (folder / "site/gone").unlink()
    (folder / "site/a\nb").write_text("odd")
    return folder


class TestPlan:
    def test_it_prints_action_size_reason_and_key_and_marks_deletes(self, invoke, changed):
        result = invoke("plan", "config.yaml")
        assert result.out.splitlines()[:3] == [
            r"+ add            3 B  not-on-target   a\nb",
            "~ update        10 B  size            changed",
            "- delete           -  not-on-source   gone",
        ]

    def test_it_changes_nothing(self, invoke, changed):
        before = snapshot(changed)
        invoke("plan", "config.yaml")
        assert snapshot(changed) == before

    def test_a_plan_that_would_be_refused_is_not_saved(self, invoke, changed):
        (changed / "site/kept").unlink()
        result = invoke("plan", "config.yaml", "-o", "plan.jsonl", code=4)
        assert "max_delete (50%)" in result.err
        assert "no plan was saved to plan.jsonl: not every job can be planned" in result.err
        assert not (changed / "plan.jsonl").exists()

    def test_a_plan_of_a_job_that_cannot_start_is_not_saved(self, invoke, changed, config):
        jobs = "  a: {source: ./site, target: ./mirrored}\n  b: {source: 'nonsense://x', target: ./two}\n"
        invoke("plan", config(jobs=jobs), "-o", "plan.jsonl", code=2)
        assert not (changed / "plan.jsonl").exists()

    def test_an_older_plan_stays_when_a_new_one_is_not_saved(self, invoke, changed):
        (changed / "plan.jsonl").write_text("older")
        (changed / "site/kept").unlink()
        invoke("plan", "config.yaml", "-o", "plan.jsonl", code=4)
        assert (changed / "plan.jsonl").read_text() == "older"

    def test_a_place_where_nothing_can_be_written(self, invoke, changed):
        result = invoke("plan", "config.yaml", "-o", "nowhere/plan.jsonl", code=4)
        assert result.err.startswith(
            "error: the plan nowhere/plan.jsonl cannot be written: No such file or directory\n"
        )


class TestApply:
    def test_it_does_what_was_planned(self, cloudsync, changed):
        said = cloudsync("plan", "config.yaml", "-o", "plan.jsonl")
        assert "saved to plan.jsonl; to perform it: cloudsync apply plan.jsonl" in said.err
        report = cloudsync("apply", "plan.jsonl", "--json").report
        assert (report["counts"]["added"], report["counts"]["updated"], report["counts"]["deleted"]) == (1, 1, 1)
        assert read_tree(changed / "mirrored") == read_tree(changed / "site")

    def test_what_changed_since_fails_and_is_left_alone(self, invoke, changed):
        invoke("plan", "config.yaml", "-o", "plan.jsonl")
        (changed / "mirrored/gone").write_text("written by somebody else meanwhile")
        result = invoke("apply", "plan.jsonl", code=1)
        assert "it changed after the plan was made" in result.err
        assert (changed / "mirrored/gone").read_text() == "written by somebody else meanwhile"

    def test_a_job_that_was_changed_since_is_refused(self, invoke, changed, config):
        invoke("plan", "config.yaml", "-o", "plan.jsonl")
        config("delete: true\nexclude: [gone]")
        result = invoke("apply", "plan.jsonl", code=4)
        assert result.err.splitlines() == [
            "error: job site: job 'site' is no longer defined as it was when the plan was made",
            "  Make the plan again.",
        ]
        assert (changed / "mirrored/gone").exists()

    def test_a_job_that_is_gone_is_refused(self, invoke, changed, config):
        invoke("plan", "config.yaml", "-o", "plan.jsonl")
        config(jobs="  other: {source: ./site, target: ./mirrored}\n")
        result = invoke("apply", "plan.jsonl", code=2)
        assert "no job 'site'" in result.err

    @pytest.mark.parametrize("cut", [1, 2, 3, 4])
    def test_a_plan_that_was_cut_short_does_nothing(self, invoke, changed, cut):
        invoke("plan", "config.yaml", "-o", "plan.jsonl")
        lines = (changed / "plan.jsonl").read_text().splitlines()
        (changed / "plan.jsonl").write_text("\n".join(lines[:cut]))
        before = snapshot(changed / "mirrored")
        result = invoke("apply", "plan.jsonl", code=4)
        assert "cut short" in result.err
        assert snapshot(changed / "mirrored") == before

    def test_a_plan_whose_second_half_is_damaged_does_nothing(self, invoke, changed, config):
        jobs = "  a: {source: ./site, target: ./mirrored}\n  b: {source: ./site, target: ./two}\n"
        invoke("plan", config(jobs=jobs), "-o", "plan.jsonl")
        lines = (changed / "plan.jsonl").read_text().splitlines()
        (changed / "plan.jsonl").write_text("\n".join([*lines[:-2], "{", lines[-1]]))
        before = snapshot(changed / "mirrored")
        result = invoke("apply", "plan.jsonl", code=4)
        assert result.err == f"error: plan.jsonl:{len(lines) - 1}: this is no JSON\n"
        assert snapshot(changed / "mirrored") == before

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "plan.jsonl: the file is empty"),
            ("version: 1\n", "plan.jsonl:1: this is no JSON"),
            ("[]\n", "plan.jsonl:1: this is no plan of cloudsync"),
            ("{}\n", "plan.jsonl:1: this is no plan of cloudsync"),
            ('{"cloudsync_plan": 99}\n', "plan.jsonl:1: the plan has format 99, this cloudsync applies 1"),
        ],
    )
    def test_what_is_no_plan(self, invoke, folder, text, message):
        (folder / "plan.jsonl").write_text(text)
        assert invoke("apply", "plan.jsonl", code=4).err == f"error: {message}\n"

    def test_a_plan_that_is_not_there(self, invoke):
        result = invoke("apply", "plan.jsonl", code=4)
        assert result.err == "error: the plan plan.jsonl cannot be read: No such file or directory\n"

    def test_a_plan_of_two_configurations_is_nothing_that_plan_writes(self, invoke, changed):
        invoke("plan", "config.yaml", "-o", "plan.jsonl")
        text = (changed / "plan.jsonl").read_text()
        other = text.replace(json.dumps(str(changed / "config.yaml")), json.dumps(str(changed / "other.yaml")))
        (changed / "plan.jsonl").write_text(text + other)
        result = invoke("apply", "plan.jsonl", code=4)
        assert result.err == "error: plan.jsonl: the plan is for several configurations\n"
