"""What the local cluster tells whoever asks its API: that it is embedded, how fast it is and how well isolated."""

from __future__ import annotations

from aegis.localcluster.api import ClusterApi
from aegis.localcluster.options import ClusterInfo

NAMESPACE, NAME = "kube-public", "aegis-local-cluster"
"""The ConfigMap that every authenticated client may read."""

_MANAGER = "aegis-local"
_RBAC = "rbac.authorization.k8s.io"


def describe(api: ClusterApi, info: ClusterInfo) -> None:
    """Publish the facts, and let every authenticated client read them.

    Raises:
        ApiError: the server refused an object.
    """
    data = {
        "timeScale": f"{info.time_scale:g}",
        "isolation": info.isolation,
        "notEnforced": "\n".join(info.not_enforced),
        "version": info.version,
    }
    metadata = {"name": NAME, "namespace": NAMESPACE}
    api.create(
        "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}, manager=_MANAGER
    )
    role = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [NAME], "verbs": ["get"]}],
    }
    binding = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": NAME},
        "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": "system:authenticated"}],
    }
    api.create(f"roles.{_RBAC}", role, manager=_MANAGER)
    api.create(f"rolebindings.{_RBAC}", binding, manager=_MANAGER)
