"""Rule files as YAML with places: which line a rule, a list or a condition stands on.

Scalars are kept as they are written: Falco reads `yes`, `1` and `"1"` by what it expects there, not by their looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

NODES_MAX = 50_000
"""Nodes of one file, aliases counted each time they stand somewhere."""
BYTES_MAX = 16 << 20
"""Bytes of one file."""


class SourceError(ValueError):
    """A text that is no YAML, or beyond all bounds.

    Attributes:
        place: where, as (line, column) from 1.
    """

    def __init__(self, message: str, place: tuple[int, int] = (1, 1)) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as it is written; `is_null` where there is none."""

    text: str
    place: tuple[int, int]
    is_null: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """Several values."""

    items: tuple[Node, ...]
    place: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Values by key; of a key that occurs twice the first counts, as it does for Falco."""

    entries: tuple[tuple[str, Node], ...]
    place: tuple[int, int]

    def get(self, key: str) -> Node | None:
        """The value of a key, or None."""
        return next((value for name, value in self.entries if name == key), None)

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key, in order."""
        return tuple(name for name, _ in self.entries)


Node = Scalar | Sequence | Mapping


def documents(text: str) -> list[Node]:
    """The documents of a rule file.

    Raises:
        SourceError: it is no YAML, or too much of it.
    """
    if len(text) > BYTES_MAX:
        raise SourceError(f"the file is longer than {BYTES_MAX} bytes")
    try:
        return [_Converter().node(root) for root in _roots(text)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SourceError(f"yaml: {error.problem or error}", place) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise SourceError(f"yaml: {error}") from None


def _roots(text: str) -> Iterator[yaml.Node]:
    yield from yaml.compose_all(text, Loader=yaml.CSafeLoader)


class _Converter:
    def __init__(self) -> None:
        self._count = 0

    def node(self, node: yaml.Node) -> Node:
        self._count += 1
        place = (node.start_mark.line + 1, node.start_mark.column + 1)
        if self._count > NODES_MAX:
            raise SourceError(f"more than {NODES_MAX} values", place)
        if isinstance(node, yaml.MappingNode):
            entries = tuple((_key(key), self.node(value)) for key, value in node.value)
            return Mapping(entries, place)
        if isinstance(node, yaml.SequenceNode):
            return Sequence(tuple(self.node(item) for item in node.value), place)
        return Scalar(str(node.value), place, is_null=node.tag == "tag:yaml.org,2002:null")


def _key(node: yaml.Node) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""
