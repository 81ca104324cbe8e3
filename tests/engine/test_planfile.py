"""Saved plans: whole, for what they were made for, or refused with the line that is wrong."""

import errno
import json
import os

import pytest

from cloudsync_core.engine.planfile import PlanWriter, read_plan
from cloudsync_core.engine.report import Tally
from cloudsync_core.errors import PlanFileError
from cloudsync_core.runs import Action, RunInfo
from tests.engine.objects import entry

ACTIONS = [
    Action("add", "a\n\u2028é", "not-on-target", entry("a\n\u2028é", 5)),
    Action("update", "b", "size", entry("b"), entry("b", 2)),
    Action("delete", "c", "not-on-source", target=entry("c")),
]


def run_of(job):
    return RunInfo(f"run-{job}", job, "mirror", "file:///a", "memory://b", True, 12.5)


def save(path, *jobs, status="done", message=None, actions=ACTIONS):
    with PlanWriter(path) as writer:
        for job in jobs:
            writer.begin(run_of(job), config=path.with_name("config.yaml"), rules="abc")
            for action in actions:
                writer.action(action)
            writer.end(Tally(run_of(job)).report(status, requests={}, message=message))


def names(directory):
    return [file.name for file in directory.iterdir()]


def sections(path):
    return [(section.header, list(section.actions), section.message, section.refused) for section in read_plan(path)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "plan.jsonl"


class TestRoundTrip:
    def test_of_several_jobs(self, path):
        save(path, "one", "two")
        found = sections(path)
        assert [header.job for header, *_ in found] == ["one", "two"]
        assert [actions for _, actions, *_ in found] == [ACTIONS, ACTIONS]
        header = found[0][0]
        assert (header.rules, header.source, header.target, header.created) == (
            "abc",
            "file:///a",
            "memory://b",
            12.5,
        )
        assert header.config == str(path.with_name("config.yaml"))

    def test_of_a_plan_without_actions(self, path):
        save(path, "one", actions=[])
        assert sections(path)[0][1] == []

    @pytest.mark.parametrize(
        ("status", "refused"), [("done", False), ("partial", False), ("refused", True), ("aborted", True)]
    )
    def test_of_how_the_dry_run_ended(self, path, status, refused):
        save(path, "one", status=status, message="why")
        [(_, _, message, was_refused)] = sections(path)
        assert (message, was_refused) == ("why", refused)

    def test_is_one_line_an_action_for_people_to_read(self, path):
        save(path, "one")
        lines = [json.loads(line) for line in path.read_text().split("\n")[2:4]]
        assert [(line["action"], line["key"], line["reason"]) for line in lines] == [
            ("update", "b", "size"),
            ("delete", "c", "not-on-source"),
        ]


class TestDamage:
    def edit(self, path, change):
        save(path, "one")
        lines = path.read_text().split("\n")[:-1]
        path.write_text("\n".join(change(lines)) + "\n")

    def refusal(self, path):
        with pytest.raises(PlanFileError) as caught:
            sections(path)
        return str(caught.value)

    def test_a_plan_that_was_cut_short_is_refused(self, path):
        self.edit(path, lambda lines: lines[:-1])
        assert "the plan of job 'one' was cut short" in self.refusal(path)

    def test_a_plan_that_was_cut_in_mid_line_is_refused(self, path):
        save(path, "one")
        path.write_bytes(path.read_bytes()[:-10])
        assert self.refusal(path).startswith(f"{path}:5: this is no JSON")

    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_a_plan_that_lacks_an_action_is_refused(self, path, number):
        self.edit(path, lambda lines: lines[:number] + lines[number + 1 :])
        assert self.refusal(path) == f"{path}:4: 3 actions were saved, 2 are here"

    def test_a_plan_with_an_action_too_many_is_refused(self, path):
        self.edit(path, lambda lines: [*lines[:2], lines[1], *lines[2:]])
        assert self.refusal(path) == f"{path}:6: 3 actions were saved, 4 are here"

    def test_an_action_about_another_key_than_its_object_is_refused(self, path):
        self.edit(path, lambda lines: [*lines[:3], lines[3].replace('"key": "c"', '"key": "d"'), *lines[4:]])
        assert self.refusal(path).startswith(f"{path}:4: the action is damaged")

    @pytest.mark.parametrize("line", ["[]", "5", "null", '"text"', "{}", '{"action": "add"}'])
    def test_a_line_that_is_no_action_is_refused(self, path, line):
        self.edit(path, lambda lines: [*lines[:2], line, *lines[3:]])
        assert self.refusal(path).startswith(f"{path}:3: ")

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("{", "1: this is no JSON"),
            ("[1]", "1: this is no plan of cloudsync"),
            ('{"job": "one"}', "1: this is no plan of cloudsync"),
            ('{"cloudsync_plan": 99}', "1: the plan has format 99, this cloudsync applies 1"),
            ('{"cloudsync_plan": 1}', "1: the header of the plan is damaged"),
            ('{"cloudsync_plan": 1, "unheard": "of"}', "1: the header of the plan is damaged"),
        ],
    )
    def test_a_header_that_is_none_is_refused(self, path, line, message):
        self.edit(path, lambda lines: [line, *lines[1:]])
        assert self.refusal(path) == f"{path}:{message}"

    def test_an_empty_file_is_refused(self, path):
        path.write_text("")
        assert self.refusal(path) == f"{path}: the file is empty"

    def test_a_file_that_is_no_text_is_refused(self, path):
        path.write_bytes(b"\xff\xfe\x00")
        assert "is no UTF-8 text" in self.refusal(path)

    def test_a_missing_file_is_refused(self, path):
        assert self.refusal(path) == f"the plan {path} cannot be read: No such file or directory"

    def test_the_section_before_a_damaged_one_is_whole(self, path):
        save(path, "one", "two")
        path.write_text(path.read_text().rpartition('{"end"')[0])
        found = read_plan(path)
        assert list(next(found).actions) == ACTIONS
        with pytest.raises(PlanFileError, match="'two' was cut short"):
            next(found)


class TestWriting:
    def test_a_plan_that_fails_leaves_the_old_one_and_nothing_else(self, path):
        save(path, "old")
        with pytest.raises(ZeroDivisionError), PlanWriter(path) as writer:
            writer.begin(1 / 0, config=path, rules="")
        assert sections(path)[0][0].job == "old"
        assert names(path.parent) == ["plan.jsonl"]

    def test_a_directory_that_does_not_exist_is_an_error_that_names_the_plan(self, tmp_path):
        path = tmp_path / "missing" / "plan.jsonl"
        with pytest.raises(PlanFileError, match=f"the plan {path} cannot be written: No such file"):
            PlanWriter(path).__enter__()

    def test_a_directory_in_its_place_is_an_error_that_names_the_plan(self, path):
        path.mkdir()
        with pytest.raises(PlanFileError, match=f"the plan {path} cannot be written: Is a directory"):
            save(path, "one")
        assert names(path.parent) == ["plan.jsonl"]

    def test_D23_a_disk_that_fills_up_is_an_error_that_names_the_plan(self, path, monkeypatch):
        def full(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        writer = PlanWriter(path)
        with writer:
            monkeypatch.setattr(writer._file, "write", full)
            with pytest.raises(PlanFileError, match=f"the plan {path} cannot be written: No space"):
                writer.action(ACTIONS[0])
