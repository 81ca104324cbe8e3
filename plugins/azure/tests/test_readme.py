"""The README says of the options what their model says."""

from pathlib import Path

import pytest
import yaml
from cloudsync_azure.config import AzureOptions
from cloudsync_azure.source import AzureQueueOptions
from pydantic import ByteSize

README = (Path(__file__).parents[1] / "README.md").read_text()


def shown(default):
    if default is None:
        return ""
    if isinstance(default, ByteSize):
        return f"`{default.human_readable().replace('.0', '')}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


@pytest.mark.parametrize("model", [AzureOptions, AzureQueueOptions])
def test_every_option_stands_in_the_table_as_it_is(model):
    table = [line for line in README.splitlines() if line.startswith("| `") and line.count("|") == 4]
    rows = [
        f"| `{name}` | {shown(field.default)} | {field.description} |" for name, field in model.model_fields.items()
    ]
    assert [row for row in rows if row not in table] == []


def test_examples_of_options_are_valid():
    examples = [line for line in README.splitlines() if line.startswith("options: {")]
    assert len(examples) == 6
    for example in examples:
        AzureOptions(**yaml.safe_load(example)["options"])
