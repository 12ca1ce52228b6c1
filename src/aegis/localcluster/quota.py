"""What an object costs a ResourceQuota. Pure; admission refuses by it, and the quota controller counts by it.

Names and rules are those of Kubernetes: `pods`, `requests.cpu` (or `cpu`), `limits.memory`, `count/deployments.apps`,
`services.nodeports`, `requests.storage`; pods that have ended cost nothing but `count/pods`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from aegis.kube.quantity import format_quantity, parse_quantity, quantity_format
from aegis.localcluster.api import Object

Cost = dict[str, Decimal]
"""Quota resource name to amount."""

_PLAIN_COUNTS = frozenset({
    "configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "secrets", "services",
})  # fmt: skip
_COMPUTE = frozenset({"cpu", "memory", "ephemeral-storage"})
_ENDED = frozenset({"Succeeded", "Failed"})


def cost(quota: Object, resource: str, obj: Object) -> Cost:
    """What one object takes of a quota: an amount for each of its `hard` names that the object touches.

    Args:
        quota: the ResourceQuota; its namespace is the caller's business.
        resource: the object's resource, as `pods` or `deployments.apps`.
        obj: the object, with defaults filled in.
    """
    hard = quota["spec"].get("hard") or {}
    if not _in_scope(quota["spec"], resource, obj):
        return {}
    return {name: amount for name, amount in _full_cost(resource, obj).items() if name in hard}


def counted(quota: Object) -> frozenset[str]:
    """The resources whose objects a quota counts."""
    names = set()
    for name in quota["spec"].get("hard") or {}:
        if name.startswith("count/"):
            names.add(name.removeprefix("count/"))
        elif name in _PLAIN_COUNTS:
            names.add(name)
        elif name.startswith("services."):
            names.add("services")
        elif name == "requests.storage" or "storageclass.storage.k8s.io/" in name:
            names.add("persistentvolumeclaims")
        else:
            names.add("pods")
    return frozenset(names)


def used(quota: Object, objects: Iterable[tuple[str, Object]]) -> dict[str, str]:
    """`status.used`: every `hard` name with its sum, written in the manner of the limit."""
    hard: Mapping[str, Any] = quota["spec"].get("hard") or {}
    sums: Cost = dict.fromkeys(hard, Decimal(0))
    for resource, obj in objects:
        for name, amount in cost(quota, resource, obj).items():
            sums[name] += amount
    return {name: format_quantity(amount, quantity_format(hard[name])) for name, amount in sums.items()}


def required_by(quota: Object, resource: str, obj: Object) -> list[str]:
    """The compute names of a quota that a pod leaves unset though the quota demands them (as `limits.memory`)."""
    if resource != "pods" or not _in_scope(quota["spec"], resource, obj):
        return []
    missing = set()
    for name in quota["spec"].get("hard") or {}:
        kind, _, what = name.rpartition(".")
        if what in _COMPUTE and kind in {"", "requests", "limits"}:
            field = kind or "requests"
            if any(what not in _set(c, field) for c in _all_containers(obj["spec"])):
                missing.add(name)
    return sorted(missing)


def _full_cost(resource: str, obj: Object) -> Cost:
    amounts: Cost = {f"count/{resource}": Decimal(1)}
    if resource in _PLAIN_COUNTS:
        amounts[resource] = Decimal(1)
    special = _SPECIAL.get(resource)
    return {**amounts, **special(obj)} if special is not None else amounts


def _of_pod(pod: Object) -> Cost:
    if (pod.get("status") or {}).get("phase") in _ENDED:
        return {}
    amounts: Cost = {"pods": Decimal(1)}
    for what, amount in _pod_total(pod["spec"], "requests").items():
        amounts[f"requests.{what}"] = amount
        if what in _COMPUTE:
            amounts[what] = amount
    for what, amount in _pod_total(pod["spec"], "limits").items():
        amounts[f"limits.{what}"] = amount
    return amounts


def _pod_total(spec: Mapping[str, Any], field: str) -> Cost:
    running: Cost = {}
    peak: Cost = {}
    for container in spec.get("initContainers") or ():
        own = _amounts(_set(container, field))
        if container.get("restartPolicy") == "Always":
            running = _added(running, own)
        peak = _greatest(peak, running if container.get("restartPolicy") == "Always" else _added(running, own))
    for container in spec.get("containers") or ():
        running = _added(running, _amounts(_set(container, field)))
    return _added(_greatest(running, peak), _amounts(spec.get("overhead")))


def _of_service(service: Object) -> Cost:
    spec = service["spec"]
    kind, ports = spec.get("type", "ClusterIP"), spec.get("ports") or ()
    if kind == "LoadBalancer":
        nodes = sum(1 for p in ports if p.get("nodePort")) if spec.get("allocateLoadBalancerNodePorts", True) else 0
        return {"services.loadbalancers": Decimal(1), "services.nodeports": Decimal(nodes)}
    return {"services.nodeports": Decimal(len(ports))} if kind == "NodePort" else {}


def _of_claim(claim: Object) -> Cost:
    spec = claim["spec"]
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    amounts: Cost = {"requests.storage": parse_quantity(asked)} if asked is not None else {}
    if name := spec.get("storageClassName"):
        prefix = f"{name}.storageclass.storage.k8s.io"
        amounts |= {f"{prefix}/{k}": v for k, v in amounts.items()}
        amounts[f"{prefix}/persistentvolumeclaims"] = Decimal(1)
    return amounts


_SPECIAL: Mapping[str, Callable[[Object], Cost]] = {
    "pods": _of_pod,
    "services": _of_service,
    "persistentvolumeclaims": _of_claim,
}


def _in_scope(spec: Mapping[str, Any], resource: str, obj: Object) -> bool:
    terms = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    wanted = [(name, "Exists", frozenset[str]()) for name in spec.get("scopes") or ()]
    wanted += [(t["scopeName"], t["operator"], frozenset(t.get("values") or ())) for t in terms]
    if not wanted:
        return True
    return resource == "pods" and all(_meets(obj["spec"], *term) for term in wanted)


def _meets(spec: Mapping[str, Any], scope: str, operator: str, values: frozenset[str]) -> bool:
    if scope == "PriorityClass":
        name = spec.get("priorityClassName") or ""
        found = {"In": name in values, "NotIn": name not in values, "Exists": bool(name), "DoesNotExist": not name}
        return found.get(operator, False)
    limited, best_effort = spec.get("activeDeadlineSeconds") is not None, _is_best_effort(spec)
    facts = {
        "Terminating": limited,
        "NotTerminating": not limited,
        "BestEffort": best_effort,
        "NotBestEffort": not best_effort,
    }
    return facts.get(scope, False)


def _is_best_effort(spec: Mapping[str, Any]) -> bool:
    return not any(
        what in {"cpu", "memory"} for c in _all_containers(spec) for f in ("requests", "limits") for what in _set(c, f)
    )


def _all_containers(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _set(container: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """The requests or limits of a container; a limit stands for a request that is not set."""
    resources = container.get("resources") or {}
    limits: Mapping[str, Any] = resources.get("limits") or {}
    return limits if field == "limits" else {**limits, **(resources.get("requests") or {})}


def _amounts(quantities: Mapping[str, Any] | None) -> Cost:
    return {name: parse_quantity(value) for name, value in (quantities or {}).items()}


def _added(one: Cost, other: Cost) -> Cost:
    return {n: one.get(n, Decimal(0)) + other.get(n, Decimal(0)) for n in {**one, **other}}


def _greatest(one: Cost, other: Cost) -> Cost:
    return {n: max(one.get(n, Decimal(0)), other.get(n, Decimal(0))) for n in {**one, **other}}
