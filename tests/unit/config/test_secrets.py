"""References to secrets: what they stand for, what is said when they stand for nothing, and that nothing leaks."""

import json
import urllib.parse
from pathlib import Path

import pytest

from cloudsync_core.config.secrets import MAX_FILE_BYTES, Resolver, SecretValues, has_reference, syntax_problem
from cloudsync_core.errors import PluginError, SecretNotFoundError


def resolver(tmp_path, hook=lambda _: None, **environ) -> Resolver:
    return Resolver(directory=tmp_path, hook=hook, where=lambda *path: f"config.yaml:{len(path)}", environ=environ)


def failure(resolver: Resolver, value: object, *at: str | int) -> str:
    with pytest.raises(SecretNotFoundError) as caught:
        resolver.resolve(value, *at)
    assert caught.value.exit_code == 2
    return str(caught.value)


class TestSyntax:
    @pytest.mark.parametrize(
        "text", ["", "$", "$x", "a$", "${env:X}", "${file:/a b}", "${vault:a/b#c}", "$${", "$${env.X}", "$$"]
    )
    def test_good(self, text):
        assert syntax_problem(text) is None

    @pytest.mark.parametrize(
        "text", ["${", "${}", "${X}", "${env:}", "${env:X", "${env:\nX}", "${ENV:X}", "${env.X}", "a ${:x}"]
    )
    def test_bad(self, text):
        assert syntax_problem(text) == (
            "a reference is written ${env:NAME} or ${file:path}, and the characters ${ themselves $${"
        )

    def test_has_reference(self):
        assert has_reference("a ${env:X}")
        assert not has_reference("$${env:X} ${")


