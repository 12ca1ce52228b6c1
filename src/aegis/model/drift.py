"""Has an object changed since a fix was made for it?"""

from __future__ import annotations

from collections.abc import Sequence

from aegis.model.canonical import digest
from aegis.model.refs import Json

_CONTENT = ("spec", "data", "binaryData", "stringData", "rules", "subjects", "roleRef", "webhooks", "type", "immutable")


_MARKS = ("labels", "annotations")


def spec_hash(obj: Json, *, autoscaled: bool = False, marks: Sequence[str] = ()) -> str:
    """The digest of what a person declared of an object: no status, no metadata but for the marks that are named.

    ConfigMaps and Secrets have no generation, so their content is what tells.

    Args:
        obj: the object as the API server returns it.
        autoscaled: leave `spec.replicas` out, because an autoscaler owns it.
        marks: labels and annotations that count too (`labels/app`), because a fix changes them.
    """
    content = {key: obj[key] for key in _CONTENT if key in obj}
    if autoscaled and isinstance(content.get("spec"), dict):
        content["spec"] = {key: value for key, value in content["spec"].items() if key != "replicas"}
    if marks:
        content["marks"] = {mark: _mark(obj, mark) for mark in sorted(marks)}
    return digest(content)


def changed_marks(before: Json, after: Json) -> tuple[str, ...]:
    """The labels and annotations that differ between two states of an object, as `labels/app`."""
    maps = [{f"{field}/{key}" for field in _MARKS for key in _map(obj, field)} for obj in (before, after)]
    return tuple(sorted(mark for mark in maps[0] | maps[1] if _mark(before, mark) != _mark(after, mark)))


def _mark(obj: Json, mark: str) -> object:
    field, _, key = mark.partition("/")
    return _map(obj, field).get(key)


def _map(obj: Json, field: str) -> Json:
    return (obj.get("metadata") or {}).get(field) or {}
