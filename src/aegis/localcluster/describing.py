"""What the local cluster says of itself to whoever asks its API.

That it is embedded, how fast it is and how well isolated; and under which address pods reach the API server.
"""

from __future__ import annotations

from aegis.localcluster.api import ClusterApi
from aegis.localcluster.apiserver.admission.services import API_SERVER
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


def publish_api_server(api: ClusterApi, address: str, port: int) -> None:
    """Make the Service `kubernetes` of the namespace `default`, by which pods reach the API server.

    Args:
        api: where to make it.
        address: where the API server listens in the pods' network.
        port: the same.

    Raises:
        ApiError: the server refused an object.
    """
    metadata = {"name": "kubernetes", "namespace": "default"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {
            "clusterIP": API_SERVER,
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
        },
    }
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {**metadata, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [{"addresses": [{"ip": address}], "ports": ports}],
    }
    endpoint_slice = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": ports,
    }
    api.create("services", service, manager="kube-apiserver")
    api.create("endpoints", endpoints, manager="kube-apiserver")
    api.create("endpointslices.discovery.k8s.io", endpoint_slice, manager="kube-apiserver")
