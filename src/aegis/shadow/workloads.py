"""What a trial has to know of each kind of workload: how many pods, when it is rolled out, how long its probes take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.kube.pod_template import containers, pod_spec_of, template_labels
from aegis.model.refs import Json

SCALED = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"})
"""Kinds with `spec.replicas`."""

WORKLOADS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "Pod": "v1",
}
"""Kinds that a shadow can run, with their apiVersion."""


def replicas(workload: Json) -> int:
    """How many pods it asks for (1 where it does not say)."""
    value = (workload.get("spec") or {}).get("replicas")
    return 1 if value is None else int(value)


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a Service's selector takes pods with these labels; an empty one takes none."""
    return bool(selector) and all(labels.get(key) == value for key, value in (selector or {}).items())


def is_behind(service: Json, workload: Json) -> bool:
    """Whether a Service sends its traffic to a workload's pods."""
    return selects((service.get("spec") or {}).get("selector"), template_labels(workload))


def owned_by(pod: Json, kind: str, name: str) -> bool:
    """Whether a pod belongs to a workload of the same namespace.

    A ReplicaSet of a Deployment is called `NAME-HASH` and a pod carries its hash, a Job of a CronJob `NAME-TIME`.
    """
    metadata = pod.get("metadata") or {}
    if kind == "Pod":
        return bool(metadata.get("name") == name)
    owners = metadata.get("ownerReferences") or []
    for owner in owners:
        owner_kind, owner_name = owner.get("kind"), str(owner.get("name") or "")
        if (owner_kind, owner_name) == (kind, name):
            return True
        above = {"ReplicaSet": "Deployment", "Job": "CronJob"}.get(str(owner_kind))
        if above == kind and owner_name.rpartition("-")[0] == name:
            return True
    return False


def is_rolled_out(workload: Json, trials: int) -> bool:
    """Whether its controller has seen the newest specification and all pods of it are available."""
    kind = workload.get("kind")
    status = workload.get("status") or {}
    if kind == "Pod":
        return True
    if kind == "Job":
        return int(status.get("succeeded") or 0) >= 1
    if int(status.get("observedGeneration") or 0) < int((workload.get("metadata") or {}).get("generation") or 0):
        return False
    wanted = min(trials, replicas(workload))
    updated, available = int(status.get("updatedReplicas") or 0), int(status.get("availableReplicas") or 0)
    return updated >= wanted and available >= wanted > 0


def probe_horizon(workload: Json) -> float:
    """The longest time after which a failing readiness or liveness probe acts, in seconds."""
    spec = pod_spec_of(workload) or {}
    probes = [at.spec.get(name) or {} for at in containers(spec) for name in ("readinessProbe", "livenessProbe")]
    return max((_period(probe) * _failures(probe) for probe in probes if probe), default=0.0)


def startup_budget(workload: Json) -> float:
    """How long its probes allow a container to start, in seconds."""
    spec = pod_spec_of(workload) or {}
    probes = [at.spec.get("startupProbe") or {} for at in containers(spec)]
    return max((_delay(probe) + _period(probe) * _failures(probe) for probe in probes if probe), default=0.0)


def min_ready_seconds(workload: Json) -> float:
    """`spec.minReadySeconds`."""
    return float((workload.get("spec") or {}).get("minReadySeconds") or 0)


def _period(probe: Json) -> float:
    return float(probe.get("periodSeconds") or 10)


def _failures(probe: Json) -> float:
    return float(probe.get("failureThreshold") or 3)


def _delay(probe: Json) -> float:
    return float(probe.get("initialDelaySeconds") or 0)
