"""The volumes' half of the persistent volume controller: whose they are, and what becomes of them afterwards."""

from __future__ import annotations

from collections.abc import Iterable

from aegis.localcluster import storage
from aegis.localcluster.api import ClusterApi, Object, WatchEvent
from aegis.localcluster.controllers.objects import Key, annotations_of, is_terminating, timestamp
from aegis.localcluster.controllers.recorder import Recorder

_CLAIMS, _VOLUMES, _MANAGER = "persistentvolumeclaims", "persistentvolumes", "kube-controller-manager"


class VolumeController:
    """Keeps each volume's phase, and reclaims those whose claim is gone."""

    name = "persistentvolume-binder"
    watches = (_VOLUMES, _CLAIMS)

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._recorder = Recorder(api, self.name)

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The volume itself, or that of a claim."""
        if event.resource == _VOLUMES:
            return [(event.object["metadata"]["name"],)]
        name = event.object["spec"].get("volumeName")
        return [(name,)] if name else []

    def sync(self, key: Key) -> float | None:
        """Look at one volume.

        Raises:
            ApiError: a write was refused.
        """
        (name,) = key
        volume = self._api.get(_VOLUMES, None, name)
        if volume is None:
            return None
        claim = self._claim_of(volume)
        if is_terminating(volume):
            if claim is None:
                self._let_go(volume)
            return None
        reference = volume["spec"].get("claimRef") or {}
        if not reference.get("uid"):
            self._turn(volume, "Available")
        elif claim is not None:
            self._turn(volume, "Bound")
        else:
            self._reclaim(volume)
        return None

    def _claim_of(self, volume: Object) -> Object | None:
        """The very claim that a volume is bound to, or None."""
        reference = volume["spec"].get("claimRef") or {}
        claim = self._api.get(_CLAIMS, reference.get("namespace"), reference.get("name") or "")
        return claim if claim is not None and claim["metadata"]["uid"] == reference.get("uid") else None

    def _reclaim(self, volume: Object) -> None:
        self._turn(volume, "Released")
        if volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete":
            return
        if annotations_of(volume).get(storage.PROVISIONED_BY) == storage.PROVISIONER:
            self._api.delete(_VOLUMES, None, volume["metadata"]["name"])
            return
        why = f'error getting deleter volume plugin for volume "{volume["metadata"]["name"]}": no deletable volume plugin matched'
        self._recorder.warning(volume, "VolumeFailedDelete", why)
        self._turn(volume, "Failed")

    def _turn(self, volume: Object, phase: str) -> None:
        known = (volume.get("status") or {}).get("phase")
        if known == phase or (known == "Failed" and phase == "Released"):
            return
        name = volume["metadata"]["name"]
        stored = self._api.get(_VOLUMES, None, name)
        if stored is not None:
            status = {"phase": phase, "lastPhaseTransitionTime": timestamp()}
            self._api.update_status(_VOLUMES, {**stored, "status": status}, manager=_MANAGER)

    def _let_go(self, volume: Object) -> None:
        left = [f for f in volume["metadata"].get("finalizers") or () if f != storage.VOLUME_HELD]
        change = {"metadata": {"finalizers": left or None}}
        self._api.patch(_VOLUMES, None, volume["metadata"]["name"], change, manager=_MANAGER)
