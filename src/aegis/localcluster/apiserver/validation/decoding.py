"""Whether an object of a built-in kind can be decoded: the JSON types of its fields, and fields that it has not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.refusals import BadRequest
from aegis.localcluster.apiserver.registry import Resource
from aegis.localcluster.apiserver.types import Field, Type, TypeName, fields_of, root_of

_GO_NAMES = {
    "string": "string", "integer": "int32", "number": "float64", "boolean": "bool", "quantity": "resource.Quantity",
    "int-or-string": "intstr.IntOrString",
}  # fmt: skip
_SHOWN = 8


Step = str | int
Path = tuple[Step, ...]
_Findings = list[Path]


def decode(resource: Resource, obj: Mapping[str, Any]) -> list[Path]:
    """The paths of the fields that the kind does not have.

    Raises:
        BadRequest: a field's value is not of its type.
    """
    findings: _Findings = []
    try:
        _struct(root_of(resource), obj, (), findings)
    except _Mistyped as error:
        raise BadRequest(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: json: cannot '
            f"unmarshal {error.found} into Go struct field {resource.kind}.{path_text(error.path)} of type {error.wanted}"
        ) from None
    return findings


class _Mistyped(Exception):
    def __init__(self, path: Path, found: Any, wanted: str) -> None:
        super().__init__(wanted)
        self.path, self.found, self.wanted = path, _go_kind(found), wanted


def _struct(name: TypeName, value: Mapping[str, Any], path: Path, findings: _Findings) -> None:
    fields: dict[str, Field] = fields_of(name)
    if not fields:
        return
    for key, item in value.items():
        here = (*path, key)
        known = fields.get(key)
        if known is None:
            findings.append(here)
        elif item is not None:
            _value(known.type, item, here, findings)


def _value(kind: Type, value: Any, path: Path, findings: _Findings) -> None:
    match kind.shape:
        case "struct":
            _expect(isinstance(value, dict), path, value, "object")
            if kind.struct is not None:
                _struct(kind.struct, value, path, findings)
        case "list":
            _expect(isinstance(value, list), path, value, "array")
            for index, item in enumerate(value):
                _item(kind, item, (*path, index), findings)
        case "map":
            _expect(isinstance(value, dict), path, value, "map")
            for key, item in value.items():
                _item(kind, item, (*path, key), findings)
        case "any":
            pass
        case scalar:
            _expect(_is_scalar(scalar, value), path, value, _GO_NAMES[scalar])


def _item(kind: Type, item: Any, path: Path, findings: _Findings) -> None:
    if kind.item is not None and item is not None:
        _value(kind.item, item, path, findings)


def _is_scalar(shape: str, value: Any) -> bool:
    if isinstance(value, bool):
        return shape == "boolean"
    accepted: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (),
        "quantity": (str, int, float),
        "int-or-string": (str, int),
    }
    return isinstance(value, accepted[shape])


def _expect(holds: bool, path: Path, found: Any, wanted: str) -> None:  # noqa: FBT001 - an assertion
    if not holds:
        raise _Mistyped(path, found, wanted)


def _go_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return {str: "string", int: "number", float: "number", list: "array", dict: "object"}.get(type(value), "null")


def path_text(path: Path) -> str:
    """A path as messages show it: `spec.containers[0].image`."""
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path).lstrip(".")


class StrictDecoding(BadRequest):
    """400 for unknown fields, where they are not to be tolerated."""

    def __init__(self, resource: Resource, unknown: list[str]) -> None:
        listed = ", ".join(f'unknown field "{u}"' for u in unknown[:_SHOWN])
        text = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
        super().__init__(f"{text}strict decoding error: {listed}")


def drop(obj: dict[str, Any], path: Path) -> None:
    """Remove the field at a path that `decode` found unknown."""
    node: Any = obj
    for step in path[:-1]:
        node = node[step]
    node.pop(path[-1], None)
