"""docs/configuration.md says what the code does: its tables, its examples and its patterns."""

import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from cloudsync_core.config import reference
from cloudsync_core.config.loader import load
from cloudsync_core.config.schema import schema
from cloudsync_core.engine.bandwidth import Timetable
from cloudsync_core.engine.patterns import Patterns
from cloudsync_core.engine.quantities import parse_bytes

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
YAML_BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
PYTHON_BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def table_after(heading: str) -> list[list[str]]:
    rows = PAGE.partition(f"\n## {heading}\n")[2].partition("| --- |")[2].partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


class TestTables:
    def test_are_in_step_with_the_model(self):
        assert reference.fill(PAGE) == PAGE, "run: python -m cloudsync_core.config.reference docs/configuration.md"

    def test_show_every_section(self):
        shown = set(re.findall(r"<!-- options of: (.+?) -->", PAGE))
        assert shown == {section["title"] for section in (schema(), *schema()["$defs"].values())}


class TestExamples:
    @pytest.mark.parametrize("text", YAML_BLOCKS)
    def test_loads_and_fits_the_schema(self, config, text):
        assert config.load(text).jobs()
        data = yaml.safe_load(text)
        jsonschema.Draft202012Validator(schema()).validate(data)

    @pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
    def test_is_in_the_page(self, path):
        assert path.read_text(encoding="utf-8") in YAML_BLOCKS
        assert f"`examples/{path.name}`" in PAGE
        assert load(path).jobs()

    def test_there_are_some(self):
        assert EXAMPLES
        assert YAML_BLOCKS
        assert PYTHON_BLOCKS

    @pytest.mark.parametrize("text", PYTHON_BLOCKS)
    def test_python_runs(self, text):
        exec(compile(text, "docs/configuration.md", "exec"), {})

    def test_the_messages_shown_are_those_given(self, config):
        shown = re.search(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[1].splitlines()
        text = YAML_BLOCKS[0].replace("    exclude", "    exlude").replace("delete: true", "delete: yes")
        assert [f"config.yaml:{line}" for line in config.problems(text)] == shown

    def test_merges_as_it_says(self, config):
        text = (ROOT / "examples/several-jobs.yaml").read_text()
        jobs = config.load(text).jobs()
        assert jobs["documents-here"] == jobs["documents"].model_copy(
            update={"target": type(jobs["documents"].target)(url="/mnt/disk/documents")}
        )


class TestPatterns:
    @pytest.mark.parametrize(("pattern", "matched", "missed"), table_after("Patterns"))
    def test_match_what_the_table_says(self, pattern, matched, missed):
        patterns = Patterns(names_in(pattern))
        assert [key for key in names_in(matched) if not patterns.match(key)] == []
        assert [key for key in names_in(missed) if patterns.match(key)] == []
        assert names_in(matched)
        assert names_in(missed)

    def test_the_last_match_decides(self):
        patterns = Patterns(["*.log", "!important.log"])
        assert (patterns.match("a.log"), patterns.match("deep/important.log")) == (True, False)


class TestLimits:
    def test_bandwidth_is_written_as_the_table_says(self):
        written = [names_in(row[0])[0] for row in table_after("Concurrency and limits")]
        assert [Timetable.parse(text).limits for text in written] == [True, False, True, True, True]

    def test_every_unit_is_listed(self):
        units = re.search(r"A number of bytes has a unit: (.*?\))\.", PAGE.replace("\n", " "))[1]
        assert [parse_bytes(f"1{unit}") for unit in names_in(units)] == [
            *(1024**power for power in range(5)),
            *(1000**power for power in range(1, 5)),
        ]


class TestYaml:
    def test_values_are_what_the_table_says(self, config):
        booleans, numbers, texts, _ = table_after("YAML, as cloudsync reads it")
        read = lambda text: config.load(
            f"version: 1\njobs: {{a: {{source: {{url: x, options: {{o: {text}}}}}, target: y}}}}"
        )
        value = lambda text: read(text).jobs()["a"].source.options["o"]
        assert [value(text) for text in names_in(booleans[0])] == [True, False]
        assert [value(text) for text in names_in(numbers[0])] == [25, 25, 25, 1.5, 1000.0]
        assert [value(text) for text in names_in(texts[0])] == names_in(texts[0])
        assert [value(text) for text in names_in(booleans[1])] == names_in(booleans[1])
