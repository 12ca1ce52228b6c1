"""The Deployment controller: revisions as ReplicaSets, rolled over within the strategy's limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aegis.kube.selector import label_selector
from aegis.localcluster.api import ClusterApi, Object, Pace, WatchEvent
from aegis.localcluster.controllers import deployment_status as status
from aegis.localcluster.controllers import revisions
from aegis.localcluster.controllers.ages import Ages
from aegis.localcluster.controllers.objects import (
    Key,
    annotations_of,
    condition,
    controller_of,
    is_terminating,
    key_of,
    labels_of,
    timestamp,
    uid_of,
)
from aegis.localcluster.controllers.ownership import claim
from aegis.localcluster.controllers.recorder import Recorder
from aegis.localcluster.controllers.rollout import Goal, Replicas, is_scaling, new_size, old_sizes, resized
from aegis.localcluster.status import ApiError

_DEPLOYMENTS, _SETS, _MANAGER = "deployments.apps", "replicasets.apps", "kube-controller-manager"
_TOO_BROAD = "This deployment is selecting all pods. A non-empty selector is required."


@dataclass(slots=True, kw_only=True)
class _Rollout:
    """A Deployment and its ReplicaSets, while one sync works on them."""

    deployment: Object
    new: Object | None
    old: list[Object]

    def sizes(self) -> list[Replicas]:
        return [Replicas.of(r) for r in self.old]

    def newest(self) -> Replicas | None:
        return Replicas.of(self.new) if self.new is not None else None

    def put(self, changed: Object) -> None:
        """Take a ReplicaSet's new state."""
        if self.new is not None and uid_of(changed) == uid_of(self.new):
            self.new = changed
        else:
            self.old = [changed if uid_of(r) == uid_of(changed) else r for r in self.old]


