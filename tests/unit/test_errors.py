"""The error tree is the one that its docstring prints, and every message says what, where and what to do."""

import inspect
import re

import pytest

from cloudsync_core import errors
from cloudsync_core.errors import (
    BackendError,
    CloudSyncError,
    ConfigError,
    Disposition,
    InvalidKeyError,
    ObjectNotFoundError,
    ThrottledError,
    printable,
)

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, CloudSyncError)]
LINE = re.compile(r"^    ((?:[│ ]   )*(?:[├└]── )?)(\w+)(?: +(.*))?$", re.MULTILINE)


def printed_tree():
    """Return what the docstring says: for each class its base and its remark."""
    found, above = {}, {}
    for branch, name, remark in LINE.findall(errors.__doc__):
        depth = len(branch) // 4
        above[depth] = name
        found[name] = (above.get(depth - 1, "Exception"), remark)
    return found


class TestTree:
    def test_the_docstring_prints_every_class_under_its_base(self):
        printed = {name: base for name, (base, _) in printed_tree().items()}
        assert printed == {kind.__name__: kind.__base__.__name__ for kind in CLASSES}

    def test_the_docstring_tells_the_exit_codes(self):
        codes = {
            name: int(code[1])
            for name, (_, remark) in printed_tree().items()
            if (code := re.match(r"exit (\d+)", remark))
        }
        assert codes.keys() == {"ConfigError", "PluginError", "BackendError", "RunError", "CancelledError"}
        for kind in CLASSES:
            branch = next((parent.__name__ for parent in kind.__mro__ if parent.__name__ in codes), None)
            assert kind.exit_code == codes.get(branch, 1), kind.__name__

    def test_the_docstring_tells_what_the_engine_does_next(self):
        printed = {name: remark for name, (base, remark) in printed_tree().items() if base == "BackendError"}
        kinds = [kind for kind in CLASSES if kind.__base__ is BackendError]
        assert printed == {kind.__name__: kind.default_disposition.value for kind in kinds}

    def test_every_class_says_what_it_means(self):
        for kind in CLASSES:
            assert kind.__doc__.splitlines()[0].endswith("."), kind.__name__
            assert kind.__doc__ != kind.__base__.__doc__, kind.__name__


class TestBackendError:
    def test_the_message_reads_operation_place_reason_and_way_out(self):
        error = BackendError(
            "it is gone", operation="get", location="memory://name/prefix", key="a/b", hint="put it back"
        )
        assert str(error) == "get memory://name/prefix/a/b: it is gone\n  put it back"

    @pytest.mark.parametrize(
        ("details", "message"),
        [
            ({}, "why"),
            ({"operation": "list"}, "list: why"),
            ({"operation": "list", "location": "file:///root"}, "list file:///root: why"),
            ({"operation": "get", "location": "file:///root/", "key": "a"}, "get file:///root/a: why"),
            ({"operation": "get", "key": "a"}, "get a: why"),
            ({"operation": "get", "location": "memory://x", "key": ""}, "get memory://x/: why"),
        ],
    )
    def test_what_is_not_known_is_left_out(self, details, message):
        assert str(BackendError("why", **details)) == message

    def test_the_class_decides_what_happens_next_unless_somebody_knows_better(self):
        assert ObjectNotFoundError("x").disposition is Disposition.SKIP
        assert ThrottledError("x", retry_after=2.5).disposition is Disposition.RETRY
        assert ThrottledError("x", retry_after=2.5).retry_after == 2.5
        assert ObjectNotFoundError("x", disposition=Disposition.RETRY).disposition is Disposition.RETRY

    def test_a_key_cannot_forge_output(self):
        error = InvalidKeyError("no", operation="put", location="memory://x", key="a\nput memory://x/b: done\x1b[2K")
        assert "\n" not in str(error)
        assert "\x1b" not in str(error)


class TestPrintable:
    @pytest.mark.parametrize("key", ["plain", "with space", "\u00e9\u4e2d\U0001f600", "100%", "a\\b"])
    def test_what_can_be_shown_is_shown_as_it_is(self, key):
        assert printable(key) == key

    @pytest.mark.parametrize(
        ("key", "shown"),
        [
            ("a\nb", r"a\nb"),
            ("\x1b[0m", r"\x1b[0m"),
            ("a\udcffb", r"a\udcffb"),
            ("\u202ecod", r"\u202ecod"),
            ("\0", r"\x00"),
        ],
    )
    def test_what_cannot_is_escaped(self, key, shown):
        assert printable(key) == shown


class TestHint:
    def test_a_hint_is_part_of_the_message(self):
        assert str(ConfigError("no such job", hint="there are: a, b")) == "no such job\n  there are: a, b"
        assert str(ConfigError("no such job")) == "no such job"
