"""Defaults of every kind that has any."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from aegis.localcluster.apiserver.defaults.pods import default_pod_spec, default_requests

Object = dict[str, Any]


def apply_defaults(kind: str, obj: Object) -> None:
    """Fill in an object of a built-in kind, in place."""
    if default := _DEFAULTS.get(kind):
        default(obj)


def pod_template(kind: str, obj: Object) -> Object | None:
    """The pod template within a workload, or None."""
    if kind == "CronJob":
        job = ((obj.get("spec") or {}).get("jobTemplate") or {}).get("spec") or {}
        template = job.get("template")
    elif kind == "PodTemplate":
        template = obj.get("template")
    else:
        template = (obj.get("spec") or {}).get("template") if kind in _WITH_TEMPLATE else None
    return template if isinstance(template, dict) else None


_WITH_TEMPLATE = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"})


def _fill(target: Object, **values: Any) -> None:
    for name, value in values.items():
        if target.get(name) is None:
            target[name] = value


def _template(kind: str, obj: Object) -> None:
    if (template := pod_template(kind, obj)) is not None:
        template.setdefault("metadata", {})
        default_pod_spec(template.setdefault("spec", {}))


def _pod(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, enableServiceLinks=True)
    default_pod_spec(spec)
    default_requests(spec)
    _fill(obj.setdefault("status", {}), phase="Pending")


def _deployment(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec.setdefault("strategy", {})
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy, rollingUpdate={})
        _fill(strategy["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")
    _template("Deployment", obj)


def _replica_set(obj: Object) -> None:
    _fill(obj.setdefault("spec", {}), replicas=1)
    _template("ReplicaSet", obj)


def _stateful_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, replicas=1, podManagementPolicy="OrderedReady", revisionHistoryLimit=10)
    strategy = spec.setdefault("updateStrategy", {})
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy, rollingUpdate={})
        _fill(strategy["rollingUpdate"], partition=0)
    _fill(spec, persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"})
    _template("StatefulSet", obj)


def _daemon_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, revisionHistoryLimit=10)
    strategy = spec.setdefault("updateStrategy", {})
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy, rollingUpdate={})
        _fill(strategy["rollingUpdate"], maxUnavailable=1, maxSurge=0)
    _template("DaemonSet", obj)


def _job_spec(spec: Object) -> None:
    replaced = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    _fill(spec, backoffLimit=6, completionMode="NonIndexed", suspend=False, podReplacementPolicy=replaced)
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            _fill(pattern, status="True")
    if "completions" not in spec and "parallelism" not in spec:
        _fill(spec, completions=1)
    _fill(spec, parallelism=1)


def _job(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _job_spec(spec)
    uid = obj.get("metadata", {}).get("uid")
    if uid and not spec.get("manualSelector") and "selector" not in spec:
        _own_selector(obj, uid)
    _template("Job", obj)


def _own_selector(job: Object, uid: str) -> None:
    name = job["metadata"]["name"]
    spec = job["spec"]
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    labels = spec.setdefault("template", {}).setdefault("metadata", {}).setdefault("labels", {})
    for prefix in ("", "batch.kubernetes.io/"):
        labels.setdefault(f"{prefix}controller-uid", uid)
        labels.setdefault(f"{prefix}job-name", name)


def _cron_job(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    _template("CronJob", obj)


def _service(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, type="ClusterIP", sessionAffinity="None")
    if spec["sessionAffinity"] == "ClientIP":
        _fill(spec, sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10800}})
    if spec["type"] != "ExternalName":
        _fill(spec, internalTrafficPolicy="Cluster", ipFamilyPolicy="SingleStack", ipFamilies=["IPv4"])
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        _fill(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _fill(spec, allocateLoadBalancerNodePorts=True)
    for port in spec.get("ports") or ():
        _fill(port, protocol="TCP", targetPort=port.get("port"))
    _fill(obj.setdefault("status", {}), loadBalancer={})


def _namespace(obj: Object) -> None:
    metadata = obj["metadata"]
    if "name" in metadata:
        metadata["labels"] = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}
    _fill(obj.setdefault("status", {}), phase="Active")


def _secret(obj: Object) -> None:
    _fill(obj, type="Opaque")
    for name, value in (obj.pop("stringData", None) or {}).items():
        if obj.get("data") is None:
            obj["data"] = {}
        obj["data"][name] = base64.b64encode(str(value).encode()).decode()


def _network_policy(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    _fill(spec, policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    for direction in ("ingress", "egress"):
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                _fill(port, protocol="TCP")


def _resource_quota(obj: Object) -> None:
    obj.setdefault("spec", {})
    obj.setdefault("status", {})


def _limit_range(obj: Object) -> None:
    for item in (obj.get("spec") or {}).get("limits") or ():
        if item.get("type") != "Container":
            continue
        if item.get("max") and item.get("default") is None:
            item["default"] = {}
        for name, most in (item.get("max") or {}).items():
            item["default"].setdefault(name, most)
        requests = (
            dict(item.get("min") or {}) | dict(item.get("default") or {}) | dict(item.get("defaultRequest") or {})
        )
        if requests:
            item["defaultRequest"] = requests


def _binding(obj: Object) -> None:
    reference = obj.get("roleRef") or {}
    if not reference.get("apiGroup"):
        obj["roleRef"] = {**reference, "apiGroup": "rbac.authorization.k8s.io"}
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in {"User", "Group"}:
            _fill(subject, apiGroup="rbac.authorization.k8s.io")


def _crd(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if "kind" in names:
        _fill(names, singular=str(names["kind"]).lower(), listKind=f"{names['kind']}List")
    _fill(spec, conversion={"strategy": "None"})


def _storage_class(obj: Object) -> None:
    _fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _claim(obj: Object) -> None:
    _fill(obj.setdefault("spec", {}), volumeMode="Filesystem")
    _fill(obj.setdefault("status", {}), phase="Pending")


def _volume(obj: Object) -> None:
    _fill(obj.setdefault("spec", {}), volumeMode="Filesystem", persistentVolumeReclaimPolicy="Retain")
    _fill(obj.setdefault("status", {}), phase="Pending")


def _priority_class(obj: Object) -> None:
    _fill(obj, preemptionPolicy="PreemptLowerPriority")


def _endpoints(obj: Object) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            _fill(port, protocol="TCP")


def _endpoint_slice(obj: Object) -> None:
    for port in obj.get("ports") or ():
        _fill(port, name="", protocol="TCP")


_CPU_PERCENT = 80


def _autoscaler(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, minReplicas=1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": _CPU_PERCENT}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if spec.get("behavior") is not None:
        behavior = spec["behavior"]
        every = {"type": "Percent", "value": 100, "periodSeconds": 15}
        pods = {"type": "Pods", "value": 4, "periodSeconds": 15}
        up = {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [pods, dict(every)]}
        behavior["scaleUp"] = {**up, **(behavior.get("scaleUp") or {})}
        behavior["scaleDown"] = {"selectPolicy": "Max", "policies": [every], **(behavior.get("scaleDown") or {})}


_DEFAULTS: dict[str, Callable[[Object], None]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "ReplicationController": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "Service": _service,
    "Namespace": _namespace,
    "Secret": _secret,
    "NetworkPolicy": _network_policy,
    "ResourceQuota": _resource_quota,
    "LimitRange": _limit_range,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "CustomResourceDefinition": _crd,
    "StorageClass": _storage_class,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _volume,
    "PriorityClass": _priority_class,
    "Endpoints": _endpoints,
    "EndpointSlice": _endpoint_slice,
    "HorizontalPodAutoscaler": _autoscaler,
}