class DeploymentController:
    """Brings Deployments to what they ask for."""

    name = "deployment-controller"
    watches = (_DEPLOYMENTS, _SETS, "pods")

    def __init__(self, api: ClusterApi, pace: Pace) -> None:
        self._api, self._pace = api, pace
        self._recorder = Recorder(api, self.name)
        self._ages = Ages()

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The Deployment itself, the owner of a ReplicaSet, or (for Recreate) the one whose pod is gone."""
        if event.resource == _DEPLOYMENTS:
            return [key_of(event.object)]
        if event.resource == _SETS:
            return self._of_set(event.object)
        return self._of_gone_pod(event)

    def sync(self, key: Key) -> float | None:
        """Take one step of a rollout and write its status.

        Raises:
            ApiError: a write was refused.
        """
        namespace, name = key
        deployment = self._api.get(_DEPLOYMENTS, namespace, name)
        if deployment is None:
            return None
        if not label_selector(deployment["spec"]["selector"]):
            self._recorder.warning(deployment, "SelectingAll", _TOO_BROAD)
            return None
        new, old = revisions.split(deployment, self._claimed(deployment))
        rollout = _Rollout(deployment=deployment, new=new, old=old)
        if is_terminating(deployment):
            self._write(deployment, self._settled(rollout))
            return None
        self._note_pause(rollout)
        if rollout.deployment["spec"].get("paused") or is_scaling(Goal.of(deployment), self._all(rollout)):
            self._resize(rollout)
            return None
        return self._roll(rollout)

    def _claimed(self, deployment: Object) -> list[Object]:
        selector = label_selector(deployment["spec"]["selector"])
        candidates = self._api.list(_SETS, deployment["metadata"]["namespace"])
        return claim(self._api, _SETS, deployment, candidates, matches=lambda r: selector.matches(labels_of(r)))

    def _note_pause(self, rollout: _Rollout) -> None:
        """Say that progress is paused or resumed: the deadline does not run meanwhile."""
        deployment = rollout.deployment
        current = condition(deployment, "Progressing")
        if status.deadline_of(deployment) is None or (current and current["reason"] == status.TIMED_OUT):
            return
        noted = current is not None and current["reason"] == status.PAUSED
        paused = bool(deployment["spec"].get("paused"))
        if paused != noted:
            reason, word = (status.PAUSED, "paused") if paused else (status.RESUMED, "resumed")
            self._note_progress(rollout, "Unknown", reason, f"Deployment is {word}")

    def _resize(self, rollout: _Rollout) -> None:
        """Follow a change of size; a rollout that is under way keeps its proportions."""
        if rollout.new is not None:
            self._refresh(rollout)
        goal = Goal.of(rollout.deployment)
        before = status.Counts.of_status(rollout.deployment).replicas
        self._scale(rollout, resized(goal, rollout.newest(), rollout.sizes(), before))
        for replica_set in (*([rollout.new] if rollout.new else []), *rollout.old):
            if replica_set["spec"].get("replicas"):
                self._size(rollout, replica_set, replica_set["spec"]["replicas"])
        if rollout.deployment["spec"].get("paused"):
            self._trim_history(rollout)
        self._write(rollout.deployment, self._settled(rollout))

    def _roll(self, rollout: _Rollout) -> float | None:
        goal = Goal.of(rollout.deployment)
        moved = self._roll_over(rollout, goal) if goal.rolling else self._recreate(rollout)
        if not moved and self._is_complete(rollout):
            self._trim_history(rollout)
        overdue, left = self._deadline(rollout.deployment)
        after = status.rolled_status(rollout.deployment, rollout.new, rollout.old, now=timestamp(), overdue=overdue)
        self._write(rollout.deployment, after)
        return left

    def _roll_over(self, rollout: _Rollout, goal: Goal) -> bool:
        self._ensure_new(rollout)
        new = Replicas.of(_present(rollout.new))
        size = new_size(goal, new.wanted, new.wanted + sum(r.wanted for r in rollout.sizes()))
        if self._scale(rollout, {new.name: size}):
            return True
        return self._scale(rollout, old_sizes(goal, new, rollout.sizes()))

    def _recreate(self, rollout: _Rollout) -> bool:
        if self._scale(rollout, {r.name: 0 for r in rollout.sizes() if r.wanted > 0}):
            return True
        if self._old_pods_remain(rollout):
            return False
        self._ensure_new(rollout)
        return self._scale(rollout, {_present(rollout.new)["metadata"]["name"]: Goal.of(rollout.deployment).replicas})

    def _ensure_new(self, rollout: _Rollout) -> None:
        if rollout.new is not None:
            self._refresh(rollout)
        else:
            self._create(rollout)

    def _create(self, rollout: _Rollout) -> None:
        deployment, goal = rollout.deployment, Goal.of(rollout.deployment)
        collisions = (deployment.get("status") or {}).get("collisionCount") or 0
        revision = revisions.next_revision(rollout.old)
        size = new_size(goal, 0, sum(r.wanted for r in rollout.sizes()))
        wanted = revisions.replica_set_for(deployment, revision, size, collisions)
        try:
            rollout.new = self._api.create(_SETS, wanted, manager=_MANAGER)
        except ApiError as error:
            self._creation_failed(rollout, wanted, error)
            raise
        name = wanted["metadata"]["name"]
        if size > 0:
            self._recorder.normal(deployment, "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {size}")
        self._note_revision(rollout, revision)
        self._note_progress(rollout, "True", status.CREATED, f'Created new replica set "{name}"')

    def _creation_failed(self, rollout: _Rollout, wanted: Object, error: ApiError) -> None:
        deployment, name = rollout.deployment, wanted["metadata"]["name"]
        if error.reason == "AlreadyExists":
            # Another template has the same hash: count the collision, and the next try hashes differently.
            counted = {**(deployment.get("status") or {})}
            counted["collisionCount"] = (counted.get("collisionCount") or 0) + 1
            self._write(deployment, counted)
            return
        message = f'Failed to create new replica set "{name}": {error.message}'
        self._recorder.warning(deployment, status.CREATE_FAILED, message)
        self._note_progress(rollout, "False", status.CREATE_FAILED, message)
        self._write(deployment, rollout.deployment.get("status") or {})

    def _refresh(self, rollout: _Rollout) -> None:
        """Bring the existing ReplicaSet of this template up to date; after an undo it becomes the newest revision."""
        new, deployment = _present(rollout.new), rollout.deployment
        revision = revisions.next_revision(rollout.old)
        annotations = revisions.refreshed_annotations(deployment, new, revision)
        seconds = deployment["spec"].get("minReadySeconds", 0)
        if annotations != annotations_of(new) or seconds != new["spec"].get("minReadySeconds", 0):
            patch = {"metadata": {"annotations": annotations}, "spec": {"minReadySeconds": seconds}}
            rollout.new = self._patch_set(new, patch)
        self._note_revision(rollout, revisions.revision_of(rollout.new or new))
        if condition(rollout.deployment, "Progressing") is None:
            self._note_progress(rollout, "True", status.FOUND, f'Found new replica set "{new["metadata"]["name"]}"')

    def _note_revision(self, rollout: _Rollout, revision: int) -> None:
        deployment = rollout.deployment
        if annotations_of(deployment).get(revisions.REVISION) == str(revision):
            return
        patch = {"metadata": {"annotations": {revisions.REVISION: str(revision)}}}
        written = self._api.patch(_DEPLOYMENTS, *key_of(deployment), patch, manager=_MANAGER)
        rollout.deployment = {**written, "status": deployment.get("status") or {}}

    def _note_progress(self, rollout: _Rollout, value: str, reason: str, message: str) -> None:
        if status.deadline_of(rollout.deployment) is not None:
            stand = status.Stand("Progressing", value, reason, message)
            rollout.deployment = status.with_condition(rollout.deployment, stand, timestamp())

    def _scale(self, rollout: _Rollout, sizes: Mapping[str, int]) -> bool:
        """Give ReplicaSets new sizes; whether any changed."""
        changed = False
        for replica_set in (*rollout.old, *([rollout.new] if rollout.new else [])):
            size = sizes.get(replica_set["metadata"]["name"])
            if size is not None and size != replica_set["spec"].get("replicas", 1):
                self._size(rollout, replica_set, size)
                changed = True
        return changed

    def _size(self, rollout: _Rollout, replica_set: Object, size: int) -> None:
        before, goal = replica_set["spec"].get("replicas", 1), Goal.of(rollout.deployment)
        annotations = revisions.size_annotations(goal)
        known = annotations_of(replica_set)
        if size == before and all(known.get(k) == v for k, v in annotations.items()):
            return
        patch = {"metadata": {"annotations": annotations}, "spec": {"replicas": size}}
        rollout.put(self._patch_set(replica_set, patch))
        if size != before:
            direction, name = "up" if size > before else "down", replica_set["metadata"]["name"]
            message = f"Scaled {direction} replica set {name} from {before} to {size}"
            self._recorder.normal(rollout.deployment, "ScalingReplicaSet", message)

    def _patch_set(self, replica_set: Object, patch: Object) -> Object:
        return self._api.patch(_SETS, *key_of(replica_set), patch, manager=_MANAGER)

    def _trim_history(self, rollout: _Rollout) -> None:
        for replica_set in revisions.beyond_history(rollout.deployment, rollout.old):
            self._api.delete(_SETS, *key_of(replica_set), uid=uid_of(replica_set))

    def _is_complete(self, rollout: _Rollout) -> bool:
        counts = status.Counts.of_sets(rollout.new, rollout.old)
        return status.is_complete(counts, rollout.deployment["spec"].get("replicas", 1))

    def _old_pods_remain(self, rollout: _Rollout) -> bool:
        old = {uid_of(r) for r in rollout.old}
        for pod in self._api.list("pods", rollout.deployment["metadata"]["namespace"]):
            owner, phase = controller_of(pod), (pod.get("status") or {}).get("phase")
            if owner is not None and owner["uid"] in old and phase not in {"Succeeded", "Failed"}:
                return True
        return False

    def _deadline(self, deployment: Object) -> tuple[bool, float | None]:
        """Whether the progress deadline has passed, and else the nominal seconds that are left of it."""
        deadline, current = status.deadline_of(deployment), condition(deployment, "Progressing")
        if deadline is None or current is None or current["reason"] in {status.COMPLETE, status.TIMED_OUT}:
            return False, None
        written = current["lastUpdateTime"]
        age = self._ages.of((uid_of(deployment), current["reason"], written), written) * self._pace.scale
        left = deadline - age
        return left <= 0, max(left, 0.0) + 0.05 * self._pace.scale

    def _settled(self, rollout: _Rollout) -> Object:
        counts = status.Counts.of_sets(rollout.new, rollout.old)
        return status.settled_status(rollout.deployment, counts, timestamp())

    def _write(self, deployment: Object, new: Object) -> None:
        stored = self._api.get(_DEPLOYMENTS, *key_of(deployment))
        if stored is not None and uid_of(stored) == uid_of(deployment) and stored.get("status") != new:
            self._api.update_status(_DEPLOYMENTS, {**stored, "status": new}, manager=_MANAGER)

    def _all(self, rollout: _Rollout) -> Sequence[Replicas]:
        newest = rollout.newest()
        return [*rollout.sizes(), *([newest] if newest is not None else [])]

    def _of_set(self, replica_set: Object) -> list[Key]:
        owner, namespace = controller_of(replica_set), replica_set["metadata"]["namespace"]
        if owner is not None:
            return [(namespace, owner["name"])] if owner["kind"] == "Deployment" else []
        deployments, labels = self._api.list(_DEPLOYMENTS, namespace), labels_of(replica_set)
        return [key_of(d) for d in deployments if label_selector(d["spec"]["selector"]).matches(labels)]

    def _of_gone_pod(self, event: WatchEvent) -> list[Key]:
        owner, namespace = controller_of(event.object), event.object["metadata"]["namespace"]
        finished = (event.object.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
        if owner is None or owner["kind"] != "ReplicaSet" or not (event.type == "DELETED" or finished):
            return []
        replica_set = self._api.get(_SETS, namespace, owner["name"])
        return self._of_set(replica_set) if replica_set is not None else []


def _present(replica_set: Object | None) -> Object:
    if replica_set is None:
        raise AssertionError("a rollout has its new ReplicaSet by now")
    return replica_set
