"""The Endpoints controller: the older of the two forms in which a Service's addresses are published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aegis.localcluster.api import ClusterApi, Object, WatchEvent
from aegis.localcluster.controllers.backends import Backend, Port, backends, has_selector
from aegis.localcluster.controllers.objects import Key, key_of, labels_of
from aegis.localcluster.status import ApiError

_MANAGER = "kube-controller-manager"
_HEADLESS, _MANAGED = "service.kubernetes.io/headless", "endpoints.kubernetes.io/managed-by"


class EndpointsController:
    """Keeps an Endpoints object beside every Service with a selector."""

    name = "endpoint-controller"
    watches = ("services", "pods")

    def __init__(self, api: ClusterApi) -> None:
        self._api = api

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The Service itself, or every Service of a pod's namespace that has a selector."""
        return services_of(self._api, event)

    def sync(self, key: Key) -> float | None:
        """Write the Endpoints of one Service, or remove those of a Service that is gone.

        Raises:
            ApiError: a write was refused.
        """
        service, current = self._api.get("services", *key), self._api.get("endpoints", *key)
        if service is None:
            if current is not None and labels_of(current).get(_MANAGED) == self.name:
                self._api.delete("endpoints", *key)
        elif has_selector(service):
            self._write(service, current)
        return None

    def _write(self, service: Object, current: Object | None) -> None:
        namespace, name = key_of(service)
        found = subsets(service, backends(service, self._api.list("pods", namespace)))
        labels = {**labels_of(service), _MANAGED: self.name}
        if service["spec"].get("clusterIP") == "None":
            labels[_HEADLESS] = ""
        if current is not None and (current.get("subsets") or []) == found and labels_of(current) == labels:
            return
        wanted = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "subsets": found,
        }
        if current is not None:
            self._api.update("endpoints", wanted, manager=_MANAGER)
            return
        try:
            self._api.create("endpoints", wanted, manager=_MANAGER)
        except ApiError as error:
            if error.code != 403:  # noqa: PLR2004 - the namespace is going: nothing is created in it any more
                raise


def services_of(api: ClusterApi, event: WatchEvent) -> list[Key]:
    """The Services whose addresses a change of a Service or of a pod may concern."""
    if event.resource == "services":
        return [key_of(event.object)]
    namespace = event.object["metadata"]["namespace"]
    return [key_of(s) for s in api.list("services", namespace) if has_selector(s)]


def subsets(service: Object, found: Sequence[Backend]) -> list[dict[str, Any]]:
    """The subsets of an Endpoints object: addresses with the same ports together, ready and not ready apart."""
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    headless = service["spec"].get("clusterIP") == "None"
    groups: dict[tuple[Port, ...], list[Backend]] = {}
    for backend in found:
        if (backend.terminating and not publish) or not (backend.ports or headless):
            continue
        groups.setdefault(backend.ports, []).append(backend)
    return [_subset(service, ports, groups[ports]) for ports in sorted(groups)]


def _subset(service: Object, ports: tuple[Port, ...], group: Sequence[Backend]) -> dict[str, Any]:
    ready = [_address(service, b) for b in group if b.serving]
    waiting = [_address(service, b) for b in group if not b.serving]
    return {
        **({"addresses": ready} if ready else {}),
        **({"notReadyAddresses": waiting} if waiting else {}),
        **({"ports": [p.to_json(always_named=False) for p in ports]} if ports else {}),
    }


def _address(service: Object, backend: Backend) -> dict[str, Any]:
    hostname, node = backend.hostname(service), backend.pod["spec"].get("nodeName")
    return {
        "ip": backend.address,
        **({"hostname": hostname} if hostname else {}),
        **({"nodeName": node} if node else {}),
        "targetRef": backend.reference(),
    }
