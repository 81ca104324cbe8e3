"""The changelog's fragments can be assembled, and read as sentences for users (changelog.d/README.md)."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
KINDS = [kind["directory"] for kind in SETTINGS["type"]]
HOMES = [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]
"""What has a changelog: the core, and each plugin."""

FRAGMENTS = sorted(
    path
    for home in HOMES
    for path in (home / SETTINGS["directory"]).glob("[!.]*")
    if path.name not in SETTINGS["ignore"]
)


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: str(path.relative_to(ROOT)))
class TestFragment:
    def test_its_name_gives_the_issue_and_the_kind(self, path):
        assert re.fullmatch(rf"(\d+|\+[a-z0-9-]+)\.({'|'.join(KINDS)})(\.\d+)?\.md", path.name)

    def test_it_is_one_paragraph_that_ends_with_a_full_stop(self, path):
        text = path.read_text().strip()
        assert text.endswith(".")
        assert "\n\n" not in text
        assert text[0].isupper() or text[0] == "`"


@pytest.mark.parametrize("home", HOMES, ids=lambda path: path.name)
def test_a_changelog_has_the_place_where_releases_go(home):
    assert SETTINGS["start_string"].strip() in (home / SETTINGS["filename"]).read_text()


def test_the_kinds_are_explained():
    text = (ROOT / SETTINGS["directory"] / "README.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}`" in text] == KINDS
