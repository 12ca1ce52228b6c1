"""Binds claims to volumes, and makes volumes for those whose class is provisioned here."""

from __future__ import annotations

from collections.abc import Iterable

from aegis.localcluster import storage
from aegis.localcluster.api import ClusterApi, Object, WatchEvent
from aegis.localcluster.controllers.objects import Key, annotations_of, is_terminating, key_of, timestamp, uid_of
from aegis.localcluster.controllers.recorder import Recorder

_CLAIMS, _VOLUMES, _CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"
_MANAGER = "kube-controller-manager"
_COMPLETED = "pv.kubernetes.io/bind-completed"
_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"


class VolumeClaimController:
    """The claims' half of the persistent volume controller, and the provisioner of the default class."""

    name = "persistentvolume-controller"
    watches = (_CLAIMS, _VOLUMES, _CLASSES, "pods")

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._recorder = Recorder(api, self.name)

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The claim; the claims of a pod; those that a volume is bound to or might be; those that wait for a class."""
        obj = event.object
        if event.resource == _CLAIMS:
            return [key_of(obj)]
        if event.resource == "pods":
            return [(obj["metadata"]["namespace"], name) for name in storage.claims_of(obj)]
        if event.resource == _VOLUMES and (reference := obj["spec"].get("claimRef")):
            return [(reference["namespace"], reference["name"])]
        return [key_of(c) for c in self._api.list(_CLAIMS) if not storage.is_bound(c)]

    def sync(self, key: Key) -> float | None:
        """Bind a claim, or let go of one that nobody uses any more.

        Raises:
            ApiError: a write was refused.
        """
        claim = self._api.get(_CLAIMS, *key)
        if claim is None:
            return None
        if is_terminating(claim):
            self._let_go(claim)
        elif storage.is_bound(claim):
            self._mind(claim)
        else:
            claim = self._with_class(claim)
            volume = self._volume_for(claim)
            if volume is not None:
                self._bind(claim, volume)
        return None

    def _let_go(self, claim: Object) -> None:
        namespace, name = key_of(claim)
        held = claim["metadata"].get("finalizers") or []
        if storage.CLAIM_HELD not in held or any(_uses(p, name) for p in self._api.list("pods", namespace)):
            return
        left = [f for f in held if f != storage.CLAIM_HELD]
        self._api.patch(_CLAIMS, namespace, name, {"metadata": {"finalizers": left or None}}, manager=_MANAGER)

    def _mind(self, claim: Object) -> None:
        if self._api.get(_VOLUMES, None, claim["spec"].get("volumeName") or "") is None:
            self._recorder.warning(
                claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
            )
            self._api.update_status(
                _CLAIMS, {**claim, "status": {**claim["status"], "phase": "Lost"}}, manager=_MANAGER
            )

    def _with_class(self, claim: Object) -> Object:
        """A claim from before there was a default class gets it now."""
        chosen = storage.default_class(self._api.list(_CLASSES))
        if claim["spec"].get("storageClassName") is not None or claim["spec"].get("volumeName") or chosen is None:
            return claim
        return self._api.patch(_CLAIMS, *key_of(claim), {"spec": {"storageClassName": chosen}}, manager=_MANAGER)

    def _volume_for(self, claim: Object) -> Object | None:
        """The volume that a claim is to have, made if need be; None while it has to wait."""
        spec, volumes = claim["spec"], self._api.list(_VOLUMES)
        if named := spec.get("volumeName"):
            return self._named(claim, named)
        storage_class = self._class_of(claim)
        own = next((v for v in volumes if storage.refers(v, claim)), None)
        if own is not None:
            return own
        if storage.waits_for_consumer(storage_class) and storage.SELECTED_NODE not in annotations_of(claim):
            self._say_what_it_waits_for(claim)
            return None
        found = storage.best(volumes, claim)
        if found is not None:
            return dict(found)
        if storage_class is not None:
            return self._provisioned(claim, storage_class)
        if name := spec.get("storageClassName"):
            self._recorder.warning(claim, "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found')
        else:
            why = "no persistent volumes available for this claim and no storage class is set"
            self._recorder.normal(claim, "FailedBinding", why)
        return None

    def _named(self, claim: Object, name: str) -> Object | None:
        volume = self._api.get(_VOLUMES, None, name)
        if volume is not None and volume["spec"].get("claimRef") and not storage.refers(volume, claim):
            self._recorder.warning(claim, "FailedBinding", f'volume "{name}" already bound to a different claim.')
            return None
        return volume

    def _class_of(self, claim: Object) -> Object | None:
        return self._api.get(_CLASSES, None, claim["spec"].get("storageClassName") or "")

    def _say_what_it_waits_for(self, claim: Object) -> None:
        namespace, name = key_of(claim)
        users = sorted(p["metadata"]["name"] for p in self._api.list("pods", namespace) if _uses(p, name))
        if users:
            self._recorder.normal(claim, "WaitForPodScheduled", f"waiting for pod {users[0]} to be scheduled")
        else:
            why = "waiting for first consumer to be created before binding"
            self._recorder.normal(claim, "WaitForFirstConsumer", why)

    def _provisioned(self, claim: Object, storage_class: Object) -> Object | None:
        namespace, name = key_of(claim)
        provisioner = storage_class.get("provisioner")
        if provisioner != storage.PROVISIONER:
            why = (
                f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by "
                "the system administrator. If volume creation is delayed, please verify that the provisioner is "
                "running and correctly registered."
            )
            self._recorder.normal(claim, "ExternalProvisioning", why)
            return None
        if claim["spec"].get("selector") is not None or claim["spec"].get("volumeMode") == "Block":
            why = "failed to provision volume: neither a selector nor volumeMode Block is supported"
            self._recorder.warning(claim, "ProvisioningFailed", why)
            return None
        wanted = volume_for(claim, storage_class)
        title = wanted["metadata"]["name"]
        what = f'External provisioner is provisioning volume for claim "{namespace}/{name}"'
        self._recorder.normal(claim, "Provisioning", what)
        made = self._api.create(_VOLUMES, wanted, manager=_MANAGER)
        self._recorder.normal(claim, "ProvisioningSucceeded", f"Successfully provisioned volume {title}")
        return made

    def _bind(self, claim: Object, volume: Object) -> None:
        namespace, name = key_of(claim)
        title = volume["metadata"]["name"]
        if not (volume["spec"].get("claimRef") or {}).get("uid"):
            change = {"spec": {"claimRef": _reference(claim)}, "metadata": {"annotations": {_BY_CONTROLLER: "yes"}}}
            volume = self._api.patch(_VOLUMES, None, title, change, manager=_MANAGER)
        phase = {"phase": "Bound", "lastPhaseTransitionTime": timestamp()}
        if (volume.get("status") or {}).get("phase") != "Bound":
            self._api.update_status(_VOLUMES, {**volume, "status": phase}, manager=_MANAGER)
        marks = {_COMPLETED: "yes", **({} if claim["spec"].get("volumeName") else {_BY_CONTROLLER: "yes"})}
        change = {"spec": {"volumeName": title}, "metadata": {"annotations": marks}}
        bound = self._api.patch(_CLAIMS, namespace, name, change, manager=_MANAGER)
        status = {
            "phase": "Bound",
            "accessModes": volume["spec"].get("accessModes") or [],
            "capacity": volume["spec"].get("capacity") or {},
        }
        self._api.update_status(_CLAIMS, {**bound, "status": status}, manager=_MANAGER)


def volume_for(claim: Object, storage_class: Object) -> Object:
    """The volume that is made for a claim."""
    requested = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0")
    name = f"pvc-{uid_of(claim)}"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {storage.PROVISIONED_BY: storage.PROVISIONER}},
        "spec": {
            "accessModes": claim["spec"].get("accessModes") or [],
            "capacity": {"storage": requested},
            "claimRef": _reference(claim),
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
            "storageClassName": storage_class["metadata"]["name"],
            "csi": {"driver": storage.PROVISIONER, "volumeHandle": name},
        },
    }


def _reference(claim: Object) -> Object:
    namespace, name = key_of(claim)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": namespace,
        "name": name,
        "uid": uid_of(claim),
    }


def _uses(pod: Object, claim: str) -> bool:
    ended = (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
    return not ended and claim in storage.claims_of(pod)
