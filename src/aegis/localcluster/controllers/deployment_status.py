"""A Deployment's status: counts, and the conditions Available, Progressing and ReplicaFailure. Pure.

Reasons and messages are those of the deployment controller of Kubernetes, which `kubectl rollout status` reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.objects import condition
from aegis.localcluster.controllers.rollout import Goal

COMPLETE, CREATED, FOUND, UPDATED = (
    "NewReplicaSetAvailable", "NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated",
)  # fmt: skip
TIMED_OUT, CREATE_FAILED = "ProgressDeadlineExceeded", "ReplicaSetCreateError"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"
NO_DEADLINE = 2**31 - 1

Condition = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stand:
    """What a condition is to say."""

    type: str
    status: str
    reason: str
    message: str

    def written(self, now: str, turned: str) -> Condition:
        """The condition, updated `now` and at its status since `turned`."""
        return {
            "type": self.type,
            "status": self.status,
            "lastUpdateTime": now,
            "lastTransitionTime": turned,
            "reason": self.reason,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the ReplicaSets of a Deployment hold together."""

    replicas: int
    updated: int
    ready: int
    available: int

    @classmethod
    def of_sets(cls, new: Object | None, old: Sequence[Object]) -> Counts:
        """Add up the ReplicaSets' statuses."""
        everything = [*old, new] if new is not None else old
        return cls(
            replicas=sum(_count(r, "replicas") for r in everything),
            updated=_count(new, "replicas") if new is not None else 0,
            ready=sum(_count(r, "readyReplicas") for r in everything),
            available=sum(_count(r, "availableReplicas") for r in everything),
        )

    @classmethod
    def of_status(cls, deployment: Object) -> Counts:
        """Read the counts that a Deployment shows."""
        return cls(
            replicas=_count(deployment, "replicas"),
            updated=_count(deployment, "updatedReplicas"),
            ready=_count(deployment, "readyReplicas"),
            available=_count(deployment, "availableReplicas"),
        )

    def to_status(self) -> dict[str, int]:
        """The status fields; a zero is left out, as a real server does."""
        counts = {
            "replicas": self.replicas,
            "updatedReplicas": self.updated,
            "readyReplicas": self.ready,
            "availableReplicas": self.available,
            "unavailableReplicas": max(0, self.replicas - self.available),
        }
        return {k: v for k, v in counts.items() if v}


def is_complete(counts: Counts, replicas: int) -> bool:
    """Whether every wanted pod is new and available, and no other exists."""
    return counts.updated == counts.replicas == counts.available == replicas


def has_progressed(before: Counts, after: Counts) -> bool:
    """Whether a rollout came closer to its end."""
    return (
        after.updated > before.updated
        or after.replicas - after.updated < before.replicas - before.updated
        or after.ready > before.ready
        or after.available > before.available
    )


def deadline_of(deployment: Object) -> int | None:
    """`progressDeadlineSeconds` (nominal), or None where there is no deadline."""
    seconds: int | None = deployment["spec"].get("progressDeadlineSeconds")
    return None if seconds is None or seconds == NO_DEADLINE else seconds


def with_condition(deployment: Object, stand: Stand, now: str) -> Object:
    """A copy of the Deployment with one condition set; unchanged where status and reason stand already."""
    current = condition(deployment, stand.type)
    if current is not None and (current["status"], current["reason"]) == (stand.status, stand.reason):
        return deployment
    turned = current["lastTransitionTime"] if current is not None and current["status"] == stand.status else now
    return _replaced(deployment, stand.written(now, turned))


def rolled_status(
    deployment: Object, new: Object | None, old: Sequence[Object], *, now: str, overdue: bool
) -> dict[str, Any]:
    """The status of a Deployment while and after it rolls out.

    Args:
        deployment: as stored, with the conditions set by this sync so far.
        new: the ReplicaSet of the current template.
        old: all its other ReplicaSets.
        now: the time to write into conditions.
        overdue: whether the progress deadline has passed since the last progress.
    """
    after = Counts.of_sets(new, old)
    if deadline_of(deployment) is None:
        result = _without(deployment, "Progressing")
    else:
        result = _progress(deployment, new, after, now=now, overdue=overdue)
    failure = _failure(new, old)
    if failure is None:
        result = _without(result, "ReplicaFailure")
    else:
        stand = Stand("ReplicaFailure", failure["status"], failure["reason"], failure.get("message", ""))
        result = with_condition(result, stand, now)
    return settled_status(result, after, now)


def settled_status(deployment: Object, counts: Counts, now: str) -> dict[str, Any]:
    """The status with the counts and the condition Available, other conditions as they are."""
    goal = Goal.of(deployment)
    if counts.available >= goal.replicas - goal.unavailable:
        stand = Stand("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        message = "Deployment does not have minimum availability."
        stand = Stand("Available", "False", "MinimumReplicasUnavailable", message)
    result = with_condition(deployment, stand, now)
    status = result.get("status") or {}
    kept = {k: status[k] for k in ("collisionCount",) if status.get(k)}
    return {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        **counts.to_status(),
        **kept,
        "conditions": status["conditions"],
    }


def _progress(deployment: Object, new: Object | None, after: Counts, *, now: str, overdue: bool) -> Object:
    current = condition(deployment, "Progressing")
    settled = current is not None and current["reason"] == COMPLETE and after.replicas == after.updated
    if settled:
        return deployment
    subject = (
        f'ReplicaSet "{new["metadata"]["name"]}"'
        if new is not None
        else f'Deployment "{deployment["metadata"]["name"]}"'
    )
    if is_complete(after, deployment["spec"].get("replicas", 1)):
        stand = Stand("Progressing", "True", COMPLETE, f"{subject} has successfully progressed.")
        return with_condition(deployment, stand, now)
    if has_progressed(Counts.of_status(deployment), after):
        # Written anew even where nothing but its time changes: the deadline counts from the last progress.
        turned = current["lastTransitionTime"] if current is not None and current["status"] == "True" else now
        stand = Stand("Progressing", "True", UPDATED, f"{subject} is progressing.")
        return _replaced(deployment, stand.written(now, turned))
    if overdue:
        stand = Stand("Progressing", "False", TIMED_OUT, f"{subject} has timed out progressing.")
        return with_condition(deployment, stand, now)
    return deployment


def _failure(new: Object | None, old: Sequence[Object]) -> Mapping[str, Any] | None:
    for replica_set in [*([new] if new is not None else []), *old]:
        found = condition(replica_set, "ReplicaFailure")
        if found is not None:
            return found
    return None


def _replaced(deployment: Object, new: Condition) -> Object:
    status = deployment.get("status") or {}
    others = [c for c in status.get("conditions") or () if c["type"] != new["type"]]
    return {**deployment, "status": {**status, "conditions": [*others, new]}}


def _without(deployment: Object, kind: str) -> Object:
    status = deployment.get("status") or {}
    kept = [c for c in status.get("conditions") or () if c["type"] != kind]
    return {**deployment, "status": {**status, "conditions": kept}}


def _count(obj: Object, field: str) -> int:
    return (obj.get("status") or {}).get(field) or 0
