"""The JSON Schema and the starter configuration: valid themselves, and in step with the loader."""

import copy
import re

import jsonschema
import pytest
import yaml

from cloudsync_core.config.schema import option_names, schema
from cloudsync_core.config.starter import starter

GOOD = {"version": 1, "jobs": {"a": {"source": "x", "target": {"url": "y", "options": {"any": 1}}}}}


def accepts(value: object) -> bool:
    return bool(jsonschema.Draft202012Validator(schema()).is_valid(value))


def changed(path: str, value: object) -> dict:
    config = copy.deepcopy(GOOD)
    *way, last = path.split(".")
    place = config
    for name in way:
        place = place[name]
    place[last] = value
    return config


class TestSchema:
    def test_is_one(self):
        jsonschema.Draft202012Validator.check_schema(schema())
        assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"

    def test_every_option_is_described(self):
        for section in (schema(), *schema()["$defs"].values()):
            for name, option in section["properties"].items():
                assert option["description"], name

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("state", "x.db"),
            ("jobs.a.max_delete", 5),
            ("jobs.a.max_delete", "2.5%"),
            ("jobs.a.memory", "1.5 GiB"),
            ("jobs.a.memory", 1_000_000),
            ("jobs.a.bwlimit", "Mon-08:00,512kB 19:00,off"),
            ("jobs.a.tpslimit", 10),
            ("jobs.a.tpslimit", 0.5),
            ("jobs.a.target", "text"),
            ("jobs.a.headers", [{"match": ["*"], "metadata": {"a-b": "x"}}]),
        ],
    )
    def test_accepts_and_so_does_the_loader(self, config, path, value):
        assert accepts(changed(path, value))
        assert config.load(yaml.safe_dump(changed(path, value)))

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("version", 2),
            ("jobs", {}),
            ("job", {}),
            ("jobs.my job", {"source": "x", "target": "y"}),
            ("jobs.a.exlude", []),
            ("jobs.a.workflow", "sync"),
            ("jobs.a.delete", "yes"),
            ("jobs.a.delete", None),
            ("jobs.a.max_delete", "many"),
            ("jobs.a.max_delete", -1),
            ("jobs.a.max_delete", True),
            ("jobs.a.transfers", 0),
            ("jobs.a.transfers", "16"),
            ("jobs.a.memory", 0),
            ("jobs.a.memory", "128M"),
            ("jobs.a.memory", "much"),
            ("jobs.a.bwlimit", 1000),
            ("jobs.a.bwlimit", ""),
            ("jobs.a.tpslimit", 0),
            ("jobs.a.tpslimit", "10"),
            ("jobs.a.source", {}),
            ("jobs.a.source", ""),
            ("jobs.a.exclude", "x"),
            ("jobs.a.exclude", [""]),
            ("jobs.a.headers", [{"match": []}]),
            ("jobs.a.headers", [{"match": ["*"], "metadata": {"A": "x"}}]),
            ("plugins", {"allow": None}),
        ],
    )
    def test_refuses_and_so_does_the_loader(self, config, path, value):
        assert not accepts(changed(path, value))
        assert config.problems(yaml.safe_dump(changed(path, value)))


class TestOptionNames:
    def test_along_the_sections(self):
        assert option_names(()) == {"version", "state", "plugins", "jobs"}
        assert option_names(("plugins",)) == {"allow", "deny"}
        assert option_names(("jobs", "a", "source"), "mirror job") == {"url", "options"}
        assert option_names(("jobs", "a", "source"), "subscribe job") == {"channel"}
        assert "cache_control" in option_names(("jobs", "a", "headers", 3))

    @pytest.mark.parametrize(
        "path", [("jobs",), ("jobs", "a", "source", "options"), ("nothing",), ("state", "x"), (0,)]
    )
    def test_where_any_name_or_none_can_stand(self, path):
        assert option_names(path) == set()


class TestStarter:
    def test_loads_and_needs_nothing(self, config, tmp_path):
        loaded = config.load(starter())
        (job,) = loaded.jobs().values()
        assert (job.source.url, job.target.url, job.delete) == ("./public", "./backup", False)

    def test_the_commented_job_is_good_too(self, config):
        lines = starter().splitlines()
        first = lines.index("  # site:")
        active = [re.sub("^  # ?", "  ", line) for line in lines[first:]]
        text = "\n".join(lines[:first] + active)
        assert list(config.load(text).jobs()) == ["backup", "site"]
        assert accepts(yaml.safe_load(text))

    def test_fits_the_schema(self):
        assert accepts(yaml.safe_load(starter()))
