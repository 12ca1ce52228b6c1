"""The EndpointSlice controller: a Service's addresses, in slices of pods that resolve its ports alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aegis.localcluster.api import ClusterApi, Object, WatchEvent
from aegis.localcluster.controllers.backends import Backend, Port, backends, has_selector
from aegis.localcluster.controllers.endpoints import services_of
from aegis.localcluster.controllers.objects import (
    Key,
    controller_of,
    controller_reference,
    is_terminating,
    key_of,
    labels_of,
    uid_of,
)
from aegis.localcluster.status import ApiError

_SLICES, _MANAGER = "endpointslices.discovery.k8s.io", "kube-controller-manager"
_SERVICE, _MANAGED = "kubernetes.io/service-name", "endpointslice.kubernetes.io/managed-by"
_BY, _HEADLESS = "endpointslice-controller.k8s.io", "service.kubernetes.io/headless"
_LARGEST = 100
"""Endpoints in one slice, as the controller of Kubernetes has it by default."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The content of one EndpointSlice."""

    ports: tuple[Port, ...]
    endpoints: tuple[Backend, ...]

    def to_json(self, service: Object) -> dict[str, Any]:
        """`ports` and `endpoints` as the object holds them."""
        return {
            "ports": [p.to_json(always_named=True) for p in self.ports] or None,
            "endpoints": [_endpoint(service, b) for b in self.endpoints] or None,
        }


class EndpointSliceController:
    """Keeps the EndpointSlices of every Service with a selector."""

    name = "endpointslice-controller"
    watches = ("services", "pods", _SLICES)

    def __init__(self, api: ClusterApi) -> None:
        self._api = api

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The Services that a change may concern, or the one whose slice somebody changed."""
        if event.resource != _SLICES:
            return services_of(self._api, event)
        labels = labels_of(event.object)
        owned = labels.get(_MANAGED) == _BY and labels.get(_SERVICE)
        return [(event.object["metadata"]["namespace"], labels[_SERVICE])] if owned else []

    def sync(self, key: Key) -> float | None:
        """Write the slices of one Service.

        Raises:
            ApiError: a write was refused.
        """
        service = self._api.get("services", *key)
        if service is None or not has_selector(service) or is_terminating(service):
            return None  # the garbage collector removes the slices of a Service that is gone
        wanted = slices(backends(service, self._api.list("pods", key[0])))
        present = [s for s in self._api.list(_SLICES, key[0]) if self._is_ours(s, service)]
        pairs, surplus = paired(wanted, present)
        for one, old in pairs:
            self._put(service, one, old)
        for old in surplus:
            self._api.delete(_SLICES, *key_of(old), uid=uid_of(old))
        return None

    def _is_ours(self, candidate: Object, service: Object) -> bool:
        owner = controller_of(candidate)
        managed = labels_of(candidate).get(_MANAGED) == _BY
        return managed and owner is not None and owner["uid"] == uid_of(service) and not is_terminating(candidate)

    def _put(self, service: Object, wanted: Slice, old: Object | None) -> None:
        content, namespace = wanted.to_json(service), service["metadata"]["namespace"]
        labels = {**labels_of(service), _SERVICE: service["metadata"]["name"], _MANAGED: _BY}
        if service["spec"].get("clusterIP") == "None":
            labels[_HEADLESS] = ""
        if old is not None:
            known = {k: old.get(k) or None for k in content}
            if known != content or labels_of(old) != labels:
                changed = {**old, **content, "metadata": {**old["metadata"], "labels": labels}}
                self._api.update(_SLICES, changed, manager=_MANAGER)
            return
        metadata = {
            "generateName": f"{service['metadata']['name']}-",
            "namespace": namespace,
            "labels": labels,
            "ownerReferences": [controller_reference(service)],
        }
        new = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata,
            "addressType": "IPv4",
            **content,
        }
        try:
            self._api.create(_SLICES, new, manager=_MANAGER)
        except ApiError as error:
            if error.code != 403:  # noqa: PLR2004 - the namespace is going: nothing is created in it any more
                raise


def slices(found: Sequence[Backend]) -> list[Slice]:
    """The slices for these pods: one for each way to resolve the ports, at least one (perhaps empty)."""
    groups: dict[tuple[Port, ...], list[Backend]] = {}
    for backend in found:
        groups.setdefault(backend.ports, []).append(backend)
    result = []
    for ports in sorted(groups):
        group = groups[ports]
        result += [Slice(ports, tuple(group[i : i + _LARGEST])) for i in range(0, len(group), _LARGEST)]
    return result or [Slice((), ())]


def paired(
    wanted: Sequence[Slice], present: Sequence[Object]
) -> tuple[list[tuple[Slice, Object | None]], list[Object]]:
    """Each wanted slice with the present object that it replaces (same ports first), and the objects left over."""
    rest = sorted(present, key=key_of)
    pairs: list[tuple[Slice, Object | None]] = []
    for one in wanted:
        ports = [p.to_json(always_named=True) for p in one.ports]
        match = next((o for o in rest if (o.get("ports") or []) == ports), None)
        if match is not None:
            rest.remove(match)
        pairs.append((one, match))
    for index, (one, match) in enumerate(pairs):
        if match is None and rest:
            pairs[index] = (one, rest.pop(0))
    return pairs, rest


def _endpoint(service: Object, backend: Backend) -> dict[str, Any]:
    hostname, node = backend.hostname(service), backend.pod["spec"].get("nodeName")
    return {
        "addresses": [backend.address],
        "conditions": {"ready": backend.ready, "serving": backend.serving, "terminating": backend.terminating},
        **({"hostname": hostname} if hostname else {}),
        **({"nodeName": node} if node else {}),
        "targetRef": backend.reference(),
    }
