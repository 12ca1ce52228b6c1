"""Values against a structural schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from aegis.localcluster.apiserver.refusals import invalid_value, required, shown, unsupported
from aegis.localcluster.apiserver.store import encode
from aegis.localcluster.status import Cause

Schema = Mapping[str, Any]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def faults_of(schema: Schema, value: Any, path: str = "") -> list[Cause]:
    """Every fault of a value; the root's metadata is not looked at."""
    if value is None and schema.get("nullable"):
        return []
    if (mistyped := _type_fault(schema, value, path)) is not None:
        return [mistyped]
    found = list(_enum(schema, value, path))
    check: Callable[[Schema, Any, str], Iterator[Cause]] | None = None
    if isinstance(value, str):
        check = _string
    elif isinstance(value, int | float) and not isinstance(value, bool):
        check = _number
    elif isinstance(value, dict):
        check = _object
    elif isinstance(value, list):
        check = _list
    if check is not None:
        found += check(schema, value, path)
    return found + list(_combined(schema, value, path))


def _type_fault(schema: Schema, value: Any, path: str) -> Cause | None:
    wanted = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        fits = isinstance(value, int | str) and not isinstance(value, bool)
        wanted = "integer or string"
    elif wanted is None:
        return None
    else:
        whole = wanted == "integer" and isinstance(value, float) and value.is_integer()
        fits = whole or (isinstance(value, _TYPES[wanted]) and isinstance(value, bool) == (wanted == "boolean"))
    if fits:
        return None
    detail = f'{path} in body must be of type {wanted}: "{_kind(value)}"'
    return Cause(
        reason="FieldValueTypeInvalid", field=path or "<nil>", message=f'Invalid value: "{_kind(value)}": {detail}'
    )


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _enum(schema: Schema, value: Any, path: str) -> Iterator[Cause]:
    if "enum" in schema and value not in schema["enum"]:
        yield unsupported(path, value, schema["enum"])


def _string(schema: Schema, value: str, path: str) -> Iterator[Cause]:
    if len(value) > schema.get("maxLength", len(value)):
        yield Cause(
            reason="FieldValueTooLong",
            field=path,
            message=f"Too long: may not be more than {schema['maxLength']} bytes",
        )
    if len(value) < schema.get("minLength", 0):
        yield invalid_value(path, value, f"{path} in body should be at least {schema['minLength']} chars long")
    if (pattern := schema.get("pattern")) and not compiled(pattern).search(value):
        yield invalid_value(path, value, f"{path} in body should match '{pattern}'")
    if schema.get("format") == "date-time" and not _is_time(value):
        yield invalid_value(path, value, f"{path} in body must be of type date-time: {shown(value)}")


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A schema's pattern.

    Raises:
        re.error: it is no regular expression.
    """
    return re.compile(pattern)


def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _number(schema: Schema, value: float, path: str) -> Iterator[Cause]:
    least, most, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if least is not None and (value <= least if schema.get("exclusiveMinimum") else value < least):
        word = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield invalid_value(path, value, f"{path} in body should be {word} {least}")
    if most is not None and (value >= most if schema.get("exclusiveMaximum") else value > most):
        word = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield invalid_value(path, value, f"{path} in body should be {word} {most}")
    if step and value % step:
        yield invalid_value(path, value, f"{path} in body should be a multiple of {step}")


def _object(schema: Schema, value: Mapping[str, Any], path: str) -> Iterator[Cause]:
    for name in schema.get("required") or ():
        if name not in value:
            yield required(_join(path, name))
    if len(value) > schema.get("maxProperties", len(value)):
        detail = f"{path} in body should have at most {schema['maxProperties']} properties"
        yield Cause(reason="FieldValueTooMany", field=path, message=f"Too many: {detail}")
    if len(value) < schema.get("minProperties", 0):
        yield invalid_value(
            path, len(value), f"{path} in body should have at least {schema['minProperties']} properties"
        )
    properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
    for name, item in value.items():
        child = properties.get(name, extra)
        if isinstance(child, Mapping) and not (path == "" and name == "metadata"):
            yield from faults_of(child, item, _join(path, name))


def _list(schema: Schema, value: list[Any], path: str) -> Iterator[Cause]:
    if len(value) > schema.get("maxItems", len(value)):
        yield Cause(
            reason="FieldValueTooMany",
            field=path,
            message=f"Too many: {len(value)}: must have at most {schema['maxItems']} items",
        )
    if len(value) < schema.get("minItems", 0):
        yield invalid_value(path, len(value), f"{path} in body should have at least {schema['minItems']} items")
    for number, item in enumerate(value):
        yield from faults_of(schema.get("items") or {}, item, f"{path}[{number}]")
    yield from _duplicates(schema, value, path)


def _duplicates(schema: Schema, value: list[Any], path: str) -> Iterator[Cause]:
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or ()
    if kind not in {"set", "map"} and not schema.get("uniqueItems"):
        return
    seen: set[bytes] = set()
    for number, item in enumerate(value):
        identity = encode([item.get(k) for k in keys] if kind == "map" and isinstance(item, dict) else item)
        if identity in seen:
            shown_item = shown(item) if not isinstance(item, dict) else encode({k: item.get(k) for k in keys}).decode()
            yield Cause(
                reason="FieldValueDuplicate", field=f"{path}[{number}]", message=f"Duplicate value: {shown_item}"
            )
        seen.add(identity)


def _combined(schema: Schema, value: Any, path: str) -> Iterator[Cause]:
    for part in schema.get("allOf") or ():
        yield from faults_of(part, value, path)
    if (parts := schema.get("anyOf")) and not any(not faults_of(p, value, path) for p in parts):
        yield invalid_value(path, "", f"{path} in body must validate at least one schema (anyOf)")
    if (parts := schema.get("oneOf")) and sum(not faults_of(p, value, path) for p in parts) != 1:
        yield invalid_value(path, "", f"{path} in body must validate one and only one schema (oneOf)")
    if "not" in schema and not faults_of(schema["not"], value, path):
        yield invalid_value(path, "", f"{path} in body must not validate the schema (not)")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
