"""Which columns a resource has: those that kubectl shows for its kind on a real cluster."""

from __future__ import annotations

from aegis.localcluster.apiserver.registry import Resource
from aegis.localcluster.apiserver.tables import cluster, custom, network, pods, workloads
from aegis.localcluster.apiserver.tables.columns import AGE, NAME, Column

_RBAC = "rbac.authorization.k8s.io"
_HOOKS = "admissionregistration.k8s.io"
_COLUMNS: dict[str, tuple[Column, ...]] = {
    "pods": pods.PODS,
    "podtemplates": workloads.POD_TEMPLATES,
    "replicationcontrollers": workloads.REPLICA_SETS,
    "deployments.apps": workloads.DEPLOYMENTS,
    "replicasets.apps": workloads.REPLICA_SETS,
    "statefulsets.apps": workloads.STATEFUL_SETS,
    "daemonsets.apps": workloads.DAEMON_SETS,
    "controllerrevisions.apps": workloads.REVISIONS,
    "jobs.batch": workloads.JOBS,
    "cronjobs.batch": workloads.CRON_JOBS,
    "poddisruptionbudgets.policy": workloads.DISRUPTION_BUDGETS,
    "horizontalpodautoscalers.autoscaling": workloads.AUTOSCALERS,
    "services": network.SERVICES,
    "endpoints": network.ENDPOINTS,
    "endpointslices.discovery.k8s.io": network.SLICES,
    "networkpolicies.networking.k8s.io": network.POLICIES,
    "ingresses.networking.k8s.io": network.INGRESSES,
    "ingressclasses.networking.k8s.io": network.INGRESS_CLASSES,
    "nodes": cluster.NODES,
    "namespaces": cluster.NAMESPACES,
    "configmaps": cluster.CONFIG_MAPS,
    "secrets": cluster.SECRETS,
    "serviceaccounts": cluster.SERVICE_ACCOUNTS,
    "resourcequotas": cluster.QUOTAS,
    "limitranges": cluster.LIMIT_RANGES,
    "events": cluster.EVENTS,
    "events.events.k8s.io": cluster.EVENTS,
    "persistentvolumes": cluster.VOLUMES,
    "persistentvolumeclaims": cluster.CLAIMS,
    "storageclasses.storage.k8s.io": cluster.STORAGE_CLASSES,
    f"roles.{_RBAC}": cluster.ROLES,
    f"clusterroles.{_RBAC}": cluster.ROLES,
    f"rolebindings.{_RBAC}": cluster.BINDINGS,
    f"clusterrolebindings.{_RBAC}": cluster.BINDINGS,
    "customresourcedefinitions.apiextensions.k8s.io": cluster.DEFINITIONS,
    "leases.coordination.k8s.io": cluster.LEASES,
    "priorityclasses.scheduling.k8s.io": cluster.PRIORITY_CLASSES,
    "runtimeclasses.node.k8s.io": cluster.RUNTIME_CLASSES,
    f"validatingwebhookconfigurations.{_HOOKS}": cluster.WEBHOOKS,
    f"mutatingwebhookconfigurations.{_HOOKS}": cluster.WEBHOOKS,
}


def columns_of(resource: Resource) -> tuple[Column, ...]:
    """The columns of a resource."""
    if resource.custom is not None:
        return custom.columns(resource.custom.columns)
    return _COLUMNS.get(resource.full_name, (NAME, AGE))
