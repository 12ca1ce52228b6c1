"""What an object would be after a change, near enough to compare it: the API server's own answer is asked for later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonpatch

from aegis.kube.merge_schema import is_atomic_map, list_rule
from aegis.model.changes import Apply, JsonPatch
from aegis.model.refs import Json, JsonObject

_KEYS = ("name", "mountPath", "containerPort", "port", "devicePath", "ip", "key", "topologyKey")
_DEEPEST = 40


def outcome(before: Json, change: Apply | JsonPatch) -> JsonObject | None:
    """The object after the change; None where the operations do not fit it."""
    if isinstance(change, Apply):
        merged: JsonObject = _merged(str(before.get("kind") or ""), (), before, change.patch)
        return merged
    try:
        patched: JsonObject = jsonpatch.JsonPatch([dict(op) for op in change.patch]).apply(before)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
        return None
    return patched


def leaves(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of every leaf; list items by their merge key, which is no leaf itself."""
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for item in value:
            key = next((key for key in _KEYS if key in item), None)
            rest = {name: content for name, content in item.items() if name != key}
            yield from leaves(rest, f"{path}[{item[key] if key else ''}]", depth + 1)
    else:
        yield path, value


def pointer_words(pointer: str) -> tuple[str, ...]:
    """The keys of a JSON pointer (RFC 6901)."""
    return tuple(word.replace("~1", "/").replace("~0", "~") for word in pointer.split("/")[1:])


def _merged(kind: str, path: tuple[str, ...], old: Any, new: Any) -> Any:
    if isinstance(new, Mapping):
        if path and is_atomic_map(kind, path):
            return new
        base = dict(old) if isinstance(old, Mapping) else {}
        for key, value in new.items():
            base[key] = _merged(kind, (*path, key), base.get(key), value)
        return base
    return _merged_list(kind, path, old, new) if path and isinstance(new, list) and isinstance(old, list) else new


def _merged_list(kind: str, path: tuple[str, ...], old: list[Any], new: list[Any]) -> list[Any]:
    """Items with the same keys merge; a key that either side leaves out does not tell them apart."""
    rule = list_rule(kind, path)
    keys = rule.keys if rule else ()
    if not keys:
        return new
    merged = list(old)
    for item in new:
        match = next((index for index, known in enumerate(merged) if _same(known, item, keys)), None)
        if match is None:
            merged.append(item)
        else:
            merged[match] = _merged(kind, path, merged[match], item)
    return merged


def _same(one: Any, other: Any, keys: tuple[str, ...]) -> bool:
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return bool(one == other)
    shared = [key for key in keys if key in one and key in other]
    return bool(shared) and all(one[key] == other[key] for key in shared)
