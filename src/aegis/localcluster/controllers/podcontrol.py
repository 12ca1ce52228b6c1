"""How a controller makes and deletes the pods it owns: each with an Event on the owner."""

from __future__ import annotations

from collections.abc import Iterable

from aegis.localcluster.api import ClusterApi, Object
from aegis.localcluster.controllers.objects import key_of, uid_of
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
