"""Reading a manifest as its API server would, and refusing whatever two readers could read in two ways. Pure.

YAML 1.1 as libyaml and Go's yaml.v2 (kubectl's) resolve it: `yes`, `on` and `y` are booleans, `0777` is octal; but no
timestamps and no sexagesimal numbers, which JSON and Kubernetes do not have. Refused: keys that stand twice, aliases
that grow beyond a bound or contain themselves, tags that name no JSON type, keys that are no names, more depth or size
than a manifest has. Every value keeps the line on which it stands.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from aegis.errors import UsageError

BYTES_LIMIT = 8 << 20
"""Of one file: etcd takes objects of 1.5 MiB."""
DEPTH_LIMIT = 128
EXPANDED_LIMIT = 32 << 20
"""Of one file once its aliases are written out: its characters, and `_VALUE_COST` for each value."""
_VALUE_COST = 32

_TAG = "tag:yaml.org,2002:"
_JSON_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?[eE][+-]?[0-9]+\Z")
_LETTERS = {"y": True, "Y": True, "n": False, "N": False}

Scalar = str | int | float | bool | None


class NotCanonical(UsageError):
    """A manifest cannot be read in one way only, or not at all."""

    code = "manifest"


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands.

    Attributes:
        value: a scalar, or its children.
        line: from 1; 0 where it was never read from a text.
        size: what it counts against `EXPANDED_LIMIT`.
    """

    value: Scalar | dict[str, Node] | list[Node]
    line: int = 0
    size: int = 0

    def plain(self) -> Any:
        """The value without its places."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


def read(data: bytes, *, source: str = "") -> Iterator[Node]:
    """The documents of a YAML stream or JSON text, empty ones left out.

    Args:
        data: UTF-8 or UTF-16, with or without a byte order mark.
        source: what errors call it.

    Raises:
        NotCanonical: for whatever is refused.
    """
    if len(data) > BYTES_LIMIT:
        raise NotCanonical(f"{source or 'the manifest'} is larger than {BYTES_LIMIT >> 20} MiB", hint="Split it.")
    reader = _Reader(_as_yaml(data), source)
    try:
        yield from reader.documents()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reader.refuse(str(error.problem or error.context or error), mark)
    except (yaml.YAMLError, ValueError, KeyError, OverflowError) as error:
        reader.refuse(str(error).splitlines()[0] if str(error) else type(error).__name__, None)
    finally:
        reader.close()


def of_value(value: Any, *, depth: int = 0) -> Node:
    """A JSON value as a tree without lines.

    Raises:
        NotCanonical: if it is deeper than a manifest may be, or no JSON value.
    """
    if depth > DEPTH_LIMIT:
        raise NotCanonical(f"an object is nested more than {DEPTH_LIMIT} deep")
    if isinstance(value, dict):
        return Node({str(key): of_value(child, depth=depth + 1) for key, child in value.items()})
    if isinstance(value, list | tuple):
        return Node([of_value(child, depth=depth + 1) for child in value])
    if value is None or isinstance(value, str | bool | int):
        return Node(_text(value) if isinstance(value, str) else value)
    if isinstance(value, float) and math.isfinite(value):
        return Node(value)
    raise NotCanonical(f"an object holds a {type(value).__name__}, which JSON does not have")


class _Loader(yaml.CSafeLoader):
    """Its scanner and its idea of plain scalars, without timestamps."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TAG + "timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


_TEXTS = frozenset({"str", "merge", "value", "timestamp"})
_BUILDERS: dict[str, Callable[[Any, yaml.ScalarNode], Scalar]] = {
    "null": lambda _loader, _node: None,
    "bool": lambda loader, node: bool(loader.construct_yaml_bool(node)),
    "int": lambda loader, node: int(loader.construct_yaml_int(node)),
    "float": lambda loader, node: float(loader.construct_yaml_float(node)),
}


