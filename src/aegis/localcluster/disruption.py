"""How many pods a PodDisruptionBudget lets go, and whether one of them may be evicted. Pure.

Source: the policy/v1 API reference, and the behaviour of Kubernetes' disruption controller and eviction subresource.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from aegis.kube.selector import SelectorError, label_selector

Json = Mapping[str, Any]

DELETION_SECONDS: Final = 120.0
"""Nominal seconds that an evicted pod has until it is gone; then the budget counts it as before."""

Verdict = Literal["delete", "take", "refuse", "not yet"]
"""An eviction: delete the pod, delete it and take it from the budget, refuse it, or refuse it for this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The numbers of a budget's status.

    Attributes:
        expected: how many pods there should be.
        desired: how many have to be healthy.
        healthy: how many are.
    """

    expected: int
    desired: int
    healthy: int

    @property
    def allowed(self) -> int:
        """How many more may be evicted now."""
        return max(0, self.healthy - self.desired) if self.expected > 0 else 0

    def to_status(self) -> dict[str, int]:
        """As a status shows them."""
        return {
            "currentHealthy": self.healthy,
            "desiredHealthy": self.desired,
            "expectedPods": self.expected,
            "disruptionsAllowed": self.allowed,
        }


def selects(budget: Json, pod: Json) -> bool:
    """Whether a pod is under a budget: one without a selector has none, one with an empty selector all."""
    try:
        chosen = label_selector((budget.get("spec") or {}).get("selector"))
    except SelectorError:
        return False
    return chosen.matches(pod["metadata"].get("labels") or {})


def needs_scale(spec: Json) -> bool:
    """Whether what is expected follows from the pods' owners, rather than from the number of pods."""
    return spec.get("maxUnavailable") is not None or isinstance(spec.get("minAvailable"), str)


def bounds(spec: Json, *, pods: int, scale: int) -> tuple[int, int]:
    """The expected and the desired number of pods.

    Args:
        spec: the budget's.
        pods: how many pods it selects.
        scale: the sizes of their owners together; asked for only where `needs_scale`.
    """
    if (most := spec.get("maxUnavailable")) is not None:
        return scale, max(0, scale - _amount(most, scale))
    least = spec.get("minAvailable", 0)
    if isinstance(least, str):
        return scale, _amount(least, scale)
    return pods, least


def healthy(pods: Iterable[Json], disrupted: Json) -> int:
    """How many pods are ready and stay."""
    return sum(
        1
        for p in pods
        if not p["metadata"].get("deletionTimestamp") and p["metadata"]["name"] not in disrupted and is_ready(p)
    )


def is_ready(pod: Json) -> bool:
    """Whether a pod's condition Ready stands at True."""
    conditions: Sequence[Json] = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def is_free(pod: Json) -> bool:
    """Whether no budget is asked for a pod: it serves nobody (ended, not yet started), or is going already."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in {"Succeeded", "Failed", "Pending"} or bool(pod["metadata"].get("deletionTimestamp"))


def verdict(budget: Json, pod: Json) -> Verdict:
    """Whether the one budget of a pod lets it go."""
    status, policy = budget.get("status") or {}, budget["spec"].get("unhealthyPodEvictionPolicy")
    if not is_ready(pod):
        desired = status.get("desiredHealthy") or 0
        if policy == "AlwaysAllow" or (desired > 0 and (status.get("currentHealthy") or 0) >= desired):
            return "delete"
    if (status.get("observedGeneration") or 0) < (budget["metadata"].get("generation") or 0):
        return "not yet"
    return "take" if (status.get("disruptionsAllowed") or 0) > 0 else "refuse"


def taken(status: Json, pod: str, moment: str) -> dict[str, Any]:
    """A budget's status after one pod of it was given free at a moment (RFC 3339)."""
    left = status["disruptionsAllowed"] - 1
    return conditioned(
        {**status, "disruptionsAllowed": left, "disruptedPods": {**(status.get("disruptedPods") or {}), pod: moment}},
        generation=status.get("observedGeneration") or 0,
        moment=moment,
    )


def conditioned(status: Json, *, generation: int, moment: str, failure: str = "") -> dict[str, Any]:
    """A status with the condition DisruptionAllowed that its numbers ask for, turned at a moment where it turns."""
    allowed = not failure and status.get("disruptionsAllowed", 0) > 0
    made = {
        "type": "DisruptionAllowed",
        "status": str(allowed),
        "observedGeneration": generation,
        "lastTransitionTime": moment,
        "reason": "SyncFailed" if failure else "SufficientPods" if allowed else "InsufficientPods",
        "message": failure,
    }
    others = []
    for known in status.get("conditions") or ():
        if known.get("type") != made["type"]:
            others.append(known)
        elif known.get("status") == made["status"]:
            made["lastTransitionTime"] = known["lastTransitionTime"]
    return {**status, "conditions": [*others, made]}


def _amount(value: int | str, total: int) -> int:
    return value if isinstance(value, int) else math.ceil(total * int(value.removesuffix("%")) / 100)
