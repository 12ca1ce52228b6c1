"""One object in the version that is asked for, where two versions show the same objects.

Events are kept as core/v1 has them; events.k8s.io/v1 names some fields differently. Autoscalers are kept as
autoscaling/v2 has them. The versions of a
CustomResourceDefinition differ in their apiVersion only (conversion strategy None).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.autoscaling import to_v1, to_v2
from aegis.localcluster.apiserver.registry import Resource

_OLD_AUTOSCALING = "autoscaling/v1"
_EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_CORE_FIELDS = {new: old for old, new in _EVENT_FIELDS.items()}


def presented(resource: Resource, obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stored object as this resource shows it; the same object where nothing differs."""
    if obj.get("apiVersion") == resource.api_version:
        return obj
    if resource.group == "events.k8s.io":
        return _renamed(obj, _EVENT_FIELDS, resource.api_version)
    if resource.api_version == _OLD_AUTOSCALING:
        return to_v1(obj)
    return {**obj, "apiVersion": resource.api_version}


def as_stored(resource: Resource, obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """A given object as it is kept."""
    if resource.group == "events.k8s.io":
        return _renamed(obj, _CORE_FIELDS, "v1")
    return to_v2(obj) if resource.api_version == _OLD_AUTOSCALING else obj


def _renamed(obj: Mapping[str, Any], names: Mapping[str, str], api_version: str) -> dict[str, Any]:
    return {**{names.get(k, k): v for k, v in obj.items()}, "apiVersion": api_version}
