"""`cloudsync check` and `cloudsync ls`: looking at what is there."""

import os

import pytest

from tests.cli.conftest import snapshot, write_tree


@pytest.fixture
def pair(folder):
    write_tree(folder / "a", {"same": "same", "differs": "1234", "size": "1", "a-only": "a"})
    write_tree(folder / "b", {"same": "same", "differs": "5678", "size": "22", "b-only": "b"})


class TestCheck:
    def test_places_that_are_equal(self, invoke, folder):
        for name in ("a", "b"):
            write_tree(folder / name, {"x": "x", "deep/y": "y"})
        result = invoke("check", "a", "b")
        assert result.out == "2 same, 0 differ, 0 only on source, 0 only on target, 0 unknown, 0 skipped\n"

    def test_differences_are_listed_and_exit_1(self, cloudsync, pair):
        result = cloudsync("check", "a", "b", code=1)
        assert [line.split("  (")[0] for line in result.out.splitlines()] == [
            "+ only-on-source  a-only",
            "- only-on-target  b-only",
            "~ differs         differs",
            "~ differs         size",
            "1 same, 2 differ, 1 only on source, 1 only on target, 0 unknown, 0 skipped",
        ]

    def test_download_compares_the_bytes(self, invoke, pair):
        result = invoke("check", "a", "b", "--download", "--json", code=1)
        assert {(event["kind"], event["key"]) for event in result.of("difference_found")} == {
            ("only-on-source", "a-only"), ("only-on-target", "b-only"), ("differs", "differs"), ("differs", "size")
        }  # fmt: skip
        assert (result.report["equal"], result.report["exit_code"]) == (False, 1)

    def test_filters(self, invoke, pair):
        invoke("check", "a", "b", "--exclude", "*-only", "--exclude-regex", "^(differs|size)$")
        invoke("check", "a", "b", "--include", "same")

    def test_it_changes_nothing(self, invoke, pair, folder):
        before = snapshot(folder), snapshot(folder.parent / "home")
        invoke("check", "a", "b", code=1)
        assert (snapshot(folder), snapshot(folder.parent / "home")) == before

    @pytest.mark.parametrize(("places", "missing"), [(("a", "nowhere"), "nowhere"), (("nowhere", "b"), "nowhere")])
    def test_a_place_that_is_missing_is_not_an_empty_one(self, invoke, pair, folder, places, missing):
        result = invoke("check", *places, "--json", code=4)
        assert f"file://{folder}/{missing}: there is no such directory" in result.err
        assert (result.report["event"], result.report["exit_code"]) == ("report", 4)

    def test_quiet_says_it_by_the_exit_code(self, invoke, pair):
        assert invoke("check", "a", "b", "-q", code=1).out == ""


class TestLs:
    def test_every_object_at_any_depth_in_the_order_of_the_keys(self, cloudsync, folder):
        write_tree(folder / "site", {"b": "1", "a/deep/one": "22", "a.txt": "333", "été": ""})
        assert cloudsync("ls", "site").out.splitlines() == ["a.txt", "a/deep/one", "b", "été"]

    def test_the_long_form(self, invoke, folder):
        write_tree(folder / "site", {"b": "x" * 1234})
        os.utime(folder / "site/b", (1_000_000_000, 1_000_000_000))
        result = invoke("ls", "site", "-l")
        assert result.out == "         1,234  2001-09-09T01:46:40Z  b\n"
        assert result.err == "1 object, 1.2 KiB\n"

    def test_keys_cannot_forge_output(self, invoke, folder):
        write_tree(folder / "site", {"a\nb\x1b[31m": "x"})
        assert invoke("ls", "site").out == r"a\nb\x1b[31m" + "\n"

    def test_json_holds_the_exact_key(self, invoke, folder):
        write_tree(folder / "site", {"a\nb\x1b[31m": "x", "été": "xy"})
        result = invoke("ls", "site", "--json")
        assert [(event["key"], event["size"]) for event in result.of("object")] == [("a\nb\x1b[31m", 1), ("été", 2)]
        assert result.report == {
            "event": "report",
            "objects": 2,
            "bytes": 3,
            "skipped": 0,
            "unknown": 0,
            "exit_code": 0,
        }

    def test_what_is_no_object_is_not_hidden(self, invoke, folder):
        write_tree(folder / "site", {"a": "x"})
        os.mkfifo(folder / "site/pipe")
        (folder / "site" / os.fsdecode(b"bad\xff")).write_text("x")
        result = invoke("ls", "site", "-v", code=1)
        assert "warning: pipe: " in result.err
        assert r"warning: bad\udcff: " in result.err
        assert result.out == "a\n"

    def test_options_of_the_backend(self, invoke, folder):
        write_tree(folder / "site", {"a": "x"})
        (folder / "site/link").symlink_to("a")
        assert invoke("ls", "site", "--option", "symlinks=follow").out == "a\nlink\n"
        result = invoke("ls", "site", "--option", "symlinks=perhaps", code=2)
        assert "symlinks: " in result.err
        assert "perhaps" not in result.err

    def test_a_place_that_is_missing(self, invoke, folder):
        result = invoke("ls", "nowhere", code=4)
        assert result.err.startswith(f"error: list file://{folder}/nowhere: there is no such directory\n")

    def test_no_place_at_all(self, invoke):
        assert invoke("ls", "", code=2).err == "error: LOCATION: must not be empty\n"

    def test_a_reader_that_has_seen_enough(self, folder, start):
        write_tree(folder / "site", {f"{'long' * 40}-{number}": "" for number in range(3000)})
        process = start("ls", "site")
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=30) == 141
