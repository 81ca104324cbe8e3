"""An object gets the same media type whichever host uploads it."""

import doctest
import json
import subprocess
import sys

import pytest

from cloudsync_core import content_types
from cloudsync_core.content_types import TYPES, guess

WEB = {
    "index.html": "text/html",
    "a/style.css": "text/css",
    "app.js": "text/javascript",
    "app.mjs": "text/javascript",
    "app.js.map": "application/json",
    "data.json": "application/json",
    "site.webmanifest": "application/manifest+json",
    "module.wasm": "application/wasm",
    "logo.svg": "image/svg+xml",
    "photo.webp": "image/webp",
    "photo.avif": "image/avif",
    "favicon.ico": "image/vnd.microsoft.icon",
    "font.woff": "font/woff",
    "font.woff2": "font/woff2",
    "feed.xml": "application/xml",
    "README.md": "text/markdown",
    "conf.yaml": "application/yaml",
    "conf.yml": "application/yaml",
    "table.csv": "text/csv",
    "table.parquet": "application/vnd.apache.parquet",
    "clip.mp4": "video/mp4",
}


@pytest.mark.parametrize(("key", "expected"), WEB.items())
def test_types_that_browsers_depend_on(key, expected):
    assert guess(key) == expected


@pytest.mark.parametrize("key", ["x.tar.gz", "x.tgz", "x.csv.gz", "x.json.gz"])
def test_a_compressed_file_is_typed_as_what_it_is(key):
    assert guess(key) == "application/gzip"


@pytest.mark.parametrize("key", ["PHOTO.JPG", "photo.Jpg"])
def test_case_does_not_matter(key):
    assert guess(key) == "image/jpeg"


@pytest.mark.parametrize(
    "key", ["Makefile", "a.html/b", ".html", "a/.js", "a.", "folder.css/", "x.unheard-of", "x.ts", "", "a.html "]
)
def test_names_that_suggest_nothing_get_no_type(key):
    assert guess(key) is None


def test_the_hosts_own_tables_change_nothing(tmp_path):
    system = tmp_path / "mime.types"
    system.write_text("application/x-evil json css webp unheard-of\n")
    program = f"""
import json, mimetypes
mimetypes.knownfiles[:] = [{str(system)!r}]
mimetypes.init()
assert mimetypes.guess_type("x.unheard-of")[0] == "application/x-evil"
from cloudsync_core.content_types import TYPES, guess
print(json.dumps({{name: guess("x." + name) for name in [*TYPES, "unheard-of"]}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {**TYPES, "unheard-of": None}


def test_an_extension_has_one_type_and_the_table_is_well_formed():
    listed = [name for names in content_types._EXTENSIONS_BY_TYPE.values() for name in names.split()]
    assert len(listed) == len(set(listed))
    assert all(name == name.lower() and "." not in name for name in listed)
    assert all(kind.count("/") == 1 and kind == kind.lower() for kind in TYPES.values())


def test_the_documented_examples_are_true():
    assert doctest.testmod(content_types).failed == 0
