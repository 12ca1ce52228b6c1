"""Which less important pods would have to go, and from where, so that a pod fits. Pure.

The choices are those of Kubernetes' default preemption: first what breaks the fewest disruption budgets, then what is
least important, then what is least.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.objects import is_terminating
from aegis.localcluster.controllers.scheduling.decision import node_misfit
from aegis.localcluster.controllers.scheduling.snapshot import NodeView, Snapshot
from aegis.localcluster.disruption import selects


@dataclass(frozen=True, slots=True, kw_only=True)
class Preemption:
    """What makes room.

    Attributes:
        node: where.
        victims: the pods that have to go, the most important first.
        broken: how many of them no budget lets go.
    """

    node: str
    victims: Sequence[Object]
    broken: int

    def cost(self) -> tuple[int, int, int, int, str]:
        """What it costs; the least is chosen."""
        priorities = [priority(v) for v in self.victims]
        # Of equal ones the younger go, so that less work is lost.
        started = max(str((v.get("status") or {}).get("startTime") or "") for v in self.victims)
        return self.broken, priorities[0], sum(priorities), len(priorities), _descending(started)


def priority(pod: Object) -> int:
    """How important a pod is."""
    value: int = pod["spec"].get("priority") or 0
    return value


def ineligible(pod: Object, snapshot: Snapshot) -> str:
    """Why a pod may not make others go now; empty if it may."""
    if pod["spec"].get("preemptionPolicy") == "Never":
        return "not eligible due to preemptionPolicy=Never."
    nominated = (pod.get("status") or {}).get("nominatedNodeName")
    views = [v for v in snapshot.nodes if v.name == nominated]
    if any(is_terminating(p) and priority(p) < priority(pod) for v in views for p in v.pods):
        return "not eligible due to a terminating pod on the nominated node."
    return ""


def preempt(pod: Object, snapshot: Snapshot, nodes: Iterable[str], budgets: Sequence[Object]) -> Preemption | None:
    """The cheapest way to make room on one of these nodes, or None."""
    views = {v.name: v for v in snapshot.nodes}
    found = [p for name in nodes if (p := _on(pod, views[name], snapshot, budgets)) is not None]
    return min(found, key=Preemption.cost, default=None)


def _on(pod: Object, view: NodeView, snapshot: Snapshot, budgets: Sequence[Object]) -> Preemption | None:
    lower = [p for p in view.pods if priority(p) < priority(pod)]
    kept = [p for p in view.pods if priority(p) >= priority(pod)]
    if not lower or not _fits(pod, view, kept, snapshot):
        return None
    protected, free = _by_budgets(lower, budgets)
    victims: list[Object] = []
    broken = 0
    for group, counts in ((protected, True), (free, False)):
        for one in group:
            if _fits(pod, view, [*kept, one], snapshot):
                kept.append(one)
            else:
                victims.append(one)
                broken += counts
    if not victims:
        return None
    return Preemption(node=view.name, victims=sorted(victims, key=lambda v: -priority(v)), broken=broken)


def _fits(pod: Object, view: NodeView, pods: Iterable[Object], snapshot: Snapshot) -> bool:
    """Whether a pod fits on a node that has only these pods."""
    alone = NodeView(node=view.node, offered=view.offered)
    for one in pods:
        alone.add(one)
    others = [alone if v.name == view.name else v for v in snapshot.nodes]
    return node_misfit(pod, alone, replace(snapshot, nodes=others)) is None


def _by_budgets(pods: Sequence[Object], budgets: Sequence[Object]) -> tuple[list[Object], list[Object]]:
    """Those that their budget holds, and the others; each the most important first."""
    left = {id(b): (b.get("status") or {}).get("disruptionsAllowed") or 0 for b in budgets}
    protected: list[Object] = []
    free: list[Object] = []
    for one in sorted(pods, key=lambda p: (-priority(p), p["metadata"]["creationTimestamp"])):
        space = one["metadata"]["namespace"]
        own = [b for b in budgets if b["metadata"]["namespace"] == space and selects(b, one)]
        for budget in own:
            left[id(budget)] -= 1
        (protected if any(left[id(b)] < 0 for b in own) else free).append(one)
    return protected, free


def _descending(text: str) -> str:
    """A text that sorts the other way round."""
    return "".join(chr(0x10FFFF - ord(c)) for c in text)
