"""Binds claims that name no storage class, each to a volume of its own that begins empty in every pod."""

from __future__ import annotations

from collections.abc import Iterable

from aegis.localcluster.api import ClusterApi, Object, WatchEvent
from aegis.localcluster.controllers.objects import Key, is_terminating, key_of, uid_of
from aegis.localcluster.controllers.recorder import Recorder

_CLAIMS, _VOLUMES, _MANAGER = "persistentvolumeclaims", "persistentvolumes", "kube-controller-manager"
_PROVISIONER = "aegis.local/empty"
_WHY = "the local cluster keeps no volumes: each pod that uses this claim begins with an empty one"


class VolumeClaimController:
    """What a provisioner of a default storage class does, but for keeping what is written.

    A claim that names a class waits, as on a cluster where the class has no provisioner.
    """

    name = "persistentvolume-controller"
    watches = (_CLAIMS,)

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._recorder = Recorder(api, self.name)

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The claim and its UID, by which its volume is named."""
        return [(*key_of(event.object), uid_of(event.object))]

    def sync(self, key: Key) -> float | None:
        """Bind a claim, or delete the volume of one that is gone.

        Raises:
            ApiError: a write was refused.
        """
        namespace, name, uid = key
        claim = self._api.get(_CLAIMS, namespace, name)
        if claim is None or uid_of(claim) != uid:
            if self._api.get(_VOLUMES, None, f"pvc-{uid}") is not None:
                self._api.delete(_VOLUMES, None, f"pvc-{uid}")
        elif is_provisioned_here(claim) and not is_terminating(claim):
            self._bind(claim)
        return None

    def _bind(self, claim: Object) -> None:
        namespace, name = key_of(claim)
        wanted = volume_for(claim)
        volume = self._api.get(_VOLUMES, None, wanted["metadata"]["name"])
        if volume is None:
            volume = self._api.create(_VOLUMES, wanted, manager=_MANAGER)
        self._api.update_status(_VOLUMES, {**volume, "status": {"phase": "Bound"}}, manager=_MANAGER)
        bound = self._api.patch(
            _CLAIMS, namespace, name, {"spec": {"volumeName": wanted["metadata"]["name"]}}, manager=_MANAGER
        )
        status = {
            "phase": "Bound",
            "accessModes": claim["spec"].get("accessModes") or [],
            "capacity": wanted["spec"]["capacity"],
        }
        self._api.update_status(_CLAIMS, {**bound, "status": status}, manager=_MANAGER)
        self._recorder.warning(claim, "NotPersistent", _WHY)


def is_provisioned_here(claim: Object) -> bool:
    """Whether a claim waits for a volume and leaves the choice of it to the cluster."""
    spec = claim["spec"]
    chosen = spec.get("volumeName") or spec.get("selector") or spec.get("storageClassName") is not None
    return not chosen and (claim.get("status") or {}).get("phase") != "Bound"


def volume_for(claim: Object) -> Object:
    """The volume that is made for a claim."""
    namespace, name = key_of(claim)
    requested = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0")
    volume = f"pvc-{uid_of(claim)}"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume, "annotations": {"pv.kubernetes.io/provisioned-by": _PROVISIONER}},
        "spec": {
            "accessModes": claim["spec"].get("accessModes") or [],
            "capacity": {"storage": requested},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": namespace,
                "name": name,
                "uid": uid_of(claim),
            },
            "persistentVolumeReclaimPolicy": "Delete",
            "csi": {"driver": _PROVISIONER, "volumeHandle": volume},
        },
    }
