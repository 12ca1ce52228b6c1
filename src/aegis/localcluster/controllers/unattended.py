"""Kinds that are stored though no controller here acts on them: said aloud, by an Event on each such object."""

from __future__ import annotations

from collections.abc import Iterable

from aegis.localcluster.api import ClusterApi, WatchEvent
from aegis.localcluster.controllers.objects import Key, key_of
from aegis.localcluster.controllers.recorder import Recorder

UNATTENDED = (
    "replicationcontrollers",
    "ingresses.networking.k8s.io",
)
_WHY = "the local cluster keeps this object, but has no controller for its kind: nothing will come of it"


class UnattendedController:
    """Warns, once, on every object of a kind without a controller."""

    name = "aegis-local"
    watches = UNATTENDED

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._recorder = Recorder(api, self.name)

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The object, when it is new."""
        return [(event.resource, *key_of(event.object))] if event.type == "ADDED" else []

    def sync(self, key: Key) -> float | None:
        """Warn.

        Raises:
            ApiError: the Event was refused.
        """
        resource, namespace, name = key
        obj = self._api.get(resource, namespace, name)
        if obj is not None:
            self._recorder.warning(obj, "NotImplemented", _WHY)
        return None
