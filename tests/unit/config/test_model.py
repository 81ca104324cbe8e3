"""The typed objects, as they are made in Python."""

import dataclasses
import re
from typing import assert_type

import pydantic
import pytest

from cloudsync_core.config.model import Config, HeaderRuleConfig, LocationConfig, MirrorJob
from cloudsync_core.config.validation import explain
from cloudsync_core.engine.policy import DeleteLimit, HeaderRule


class TestMirrorJob:
    def test_reads_well_and_holds_what_it_means(self):
        job = MirrorJob(source="./public", target="./backup", exclude=["*.tmp"], max_delete="25%")
        assert_type(job.source, LocationConfig)
        assert_type(job.max_delete, DeleteLimit)
        assert job.source == LocationConfig(url="./public")
        assert job.exclude == ("*.tmp",)
        assert job.max_delete == DeleteLimit(percent=25)

    def test_defaults_delete_nothing(self):
        job = MirrorJob(source="a", target="b")
        assert (job.delete, job.allow_empty_source, str(job.max_delete)) == (False, False, "50%")
        assert (job.compare, job.verify, job.transfers, job.retries, job.server_copy) == (
            "auto",
            "digest",
            256,
            5,
            True,
        )
        assert (job.memory, job.bwlimit.limits, job.tpslimit) == (128 * 1024**2, False, None)

    @pytest.mark.parametrize("limit", [100, "100", DeleteLimit(count=100)])
    def test_a_limit_in_any_form(self, limit):
        assert MirrorJob(source="a", target="b", max_delete=limit).max_delete == DeleteLimit(count=100)

    def test_does_not_change(self):
        job = MirrorJob(source="a", target="b", exclude=["x"])
        with pytest.raises(pydantic.ValidationError):
            job.delete = True

    def test_comes_back_from_what_it_dumps(self):
        job = MirrorJob(
            source="a",
            target=LocationConfig(url="b", options={"k": 1}),
            include=["x"],
            max_delete=3,
            memory="64MiB",
            bwlimit="08:00,512KiB 19:00,off",
            tpslimit=2.5,
            headers=[HeaderRuleConfig(match=["*"], cache_control="no-cache", metadata={"a": "b"})],
        )
        assert MirrorJob.model_validate(job.model_dump()) == job
        assert MirrorJob.model_validate_json(job.model_dump_json()) == job

    def test_neither_shows_options_nor_repeats_a_wrong_value(self):
        job = MirrorJob(source=LocationConfig(url="a", options={"key": "hunter2"}), target="b")
        assert "hunter2" not in repr(job)
        with pytest.raises(pydantic.ValidationError) as caught:
            LocationConfig.model_validate({"url": "a", "options": ["hunter2"]})
        assert "hunter2" not in str(caught.value)

    def test_problems_can_be_explained_without_a_file(self):
        with pytest.raises(pydantic.ValidationError) as caught:
            MirrorJob.model_validate({"source": "a", "target": "b", "transfers": 0, "exlude": []})
        assert sorted(map(str, explain(caught.value, ("jobs", "cli")))) == [
            "jobs.cli.exlude: unknown option; did you mean 'exclude'?",
            "jobs.cli.transfers: must be at least 1",
        ]


class TestHeaderRule:
    def test_becomes_the_rule_of_the_engine(self):
        header = HeaderRuleConfig(match=["*.html"], content_type="text/html", metadata={"owner": "web"})
        assert header.rule() == HeaderRule(match=("*.html",), content_type="text/html", metadata={"owner": "web"})

    def test_has_every_field_of_the_engines_rule(self):
        assert set(HeaderRuleConfig.model_fields) == {field.name for field in dataclasses.fields(HeaderRule)}

    def test_resolves_each_value_by_its_name(self):
        header = HeaderRuleConfig(match=["*"], cache_control="x", metadata={"owner": "y"})
        rule = header.rule(lambda value, *names: f"{value} at {'.'.join(names)}")
        assert rule.cache_control == "x at cache_control"
        assert rule.metadata == {"owner": "y at metadata.owner"}


class TestDescriptions:
    @pytest.mark.parametrize("model", [Config, MirrorJob, LocationConfig, HeaderRuleConfig])
    def test_every_field_has_one(self, model):
        for name, field in model.model_fields.items():
            assert re.fullmatch(r"[^|\n]+[.)]", field.description or ""), name
