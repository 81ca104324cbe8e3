"""The example of a static site: its files are those that its page shows, which tests/docs follows step by step."""

from pathlib import Path

import pytest

from tests.docs.blocks import blocks

EXAMPLE = Path(__file__).parents[2] / "examples/static_site"
SHOWN = {block.title: block.text for block in blocks(EXAMPLE / "README.md") if block.title}


@pytest.mark.parametrize("title", SHOWN)
def test_a_file_is_what_the_page_shows(title):
    assert (EXAMPLE / title).read_text() == SHOWN[title]


def test_the_page_shows_every_file():
    there = {str(path.relative_to(EXAMPLE)) for path in EXAMPLE.rglob("*") if path.is_file()}
    assert there == {*SHOWN, "README.md"}
