"""The difference between two JSON values as RFC 6902 operations, and its inverse.

Lists are compared place by place where they are as long as each other, and replaced whole where they are not: a patch
that moves items about would say little to the person who approves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aegis.model.refs import Json, JsonObject

_CONTENT_OF_METADATA = ("labels", "annotations")
_NOT_CONTENT = frozenset({"apiVersion", "kind", "metadata", "status"})
_NOTES_OF_CONTROLLERS = frozenset({
    "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
    "kubectl.kubernetes.io/last-applied-configuration",
})


def content_of(obj: Json) -> JsonObject:
    """What a person declares of an object: all but identity, status and what servers and controllers write.

    `metadata.labels` and `metadata.annotations` are always there, so that a difference never replaces either whole.
    """
    metadata: JsonObject = {}
    for field in _CONTENT_OF_METADATA:
        values = (obj.get("metadata") or {}).get(field) or {}
        metadata[field] = {key: value for key, value in values.items() if key not in _NOTES_OF_CONTROLLERS}
    content = {key: value for key, value in obj.items() if key not in _NOT_CONTENT}
    return {**content, "metadata": metadata}


def difference(before: Any, after: Any) -> list[JsonObject]:
    """The operations that make `after` of `before`."""
    return list(_difference(before, after, ""))


def inverse(before: Any, after: Any) -> list[JsonObject]:
    """The operations that make `before` of `after`, each preceded by a `test` that `after` still stands there.

    What the change removed cannot be tested for absence: JSON Patch has no such operation. Where a whole list was
    replaced, the whole list is tested.
    """
    operations: list[JsonObject] = []
    for operation in difference(after, before):
        if operation["op"] != "add":
            operations.append({"op": "test", "path": operation["path"], "value": value_at(after, operation["path"])})
        operations.append(operation)
    return operations


def value_at(document: Any, pointer: str) -> Any:
    """The value that a JSON pointer (RFC 6901) names.

    Raises:
        KeyError: if an object on the way has no such member.
        IndexError: if a list on the way is shorter.
    """
    value = document
    for token in tokens_of(pointer):
        value = value[int(token)] if isinstance(value, list) else value[token]
    return value


def tokens_of(pointer: str) -> list[str]:
    """The unescaped parts of a JSON pointer."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _difference(before: Any, after: Any, path: str) -> Iterator[JsonObject]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _between_objects(before, after, path)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _difference(old, new, f"{path}/{index}")
    elif not same(before, after):
        yield {"op": "replace", "path": path, "value": after}


def _between_objects(before: Json, after: Json, path: str) -> Iterator[JsonObject]:
    for key in sorted({*before, *after}):
        place = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if key not in after:
            yield {"op": "remove", "path": place}
        elif key not in before:
            yield {"op": "add", "path": place, "value": after[key]}
        else:
            yield from _difference(before[key], after[key], place)


def same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: true is not 1, and 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
