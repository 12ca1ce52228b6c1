"""The metrics of a HorizontalPodAutoscaler: what each of them says of the target's pods now."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aegis.kube.quantity import format_quantity, parse_quantity
from aegis.localcluster.api import ContainerUsage, MetricsSource, Object, PodUsage
from aegis.localcluster.controllers.autoscaling import proposal
from aegis.localcluster.controllers.autoscaling.proposal import Clock, MetricError, Proposal, Reading, Tolerance

_MILLI = 1000
_UNREACHABLE = "the server could not find the requested resource"
_ADAPTED = {
    "Pods": ("pods", "custom metrics", "custom.metrics.k8s.io"),
    "Object": ("object", "custom metrics", "custom.metrics.k8s.io"),
    "External": ("external", "external metrics", "external.metrics.k8s.io"),
}
"""Metrics that an adapter would have to serve: there is none here, as on a plain cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one metric asks for.

    Attributes:
        replicas: the size.
        name: what it is, in words.
        status: its entry of `status.currentMetrics`.
    """

    replicas: int
    name: str
    status: Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is scaled: its size now, the pods that its selector selects, and how far from the target is near enough."""

    current: int
    pods: Sequence[Object]
    tolerance: Tolerance


class UnmeasuredError(Exception):
    """A metric that says nothing.

    Attributes:
        reason: of the event and the condition.
        what: the metric.
        why: in words.
    """

    def __init__(self, reason: str, what: str, why: str) -> None:
        super().__init__(why)
        self.reason, self.what, self.why = reason, what, why


def measure(metric: Mapping[str, Any], target: Target, source: MetricsSource | None, clock: Clock) -> Measured:
    """Ask one metric of a spec.

    Raises:
        UnmeasuredError: it cannot be read, or makes no sense for these pods.
    """
    kind = metric["type"]
    if kind in _ADAPTED:
        what, words, group = _ADAPTED[kind]
        why = f"unable to fetch metrics from {words} API: {_UNREACHABLE} (get {group})"
        raise UnmeasuredError(f"FailedGet{kind}Metric", what, why)
    field = kind[0].lower() + kind[1:]
    asked, resource = metric[field], metric[field]["name"]
    container = asked.get("container", "") if kind == "ContainerResource" else ""
    try:
        found = _proposed(asked, container, target, _Source(source, clock))
    except MetricError as error:
        verb = "utilization" if asked["target"].get("averageUtilization") is not None else "resource"
        raise UnmeasuredError(
            f"FailedGet{kind}Metric", resource, f"failed to get {resource} {verb}: {error}"
        ) from error
    current = {
        **({} if found.utilization is None else {"averageUtilization": found.utilization}),
        "averageValue": shown(found.average, resource),
    }
    named = {"name": resource, **({"container": container} if container else {}), "current": current}
    label = f"{resource} container resource" if container else f"{resource} resource"
    if found.utilization is not None:
        label += " utilization (percentage of request)"
    return Measured(replicas=found.replicas, name=label, status={"type": kind, field: named})


@dataclass(frozen=True, slots=True)
class _Source:
    metrics: MetricsSource | None
    clock: Clock


def _proposed(asked: Mapping[str, Any], container: str, target: Target, source: _Source) -> Proposal:
    resource, goal = asked["name"], asked["target"]
    readings = _readings(resource, container, target.pods, source.metrics)
    groups = proposal.grouped(target.pods, readings, starting=resource == "cpu", clock=source.clock)
    if (percent := goal.get("averageUtilization")) is not None:
        requests = proposal.requests_of(target.pods, resource, container, milli)
        return proposal.by_utilization(groups, target.current, percent, requests, tolerance=target.tolerance)
    if goal.get("averageValue") is not None:
        return proposal.by_average(groups, target.current, milli(goal["averageValue"]), tolerance=target.tolerance)
    raise MetricError(
        "invalid resource metric source: neither an average utilization target nor an average value (usage) target was set"
    )


def _readings(
    resource: str, container: str, pods: Sequence[Object], source: MetricsSource | None
) -> dict[str, Reading]:
    words = f"unable to get metrics for resource {resource}"
    if source is None:
        raise MetricError(f"{words}: unable to fetch metrics from resource metrics API: {_UNREACHABLE}")
    if not pods:
        raise MetricError("no pods returned by selector while calculating replica count")
    found = {}
    for pod in pods:
        usage = source.usage(pod["metadata"]["uid"])
        if usage is not None and (amount := _amount(resource, container, usage)) is not None:
            found[pod["metadata"]["name"]] = Reading(amount=amount, at=usage.at, window=usage.window)
    if not found:
        raise MetricError(f"{words}: no metrics returned from resource metrics API")
    return found


def _amount(resource: str, container: str, usage: PodUsage) -> int | None:
    chosen = [u for name, u in usage.containers.items() if container in {"", name}]
    amounts = [_of(resource, u) for u in chosen]
    return None if not amounts or None in amounts else sum(a for a in amounts if a is not None)


def _of(resource: str, usage: ContainerUsage) -> int | None:
    if resource == "cpu":
        return math.ceil(usage.cpu * _MILLI)
    return usage.memory * _MILLI if resource == "memory" else None


def milli(quantity: Any) -> int:
    """A quantity in whole milli-units, rounded up."""
    return math.ceil(parse_quantity(quantity) * _MILLI)


def shown(amount: int, resource: str) -> str:
    """Milli-units as a quantity."""
    value = Decimal(amount) / _MILLI
    return format_quantity(value, "BinarySI" if resource == "memory" and amount % _MILLI == 0 else "DecimalSI")
