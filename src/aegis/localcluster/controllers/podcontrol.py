"""How a controller makes and deletes the pods it owns: each with an Event on the owner."""

from __future__ import annotations

from collections.abc import Iterable

from aegis.localcluster.api import ClusterApi, Object
from aegis.localcluster.controllers.objects import key_of, timestamp, uid_of
from aegis.localcluster.controllers.recorder import Recorder
from aegis.localcluster.status import ApiError

_MANAGER = "kube-controller-manager"
_NOT_FOUND = 404


class PodControl:
    """Makes and deletes pods for one controller."""

    def __init__(self, api: ClusterApi, recorder: Recorder) -> None:
        self._api, self._recorder = api, recorder

    def create(self, owner: Object, wanted: Object) -> Object:
        """Make a pod.

        Raises:
            ApiError: it was refused; the Event FailedCreate says so, unless the namespace is just going.
        """
        try:
            made = self._api.create("pods", wanted, manager=_MANAGER)
        except ApiError as error:
            if "being terminated" not in error.message:
                self._recorder.warning(owner, "FailedCreate", f"Error creating: {error.message}")
            raise
        self._recorder.normal(owner, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        return made

    def delete(self, owner: Object, pods: Iterable[Object]) -> None:
        """Delete pods; one that is gone already is as good.

        Raises:
            ApiError: a deletion was refused; the Event FailedDelete says so.
        """
        for pod in pods:
            namespace, name = key_of(pod)
            try:
                self._api.delete("pods", namespace, name, uid=uid_of(pod))
            except ApiError as error:
                if error.code == _NOT_FOUND:
                    continue
                self._recorder.warning(owner, "FailedDelete", f"Error deleting: {error.message}")
                raise
            self._recorder.normal(owner, "SuccessfulDelete", f"Deleted pod: {name}")


def disrupted(api: ClusterApi, pod: Object, reason: str, message: str, *, phase: str = "") -> None:
    """Say on a pod why it is about to be deleted.

    Args:
        api: where the pod is.
        pod: as it was read.
        reason: of the condition DisruptionTarget.
        message: the same, in words.
        phase: what becomes of the pod's phase, if anything.

    Raises:
        ApiError: the status could not be written.
    """
    status = pod.get("status") or {}
    target = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": timestamp(),
        "reason": reason,
        "message": message,
    }
    others = [c for c in status.get("conditions") or () if c.get("type") != target["type"]]
    ended = {"phase": phase} if phase else {}
    api.update_status("pods", {**pod, "status": {**status, **ended, "conditions": [*others, target]}}, manager=_MANAGER)
