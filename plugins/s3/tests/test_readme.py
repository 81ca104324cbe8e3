"""The README says of the options what their model says."""

from pathlib import Path

import pytest
from cloudsync_s3.config import S3Options
from cloudsync_s3.source import SqsOptions
from pydantic import ByteSize

README = (Path(__file__).parents[1] / "README.md").read_text()


def shown(default):
    if default is None:
        return ""
    if isinstance(default, ByteSize):
        return f"`{default.human_readable().replace('.0', '')}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


@pytest.mark.parametrize("model", [S3Options, SqsOptions])
def test_every_option_stands_in_the_table_as_it_is(model):
    table = [line for line in README.splitlines() if line.startswith("| `") and line.count("|") == 4]
    rows = [
        f"| `{name}` | {shown(field.default)} | {field.description} |" for name, field in model.model_fields.items()
    ]
    assert [row for row in rows if row not in table] == []


def test_examples_of_options_are_valid():
    import yaml

    examples = [line for line in README.splitlines() if line.startswith("options: {")]
    assert len(examples) == 4
    for example in examples:
        S3Options(**yaml.safe_load(example)["options"])
