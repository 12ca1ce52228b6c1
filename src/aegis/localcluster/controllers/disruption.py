"""The disruption controller: how many pods of each PodDisruptionBudget may be evicted now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aegis.kube.selector import label_selector
from aegis.localcluster import disruption
from aegis.localcluster.api import ClusterApi, Object, Pace, WatchEvent
from aegis.localcluster.controllers.ages import Ages
from aegis.localcluster.controllers.objects import Key, controller_of, is_terminating, key_of, timestamp, uid_of
from aegis.localcluster.controllers.recorder import Recorder
from aegis.localcluster.status import ApiError

_BUDGETS, _MANAGER = "poddisruptionbudgets.policy", "kube-controller-manager"
_NOT_FOUND = 404


class ScaleUnknownError(Exception):
    """An owner of pods has no size that could be read."""


class DisruptionController:
    """Keeps the status of every PodDisruptionBudget."""

    name = "controllermanager"
    watches = (_BUDGETS, "pods")

    def __init__(self, api: ClusterApi, pace: Pace) -> None:
        self._api, self._pace = api, pace
        self._recorder = Recorder(api, self.name)
        self._ages = Ages()

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The budget, or every budget of a pod's namespace: the pod may have been under one before it changed."""
        if event.resource == _BUDGETS:
            return [key_of(event.object)]
        return [key_of(b) for b in self._api.list(_BUDGETS, event.object["metadata"]["namespace"])]

    def sync(self, key: Key) -> float | None:
        """Count anew.

        Raises:
            ApiError: the status could not be written.
        """
        budget = self._api.get(_BUDGETS, *key)
        if budget is None:
            return None
        pods = [p for p in self._api.list("pods", key[0]) if disruption.selects(budget, p)]
        disrupted, left = self._disrupted(budget, pods)
        failure = ""
        try:
            expected, desired = disruption.bounds(budget["spec"], pods=len(pods), scale=self._scale(budget, pods))
        except ScaleUnknownError as error:
            failure, expected, desired = str(error), len(pods), len(pods)
        counts = disruption.Counts(expected=expected, desired=desired, healthy=disruption.healthy(pods, disrupted))
        old = budget.get("status") or {}
        numbers = {**counts.to_status(), **({"disruptionsAllowed": 0} if failure else {})}
        kept = {"conditions": old["conditions"]} if "conditions" in old else {}
        generation = budget["metadata"].get("generation", 1)
        status = disruption.conditioned(
            {
                **numbers,
                **kept,
                "observedGeneration": generation,
                **({"disruptedPods": disrupted} if disrupted else {}),
            },
            generation=generation,
            moment=timestamp(),
            failure=failure,
        )
        if status != old:
            self._say(budget, pods, failure)
            self._api.update_status(_BUDGETS, {**budget, "status": status}, manager=_MANAGER)
        return left

    def _disrupted(self, budget: Object, pods: Sequence[Object]) -> tuple[dict[str, str], float | None]:
        """The evicted pods that are still to go, and the nominal seconds until the first of them is late."""
        known = (budget.get("status") or {}).get("disruptedPods") or {}
        there = {p["metadata"]["name"]: p for p in pods if not is_terminating(p)}
        kept: dict[str, str] = {}
        soonest: float | None = None
        for name, evicted in known.items():
            if name not in there:
                continue
            age = self._ages.of((uid_of(there[name]), evicted), evicted) * self._pace.scale
            if age > disruption.DELETION_SECONDS:
                namespace, own = key_of(budget)
                why = f"Pod was expected by PDB {namespace}/{own} to be deleted but it wasn't"
                self._recorder.warning(there[name], "NotDeleted", why)
                continue
            kept[name] = evicted
            left = disruption.DELETION_SECONDS - age + 0.01 * self._pace.scale
            soonest = left if soonest is None else min(soonest, left)
        return kept, soonest

    def _scale(self, budget: Object, pods: Sequence[Object]) -> int:
        """The sizes of the pods' owners together.

        Raises:
            ScaleUnknownError: one has no size.
        """
        if not disruption.needs_scale(budget["spec"]):
            return 0
        sizes: dict[str, int] = {}
        for pod in pods:
            owner = self._owner(pod)
            if owner is not None and owner["uid"] not in sizes:
                sizes[owner["uid"]] = self._size(owner, pod["metadata"]["namespace"])
        return sum(sizes.values())

    def _owner(self, pod: Object) -> Object | None:
        """What sets the number of such pods: a Deployment stands behind its ReplicaSets."""
        owner = controller_of(pod)
        if owner is not None and owner["kind"] == "ReplicaSet":
            replica_set = self._api.get("replicasets.apps", pod["metadata"]["namespace"], owner["name"])
            above = controller_of(replica_set) if replica_set is not None else None
            owner = above or owner
        return dict(owner) if owner is not None else None

    def _size(self, owner: Object, namespace: str) -> int:
        try:
            scale = self._api.scale(owner, namespace)
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise
            what = f"{owner['kind'].lower()}s.{owner['apiVersion'].rpartition('/')[0]}"
            raise ScaleUnknownError(f"{what} does not implement the scale subresource") from error
        if scale is None or scale["metadata"]["uid"] != owner["uid"]:
            return 0
        size: int = scale["spec"]["replicas"]
        return size

    def _say(self, budget: Object, pods: Sequence[Object], failure: str) -> None:
        if not pods:
            self._recorder.normal(budget, "NoPods", "No matching pods found")
        if failure:
            words = f"Failed to calculate the number of expected pods: {failure}"
            self._recorder.warning(budget, "CalculateExpectedPodCountFailed", words)
        elif disruption.needs_scale(budget["spec"]) and any(controller_of(p) is None for p in pods):
            selector = label_selector(budget["spec"].get("selector"))
            why = (
                f"Pods selected by this PodDisruptionBudget (selector: {selector}) have no controller that could be "
                "asked for their number: set an integer in .spec.minAvailable to count such pods"
            )
            self._recorder.warning(budget, "UnmanagedPods", why)
