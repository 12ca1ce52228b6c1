"""Sets of fields, as metadata.managedFields holds them (FieldsV1).

A set is a tree of path elements: `f:NAME` a field, `k:{…}` the item of a list by its keys, `v:VALUE` the item of a set.
Within this module and its users a path is a member of the set where its node has a `.`; on the wire a node without
children is a member by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

FieldSet = dict[str, Any]
Path = tuple[str, ...]

MEMBER = "."


def member() -> FieldSet:
    """The set of the root alone: what stands below a path that is a member itself."""
    return {MEMBER: {}}


def from_wire(fields: Mapping[str, Any]) -> FieldSet:
    """A set from FieldsV1."""
    return {name: member() if not child and name != MEMBER else from_wire(child) for name, child in fields.items()}


def to_wire(fields: Mapping[str, Any]) -> dict[str, Any]:
    """FieldsV1 of a set, in a stable order."""
    return {
        name: {} if name == MEMBER or set(child) == {MEMBER} else to_wire(child)
        for name, child in sorted(fields.items())
    }


def union(one: FieldSet, other: FieldSet) -> FieldSet:
    """What either set has."""
    if not one or not other:
        return one or other
    result = dict(one)
    for name, child in other.items():
        result[name] = union(result[name], child) if name in result else child
    return result


def difference(one: FieldSet, other: FieldSet) -> FieldSet:
    """What the first set has and the second has not."""
    if not other:
        return one
    result: FieldSet = {}
    for name, child in one.items():
        if name == MEMBER:
            if MEMBER not in other:
                result[MEMBER] = {}
        elif rest := difference(child, other.get(name, {})):
            result[name] = rest
    return result


def intersection(one: FieldSet, other: FieldSet) -> FieldSet:
    """What both sets have."""
    result: FieldSet = {}
    for name, child in one.items():
        if name not in other:
            continue
        if name == MEMBER:
            result[MEMBER] = {}
        elif both := intersection(child, other[name]):
            result[name] = both
    return result


def paths(fields: FieldSet, prefix: Path = ()) -> Iterator[Path]:
    """Every member's path, in order."""
    for name, child in sorted(fields.items()):
        if name == MEMBER:
            yield prefix
        else:
            yield from paths(child, (*prefix, name))


def path_text(path: Path) -> str:
    """A path as messages show it: `.spec.containers[name="c"].image`."""
    return "".join(_element_text(e) for e in path)


def _element_text(element: str) -> str:
    kind, _, rest = element.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "k":
        keys = json.loads(rest)
        return "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in sorted(keys.items())) + "]"
    return f"[={rest}]"
