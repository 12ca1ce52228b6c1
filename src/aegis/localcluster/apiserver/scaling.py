"""The `scale` view of an object: how many replicas it asks for and has, wherever its type keeps these numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.kube.selector import label_selector
from aegis.localcluster.apiserver.objects import Object, copied
from aegis.localcluster.apiserver.refusals import Invalid, invalid_value
from aegis.localcluster.apiserver.registry import Resource

_SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(resource: Resource, obj: Mapping[str, Any]) -> Object:
    """An object as an autoscaling/v1 Scale."""
    custom = resource.custom.scale if resource.custom else None
    if custom:
        selector = str(_at_path(obj, custom.get("labelSelectorPath", "")) or "")
        observed = _at_path(obj, custom["statusReplicasPath"])
    else:
        selector = str(label_selector((obj.get("spec") or {}).get("selector") or {}))
        observed = (obj.get("status") or {}).get("replicas")
    metadata = obj["metadata"]
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {k: metadata[k] for k in _SHOWN if k in metadata},
        "spec": {"replicas": _at_path(obj, _replicas_path(resource)) or 0},
        "status": {"replicas": observed or 0, **({"selector": selector} if selector else {})},
    }


def rescaled(resource: Resource, obj: Mapping[str, Any], scale: Mapping[str, Any]) -> Object:
    """A copy of an object with the size that a Scale asks for; its resource version and uid are preconditions.

    Raises:
        Invalid: the size is no size.
    """
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        cause = invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise Invalid(resource, obj["metadata"]["name"], [cause])
    new: Object = copied(dict(obj))
    _set_path(new, _replicas_path(resource), replicas)
    metadata = scale.get("metadata") or {}
    new["metadata"]["resourceVersion"] = metadata.get("resourceVersion") or None
    if metadata.get("uid"):
        new["metadata"]["uid"] = metadata["uid"]
    return new


def _replicas_path(resource: Resource) -> str:
    custom = resource.custom.scale if resource.custom else None
    return custom["specReplicasPath"] if custom else ".spec.replicas"


def _at_path(obj: Mapping[str, Any], path: str) -> Any:
    value: Any = obj
    for name in path.strip(".").split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _set_path(obj: Object, path: str, value: Any) -> None:
    *parents, last = path.strip(".").split(".")
    for name in parents:
        obj = obj.setdefault(name, {})
    obj[last] = value
