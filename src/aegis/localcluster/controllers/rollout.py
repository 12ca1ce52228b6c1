"""The arithmetic of a Deployment's rollout: which ReplicaSet gets how many replicas. Pure.

The rules are those of the deployment controller of Kubernetes: maxSurge rounds up, maxUnavailable rounds down, old
pods that were never available go first, and a scaled Deployment keeps the proportions of a rollout under way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.objects import annotations_of

DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """A ReplicaSet as the arithmetic sees it.

    Attributes:
        wanted: its `spec.replicas`.
        available: its `status.availableReplicas`.
        deployment_wanted: the Deployment's size when this set was last scaled, from its annotation.
        deployment_maximum: the same with surge.
    """

    name: str
    created: str
    wanted: int
    available: int = 0
    deployment_wanted: int | None = None
    deployment_maximum: int | None = None

    @classmethod
    def of(cls, replica_set: Object) -> Self:
        """Read a ReplicaSet."""
        metadata, annotations = replica_set["metadata"], annotations_of(replica_set)
        return cls(
            name=metadata["name"],
            created=metadata["creationTimestamp"],
            wanted=replica_set["spec"].get("replicas", 1),
            available=(replica_set.get("status") or {}).get("availableReplicas") or 0,
            deployment_wanted=_number(annotations.get(DESIRED)),
            deployment_maximum=_number(annotations.get(MAXIMUM)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a Deployment asks of its rollout.

    Attributes:
        surge: pods above `replicas` that may exist.
        unavailable: pods below `replicas` that may be unavailable.
    """

    replicas: int
    rolling: bool
    surge: int
    unavailable: int

    @classmethod
    def of(cls, deployment: Object) -> Self:
        """Read a Deployment's size and strategy."""
        spec: Mapping[str, Any] = deployment["spec"]
        replicas, strategy = spec.get("replicas", 1), spec.get("strategy") or {}
        if strategy.get("type") == "Recreate":
            return cls(replicas=replicas, rolling=False, surge=0, unavailable=0)
        limits = strategy.get("rollingUpdate") or {}
        surge = resolve(limits.get("maxSurge", "25%"), replicas, up=True)
        unavailable = resolve(limits.get("maxUnavailable", "25%"), replicas, up=False)
        if surge == 0 and unavailable == 0:
            unavailable = 1  # else nothing could ever move
        return cls(replicas=replicas, rolling=True, surge=surge, unavailable=min(unavailable, replicas))

    @property
    def maximum(self) -> int:
        """The most pods that may exist at once."""
        return self.replicas + self.surge

    @property
    def least_available(self) -> int:
        """The fewest pods that must be available."""
        return self.replicas - self.unavailable


def resolve(value: int | str, total: int, *, up: bool) -> int:
    """An absolute number or a percentage of `total`, rounded up or down."""
    if isinstance(value, int):
        return value
    share = total * int(value.removesuffix("%"))
    return math.ceil(share / 100) if up else share // 100


def new_size(goal: Goal, new: int, everything: int) -> int:
    """How many replicas the new ReplicaSet may have now.

    Args:
        goal: what the Deployment asks for.
        new: what the new ReplicaSet has, 0 where it does not exist yet.
        everything: the replicas of all ReplicaSets together.
    """
    if not goal.rolling or new > goal.replicas:
        return goal.replicas
    room = goal.maximum - everything
    return new + max(0, min(room, goal.replicas - new))


def old_sizes(goal: Goal, new: Replicas, old: Sequence[Replicas]) -> dict[str, int]:
    """The old ReplicaSets that shrink in this step of a rolling update, and to what."""
    total = new.wanted + sum(r.wanted for r in old)
    spare = total - goal.least_available - (new.wanted - new.available)
    if spare <= 0:
        return {}
    by_age = sorted(old, key=lambda r: (r.created, r.name))
    sizes: dict[str, int] = {}
    cut = 0
    for index, one in enumerate(by_age):  # pods that were never available cost nothing to lose
        count = min(spare - cut, one.wanted - one.available)
        if count > 0:
            cut += count
            sizes[one.name] = one.wanted - count
            by_age[index] = replace(one, wanted=one.wanted - count)
    spare = new.available + sum(r.available for r in old) - goal.least_available
    for one in by_age:
        count = min(spare, one.wanted)
        if count > 0:
            spare -= count
            sizes[one.name] = one.wanted - count
    return sizes


def resized(goal: Goal, new: Replicas | None, old: Sequence[Replicas], before: int) -> dict[str, int]:
    """The ReplicaSets that change because the Deployment itself was scaled (or is paused), and to what.

    Args:
        goal: what the Deployment asks for now.
        new: the ReplicaSet of the current template, if it exists.
        old: all others.
        before: the Deployment's `status.replicas`, for sets that carry no annotation.
    """
    everything = [*old, new] if new is not None else list(old)
    active = [r for r in everything if r.wanted > 0]
    if len(active) <= 1:
        single = active[0] if active else (new or max(old, key=lambda r: (r.created, r.name), default=None))
        return {single.name: goal.replicas} if single is not None and single.wanted != goal.replicas else {}
    if new is not None and new.deployment_wanted == new.wanted == new.available == goal.replicas:
        return {r.name: 0 for r in old if r.wanted > 0}
    return _proportional(goal, active, before) if goal.rolling else {}


def is_scaling(goal: Goal, sets: Iterable[Replicas]) -> bool:
    """Whether the Deployment was scaled since its ReplicaSets last were."""
    return any(r.wanted > 0 and r.deployment_wanted not in {None, goal.replicas} for r in sets)


def _proportional(goal: Goal, active: Sequence[Replicas], before: int) -> dict[str, int]:
    allowed = goal.maximum if goal.replicas > 0 else 0
    to_add = allowed - sum(r.wanted for r in active)
    # Growing prefers the newer of two equals, shrinking the older.
    ordered = sorted(active, key=lambda r: (r.created, r.name), reverse=to_add > 0)
    ordered.sort(key=lambda r: r.wanted, reverse=True)
    sizes: dict[str, int] = {}
    added = 0
    for one in ordered:
        share = _share(goal, one, before) if to_add != 0 else 0
        room = to_add - added
        share = min(share, room) if to_add > 0 else max(share, room)
        added += share
        sizes[one.name] = one.wanted + share
    first = ordered[0].name
    sizes[first] = max(0, sizes[first] + to_add - added)
    return sizes


def _share(goal: Goal, one: Replicas, before: int) -> int:
    if goal.replicas == 0:
        return -one.wanted
    base = one.deployment_maximum or before
    if base <= 0:
        return 0
    size = one.wanted * goal.maximum / base
    return math.floor(size + 0.5) - one.wanted


def _number(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None
