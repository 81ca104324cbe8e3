"""No text at all makes anything but a ConfigError come out of the loader."""

import contextlib
import string

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cloudsync_core.config.loader import load
from cloudsync_core.config.model import MirrorJob
from cloudsync_core.config.starter import starter
from cloudsync_core.errors import ConfigError

SIGNS = [*"\n \t:-,[]{}&*!|>'\"%@`#?~\\$.0\x07\0\ufeff\x85\u2028é😀"]
YAML = [
    "\n  ",
    "- ",
    ": ",
    "? ",
    "---\n",
    "...\n",
    "<<: ",
    "*a",
    "&a ",
    "!!int ",
    "!!map ",
    "!<",
    "%YAML 1.1\n",
    "%TAG ! x\n",
]
SCALARS = [
    '"\\u',
    '"\\U',
    "|2-\n",
    ">+\n",
    "null",
    "true",
    "1.0",
    "0x",
    "12:30",
    "1e999",
    "9" * 5000,
    "${env:X}",
    "${",
    "$${",
]
OURS = [
    "version: 1\n",
    "jobs:\n",
    "  site:\n",
    "    source: ",
    "    target: {url: x, options: ",
    "    exclude: [",
    "    headers:\n",
]
PIECES = st.sampled_from([*SIGNS, *YAML, *SCALARS, *OURS])
YAML_LIKE = st.lists(PIECES | st.text(string.ascii_letters, max_size=3), max_size=40).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
OPTIONS = [name for name in MirrorJob.model_fields if name not in {"source", "target"}]


def loads_or_says_why(path, content: bytes) -> None:
    path.write_bytes(content)
    with contextlib.suppress(ConfigError):
        assert load(path).jobs()


fuzz = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class TestNothingElseEscapes:
    @fuzz
    @given(content=st.binary(max_size=200))
    def test_from_any_bytes(self, tmp_path, content):
        loads_or_says_why(tmp_path / "config.yaml", content)

    @fuzz
    @given(text=YAML_LIKE)
    @example(text='"\\UFFFFFFFF"')
    @example(text="!!int ")
    def test_from_pieces_of_yaml(self, tmp_path, text):
        loads_or_says_why(tmp_path / "config.yaml", text.encode(errors="surrogatepass"))

    @fuzz
    @given(data=st.data())
    def test_from_a_good_file_with_a_bad_spot(self, tmp_path, data):
        text = starter()
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        loads_or_says_why(tmp_path / "config.yaml", (text[:start] + data.draw(YAML_LIKE) + text[end:]).encode())

    @fuzz
    @given(job=st.dictionaries(st.sampled_from(OPTIONS), VALUES, max_size=5))
    def test_from_any_values_of_a_job(self, tmp_path, job):
        content = yaml.safe_dump(
            {"version": 1, "jobs": {"a": {"source": "x", "target": "y", **job}}}, allow_unicode=True
        )
        loads_or_says_why(tmp_path / "config.yaml", content.encode(errors="surrogatepass"))
