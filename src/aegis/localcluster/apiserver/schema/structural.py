"""Structural schemas: what a custom object keeps, what it is completed with, and what is wrong with it.

The rules are those of apiextensions/v1: unknown fields are pruned (but where x-kubernetes-preserve-unknown-fields says
otherwise), nulls that are not nullable count as absent, defaults are filled in from the outside inwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.objects import copied

Schema = Mapping[str, Any]
_TYPE_META = frozenset({"apiVersion", "kind", "metadata"})


def prune(schema: Schema, value: Any, path: str = "", *, root: bool = True) -> list[str]:
    """Drop, in place, the fields that the schema does not have; returns their paths."""
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [p for n, item in enumerate(value) for p in prune(items, item, f"{path}[{n}]", root=False)]
    if not isinstance(value, dict):
        return []
    keeps_meta = root or schema.get("x-kubernetes-embedded-resource")
    dropped: list[str] = []
    for name in list(value):
        if keeps_meta and name in _TYPE_META:
            continue
        here = f"{path}.{name}" if path else name
        child = _child(schema, name)
        if child is None:
            dropped.append(here)
            del value[name]
        else:
            dropped += prune(child, value[name], here, root=False)
    return dropped


def _child(schema: Schema, name: str) -> Schema | None:
    """The schema of a field; None where the field is to be pruned."""
    properties = schema.get("properties") or {}
    if name in properties:
        found: Schema = properties[name]
        return found
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        return extra
    if extra or schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-int-or-string"):
        return {"x-kubernetes-preserve-unknown-fields": True}
    return None


def default(schema: Schema, value: Any) -> None:
    """Drop nulls that are not allowed and fill in defaults, in place."""
    if isinstance(value, list):
        for item in value:
            default(schema.get("items") or {}, item)
    if not isinstance(value, dict):
        return
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    for name in [n for n, v in value.items() if v is None]:
        child = _child(schema, name)
        if child is not None and not child.get("nullable") and not child.get("x-kubernetes-preserve-unknown-fields"):
            del value[name]
    for name, child in properties.items():
        if name not in value and "default" in child:
            value[name] = copied(child["default"])
    for name, item in value.items():
        default(_child(schema, name) or {}, item)
