"""How many trials the nodes have room for: a pod that waits for room says nothing about a fix. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import count

from aegis.kube.pod_template import containers, pod_spec_of
from aegis.kube.quantity import parse_quantity
from aegis.model.refs import Json

Amounts = Mapping[str, Decimal]

_ODDS = 20
_COUNTED = ("cpu", "memory")
_ENDED = frozenset({"Succeeded", "Failed"})


def requests(workload: Json) -> Amounts:
    """What one pod of a workload asks a node for: its containers together, or its greediest init container."""
    spec = pod_spec_of(workload) or {}
    found = {}
    for name in _COUNTED:
        running = sum((_request(at.spec, name) for at in containers(spec) if _runs_on(at.group, at.spec)), Decimal(0))
        starting = max((_request(at.spec, name) for at in containers(spec) if at.group == "initContainers"), default=0)
        overhead = _quantity((spec.get("overhead") or {}).get(name))
        found[name] = max(running, Decimal(starting)) + overhead
    return found


def room(nodes: Sequence[Json], pods: Iterable[Json]) -> list[dict[str, Decimal]]:
    """What is free on each node that takes ordinary pods."""
    free = {
        str(node["metadata"]["name"]): {
            name: _quantity(((node.get("status") or {}).get("allocatable") or {}).get(name)) for name in _COUNTED
        }
        for node in nodes
        if _takes_pods(node)
    }
    for pod in pods:
        node = free.get(str((pod.get("spec") or {}).get("nodeName") or ""))
        if node is not None and (pod.get("status") or {}).get("phase") not in _ENDED:
            for name, amount in requests(pod).items():
                node[name] -= amount
    return list(free.values())


def most_trials(free: Sequence[Mapping[str, Decimal]], each: Sequence[Amounts], wanted: int) -> int:
    """How many trials fit, at most `wanted`, where each takes these pods; at least 1, for what then happens is told."""
    return next((most for most in range(wanted, 1, -1) if _fits(free, [*each] * most)), 1)


def rivals_needed(candidates: int, usual: int) -> int:
    """How many pods of R must fail beside so many good ones of C for Fisher's test to tell the arms apart (p <= .05).

    All of R failing and none of C has the chance 1 / C(r + c, c): five are enough beside two of C, one needs nineteen.
    """
    return next(rivals for rivals in count(usual) if math.comb(rivals + candidates, candidates) >= _ODDS)


def _fits(free: Sequence[Mapping[str, Decimal]], pods: Sequence[Amounts]) -> bool:
    """First fit, the greediest first: what a scheduler would find at the latest."""
    left = [dict(node) for node in free]
    for pod in sorted(pods, key=lambda amounts: tuple(amounts.values()), reverse=True):
        node = next((node for node in left if all(node[name] >= pod[name] for name in _COUNTED)), None)
        if node is None:
            return False
        for name in _COUNTED:
            node[name] -= pod[name]
    return True


def _takes_pods(node: Json) -> bool:
    spec = node.get("spec") or {}
    shut = any(taint.get("effect") in {"NoSchedule", "NoExecute"} for taint in spec.get("taints") or [])
    return not spec.get("unschedulable") and not shut


def _runs_on(group: str, container: Json) -> bool:
    return group == "containers" or (group == "initContainers" and container.get("restartPolicy") == "Always")


def _request(container: Json, name: str) -> Decimal:
    resources = container.get("resources") or {}
    stated = (resources.get("requests") or {}).get(name, (resources.get("limits") or {}).get(name))
    return _quantity(stated)


def _quantity(text: object) -> Decimal:
    """An amount; what cannot be read counts as none."""
    if not isinstance(text, str | int | float) or isinstance(text, bool):
        return Decimal(0)
    try:
        return parse_quantity(text)
    except ValueError:
        return Decimal(0)