class TestEnvironment:
    def test_a_variable(self, tmp_path):
        assert resolver(tmp_path, X="value").resolve("${env:X}") == "value"

    def test_several_in_one_text(self, tmp_path):
        assert resolver(tmp_path, A="1", B="2").resolve("x-${env:A}${env:B}-$${env:A}-$") == "x-12-${env:A}-$"

    def test_a_value_is_not_resolved_again(self, tmp_path):
        assert resolver(tmp_path, A="${env:B}", B="no").resolve("${env:A}") == "${env:B}"

    def test_at_any_depth_and_into_a_copy(self, tmp_path):
        value = {"a": ["${env:X}", {"b": "${env:X}"}], "n": 5, "t": ("${env:X}",), "z": None, "f": True}
        resolved = resolver(tmp_path, X="v").resolve(value)
        assert resolved == {"a": ["v", {"b": "v"}], "n": 5, "t": ("v",), "z": None, "f": True}
        assert value["a"][0] == "${env:X}"

    def test_the_environment_of_the_process_by_default(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CLOUDSYNC_TEST_X", "v")
        assert Resolver(directory=tmp_path).resolve("${env:CLOUDSYNC_TEST_X}") == "v"

    def test_missing(self, tmp_path):
        assert failure(resolver(tmp_path), {"k": ["${env:MISSING}"]}, "jobs", "a") == (
            "config.yaml:4: jobs.a.k[0]: ${env:MISSING}: no such environment variable\n  set MISSING"
        )

    def test_empty(self, tmp_path):
        assert "${env:X}: it is empty" in failure(resolver(tmp_path, X=""), "${env:X}")

    def test_undecodable(self, tmp_path):
        assert "${env:X}: its value is not UTF-8 text" in failure(resolver(tmp_path, X="a\udcff"), "${env:X}")

    def test_malformed(self, tmp_path):
        assert failure(resolver(tmp_path), "${X}", "a").startswith(
            "config.yaml:1: a: a reference is written ${env:NAME}"
        )


class TestFile:
    @pytest.mark.parametrize(
        ("content", "secret"),
        [("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc"), ("abc\n\n", "abc\n"), (" a\nb ", " a\nb ")],
    )
    def test_one_line_break_at_the_end_is_not_part_of_it(self, tmp_path, content, secret):
        (tmp_path / "f").write_bytes(content.encode())
        assert resolver(tmp_path).resolve("${file:f}") == secret

    def test_relative_to_the_configuration(self, tmp_path, monkeypatch):
        monkeypatch.chdir("/")
        (tmp_path / "s").mkdir()
        (tmp_path / "s/key").write_text("v")
        assert resolver(tmp_path).resolve("${file:s/key}") == "v"
        assert resolver(Path("/nowhere")).resolve(f"${{file:{tmp_path}/s/key}}") == "v"

    def test_in_the_home_directory(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "key").write_text("v")
        assert resolver(Path("/nowhere")).resolve("${file:~/key}") == "v"

    def test_missing(self, tmp_path):
        assert failure(resolver(tmp_path), "${file:gone}", "x") == (
            f"config.yaml:1: x: ${{file:gone}}: no such file: {tmp_path}/gone"
        )

    def test_directory(self, tmp_path):
        assert failure(resolver(tmp_path), "${file:.}").endswith(f"${{file:.}}: {tmp_path}: Is a directory")

    def test_a_file_on_the_way(self, tmp_path):
        (tmp_path / "f").write_text("x")
        assert failure(resolver(tmp_path), "${file:f/g}").endswith("f/g: Not a directory")

    def test_unreadable(self, tmp_path):
        assert failure(resolver(tmp_path), "${file:/proc/self/mem}").endswith("/proc/self/mem: Input/output error")

    def test_no_path(self, tmp_path):
        assert failure(resolver(tmp_path), "${file:a\0b}").endswith("a\\x00b: no valid path")

    @pytest.mark.parametrize("content", [b"", b"\n", b"\r\n"])
    def test_empty(self, tmp_path, content):
        (tmp_path / "f").write_bytes(content)
        assert "${file:f}: it is empty" in failure(resolver(tmp_path), "${file:f}")

    def test_endless(self, tmp_path):
        assert failure(resolver(tmp_path), "${file:/dev/zero}").endswith(f"larger than {MAX_FILE_BYTES} bytes")

    def test_not_text(self, tmp_path):
        (tmp_path / "f").write_bytes(b"\xff\xfesecret")
        message = failure(resolver(tmp_path), "${file:f}")
        assert message.endswith("f: not UTF-8 text")
        assert "secret" not in message


class TestHook:
    def test_gets_the_whole_reference(self, tmp_path):
        asked = []
        hook = lambda ref: asked.append(ref) or "found"
        assert resolver(tmp_path, hook).resolve("${vault:kv/db#pass:word}") == "found"
        assert asked == ["vault:kv/db#pass:word"]

    def test_is_not_asked_for_the_cores_own(self, tmp_path):
        hook = lambda ref: pytest.fail(f"asked for {ref}")
        assert resolver(tmp_path, hook, X="v").resolve("${env:X}") == "v"

    def test_nobody_knows(self, tmp_path):
        message = failure(resolver(tmp_path), "${vault:x}", "a")
        assert message.splitlines() == [
            "config.yaml:1: a: ${vault:x}: no installed plugin knows references of the kind 'vault:'",
            "  use ${env:NAME} or ${file:path}, or install the plugin; write $${ for the characters ${",
        ]

    def test_its_failure_is_named_without_its_words(self, tmp_path):
        def hook(ref):
            raise ValueError("the token hunter2 was refused")

        message = failure(resolver(tmp_path, hook), "${vault:x}")
        assert message.endswith("${vault:x}: the plugin failed with ValueError")

    def test_an_error_of_cloudsync_stays_what_it_is(self, tmp_path):
        def hook(ref):
            raise PluginError("the vault is sealed")

        with pytest.raises(PluginError, match="the vault is sealed"):
            resolver(tmp_path, hook).resolve("${vault:x}")

    def test_empty(self, tmp_path):
        assert "it is empty" in failure(resolver(tmp_path, lambda _: ""), "${vault:x}")


class TestRedaction:
    def test_what_was_resolved_is_scrubbed(self, tmp_path):
        found = resolver(tmp_path, X="hunter2", Y="also-secret")
        found.resolve(["${env:X}", "${env:Y}"])
        assert found.values.redact("a hunter2 b also-secret, hunter2!") == "a *** b ***, ***!"

    def test_what_is_no_secret_is_not(self, tmp_path):
        found = resolver(tmp_path, BUCKET="photos")
        found.resolve("demo://${env:BUCKET}", secret=False)
        assert found.values.redact("photos") == "photos"

    def test_longer_secrets_go_first(self):
        values = SecretValues()
        values.add("abcd")
        values.add("abcdefgh")
        assert values.redact("abcdefgh abcd") == "*** ***"

    @pytest.mark.parametrize("secret", ["pass/word+1=", "two\nlines", 'quo"te\\s', "über-geheim", "a b&c d"])
    def test_quoted_and_escaped_forms(self, secret):
        import urllib.parse

        values = SecretValues()
        values.add(secret)
        for form in (
            secret,
            repr(secret),
            json.dumps(secret),
            urllib.parse.quote(secret, safe=""),
            urllib.parse.quote_plus(secret),
        ):
            assert secret not in values.redact(form)
            assert values.redact(f"<{form}>").strip("<>\"'") == "***"

    @pytest.mark.parametrize("value", ["", "abc", "    ", " a ", "true", "NULL", "False"])
    def test_short_values_and_common_words_stay(self, value):
        values = SecretValues()
        values.add(value)
        text = f"{value} abc true false null      end"
        assert values.redact(text) == text

    @pytest.mark.parametrize(
        "secret",
        [
            "sv=2024-01-01&se=2026-01-01T00%3A00Z&sig={value}&sp=rwl",
            "DefaultEndpointsProtocol=https;AccountName=devstoreaccount1;AccountKey={value};BlobEndpoint=http://h/a;",
        ],
        ids=["query", "connection-string"],
    )
    def test_a_long_value_of_several_is_one_too(self, secret):
        value = "abcdefghijklmnopqrstuvwxyz/0123456789=="
        values = SecretValues()
        values.add(secret.format(value=value.replace("/", "%2F") if "&" in secret else value))
        assert values.redact(f"the signature {value} did not match") == "the signature *** did not match"
        assert values.redact(urllib.parse.quote(value, safe="")) == "***"
        harmless = "devstoreaccount1 at http://h/a, 2024-01-01"
        assert values.redact(harmless) == harmless
