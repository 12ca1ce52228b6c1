"""The Service `kubernetes`, by which pods reach the API server: made at the start, and again when somebody deletes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aegis.localcluster.api import ClusterApi, Object, WatchEvent
from aegis.localcluster.controllers.objects import Key, key_of

_KEY: Key = ("default", "kubernetes")
_SLICES = "endpointslices.discovery.k8s.io"
_MANAGER = "kube-apiserver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where pods reach the API server.

    Attributes:
        service_ip: the cluster IP of the Service.
        address: where the API server listens in the pods' network.
        port: the same.
    """

    service_ip: str
    address: str
    port: int


class OwnServiceController:
    """Keeps the Service, its Endpoints and its EndpointSlice."""

    name = "kubernetes-service-controller"
    watches = ("namespaces", "services", "endpoints", _SLICES)

    def __init__(self, api: ClusterApi, door: Door) -> None:
        self._api, self._door = api, door

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The one Service, when its namespace came or any of the three went."""
        namespace, name = key_of(event.object)
        born = event.resource == "namespaces" and event.type == "ADDED" and name == "default"
        gone = event.type == "DELETED" and (namespace, name) == _KEY
        return [_KEY] if born or gone else []

    def sync(self, key: Key) -> float | None:
        """Make what is missing.

        Raises:
            ApiError: a write was refused.
        """
        for resource, wanted in objects(self._door).items():
            if self._api.get(resource, *key) is None:
                self._api.create(resource, wanted, manager=_MANAGER)
        return None


def objects(door: Door) -> dict[str, Object]:
    """The Service, its Endpoints and its EndpointSlice, by resource."""
    metadata = {"name": "kubernetes", "namespace": "default"}
    ports = [{"name": "https", "port": door.port, "protocol": "TCP"}]
    labels = {"component": "apiserver", "provider": "kubernetes"}
    return {
        "services": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**metadata, "labels": labels},
            "spec": {
                "clusterIP": door.service_ip,
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": door.port}],
            },
        },
        "endpoints": {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {**metadata, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": door.address}], "ports": ports}],
        },
        _SLICES: {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [door.address], "conditions": {"ready": True}}],
            "ports": ports,
        },
    }
