"""How YAML is read: the core schema of 1.2, places, merge keys, and texts that are no good."""

import math

import pytest

from cloudsync_core.config.document import MAX_DEPTH, MAX_VALUES, read
from cloudsync_core.config.problems import Place


def data(text: str) -> object:
    document = read(text)
    assert document.problems == ()
    return document.data


def only_problem(text: str) -> str:
    (problem,) = read(text).problems
    place = f"{problem.place.line}:{problem.place.column}: " if problem.place else ""
    return f"{place}{problem}"


class TestScalars:
    @pytest.mark.parametrize("text", ["true", "True", "TRUE"])
    def test_true(self, text):
        assert data(text) is True

    @pytest.mark.parametrize("text", ["false", "False", "FALSE"])
    def test_false(self, text):
        assert data(text) is False

    @pytest.mark.parametrize("text", ["yes", "no", "on", "off", "y", "n", "Yes", "NO", "tRUE"])
    def test_what_yaml_1_1_takes_for_booleans_is_text(self, text):
        assert data(text) == text

    @pytest.mark.parametrize(
        "text", ["12:30", "0123", "-07", "1_000", "2026-01-31", "1.2.3", "0b11", "1e", ".", "=", "<<"]
    )
    def test_what_yaml_1_1_takes_for_numbers_and_dates_is_text(self, text):
        assert data(text) == text

    @pytest.mark.parametrize(
        ("text", "value"),
        [("0", 0), ("-12", -12), ("+5", 5), ("0x1F", 31), ("0o17", 15), ("!!int '7'", 7)],
    )
    def test_whole_numbers(self, text, value):
        found = data(text)
        assert (found, type(found)) == (value, int)

    @pytest.mark.parametrize(
        ("text", "value"), [("1.0", 1.0), ("-.5", -0.5), ("1e3", 1000.0), (".inf", math.inf), ("-.INF", -math.inf)]
    )
    def test_other_numbers(self, text, value):
        found = data(text)
        assert (found, type(found)) == (value, float)

    def test_not_a_number(self):
        assert math.isnan(data(".nan"))

    @pytest.mark.parametrize("text", ["a: null", "a: ~", "a:", "a: NULL"])
    def test_no_value(self, text):
        assert data(text) == {"a": None}

    @pytest.mark.parametrize("text", ["'true'", '"5"', "!!str 5", "|-\n  true"])
    def test_quotes_and_tags_make_text(self, text):
        assert data(text) in ("true", "5")

    @pytest.mark.parametrize("text", ["é😀", "'\\'", '"\\u00e9"', "a#b", "a:b", "http://x:1/y?z#q"])
    def test_text(self, text):
        assert data(text) == text.strip("'").replace('"\\u00e9"', "é")

    @pytest.mark.parametrize("text", ["", "# comment", "---", "--- # nothing\n...\n"])
    def test_nothing(self, text):
        assert data(text) is None


class TestPlaces:
    def test_keys_and_items(self):
        places = read("a:\n  b: [x, y]\n  'c':\n  - d: 1\n").places
        assert places == {
            (): Place(1, 1),
            ("a",): Place(1, 1),
            ("a", "b"): Place(2, 3),
            ("a", "b", 0): Place(2, 7),
            ("a", "b", 1): Place(2, 10),
            ("a", "c"): Place(3, 3),
            ("a", "c", 0): Place(4, 5),
            ("a", "c", 0, "d"): Place(4, 5),
        }

    def test_what_comes_by_an_alias_is_where_it_was_written(self):
        places = read("a: &x\n  b: 1\nc: *x\n").places
        assert places["c",] == Place(3, 1)
        assert places["c", "b"] == Place(2, 3)


