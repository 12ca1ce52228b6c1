"""Facts about objects that several controllers ask: keys, owners, conditions, pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aegis.localcluster.api import Object

Key = tuple[str, ...]
"""What a controller looks at in one go: mostly `(namespace, name)`."""


def timestamp(moment: datetime | None = None) -> str:
    """RFC 3339 to the second, as Kubernetes writes times."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def parsed_time(text: str) -> datetime:
    """The moment that a Kubernetes timestamp names."""
    return datetime.fromisoformat(text)


def key_of(obj: Object) -> tuple[str, str]:
    """`(namespace, name)`; the namespace of a cluster-wide object is empty."""
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def uid_of(obj: Object) -> str:
    """The object's UID."""
    uid: str = obj["metadata"]["uid"]
    return uid


def annotations_of(obj: Object) -> Mapping[str, str]:
    """The object's annotations, perhaps none."""
    return obj["metadata"].get("annotations") or {}


def labels_of(obj: Object) -> Mapping[str, str]:
    """The object's labels, perhaps none."""
    return obj["metadata"].get("labels") or {}


def is_terminating(obj: Object) -> bool:
    """Whether deletion has begun."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def owners_of(obj: Object) -> Sequence[Mapping[str, Any]]:
    """The owner references, perhaps none."""
    return obj["metadata"].get("ownerReferences") or ()


def controller_of(obj: Object) -> Mapping[str, Any] | None:
    """The owner reference that is marked as the controller, or None."""
    return next((o for o in owners_of(obj) if o.get("controller")), None)


def controller_reference(owner: Object) -> dict[str, Any]:
    """The reference that makes `owner` an object's controller."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Object, kind: str) -> Mapping[str, Any] | None:
    """The status condition of a type, or None."""
    conditions: Iterable[Mapping[str, Any]] = (obj.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), None)


def is_true(obj: Object, kind: str) -> bool:
    """Whether a status condition stands at True."""
    found = condition(obj, kind)
    return found is not None and found.get("status") == "True"


def is_active(pod: Object) -> bool:
    """Whether a pod counts as a replica: neither finished nor on its way out."""
    return (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"} and not is_terminating(pod)


def is_ready(pod: Object) -> bool:
    """Whether a pod's condition Ready stands at True."""
    return is_true(pod, "Ready")
