"""What a pod asks of a node, and what nodes have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aegis.kube.quantity import parse_quantity

Amounts = dict[str, Decimal]
"""Resource name to amount: cpu in cores, memory in bytes, anything else in pieces."""

_ASSUMED: Mapping[str, Decimal] = {"cpu": Decimal("0.1"), "memory": Decimal(200 * 1024**2)}
"""What scoring assumes of a container that asks for nothing, as the scheduler of Kubernetes does."""


def amounts(quantities: Mapping[str, Any] | None) -> Amounts:
    """The numbers of a map of quantities."""
    return {name: parse_quantity(value) for name, value in (quantities or {}).items()}


def pod_requests(spec: Mapping[str, Any]) -> Amounts:
    """What a pod needs at once: its containers and sidecars together, or more while an init container runs."""
    running: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = _requests(container)
        if container.get("restartPolicy") == "Always":
            running = _added(running, own)
            peak = _greatest(peak, running)
        else:
            peak = _greatest(peak, _added(running, own))
    for container in spec.get("containers") or ():
        running = _added(running, _requests(container))
    total = _greatest(peak, running)
    total.update(_requests(spec))  # pod-level requests stand for those of the containers
    return _added(total, amounts(spec.get("overhead")))


def assumed_requests(spec: Mapping[str, Any]) -> Amounts:
    """The same for scoring: a pod that asks for nothing still uses something."""
    requests = pod_requests(spec)
    return {name: requests.get(name) or least for name, least in _ASSUMED.items()}


def allocatable(node: Mapping[str, Any]) -> Amounts:
    """What a node offers to pods."""
    status = node.get("status") or {}
    return amounts(status.get("allocatable") or status.get("capacity"))


def _requests(container: Mapping[str, Any]) -> Amounts:
    resources = container.get("resources") or {}
    return amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _added(one: Amounts, other: Amounts) -> Amounts:
    return {name: one.get(name, Decimal(0)) + other.get(name, Decimal(0)) for name in {**one, **other}}


def _greatest(one: Amounts, other: Amounts) -> Amounts:
    return {name: max(one.get(name, Decimal(0)), other.get(name, Decimal(0))) for name in {**one, **other}}
