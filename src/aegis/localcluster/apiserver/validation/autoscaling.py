"""Metrics and behavior of autoscalers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aegis.localcluster.apiserver.refusals import invalid_value, required
from aegis.localcluster.apiserver.validation import values
from aegis.localcluster.status import Cause

Object = Mapping[str, Any]

_SOURCES = ("ContainerResource", "External", "Object", "Pods", "Resource")
_WINDOW_MAX, _PERIOD_MAX = 3600, 1800


def metrics(given: Iterable[Object]) -> list[Cause]:
    """The metrics of a spec."""
    return [fault for index, metric in enumerate(given) for fault in _metric(metric, f"spec.metrics[{index}]")]


def behavior(given: Object) -> list[Cause]:
    """The behavior of a spec."""
    faults = []
    for direction in ("scaleUp", "scaleDown"):
        faults += _rules(given.get(direction) or {}, f"spec.behavior.{direction}")
    return faults


def _metric(metric: Object, field: str) -> list[Cause]:
    kind = metric.get("type")
    if not kind:
        return [required(f"{field}.type", "must specify a metric source type")]
    if faults := values.one_of(kind, f"{field}.type", _SOURCES):
        return faults
    name = kind[0].lower() + kind[1:]
    source = metric.get(name)
    if not source:
        return [required(f"{field}.{name}", "must populate information for the given metric source")]
    if kind not in {"Resource", "ContainerResource"}:
        return []
    here = f"{field}.{name}"
    faults = values.present(source.get("name"), f"{here}.name", "must specify a resource name")
    if kind == "ContainerResource":
        faults += values.present(source.get("container"), f"{here}.container", "must specify a container name")
    return faults + _target(source.get("target") or {}, f"{here}.target")


def _target(target: Object, field: str) -> list[Cause]:
    faults = values.present(target.get("type"), f"{field}.type", "must specify a metric target type")
    faults += values.one_of(target.get("type"), f"{field}.type", ("AverageValue", "Utilization", "Value"))
    percent, value = target.get("averageUtilization"), target.get("averageValue")
    if percent is not None:
        faults += values.not_negative(percent, f"{field}.averageUtilization", least=1)
    if percent is None and value is None:
        faults.append(
            required(f"{field}.averageUtilization", "must set either a target raw value or a target utilization")
        )
    if percent is not None and value is not None:
        why = "may not set both a target raw value and a target utilization"
        faults.append(invalid_value(f"{field}.averageValue", value, why))
    return faults


def _rules(rules: Object, field: str) -> list[Cause]:
    faults = _within(rules.get("stabilizationWindowSeconds"), f"{field}.stabilizationWindowSeconds", 0, _WINDOW_MAX)
    faults += values.one_of(rules.get("selectPolicy"), f"{field}.selectPolicy", ("Disabled", "Max", "Min"))
    policies = rules.get("policies")
    if policies is not None and not policies:
        faults.append(required(f"{field}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies or ()):
        here = f"{field}.policies[{index}]"
        faults += values.one_of(policy.get("type"), f"{here}.type", ("Percent", "Pods"))
        if not policy.get("value", 0) > 0:
            faults.append(invalid_value(f"{here}.value", policy.get("value", 0), "must be greater than zero"))
        faults += _within(policy.get("periodSeconds", 0), f"{here}.periodSeconds", 1, _PERIOD_MAX)
    return faults


def _within(value: Any, field: str, least: int, most: int) -> list[Cause]:
    if value is None or least <= value <= most:
        return []
    why = f"must be less than or equal to {most}" if value > most else f"must be greater than or equal to {least}"
    return [invalid_value(field, value, why)]