class TestMerge:
    def test_own_entries_go_before_merged_ones_wherever_they_stand(self):
        text = "base: &base {a: 1, b: 2}\nx: {a: 9, <<: *base}\ny: {<<: *base, a: 9}\n"
        assert data(text) == {"base": {"a": 1, "b": 2}, "x": {"a": 9, "b": 2}, "y": {"a": 9, "b": 2}}

    def test_of_several_the_first_goes_before_the_next(self):
        text = "p: &p {a: 1}\nq: &q {a: 2, b: 2}\nx: {<<: [*p, *q]}\n"
        assert data(text)["x"] == {"a": 1, "b": 2}

    def test_merged_mappings_may_merge(self):
        text = "p: &p {a: 1}\nq: &q {<<: *p, b: 2}\nx: {<<: *q}\n"
        assert data(text)["x"] == {"a": 1, "b": 2}

    def test_in_quotes_it_is_a_key(self):
        assert data("'<<': {a: 1}") == {"<<": {"a": 1}}

    @pytest.mark.parametrize("value", ["5", "[a]", "text"])
    def test_of_something_else(self, value):
        assert only_problem(f"x: {{<<: {value}}}").endswith(": x: '<<' takes a mapping, or a list of mappings")

    def test_twice(self):
        assert only_problem("a:\n  <<: {b: 1}\n  <<: {c: 1}\n") == "3:3: a: '<<' is written twice, first in line 2"


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a: 1\nb: 2\na: 3\n", "3:1: 'a' is written twice, first in line 1"),
            ("a: {b: 1, 'b': 2}", "1:11: a: 'b' is written twice, first in line 1"),
            ("1: a", "1:1: a key must be text; put a number, true, false or null in quotes"),
            ("? [a]\n: b", "1:3: a key must be text; put a number, true, false or null in quotes"),
            ("a: {b:1}", "1:5: a.b…: a space is missing after the ':'"),
            ("a:\n\tb: 1", "2:1: a tab; YAML is indented with spaces"),
            ("a: b: c", "1:5: a ':' where none can be: check the indentation, and quote text that holds ': '"),
            ("a: 1\n b: 2", "2:3: a ':' where none can be: check the indentation, and quote text that holds ': '"),
            ("a:\n  b: 1\n c: 2", "3:2: this does not fit the lines before it: check the indentation and the quotes"),
            ("a: 'it's'", "1:8: this does not fit the lines before it: check the indentation and the quotes"),
            (" a: 1\nb: 2", "2:1: this does not fit the lines before it: check the indentation"),
            ("a: - b", "1:4: a '- ' where none can be: check the indentation, and quote text that holds it"),
            ("a:\n  b: 1\n  c 2\n  d: 3", "3:3: a ':' with a space after it is missing"),
            ("x: 'a\ny: b\n", "1:4: the text in quotes that begins here is not closed"),
            ('x: "a\n---\n', "1:4: the text in quotes that begins here is not closed"),
            (
                "x: [a, b\ny: c\n",
                "1:4: the list that begins here is not closed, or an item in it is not ended by a ','",
            ),
            ("x: {a: b", "1:4: the mapping that begins here is not closed, or an entry in it is not ended by a ','"),
            ("a: }", "1:4: a value is missing here"),
            ("a: *b", "1:4: an alias (*name) without its anchor (&name); put text that begins with '*' in quotes"),
            (
                "a: &b 1\nc: &b 2",
                "2:4: an anchor (&name) that there is already; put text that begins with '&' in quotes",
            ),
            ("a: @b", "1:4: '@' cannot begin text without quotes: put the text in quotes"),
            ("a: %b", "1:4: '%' cannot begin text without quotes: put the text in quotes"),
            ('a: "\\q"', "1:6: an unknown escape; put text with backslashes in single quotes"),
            ('a: "\\x1"', "1:7: an escape that is cut short; put text with backslashes in single quotes"),
            ('a: "\\U0011FFFF"', "1:7: an escape that stands for no character"),
            ('a: "\\ud800"', "1:4: a: half of a surrogate pair, which is no character"),
            ("--- a\n--- b", "2:1: a second document begins here; a configuration is one document"),
            ("%YAML 2.0\n---\na", "1:1: a %YAML directive for another version than 1"),
            ("a: !b c", "1:4: a: tags (!name) are not supported; put text that begins with '!' in quotes"),
            (
                "a: !!python/name:os.system x",
                "1:4: a: tags (!name) are not supported; put text that begins with '!' in quotes",
            ),
            ("a: !!set {b}", "1:4: a: tags (!name) are not supported; put text that begins with '!' in quotes"),
            ("a: !b!c d", "1:4: a tag (!name), which is not supported; put text that begins with '!' in quotes"),
            ("a: !!int b", "1:4: a: no value of its tag (!!name), or a number that is too long"),
            ("a: " + "9" * 5000, "1:4: a: no value of its tag (!!name), or a number that is too long"),
            ("a: |x\n  b", "1:5: this is not valid YAML (while scanning a block scalar)"),
            ("a: 1\nb: \x07", "2:4: a control character, which YAML does not allow"),
            ("a: \0", "1:4: a control character, which YAML does not allow"),
        ],
    )
    def test_is_named_with_its_place(self, text, message):
        assert only_problem(text) == message

    def test_several_are_all_named(self):
        assert len(read("a: 1\na: 2\n3: 4\nb: !c d\n").problems) == 3


class TestBombs:
    @pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "{b: " * 5000, "- " * 5000, "? " * 5000])
    def test_deep_nesting(self, text):
        assert only_problem(text).partition(": ")[2] == f"nested deeper than {MAX_DEPTH} levels"

    def test_as_deep_as_allowed(self):
        assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH).problems == ()

    def test_billion_laughs(self):
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 12)]
        assert only_problem("\n".join(lines)).endswith(f"more than {MAX_VALUES} values, aliases (*name) written out")

    def test_billion_merges(self):
        lines = ["a0: &a0 {b: 1}"]
        lines += [f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 9)}]}}" for level in range(1, 12)]
        assert only_problem("\n".join(lines)).endswith(f"more than {MAX_VALUES} values, aliases (*name) written out")

    @pytest.mark.parametrize("text", ["&a [*a]", "&a {b: *a}", "a: &a {<<: *a}", "&a {<<: [*a, *a]}"])
    def test_an_alias_in_itself(self, text):
        assert "an alias (*name) may refer to itself" in only_problem(text)
