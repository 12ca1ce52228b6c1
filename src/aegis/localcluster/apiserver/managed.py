"""Who manages which field: the entries of metadata.managedFields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from aegis.localcluster.apiserver.fieldsets import FieldSet, difference, from_wire, to_wire, union
from aegis.localcluster.apiserver.objects import timestamp
from aegis.localcluster.apiserver.registry import Resource
from aegis.localcluster.apiserver.typed import compare, view_of

Object = dict[str, Any]

_UNTRACKED_METADATA = frozenset({
    "f:name", "f:namespace", "f:creationTimestamp", "f:selfLink", "f:uid", "f:generation", "f:managedFields",
    "f:resourceVersion", "f:deletionTimestamp", "f:deletionGracePeriodSeconds", ".",
})  # fmt: skip
_ROOTS: Object = {"metadata": {}, "spec": {}, "status": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry: a manager, how it wrote, and the fields that are its own."""

    manager: str
    operation: Literal["Apply", "Update"]
    api_version: str
    subresource: str
    fields: FieldSet
    time: str

    def is_same(self, other: Entry) -> bool:
        """Whether both are the entry of one manager (for an Apply in whatever version)."""
        ours = (self.manager, self.operation, self.subresource)
        if ours != (other.manager, other.operation, other.subresource):
            return False
        return self.operation == "Apply" or self.api_version == other.api_version

    def to_wire(self) -> Object:
        """The entry as JSON."""
        entry: Object = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": to_wire(self.fields),
        }
        return {**entry, "subresource": self.subresource} if self.subresource else entry

    @classmethod
    def from_wire(cls, entry: Mapping[str, Any]) -> Self:
        """The inverse of `to_wire`."""
        return cls(
            manager=entry.get("manager", ""),
            operation=entry.get("operation", "Update"),
            api_version=entry.get("apiVersion", ""),
            subresource=entry.get("subresource", ""),
            fields=from_wire(entry.get("fieldsV1") or {}),
            time=entry.get("time", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes now: a manager, by a plain write, to an object or to one of its subresources."""

    manager: str
    subresource: str = ""

    def entry(self, resource: Resource, operation: Literal["Apply", "Update"] = "Update") -> Entry:
        """An entry of this writer that has no fields yet."""
        return Entry(
            manager=self.manager,
            operation=operation,
            api_version=resource.api_version,
            subresource=self.subresource,
            fields={},
            time=timestamp(),
        )


def entries_of(obj: Mapping[str, Any]) -> list[Entry]:
    """The entries of an object."""
    return [Entry.from_wire(e) for e in obj["metadata"].get("managedFields") or ()]


def wire(entries: Iterable[Entry]) -> list[Object]:
    """The entries that have fields, in the order of the API: appliers first, then by time and name."""
    kept = [e for e in entries if e.fields]
    kept.sort(key=lambda e: (e.operation != "Apply", e.time, e.manager))
    return [e.to_wire() for e in kept]


def created(resource: Resource, obj: Mapping[str, Any], writer: Writer) -> list[Object]:
    """The entries of a new object."""
    return updated(resource, {k: v for k, v in _ROOTS.items() if k in obj}, obj, writer)


def updated(resource: Resource, old: Mapping[str, Any], new: Mapping[str, Any], writer: Writer) -> list[Object]:
    """The entries after a plain write: what it added or changed is the writer's, what it removed is nobody's."""
    before = entries_of(old) if "metadata" in old else []
    view = view_of(resource)
    difference_ = compare(view, _untracked(old), _untracked(new))
    taken = tracked(resource, union(difference_.added, difference_.modified), writer.subresource)
    mine = writer.entry(resource)
    gone = union(taken, difference_.removed)
    result, found = [], False
    for entry in before:
        if entry.is_same(mine):
            fields = union(difference(entry.fields, difference_.removed), taken)
            changed = fields != entry.fields
            result.append(replace(entry, fields=fields, time=mine.time if changed else entry.time))
            found = True
        else:
            result.append(replace(entry, fields=difference(entry.fields, gone)))
    if not found:
        result.append(replace(mine, fields=taken))
    return wire(result)


def tracked(resource: Resource, fields: FieldSet, subresource: str) -> FieldSet:
    """The part of a set that is managed at all, through a subresource or the object itself."""
    kept = {k: v for k, v in fields.items() if k not in {"f:apiVersion", "f:kind", "."}}
    metadata = {k: v for k, v in kept.pop("f:metadata", {}).items() if k not in _UNTRACKED_METADATA}
    if metadata:
        kept["f:metadata"] = metadata
    if subresource == "status":
        return {k: v for k, v in kept.items() if k == "f:status"}
    if resource.has_status():
        kept.pop("f:status", None)
    return kept


def same_entries(before: object, after: object) -> bool:
    """Whether two lists of entries differ in nothing but their times."""
    if not isinstance(before, list) or not isinstance(after, list):
        return not before and not after
    return _timeless(before) == _timeless(after)


def _timeless(entries: list[Object]) -> list[Object]:
    bare = [{k: v for k, v in e.items() if k != "time"} for e in entries]
    return sorted(bare, key=lambda e: (e["operation"], e["manager"], e.get("subresource", ""), e["apiVersion"]))


def _untracked(obj: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {k: v for k, v in obj.get("metadata", {}).items() if k != "managedFields"}
    return {**obj, "metadata": metadata}
