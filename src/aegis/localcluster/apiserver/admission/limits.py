"""LimitRange: defaults for containers, and bounds for containers, pods and claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from aegis.kube.quantity import QuantityError, parse_quantity
from aegis.localcluster.apiserver.admission.request import Request
from aegis.localcluster.apiserver.refusals import Forbidden
from aegis.localcluster.apiserver.store import Store

_GROUPS = ("initContainers", "containers")
Amounts = dict[str, Decimal]


class LimitRanges:
    """Applies the LimitRanges of a namespace to what is created in it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def mutate(self, request: Request) -> None:
        """Give a new pod's containers their defaults."""
        if not request.creates("pods"):
            return
        for item in self._items(request, "Container"):
            for group in _GROUPS:
                for container in request.new["spec"].get(group) or ():
                    _fill(container, item)

    def judge(self, request: Request) -> None:
        """Check bounds.

        Raises:
            Forbidden: with every bound that is broken.
        """
        if request.creates("pods"):
            faults = self._pod_faults(request)
        elif request.creates("persistentvolumeclaims"):
            asked = ((request.new["spec"].get("resources") or {}).get("requests")) or {}
            amounts = _amounts(asked)
            faults = [f for i in self._items(request, "PersistentVolumeClaim") for f in _bounds(i, amounts, amounts)]
        else:
            return
        if faults:
            text = faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]"
            raise Forbidden(request.resource, request.name, text)

    def _pod_faults(self, request: Request) -> list[str]:
        spec, faults = request.new["spec"], []
        for item in self._items(request, "Container"):
            for group in _GROUPS:
                for container in spec.get(group) or ():
                    resources = container.get("resources") or {}
                    requests, limits = _amounts(resources.get("requests")), _amounts(resources.get("limits"))
                    faults += _bounds(item, requests, limits)
        for item in self._items(request, "Pod"):
            faults += _bounds(item, _total(spec, "requests"), _total(spec, "limits"))
        return faults

    def _items(self, request: Request, kind: str) -> Iterator[Mapping[str, Any]]:
        for limit_range in self._store.objects("limitranges", request.namespace):
            for item in limit_range["spec"].get("limits") or ():
                if item.get("type") == kind:
                    yield item


def _fill(container: dict[str, Any], item: Mapping[str, Any]) -> None:
    resources = container.setdefault("resources", {})
    for field, defaults in (("limits", item.get("default")), ("requests", item.get("defaultRequest"))):
        for name, value in (defaults or {}).items():
            if name not in (resources.get(field) or {}):
                resources[field] = {**(resources.get(field) or {}), name: value}


def _bounds(item: Mapping[str, Any], requests: Amounts, limits: Amounts) -> list[str]:
    kind, faults = item["type"], []
    for name, least in (item.get("min") or {}).items():
        found = requests.get(name)
        if found is None:
            faults.append(f"minimum {name} usage per {kind} is {least}.  No request is specified")
        elif found < parse_quantity(least):
            faults.append(f"minimum {name} usage per {kind} is {least}, but request is {_shown(found)}")
    for name, most in (item.get("max") or {}).items():
        found = limits.get(name)
        if found is None:
            faults.append(f"maximum {name} usage per {kind} is {most}.  No limit is specified")
        elif found > parse_quantity(most):
            faults.append(f"maximum {name} usage per {kind} is {most}, but limit is {_shown(found)}")
    for name, ratio in (item.get("maxLimitRequestRatio") or {}).items():
        low, high = requests.get(name), limits.get(name)
        if not low or high is None:
            faults.append(
                f"{name} max limit to request ratio per {kind} is {ratio}, but no request or limit is specified"
            )
        elif high / low > parse_quantity(ratio):
            faults.append(
                f"{name} max limit to request ratio per {kind} is {ratio}, but provided ratio is {high / low:.6f}"
            )
    return faults


def _total(spec: Mapping[str, Any], field: str) -> Amounts:
    total: Amounts = {}
    for container in spec.get("containers") or ():
        for name, amount in _amounts((container.get("resources") or {}).get(field)).items():
            total[name] = total.get(name, Decimal(0)) + amount
    for container in spec.get("initContainers") or ():
        for name, amount in _amounts((container.get("resources") or {}).get(field)).items():
            total[name] = max(total.get(name, Decimal(0)), amount)
    return total


def _amounts(quantities: Mapping[str, Any] | None) -> Amounts:
    try:
        return {name: parse_quantity(value) for name, value in (quantities or {}).items()}
    except QuantityError:
        return {}


def _shown(amount: Decimal) -> str:
    return format(amount.normalize(), "f")
