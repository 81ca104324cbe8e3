"""YAML text as plain data that knows where each value was written.

Scalars are read by the core schema of YAML 1.2, which has fewer traps than what PyYAML does by default: only `true`
and `false` are booleans, and `yes`, `no`, `on`, `off`, dates, `12:30` and numbers with a leading zero are text.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping

import yaml
from yaml.reader import ReaderError

from cloudsync_core.config.problems import KeyPath, Place, Problem, shown_name
from cloudsync_core.config.syntax import syntax_problem

MAX_DEPTH = 50
"""Levels of nesting, aliases followed."""

MAX_VALUES = 100_000
"""Values with every alias written out: what a file of nested aliases may grow to."""

_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_CORE_SCHEMA = {
    "null": (r"|~|null|Null|NULL", ["", *"~nN"]),
    "bool": (r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    "float": (
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        [*"-+.0123456789"],
    ),
    "merge": (r"<<", ["<"]),
}


def _text(text: str) -> str:
    text.encode()
    return text


_SCALARS: Mapping[str, Callable[[str], object]] = {
    _TAG + "str": _text,
    _TAG + "merge": _text,
    _TAG + "null": lambda _: None,
    _TAG + "bool": lambda text: {"true": True, "false": False}[text.lower()],
    _TAG + "int": lambda text: int(text, 0),
    _TAG + "float": lambda text: float(text.lower().replace(".inf", "inf").replace(".nan", "nan")),
}


class _Unreadable(Exception):  # noqa: N818 - it never leaves this module
    """The text cannot be read any further."""

    def __init__(self, message: str, place: Place | None) -> None:
        self.problem = Problem((), message, place)


class _Loader(yaml.BaseLoader):
    """Composes nodes by the core schema; the depth is limited so that no text can exhaust the stack."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Unreadable(f"nested deeper than {MAX_DEPTH} levels", Place(self.line + 1, self.column + 1))
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


for _name, (_expression, _first) in _CORE_SCHEMA.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_expression})\Z"), _first)


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """What a YAML text says.

    Attributes:
        data: mappings, lists, text, numbers, booleans and `None`; `None` for an empty text.
        places: where each value was written: the key of an entry, the start of an item.
        problems: what is wrong; the data is then incomplete.
    """

    data: object
    places: Mapping[KeyPath, Place] = dataclasses.field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read(text: str) -> Document:
    """Return what `text` says; what is wrong with it is in `problems`, and nothing is raised."""
    try:
        node = _compose(text)
        if node is None:
            return Document(None)
        builder = _Builder()
        data = builder.build(node, ())
    except _Unreadable as error:
        return Document(None, problems=(error.problem,))
    return Document(data, builder.places, tuple(builder.problems))


def _compose(text: str) -> yaml.Node | None:
    try:
        loader = _Loader(text)
    except ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise _Unreadable("a control character, which YAML does not allow", place) from None
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        message, mark = syntax_problem(error)
        raise _Unreadable(message, Place(mark.line + 1, mark.column + 1) if mark else None) from None
    except (ValueError, OverflowError):
        raise _Unreadable("an escape that stands for no character", Place(loader.line + 1, loader.column + 1)) from None


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


class _Builder:
    """Turns nodes into data, aliases written out, and notes places and problems."""

    def __init__(self) -> None:
        self.places: dict[KeyPath, Place] = {}
        self.problems: list[Problem] = []
        self._values = 0

    def build(self, node: yaml.Node, path: KeyPath) -> object:
        """Return the data of `node`, which stands at `path`."""
        self._count(node, len(path))
        self.places.setdefault(path, _place(node))
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return dict(self._items(node, path))
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        return self._unsupported_tag(node, path)

    def _items(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[str, object]]:
        for key, (key_node, value_node) in self._entries(node, path, depth=len(path)).items():
            self.places[*path, key] = _place(key_node)
            yield key, self.build(value_node, (*path, key))

    def _entries(self, node: yaml.MappingNode, path: KeyPath, depth: int) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return the entries of a mapping; those that `<<` merges in come after and yield to its own."""
        self._count(node, depth)
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: list[yaml.Node] = []
        merge_place: Place | None = None
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                if merge_place is not None:
                    self._duplicate("<<", merge_place, _place(key_node), path)
                merge_place = _place(key_node)
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            elif not isinstance(key_node, yaml.ScalarNode) or key_node.tag != _TAG + "str":
                self._report(path, "a key must be text; put a number, true, false or null in quotes", key_node)
            elif (
                key_node.style is None and ":" in key_node.value and value_node.value == "" and value_node.style is None
            ):
                self._report((*path, key_node.value), "a space is missing after the ':'", key_node)
            elif key_node.value in own:
                self._duplicate(key_node.value, _place(own[key_node.value][0]), _place(key_node), path)
            else:
                own[key_node.value] = (key_node, value_node)
        for source in merged:
            if not isinstance(source, yaml.MappingNode):
                self._report(path, "'<<' takes a mapping, or a list of mappings", source)
                continue
            for key, entry in self._entries(source, path, depth + 1).items():
                own.setdefault(key, entry)
        return own

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> object:
        convert = _SCALARS.get(node.tag)
        if convert is None:
            return self._unsupported_tag(node, path)
        try:
            return convert(node.value)
        except UnicodeEncodeError:
            self._report(path, "half of a surrogate pair, which is no character", node)
        except (KeyError, ValueError):
            self._report(path, "no value of its tag (!!name), or a number that is too long", node)
        return None

    def _unsupported_tag(self, node: yaml.Node, path: KeyPath) -> object:
        self._report(path, "tags (!name) are not supported; put text that begins with '!' in quotes", node)
        return None

    def _duplicate(self, key: str, first: Place, second: Place, path: KeyPath) -> None:
        message = f"'{shown_name(key) if key != '<<' else key}' is written twice, first in line {first.line}"
        self.problems.append(Problem(path, message, second))

    def _report(self, path: KeyPath, message: str, node: yaml.Node) -> None:
        self.problems.append(Problem(path, message, _place(node)))

    def _count(self, node: yaml.Node, depth: int) -> None:
        self._values += 1
        if depth > MAX_DEPTH:
            raise _Unreadable(
                f"nested deeper than {MAX_DEPTH} levels; an alias (*name) may refer to itself", _place(node)
            )
        if self._values > MAX_VALUES:
            raise _Unreadable(f"more than {MAX_VALUES} values, aliases (*name) written out", _place(node))
