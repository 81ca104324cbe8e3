"""The README says of the options what their model says."""

from pathlib import Path

import yaml
from cloudsync_azure.config import AzureOptions
from pydantic import ByteSize

README = (Path(__file__).parents[1] / "README.md").read_text()


def shown(default):
    if default is None:
        return ""
    if isinstance(default, ByteSize):
        return f"`{default.human_readable().replace('.0', '')}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_every_option_stands_in_the_table_as_it_is():
    table = [line for line in README.splitlines() if line.startswith("| `") and line.count("|") == 4]
    rows = [
        f"| `{name}` | {shown(field.default)} | {field.description} |"
        for name, field in AzureOptions.model_fields.items()
    ]
    assert [row for row in rows if row not in table] == []


def test_examples_of_options_are_valid():
    examples = [line for line in README.splitlines() if line.startswith("options: {")]
    assert len(examples) == 6
    for example in examples:
        AzureOptions(**yaml.safe_load(example)["options"])
