"""What a fix changes, exactly, and nothing else: the value that is tried, hashed, approved and applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

from aegis.model.canonical import digest
from aegis.model.refs import Json, JsonObject, ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    """Server-side apply of a partial object: only the fields it names are touched.

    Attributes:
        target: the object.
        patch: the partial object without `apiVersion`, `kind` and `metadata.name|namespace`, which `target` gives.
    """

    target: ObjectRef
    patch: Json
    type: Literal["apply"] = "apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPatch:
    """RFC 6902 operations on one object."""

    target: ObjectRef
    patch: tuple[Json, ...]
    type: Literal["json-patch"] = "json-patch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Deletion of one object, only if it still has this uid."""

    target: ObjectRef
    uid: str
    type: Literal["delete"] = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evict:
    """Eviction of one pod, which respects disruption budgets, only if it still has this uid."""

    target: ObjectRef
    uid: str
    type: Literal["evict"] = "evict"


Change = Apply | JsonPatch | Delete | Evict


def body_of(change: Apply | JsonPatch) -> Any:
    """What goes on the wire: the partial object with its name, or the list of operations."""
    if isinstance(change, JsonPatch):
        return [dict(operation) for operation in change.patch]
    metadata = {**(change.patch.get("metadata") or {}), "name": change.target.name}
    return {
        **change.patch,
        "apiVersion": change.target.api_version,
        "kind": change.target.kind,
        "metadata": metadata,
    }


def within(change: Change, namespace: str) -> Change:
    """The same change in another namespace, byte for byte but for the namespace."""
    return replace(change, target=change.target.within(namespace))


def change_to_dict(change: Change) -> JsonObject:
    """As CONTRACT.md writes a change: `{target, type, patch}` (or `uid` instead of `patch`)."""
    result: JsonObject = {"target": change.target.to_dict(), "type": change.type}
    match change:
        case Apply(patch=patch):
            result["patch"] = dict(patch)
        case JsonPatch(patch=operations):
            result["patch"] = [dict(operation) for operation in operations]
        case Delete(uid=uid) | Evict(uid=uid):
            result["uid"] = uid
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """The changes of one fix, bound to the object they were made for.

    Attributes:
        target: the object that must change (the root cause).
        target_uid: its uid when the fix was made.
        base_generation: its `metadata.generation` then (0 where the kind has none).
        spec_hash: digest of what it held then, see `aegis.model.drift.spec_hash`.
        changes: in the order in which they are made.
    """

    target: ObjectRef
    target_uid: str
    base_generation: int
    spec_hash: str
    changes: tuple[Change, ...]

    def to_dict(self) -> JsonObject:
        """The canonical form that is hashed and stored."""
        return {
            "target": self.target.to_dict(),
            "targetUid": self.target_uid,
            "baseGeneration": self.base_generation,
            "specHash": self.spec_hash,
            "changes": [change_to_dict(change) for change in self.changes],
        }

    @property
    def digest(self) -> str:
        """What an approval is bound to."""
        return digest(self.to_dict())


class Risk(StrEnum):
    """How much may go wrong; `--yes` answers for low and medium."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a value of a fix comes from; a value without provenance is never proposed.

    Attributes:
        path: dotted path of the field within the object, as `spec.template.spec.containers[web].env[MODE]`.
        value: the value.
        source: in words and names: `ReplicaSet web-5d9c (revision 1)`.
        evidence_id: the evidence that shows it.
    """

    path: str
    value: Any
    source: str
    evidence_id: str = ""

    def to_dict(self) -> JsonObject:
        """As CONTRACT.md writes it."""
        return {"path": self.path, "value": self.value, "from": self.source}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One way to mend, ready to be tried.

    Attributes:
        id: stable within a diagnosis, as `restore-env`.
        summary: one sentence.
        change_set: None where a person must supply something first (`needs`).
        risk: how much may go wrong.
        provenance: the source of every value in the change set.
        needs: `human` where AEGIS may not decide alone.
    """

    id: str
    summary: str
    change_set: ChangeSet | None
    risk: Risk
    provenance: tuple[Provenance, ...] = field(default=())
    needs: Literal["human"] | None = None

    def to_dict(self) -> JsonObject:
        """As CONTRACT.md writes an item of `fixes`."""
        changes = self.change_set.changes if self.change_set else ()
        return {
            "id": self.id,
            "summary": self.summary,
            "risk": self.risk.value,
            "changes": [change_to_dict(change) for change in changes],
            "provenance": [item.to_dict() for item in self.provenance],
            "needs": self.needs,
        }


def parse_change(data: Mapping[str, Any], *, namespace: str) -> Change:
    """Read one item of a `--changes` file: `{target, type: apply|json-patch, patch}`.

    Args:
        data: the item.
        namespace: where the target lies if the item does not say.

    Raises:
        ValueError: if the item is not of that shape; the message names the field.
    """
    target = data.get("target")
    if not isinstance(target, Mapping) or not target.get("kind") or not target.get("name"):
        raise ValueError("target needs kind and name")
    patch = data.get("patch")
    ref = ObjectRef(
        api_version=str(target.get("apiVersion") or ""),
        kind=str(target["kind"]),
        name=str(target["name"]),
        namespace=str(target.get("namespace") or namespace),
    )
    match data.get("type"):
        case "apply" if isinstance(patch, Mapping):
            return Apply(target=ref, patch=patch)
        case "json-patch" if isinstance(patch, list) and all(isinstance(item, Mapping) for item in patch):
            return JsonPatch(target=ref, patch=tuple(patch))
        case "apply" | "json-patch" as kind:
            raise ValueError(f"patch does not fit the type {kind}")
        case other:
            raise ValueError(f"type must be apply or json-patch, not {other!r}")
