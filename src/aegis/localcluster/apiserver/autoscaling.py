"""autoscaling/v1 as a view of autoscaling/v2: one CPU percentage is a field there, all else is annotations.

Source: the conversion of Kubernetes' API server, whose annotations these are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.objects import Object

_PREFIX = "autoscaling.alpha.kubernetes.io/"
_METRICS, _BEHAVIOR = f"{_PREFIX}metrics", f"{_PREFIX}behavior"
_CURRENT, _CONDITIONS = f"{_PREFIX}current-metrics", f"{_PREFIX}conditions"
_RESOURCES = {"Resource": "resource", "ContainerResource": "containerResource"}
_TARGETS = {"averageUtilization": "targetAverageUtilization", "averageValue": "targetAverageValue"}
_SEEN = {"averageUtilization": "currentAverageUtilization", "averageValue": "currentAverageValue"}


def to_v1(obj: Mapping[str, Any]) -> Object:
    """An autoscaling/v2 object as version 1 shows it."""
    spec, status, metadata = dict(obj.get("spec") or {}), dict(obj.get("status") or {}), dict(obj["metadata"])
    annotations = dict(metadata.get("annotations") or {})
    cpu, others = _cpu_apart(spec.pop("metrics", None) or ())
    if cpu is not None:
        spec["targetCPUUtilizationPercentage"] = cpu["resource"]["target"]["averageUtilization"]
    _note(annotations, _METRICS, [_renamed(m, "target", _TARGETS) for m in others])
    _note(annotations, _BEHAVIOR, spec.pop("behavior", None))
    measured = status.pop("currentMetrics", None) or ()
    for one in measured:
        used = (one.get("resource") or {}).get("current") or {}
        if (one.get("resource") or {}).get("name") == "cpu" and "averageUtilization" in used:
            status["currentCPUUtilizationPercentage"] = used["averageUtilization"]
    _note(annotations, _CURRENT, [_renamed(m, "current", _SEEN) for m in measured])
    _note(annotations, _CONDITIONS, status.pop("conditions", None))
    if annotations:
        metadata["annotations"] = annotations
    shown = {**obj, "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec}
    return {**shown, "status": status} if "status" in obj else shown


def to_v2(obj: Mapping[str, Any]) -> Object:
    """A given autoscaling/v1 object as it is kept; an annotation that is no JSON is dropped, as there."""
    spec, metadata = obj.get("spec"), obj.get("metadata")
    if not isinstance(spec, Mapping) or not isinstance(metadata, Mapping):
        return {**obj, "apiVersion": "autoscaling/v2"}
    annotations = dict(metadata.get("annotations") or {})
    metrics = [_restored(m) for m in _read(annotations, _METRICS, list)]
    kept: Object = {k: v for k, v in spec.items() if k != "targetCPUUtilizationPercentage"}
    percent = spec.get("targetCPUUtilizationPercentage")
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if metrics:
        kept["metrics"] = metrics
    if behavior := _read(annotations, _BEHAVIOR, dict):
        kept["behavior"] = behavior
    bare = {k: v for k, v in annotations.items() if not k.startswith(_PREFIX)}
    named = {k: v for k, v in metadata.items() if k != "annotations"} | ({"annotations": bare} if bare else {})
    made = {k: v for k, v in obj.items() if k != "status"}
    return {**made, "apiVersion": "autoscaling/v2", "metadata": named, "spec": kept}


def _cpu_apart(metrics: Any) -> tuple[Mapping[str, Any] | None, list[Mapping[str, Any]]]:
    cpu = None
    others = []
    for metric in metrics:
        resource = metric.get("resource") or {}
        percent = (resource.get("target") or {}).get("averageUtilization")
        if cpu is None and resource.get("name") == "cpu" and percent is not None:
            cpu = metric
        else:
            others.append(metric)
    return cpu, others


def _note(annotations: dict[str, str], name: str, value: Any) -> None:
    if value:
        annotations[name] = json.dumps(value, separators=(",", ":"))


def _read(annotations: Mapping[str, str], name: str, kind: type) -> Any:
    try:
        value = json.loads(annotations.get(name) or "null")
    except ValueError:
        value = None
    return value if isinstance(value, kind) else kind()


def _renamed(metric: Mapping[str, Any], part: str, names: Mapping[str, str]) -> Mapping[str, Any]:
    """A metric of a resource with the amounts beside its name, as version 1 has them."""
    field = _RESOURCES.get(str(metric.get("type")))
    if field is None or field not in metric:
        return metric
    resource = metric[field]
    amounts = {names[k]: v for k, v in (resource.get(part) or {}).items() if k in names}
    return {**metric, field: {**{k: v for k, v in resource.items() if k != part}, **amounts}}


def _restored(metric: Any) -> Any:
    field = _RESOURCES.get(str(metric.get("type"))) if isinstance(metric, Mapping) else None
    if field is None or not isinstance(metric.get(field), Mapping):
        return metric
    resource = metric[field]
    target = {new: resource[old] for new, old in _TARGETS.items() if old in resource}
    kind = "Utilization" if "averageUtilization" in target else "AverageValue"
    rest = {k: v for k, v in resource.items() if k not in _TARGETS.values()}
    return {**metric, field: {**rest, "target": {"type": kind, **target}}}
