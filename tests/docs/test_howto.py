"""The how-to shows the code of the example as it is, and the example is what the kit writes where nobody changed it."""

import re
import textwrap
import tomllib
from pathlib import Path

import pytest

from cloudsync_core.plugins.authoring import NewPlugin
from tests.docs.blocks import blocks

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/cloudsync-webdav"
SHOWN = [block for block in blocks(ROOT / "docs/howto-backend.md") if block.language == "python"]


@pytest.mark.parametrize("block", SHOWN, ids=lambda block: f"line-{block.line}")
def test_each_piece_of_code_is_in_the_file_that_it_is_taken_from(block):
    found = re.fullmatch(r"from (\S+)", block.excuse or "")
    assert found, f"{block}: a piece of code is under a comment that says which file it is from"
    lines = (ROOT / found[1]).read_text().splitlines()
    length = len(block.text.splitlines())
    runs = (textwrap.dedent("\n".join(lines[start : start + length]) + "\n") for start in range(len(lines)))
    assert block.text in runs, f"{block}: not in {found[1]}"


def test_every_module_of_the_example_is_shown_or_told_of():
    page = (ROOT / "docs/howto-backend.md").read_text()
    modules = [path.name for path in EXAMPLE.glob("src/*/[a-z]*.py")]
    assert [name for name in modules if name not in page] == []


@pytest.fixture
def written(tmp_path):
    """What the kit writes before anybody changes it."""
    return NewPlugin("webdav", "dav").write(tmp_path, "0.1.0")


class TestTheExample:
    @pytest.mark.parametrize("name", [".gitignore", "src/{}/__init__.py", "src/{}/py.typed"])
    def test_has_the_files_that_nobody_changes(self, written, name):
        path = name.format("cloudsync_webdav")
        assert (EXAMPLE / path).read_text() == (written / path).read_text()

    def test_has_the_settings_of_the_tools(self, written):
        ours, theirs = (tomllib.loads((folder / "pyproject.toml").read_text()) for folder in (EXAMPLE, written))
        assert ours["tool"] == theirs["tool"]
        assert ours["build-system"] == theirs["build-system"]
        assert ours["project"]["entry-points"] == theirs["project"]["entry-points"]

    def test_is_announced_in_the_same_way(self, written):
        ours, theirs = ((folder / "src/cloudsync_webdav/plugin.py").read_text() for folder in (EXAMPLE, written))
        changed = re.compile(r"^ +(schemes|summary)=.*\n", re.MULTILINE)
        assert changed.sub("", ours) == changed.sub("", theirs)
