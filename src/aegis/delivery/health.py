"""Look at how much of an object answers: pods of a workload, endpoints of a Service."""

from __future__ import annotations

from typing import Any

from aegis.model.health import Health
from aegis.model.refs import Json, ObjectRef
from aegis.model.signature import container_statuses
from aegis.ports import ClusterReader


async def read_health(reader: ClusterReader, ref: ObjectRef) -> Health | None:
    """How the object stands; None for kinds that are neither ready nor not (a ConfigMap), or that are gone."""
    obj = await reader.find(ref)
    if obj is None:
        return None
    if ref.kind == "Service":
        return await _service(reader, obj, ref.namespace)
    if ref.kind == "Pod":
        return _pods([obj], wanted=1)
    if "selector" in (obj.get("spec") or {}) and "template" in (obj.get("spec") or {}):
        return await _workload(reader, obj, ref)
    return None


async def _workload(reader: ClusterReader, obj: Json, ref: ObjectRef) -> Health:
    selector = obj["spec"].get("selector") or {}
    pods = await reader.list("v1", "Pod", namespace=ref.namespace, labels=selector_text(selector))
    pods = [pod for pod in pods if not (pod.get("metadata") or {}).get("deletionTimestamp")]
    return workload_health(obj, pods)


def workload_health(obj: Json, pods: list[Any]) -> Health:
    """The health of a Deployment, ReplicaSet, StatefulSet or DaemonSet, by its status and its pods."""
    spec, status, metadata = obj.get("spec") or {}, obj.get("status") or {}, obj.get("metadata") or {}
    wanted = status.get("desiredNumberScheduled") if obj.get("kind") == "DaemonSet" else spec.get("replicas", 1)
    wanted = int(wanted or 0)
    updated = status.get("updatedNumberScheduled") if obj.get("kind") == "DaemonSet" else status.get("updatedReplicas")
    if obj.get("kind") == "ReplicaSet":
        updated = status.get("fullyLabeledReplicas")
    seen = int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0)
    settled = seen and int(updated or 0) >= wanted and len(pods) <= wanted
    ready = status.get("numberReady") if obj.get("kind") == "DaemonSet" else status.get("readyReplicas")
    return Health(wanted=wanted, ready=int(ready or 0), crashes=_crashes(pods), settled=settled)


def selector_text(selector: Json) -> str:
    """A LabelSelector (meta/v1) as the query parameter `labelSelector` spells it."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for rule in selector.get("matchExpressions") or []:
        key, values = str(rule.get("key")), ",".join(rule.get("values") or [])
        spellings = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        parts.append(spellings.get(str(rule.get("operator")), f"!{key}"))
    return ",".join(parts)


async def _service(reader: ClusterReader, service: Json, namespace: str) -> Health:
    """A Service wants every pod that its selector names to be an endpoint, and at least one."""
    name = str((service.get("metadata") or {}).get("name"))
    slices = await reader.list(
        "discovery.k8s.io/v1", "EndpointSlice", namespace=namespace, labels=f"kubernetes.io/service-name={name}"
    )
    ready = sum(
        (endpoint.get("conditions") or {}).get("ready", True) is not False
        for item in slices
        for endpoint in item.get("endpoints") or []
    )
    selector = (service.get("spec") or {}).get("selector") or {}
    pods = await _selected(reader, namespace, selector)
    return Health(wanted=max(len(pods), 1), ready=ready, crashes=_crashes(pods))


async def _selected(reader: ClusterReader, namespace: str, selector: Json) -> list[Any]:
    if not selector:
        return []
    pods = await reader.list("v1", "Pod", namespace=namespace, labels=selector_text({"matchLabels": selector}))
    return [pod for pod in pods if not (pod.get("metadata") or {}).get("deletionTimestamp")]


def _pods(pods: list[Any], *, wanted: int) -> Health:
    ready = sum(
        any(
            c.get("type") == "Ready" and c.get("status") == "True"
            for c in (pod.get("status") or {}).get("conditions") or []
        )
        for pod in pods
    )
    return Health(wanted=wanted, ready=ready, crashes=_crashes(pods))


def _crashes(pods: list[Any]) -> int:
    """Restarts are counted, never waiting reasons: those come and go with the back-off."""
    return sum(int(status.get("restartCount") or 0) for pod in pods for status in container_statuses(pod))
