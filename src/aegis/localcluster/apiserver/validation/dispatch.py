"""Finds the checks of a kind and runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aegis.localcluster.apiserver.registry import Resource
from aegis.localcluster.apiserver.schema.resources import validate_custom
from aegis.localcluster.apiserver.validation import changes, configuration, definitions, network, pods, workloads
from aegis.localcluster.status import Cause

Object = Mapping[str, Any]

_CHECKS: Mapping[str, Callable[[Object], list[Cause]]] = {
    "Pod": pods.pod,
    "Deployment": workloads.deployment,
    "ReplicaSet": workloads.replica_set,
    "StatefulSet": workloads.stateful_set,
    "DaemonSet": workloads.daemon_set,
    "Job": workloads.job,
    "CronJob": workloads.cron_job,
    "Service": network.service,
    "NetworkPolicy": network.network_policy,
    "Ingress": network.ingress,
    "ConfigMap": configuration.config_map,
    "Secret": configuration.secret,
    "ResourceQuota": configuration.resource_quota,
    "LimitRange": configuration.limit_range,
    "Role": configuration.role,
    "ClusterRole": configuration.role,
    "RoleBinding": configuration.binding,
    "ClusterRoleBinding": configuration.binding,
    "PriorityClass": configuration.priority_class,
    "PodDisruptionBudget": configuration.disruption_budget,
    "HorizontalPodAutoscaler": configuration.autoscaler,
    "Lease": configuration.lease,
    "CustomResourceDefinition": definitions.definition,
}


def validate(
    resource: Resource, obj: Object, old: Object | None, *, subresource: str = "", trusted: bool = False
) -> list[Cause]:
    """Every fault of an object; `old` is what it replaces, `trusted` that a part of the cluster writes it."""
    if resource.custom:
        return validate_custom(resource.custom, obj, old)
    faults = [] if subresource == "status" else _CHECKS.get(resource.kind, _nothing)(obj)
    if old is not None:
        faults += changes.faults(resource.kind, obj, old, subresource=subresource, trusted=trusted)
    return faults


def _nothing(_obj: Object) -> list[Cause]:
    return []
