"""Which pods stand behind a Service, under which addresses and ports. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aegis.kube.selector import equality_selector
from aegis.localcluster.api import Object
from aegis.localcluster.controllers.objects import is_ready, is_terminating, key_of, labels_of


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A Service port as one pod resolves it."""

    name: str
    number: int
    protocol: str
    app_protocol: str = ""

    def to_json(self, *, always_named: bool) -> dict[str, Any]:
        """The port of an EndpointSlice (always named) or of Endpoints."""
        named = {"name": self.name} if self.name or always_named else {}
        protocol = {"appProtocol": self.app_protocol} if self.app_protocol else {}
        return {**named, "port": self.number, "protocol": self.protocol, **protocol}


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One pod behind a Service.

    Attributes:
        serving: its readiness says yes, whether or not it is being deleted.
        ready: it should get new connections.
    """

    pod: Object
    address: str
    ports: tuple[Port, ...]
    serving: bool
    ready: bool
    terminating: bool

    def reference(self) -> dict[str, str]:
        """The `targetRef` of an endpoint."""
        namespace, name = key_of(self.pod)
        return {"kind": "Pod", "name": name, "namespace": namespace, "uid": self.pod["metadata"]["uid"]}

    def hostname(self, service: Object) -> str:
        """The pod's own name under a Service that is its `subdomain`, else empty."""
        spec = self.pod["spec"]
        name: str = spec.get("hostname") or ""
        return name if name and spec.get("subdomain") == service["metadata"]["name"] else ""


def has_selector(service: Object) -> bool:
    """Whether the endpoints of a Service are the controllers' business."""
    return bool(service["spec"].get("selector")) and service["spec"].get("type") != "ExternalName"


def backends(service: Object, pods: Iterable[Object]) -> list[Backend]:
    """The pods behind a Service that have an address, by name."""
    selector = equality_selector(service["spec"].get("selector"))
    chosen = [p for p in pods if selector.matches(labels_of(p)) and _is_addressable(p)]
    return [_backend(service, p) for p in sorted(chosen, key=key_of)]


def target_port(pod: Object, port: Mapping[str, Any]) -> int | None:
    """The number of the pod's port that a Service port means; None where the pod has no port of that name."""
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    protocol = port.get("protocol", "TCP")
    sidecars = [c for c in pod["spec"].get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in [*pod["spec"]["containers"], *sidecars]:
        for offered in container.get("ports") or ():
            if offered.get("name") == target and offered.get("protocol", "TCP") == protocol:
                number: int = offered["containerPort"]
                return number
    return None


def _is_addressable(pod: Object) -> bool:
    status = pod.get("status") or {}
    return bool(status.get("podIP")) and status.get("phase") not in {"Succeeded", "Failed"}


def _backend(service: Object, pod: Object) -> Backend:
    always, ready, terminating = (
        bool(service["spec"].get("publishNotReadyAddresses")),
        is_ready(pod),
        is_terminating(pod),
    )
    resolved = (
        Port(p.get("name") or "", number, p.get("protocol", "TCP"), p.get("appProtocol") or "")
        for p in service["spec"].get("ports") or ()
        if (number := target_port(pod, p)) is not None
    )
    return Backend(
        pod=pod,
        address=pod["status"]["podIP"],
        ports=tuple(sorted(resolved)),
        serving=always or ready,
        ready=always or (ready and not terminating),
        terminating=terminating,
    )
