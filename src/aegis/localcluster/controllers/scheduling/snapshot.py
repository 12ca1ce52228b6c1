"""The nodes and what runs on them, as one scheduling pass sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.objects import labels_of
from aegis.localcluster.controllers.scheduling.requests import Amounts, allocatable, pod_requests
from aegis.localcluster.storage import waits_for_consumer

HostPort = tuple[str, int, str]
"""Protocol, port, host address."""


@dataclass(slots=True, kw_only=True)
class NodeView:
    """One node with its pods."""

    node: Object
    pods: list[Object] = field(default_factory=list)
    offered: Amounts = field(default_factory=dict)
    used: Amounts = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The node's name."""
        name: str = self.node["metadata"]["name"]
        return name

    @property
    def labels(self) -> Mapping[str, str]:
        """The node's labels."""
        return labels_of(self.node)

    @property
    def taints(self) -> list[Mapping[str, Any]]:
        """The node's taints."""
        return (self.node.get("spec") or {}).get("taints") or []

    def add(self, pod: Object) -> None:
        """Count a pod in."""
        self.pods.append(pod)
        for name, amount in pod_requests(pod["spec"]).items():
            self.used[name] = self.used.get(name, Decimal(0)) + amount

    def host_ports(self) -> set[HostPort]:
        """The host ports that its pods hold."""
        return {port for pod in self.pods for port in host_ports(pod["spec"])}


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """Everything that a decision looks at.

    Attributes:
        nodes: by name, in order.
        namespaces: each namespace's labels.
        claims: PersistentVolumeClaims by (namespace, name).
        volumes: PersistentVolumes by name.
        patient: the storage classes whose claims are bound only when a pod has a node.
    """

    nodes: list[NodeView]
    namespaces: Mapping[str, Mapping[str, str]]
    claims: Mapping[tuple[str, str], Object]
    volumes: Mapping[str, Object]
    patient: frozenset[str]

    @classmethod
    def of(
        cls,
        nodes: Iterable[Object],
        pods: Iterable[Object],
        namespaces: Iterable[Object] = (),
        *,
        claims: Iterable[Object] = (),
        volumes: Iterable[Object] = (),
        classes: Iterable[Object] = (),
    ) -> Snapshot:
        """Take the state: pods that have ended no longer count."""
        views = {n["metadata"]["name"]: NodeView(node=n, offered=allocatable(n)) for n in nodes}
        for pod in pods:
            view = views.get(pod["spec"].get("nodeName") or "")
            if view is not None and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}:
                view.add(pod)
        return cls(
            nodes=[views[name] for name in sorted(views)],
            namespaces={n["metadata"]["name"]: labels_of(n) for n in namespaces},
            claims={(c["metadata"]["namespace"], c["metadata"]["name"]): c for c in claims},
            volumes={v["metadata"]["name"]: v for v in volumes},
            patient=frozenset(c["metadata"]["name"] for c in classes if waits_for_consumer(c)),
        )


def host_ports(spec: Mapping[str, Any]) -> list[HostPort]:
    """The host ports that a pod wants."""
    return [
        (port.get("protocol", "TCP"), port["hostPort"], port.get("hostIP") or "0.0.0.0")  # noqa: S104 - a wildcard to compare with, nothing binds to it
        for container in spec.get("containers") or ()
        for port in container.get("ports") or ()
        if port.get("hostPort")
    ]
