"""The StatefulSet controller: pods with numbers, names and claims that stay."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from aegis.kube.selector import label_selector
from aegis.localcluster.api import ClusterApi, Object, Pace, WatchEvent
from aegis.localcluster.controllers import statefuldecision as decision
from aegis.localcluster.controllers.availability import Availability
from aegis.localcluster.controllers.history import HASH, History
from aegis.localcluster.controllers.objects import (
    Key,
    controller_of,
    is_terminating,
    key_of,
    labels_of,
    owners_of,
    uid_of,
)
from aegis.localcluster.controllers.ownership import claim
from aegis.localcluster.controllers.recorder import Recorder
from aegis.localcluster.controllers.statefuldecision import Revisions, Step
from aegis.localcluster.status import ApiError

_SETS, _CLAIMS, _MANAGER = "statefulsets.apps", "persistentvolumeclaims", "kube-controller-manager"


class StatefulSetController:
    """Brings StatefulSets to their pods, one after the other or all at once."""

    name = "statefulset-controller"
    watches = (_SETS, "pods")

    def __init__(self, api: ClusterApi, pace: Pace) -> None:
        self._api = api
        self._recorder = Recorder(api, self.name)
        self._availability = Availability(pace)
        self._history = History(api)

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The StatefulSet itself, the owner of a pod, or whoever may adopt an orphan."""
        if event.resource == _SETS:
            return [key_of(event.object)]
        namespace, owner = event.object["metadata"]["namespace"], controller_of(event.object)
        if owner is not None:
            return [(namespace, owner["name"])] if owner["kind"] == "StatefulSet" else []
        return [key_of(s) for s in self._api.list(_SETS, namespace) if decision.is_member(s, event.object)]

    def sync(self, key: Key) -> float | None:
        """Make or delete pods, then write the status.

        Raises:
            ApiError: a write was refused, as by a quota.
        """
        stateful_set = self._api.get(_SETS, *key)
        if stateful_set is None or is_terminating(stateful_set):
            return None
        revisions = self._revisions(stateful_set)
        pods = self._pods(stateful_set)
        least = stateful_set["spec"].get("minReadySeconds", 0)
        step = decision.decide(
            stateful_set, pods, revisions.update, lambda pod: self._availability.left(pod, least) <= 0
        )
        try:
            self._own_claims(stateful_set, pods)
            self._carry_out(stateful_set, step, revisions)
        finally:
            self._write(stateful_set, revisions)
        self._history.trim(
            stateful_set, [revisions.current, revisions.update, *(labels_of(p).get(HASH, "") for p in pods)]
        )
        waiting = [left for p in pods if (left := self._availability.left(p, least)) > 0]
        return self._availability.again(min(waiting, default=math.inf))

    def _revisions(self, stateful_set: Object) -> Revisions:
        update = self._history.current(stateful_set).name
        known = (stateful_set.get("status") or {}).get("currentRevision") or update
        kept = self._history.template(stateful_set, known) is not None
        return Revisions(current=known if kept else update, update=update)

    def _pods(self, stateful_set: Object) -> list[Object]:
        selector = label_selector(stateful_set["spec"]["selector"])

        def matches(pod: Object) -> bool:
            return decision.is_member(stateful_set, pod) and selector.matches(labels_of(pod))

        candidates = self._api.list("pods", stateful_set["metadata"]["namespace"])
        return claim(self._api, "pods", stateful_set, candidates, matches=matches)

    def _carry_out(self, stateful_set: Object, step: Step, revisions: Revisions) -> None:
        self._delete(stateful_set, step.doomed)
        for number in step.made:
            revision = decision.revision_for(stateful_set, number, revisions)
            template = self._history.template(stateful_set, revision) or stateful_set["spec"]["template"]
            self._claims(stateful_set, number)
            self._create(stateful_set, "pods", decision.pod_of(stateful_set, template, number, revision))

    def _claims(self, stateful_set: Object, number: int) -> None:
        for wanted in decision.claims_of(stateful_set, number):
            if self._api.get(_CLAIMS, *key_of(wanted)) is None:
                owners = decision.owned_by(wanted, decision.claim_owner(stateful_set, number, None))
                owned = {"ownerReferences": owners} if owners else {}
                self._create(stateful_set, _CLAIMS, {**wanted, "metadata": {**wanted["metadata"], **owned}})

    def _own_claims(self, stateful_set: Object, pods: Sequence[Object]) -> None:
        """Say with whom claims are to go, before that goes."""
        by_number = {decision.number_of(p): p for p in pods}
        for number in {*decision.numbers(stateful_set), *by_number}:
            owner = decision.claim_owner(stateful_set, number, by_number.get(number))
            for wanted in decision.claims_of(stateful_set, number):
                known = self._api.get(_CLAIMS, *key_of(wanted))
                if known is None or is_terminating(known):
                    continue
                owners = decision.owned_by(known, owner)
                if owners != list(owners_of(known)):
                    change = {"metadata": {"ownerReferences": owners or None}}
                    self._api.patch(_CLAIMS, *key_of(known), change, manager=_MANAGER)

    def _create(self, stateful_set: Object, resource: str, wanted: Object) -> None:
        kind = "Pod" if resource == "pods" else "Claim"
        what = f"create {kind} {wanted['metadata']['name']} in StatefulSet {stateful_set['metadata']['name']}"
        try:
            self._api.create(resource, wanted, manager=_MANAGER)
        except ApiError as error:
            if "being terminated" not in error.message:
                self._recorder.warning(stateful_set, "FailedCreate", f"{what} failed error: {error.message}")
            raise
        self._recorder.normal(stateful_set, "SuccessfulCreate", f"{what} successful")

    def _delete(self, stateful_set: Object, pods: Sequence[Object]) -> None:
        for pod in pods:
            namespace, name = key_of(pod)
            self._api.delete("pods", namespace, name, uid=uid_of(pod))
            what = f"delete Pod {name} in StatefulSet {stateful_set['metadata']['name']}"
            self._recorder.normal(stateful_set, "SuccessfulDelete", f"{what} successful")

    def _write(self, stateful_set: Object, revisions: Revisions) -> None:
        least = stateful_set["spec"].get("minReadySeconds", 0)
        status = decision.status_of(
            stateful_set,
            self._pods(stateful_set),
            revisions,
            lambda pod: self._availability.left(pod, least) <= 0,
        )
        stored = self._api.get(_SETS, *key_of(stateful_set))
        if stored is not None and uid_of(stored) == uid_of(stateful_set) and status != stored.get("status"):
            self._api.update_status(_SETS, {**stored, "status": status}, manager=_MANAGER)