class _Reader:
    def __init__(self, data: bytes, source: str) -> None:
        self._source = source
        try:
            self._loader: Any = _Loader(data)
        except yaml.YAMLError as error:  # an encoding that it does not know
            raise NotCanonical(f"{source or 'the manifest'}: {error}") from error
        self._anchors: dict[str, Node | None] = {}
        self._spent = 0

    def close(self) -> None:
        self._loader.dispose()

    def documents(self) -> Iterator[Node]:
        self._loader.get_event()
        while self._loader.check_event(yaml.DocumentStartEvent):
            self._loader.get_event()
            self._anchors.clear()
            node = self._node(0)
            self._loader.get_event()
            if node.value is not None:
                yield node

    def refuse(self, why: str, mark: Any) -> NoReturn:
        """Name the place.

        Raises:
            NotCanonical: always.
        """
        place = f"{self._source or 'the manifest'}" + (f":{mark.line + 1}:{mark.column + 1}" if mark else "")
        raise NotCanonical(f"{place}: {why}", hint="Write it so that every reader reads the same.")

    def _spend(self, amount: int, mark: Any) -> None:
        self._spent += amount
        if self._spent > EXPANDED_LIMIT:
            self.refuse("its aliases grow beyond any manifest's size", mark)

    def _node(self, depth: int) -> Node:
        event = self._loader.get_event()
        mark = event.start_mark
        if depth > DEPTH_LIMIT:
            self.refuse(f"it is nested more than {DEPTH_LIMIT} deep", mark)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        before = self._spent
        self._spend(_VALUE_COST, mark)
        value = self._value(event, depth)
        node = Node(value, mark.line + 1, self._spent - before)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _value(self, event: Any, depth: int) -> Scalar | dict[str, Node] | list[Node]:
        if isinstance(event, yaml.ScalarEvent):
            self._spend(len(event.value), event.start_mark)
            return self._scalar(event)
        of_list = isinstance(event, yaml.SequenceStartEvent)
        if event.tag not in (None, "!", _TAG + ("seq" if of_list else "map")):
            self.refuse(f"the tag {event.tag} is none of JSON's types", event.start_mark)
        return self._sequence(depth) if of_list else self._mapping(depth)

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            self.refuse(f"the alias *{event.anchor} names nothing", event.start_mark)
        node = self._anchors[event.anchor]
        if node is None:
            self.refuse(f"the alias *{event.anchor} stands within what it names", event.start_mark)
        self._spend(node.size, event.start_mark)
        return node

    def _sequence(self, depth: int) -> list[Node]:
        items: list[Node] = []
        while not self._loader.check_event(yaml.SequenceEndEvent):
            items.append(self._node(depth + 1))
        self._loader.get_event()
        return items

    def _mapping(self, depth: int) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: list[Node] | None = None
        while not self._loader.check_event(yaml.MappingEndEvent):
            mark = self._loader.peek_event().start_mark
            key = self._key()
            if key is None and merged is None:
                merged = self._bases(self._node(depth + 1), mark)
            elif key is None or key in own:
                self.refuse(f"the key {key or '<<'} stands twice", mark)
            else:
                child = self._node(depth + 1)
                own[key] = Node(child.value, mark.line + 1, child.size)
        self._loader.get_event()
        for base in merged or ():
            assert isinstance(base.value, dict)  # noqa: S101 - `_bases` says so
            own = {**base.value, **own}
        return own

    def _bases(self, node: Node, mark: Any) -> list[Node]:
        """What `<<` merges, the strongest first."""
        bases = node.value if isinstance(node.value, list) else [node]
        if not all(isinstance(base.value, dict) for base in bases):
            self.refuse("<< merges what is no mapping", mark)
        return bases

    def _key(self) -> str | None:
        """A key as JSON writes it; None for a merge."""
        event: Any = self._loader.get_event()
        if isinstance(event, yaml.AliasEvent):
            value: Any = self._alias(event).value
        elif isinstance(event, yaml.ScalarEvent):
            mark: Any = event.start_mark
            self._spend(_VALUE_COST + len(event.value), mark)
            if self._tag(event) == _TAG + "merge":
                return None
            value = self._scalar(event, letters=False)
            if event.anchor is not None:
                self._anchors[event.anchor] = Node(value, mark.line + 1, _VALUE_COST + len(event.value))
        else:
            self.refuse("a key is no name", event.start_mark)
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str | int):
            self.refuse("a key is no name", event.start_mark)
        return str(value)

    def _tag(self, event: Any) -> str:
        if event.tag is not None and event.tag != "!":
            return str(event.tag)
        return str(self._loader.resolve(yaml.ScalarNode, event.value, event.implicit))

    def _scalar(self, event: Any, *, letters: bool = True) -> Scalar:
        plain = event.tag is None and event.implicit[0]
        if plain and letters and event.value in _LETTERS:
            return _LETTERS[event.value]
        if plain and _JSON_FLOAT.match(event.value):
            return self._finite(float(event.value), event)
        kind = self._tag(event).removeprefix(_TAG)
        if kind in _TEXTS or (":" in event.value and kind in {"int", "float"}):
            return _text(event.value)
        if kind not in _BUILDERS:
            self.refuse(f"the tag {event.tag} is none of JSON's types", event.start_mark)
        node = yaml.ScalarNode(_TAG + kind, event.value)
        return self._finite(_BUILDERS[kind](self._loader, node), event)

    def _finite(self, value: Scalar, event: Any) -> Scalar:
        if isinstance(value, float) and not math.isfinite(value):
            self.refuse(f"{event.value} is no number of JSON", event.start_mark)
        return value


def _text(value: str) -> str:
    """The string with the halves of a character joined, as JSON writes those beyond the first 65,536.

    Raises:
        ValueError: for half a character.
    """
    return value if value.isprintable() else value.encode("utf-16", "surrogatepass").decode("utf-16")


def _as_yaml(data: bytes) -> bytes:
    """JSON as YAML can read it, all else as it is.

    Its tabs become blanks (no string of JSON holds one), and characters written as two halves are written as themselves.
    """
    if data.lstrip()[:1] not in (b"{", b"[") or not (b"\t" in data or b"\\u" in data):
        return data
    try:
        json.loads(data)
        text = data.decode()
    except (ValueError, RecursionError):
        return data
    return _HALVES.sub(_joined, text).replace("\t", " ").encode()


_HALVES = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|.)")


def _joined(match: re.Match[str]) -> str:
    high, low = match.groups()
    if high is None:
        return match[0]
    return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + (int(low, 16) - 0xDC00))
