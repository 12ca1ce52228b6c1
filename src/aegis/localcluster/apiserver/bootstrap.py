"""What a new cluster holds before anybody asks: its first namespaces and the default roles."""

from __future__ import annotations

from typing import Any

from aegis.localcluster.api import ClusterApi
from aegis.localcluster.storage import DEFAULT_CLASS, IS_DEFAULT, PROVISIONER

_MANAGER = "kube-apiserver"
_RBAC = "rbac.authorization.k8s.io"
_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_VIEWED: tuple[tuple[str, list[str]], ...] = (
    ("", [
        "configmaps", "endpoints", "events", "limitranges", "namespaces", "namespaces/status",
        "persistentvolumeclaims", "persistentvolumeclaims/status", "pods", "pods/log", "pods/status",
        "replicationcontrollers", "replicationcontrollers/scale", "replicationcontrollers/status", "resourcequotas",
        "resourcequotas/status", "serviceaccounts", "services", "services/status",
    ]),
    ("apps", [
        "controllerrevisions", "daemonsets", "daemonsets/status", "deployments", "deployments/scale",
        "deployments/status", "replicasets", "replicasets/scale", "replicasets/status", "statefulsets",
        "statefulsets/scale", "statefulsets/status",
    ]),
    ("autoscaling", ["horizontalpodautoscalers", "horizontalpodautoscalers/status"]),
    ("batch", ["cronjobs", "cronjobs/status", "jobs", "jobs/status"]),
    ("discovery.k8s.io", ["endpointslices"]),
    ("metrics.k8s.io", ["nodes", "pods"]),
    ("networking.k8s.io", ["ingresses", "ingresses/status", "networkpolicies"]),
    ("policy", ["poddisruptionbudgets", "poddisruptionbudgets/status"]),
)  # fmt: skip
_EDITED: tuple[tuple[str, list[str]], ...] = (
    ("", [
        "configmaps", "events", "persistentvolumeclaims", "pods", "pods/attach", "pods/eviction", "pods/exec",
        "pods/portforward", "pods/proxy", "replicationcontrollers", "replicationcontrollers/scale", "secrets",
        "serviceaccounts", "serviceaccounts/token", "services", "services/proxy",
    ]),
    ("apps", [
        "daemonsets", "deployments", "deployments/rollback", "deployments/scale", "replicasets", "replicasets/scale",
        "statefulsets", "statefulsets/scale",
    ]),
    ("autoscaling", ["horizontalpodautoscalers"]),
    ("batch", ["cronjobs", "jobs"]),
    ("coordination.k8s.io", ["leases"]),
    ("networking.k8s.io", ["ingresses", "networkpolicies"]),
    ("policy", ["poddisruptionbudgets"]),
)  # fmt: skip
_STORAGE_CLASS = {
    "metadata": {"name": DEFAULT_CLASS, "annotations": {IS_DEFAULT: "true"}},
    "provisioner": PROVISIONER,
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "WaitForFirstConsumer",
}
_PUBLIC_PATHS = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_DISCOVERY_PATHS = ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_PUBLIC_PATHS]


def bootstrap(api: ClusterApi) -> None:
    """Create the first namespaces, roles and bindings, and the storage class of claims that name none."""
    api.create("storageclasses.storage.k8s.io", _STORAGE_CLASS, manager=_MANAGER)
    for name in _NAMESPACES:
        api.create("namespaces", {"metadata": {"name": name}}, manager=_MANAGER)
    for name, rules in _roles().items():
        _create(api, "clusterroles", {"metadata": _metadata(name), "rules": rules})
    for role, group in (
        ("cluster-admin", "system:masters"),
        ("system:basic-user", "system:authenticated"),
        ("system:discovery", "system:authenticated"),
        ("system:public-info-viewer", "system:authenticated"),
        ("system:public-info-viewer", "system:unauthenticated"),
    ):
        _bind(api, role, group)


def _roles() -> dict[str, list[dict[str, Any]]]:
    viewed = [_rule(group, resources, _READ) for group, resources in _VIEWED]
    edited = [
        *viewed,
        _rule("", ["secrets"], _READ),
        *(_rule(group, resources, _WRITE) for group, resources in _EDITED),
    ]
    reviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
    return {
        "cluster-admin": [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            {"nonResourceURLs": ["*"], "verbs": ["*"]},
        ],
        "admin": [
            *edited,
            _rule(_RBAC, ["roles", "rolebindings"], [*_READ, *_WRITE]),
            _rule("authorization.k8s.io", ["localsubjectaccessreviews"], ["create"]),
        ],
        "edit": edited,
        "view": viewed,
        "system:basic-user": [
            _rule("authorization.k8s.io", reviews, ["create"]),
            _rule("authentication.k8s.io", ["selfsubjectreviews"], ["create"]),
        ],
        "system:discovery": [{"nonResourceURLs": _DISCOVERY_PATHS, "verbs": ["get"]}],
        "system:public-info-viewer": [{"nonResourceURLs": _PUBLIC_PATHS, "verbs": ["get"]}],
    }


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _bind(api: ClusterApi, role: str, group: str) -> None:
    name = role if group in {"system:masters", "system:authenticated"} else f"{role}:{group.removeprefix('system:')}"
    binding = {
        "metadata": _metadata(name),
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": group}],
    }
    _create(api, "clusterrolebindings", binding)


def _create(api: ClusterApi, plural: str, obj: dict[str, Any]) -> None:
    api.create(f"{plural}.{_RBAC}", obj, manager=_MANAGER)


def _metadata(name: str) -> dict[str, Any]:
    return {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}
