"""Slices for Endpoints that somebody wrote by hand, for Services without a selector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aegis.localcluster.api import ClusterApi, Object, WatchEvent
from aegis.localcluster.controllers.backends import has_selector
from aegis.localcluster.controllers.objects import (
    Key,
    controller_of,
    controller_reference,
    key_of,
    labels_of,
    uid_of,
)

_SLICES, _MANAGER = "endpointslices.discovery.k8s.io", "kube-controller-manager"
_SERVICE, _MANAGED = "kubernetes.io/service-name", "endpointslice.kubernetes.io/managed-by"
_BY, _SKIP = "endpointslicemirroring-controller.k8s.io", "endpointslice.kubernetes.io/skip-mirror"


class MirroringController:
    """Mirrors Endpoints into EndpointSlices, which is what the service proxy reads."""

    name = "endpointslice-mirroring-controller"
    watches = ("services", "endpoints", _SLICES)

    def __init__(self, api: ClusterApi) -> None:
        self._api = api

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The Service of that name, or the one whose mirrored slice somebody changed."""
        if event.resource != _SLICES:
            return [key_of(event.object)]
        labels = labels_of(event.object)
        mirrored = labels.get(_MANAGED) == _BY and labels.get(_SERVICE)
        return [(event.object["metadata"]["namespace"], labels[_SERVICE])] if mirrored else []

    def sync(self, key: Key) -> float | None:
        """Write the slices of one Service's own Endpoints.

        Raises:
            ApiError: a write was refused.
        """
        service, endpoints = self._api.get("services", *key), self._api.get("endpoints", *key)
        if endpoints is None:
            return None  # the garbage collector removes the mirrored slices
        wanted = mirrored(endpoints) if service is not None and _is_mirrored(service, endpoints) else []
        present = [s for s in self._api.list(_SLICES, key[0]) if self._is_ours(s, endpoints)]
        spare = [s for s in present if _content(s) not in wanted]
        for content in wanted:
            if not any(_content(s) == content for s in present):
                self._put(endpoints, content, spare.pop() if spare else None)
        for left in spare:
            self._api.delete(_SLICES, *key_of(left), uid=uid_of(left))
        return None

    def _is_ours(self, candidate: Object, endpoints: Object) -> bool:
        owner = controller_of(candidate)
        return owner is not None and owner["uid"] == uid_of(endpoints)

    def _put(self, endpoints: Object, content: Mapping[str, Any], old: Object | None) -> None:
        if old is not None:
            self._api.update(_SLICES, {**old, **content}, manager=_MANAGER)
            return
        namespace, name = key_of(endpoints)
        metadata = {
            "generateName": f"{name}-",
            "namespace": namespace,
            "labels": {**labels_of(endpoints), _SERVICE: name, _MANAGED: _BY},
            "ownerReferences": [controller_reference(endpoints)],
        }
        new = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata, **content}
        self._api.create(_SLICES, new, manager=_MANAGER)


def mirrored(endpoints: Object) -> list[dict[str, Any]]:
    """What the slices of these Endpoints hold: one for each subset."""
    return [
        {
            "addressType": "IPv6" if any(":" in a["ip"] for a in _addresses(subset)) else "IPv4",
            "ports": [{"name": p.get("name") or "", "protocol": "TCP", **p} for p in subset.get("ports") or ()],
            "endpoints": [
                *(_endpoint(a, ready=True) for a in subset.get("addresses") or ()),
                *(_endpoint(a, ready=False) for a in subset.get("notReadyAddresses") or ()),
            ],
        }
        for subset in endpoints.get("subsets") or ()
    ]


def _is_mirrored(service: Object, endpoints: Object) -> bool:
    return not has_selector(service) and labels_of(endpoints).get(_SKIP) != "true"


def _addresses(subset: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [*(subset.get("addresses") or ()), *(subset.get("notReadyAddresses") or ())]


def _endpoint(address: Mapping[str, Any], *, ready: bool) -> dict[str, Any]:
    kept = {k: address[k] for k in ("hostname", "nodeName", "targetRef") if address.get(k)}
    return {"addresses": [address["ip"]], "conditions": {"ready": ready}, **kept}


def _content(endpoint_slice: Object) -> dict[str, Any]:
    return {
        "addressType": endpoint_slice.get("addressType"),
        "ports": endpoint_slice.get("ports") or [],
        "endpoints": endpoint_slice.get("endpoints") or [],
    }
