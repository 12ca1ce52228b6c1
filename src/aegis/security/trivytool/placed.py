"""Where in an object a line of its canonical file is, so that a finding is known again when the lines have moved. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from aegis.model.refs import ObjectRef

_NAMES = ("name", "containerPort", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An object in a file.

    Attributes:
        subject: which object.
        items: first line, last line (from 1) and place of every item of a list in it, the outer ones first.
    """

    subject: ObjectRef
    items: tuple[tuple[int, int, str], ...]

    @classmethod
    def of(cls, subject: ObjectRef, document: str) -> Placed:
        """For the object that is written in this document, in block style and without aliases."""
        root = yaml.compose(document, Loader=yaml.CSafeLoader)
        return cls(subject=subject, items=tuple(_items(root, "")) if root is not None else ())

    def location(self, first: int, last: int) -> str:
        """The place of the innermost list item that holds all of these lines, as `containers[web].ports[8080]`.

        Empty where it is the object as a whole, or the lines are not known.
        """
        inside = [place for start, end, place in self.items if start <= first and last <= end]
        return inside[-1] if first and inside else ""


def _items(node: yaml.Node, outer: str) -> Iterator[tuple[int, int, str]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(value, yaml.SequenceNode):
                yield from _of_list(value, f"{outer}.{key.value}" if outer else str(key.value))
            else:
                yield from _items(value, outer)


def _of_list(node: yaml.SequenceNode, place: str) -> Iterator[tuple[int, int, str]]:
    for item in node.value:
        here = f"{place}[{_name(item)}]"
        last = item.end_mark.line if item.end_mark.column == 0 or _is_block(item) else item.end_mark.line + 1
        yield item.start_mark.line + 1, max(last, item.start_mark.line + 1), here
        yield from _items(item, here)


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _name(node: yaml.Node) -> str:
    """What an item is called; for one without a name what it says, shortened: its index may change."""
    if isinstance(node, yaml.MappingNode):
        values = {key.value: value.value for key, value in node.value if isinstance(value, yaml.ScalarNode)}
        for key in _NAMES:
            if values.get(key):
                return str(values[key])
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)[:80]
    return hashlib.sha256(yaml.serialize(node).encode()).hexdigest()[:8]
