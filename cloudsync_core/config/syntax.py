"""What PyYAML's errors mean, in words for the person who wrote the file.

PyYAML quotes what it met: a password that begins with `*` or `!` and lacks its quotes would be shown. No message
here repeats anything of the text but one punctuation character.
"""

from __future__ import annotations

import yaml

_MEANINGS = (
    ("'\\t' that cannot start any token", "a tab; YAML is indented with spaces"),
    (
        "mapping values are not allowed",
        "a ':' where none can be: check the indentation, and quote text that holds ': '",
    ),
    (
        "sequence entries are not allowed",
        "a '- ' where none can be: check the indentation, and quote text that holds it",
    ),
    ("mapping keys are not allowed", "a '? ' where none can be; quote text that begins with it"),
    ("expected <block end>", "this does not fit the lines before it: check the indentation and the quotes"),
    ("expected the node content", "a value is missing here"),
    ("undefined alias", "an alias (*name) without its anchor (&name); put text that begins with '*' in quotes"),
    ("another document", "a second document begins here; a configuration is one document"),
    ("expected '<document start>'", "this does not fit the lines before it: check the indentation"),
    ("second occurrence", "an anchor (&name) that there is already; put text that begins with '&' in quotes"),
    ("unknown escape character", "an unknown escape; put text with backslashes in single quotes"),
    ("hexadecimal numbers", "an escape that is cut short; put text with backslashes in single quotes"),
    ("YAML document (version", "a %YAML directive for another version than 1"),
    ("tag handle", "a tag (!name), which is not supported; put text that begins with '!' in quotes"),
)

_STARTS = (
    ("could not find expected ':'", "a ':' with a space after it is missing"),
    ("unexpected end of stream", "the text in quotes that begins here is not closed"),
    ("unexpected document separator", "the text in quotes that begins here is not closed"),
    ("expected ',' or ']'", "the list that begins here is not closed, or an item in it is not ended by a ','"),
    ("expected ',' or '}'", "the mapping that begins here is not closed, or an entry in it is not ended by a ','"),
)
"""Problems that are best shown where the thing begins, not where PyYAML noticed."""


def syntax_problem(error: yaml.MarkedYAMLError) -> tuple[str, yaml.Mark | None]:
    """Return what is wrong, and where."""
    problem = error.problem or ""
    for sign, meaning in _STARTS:
        if sign in problem:
            return meaning, error.context_mark or error.problem_mark
    for sign, meaning in _MEANINGS:
        if sign in problem:
            return meaning, error.problem_mark
    if "cannot start any token" in problem:
        return f"{_character(problem)} cannot begin text without quotes: put the text in quotes", error.problem_mark
    return f"this is not valid YAML ({error.context or 'syntax'})", error.problem_mark or error.context_mark


def _character(problem: str) -> str:
    """Return the one character, quoted, that PyYAML's message names."""
    return problem.removeprefix("found character ").partition(" that ")[0]
