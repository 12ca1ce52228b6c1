"""DefaultStorageClass and StorageObjectInUseProtection: what a new claim or volume gets from the cluster."""

from __future__ import annotations

from aegis.localcluster.apiserver.admission.request import Request
from aegis.localcluster.apiserver.store import Store
from aegis.localcluster.storage import CLAIM_HELD, VOLUME_HELD, default_class

_CLASSES = "storageclasses.storage.k8s.io"
_HELD_BY = {"persistentvolumeclaims": CLAIM_HELD, "persistentvolumes": VOLUME_HELD}


class StorageDefaults:
    """Names the default class in a claim that names none, and holds claims and volumes that are in use."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def mutate(self, request: Request) -> None:
        """Complete a new claim or volume."""
        held = _HELD_BY.get(request.resource.full_name)
        if held is None or request.operation != "CREATE":
            return
        metadata = request.new["metadata"]
        if held not in (metadata.get("finalizers") or ()):
            metadata["finalizers"] = [*(metadata.get("finalizers") or ()), held]
        spec = request.new.get("spec")
        if held == CLAIM_HELD and isinstance(spec, dict) and spec.get("storageClassName") is None:
            chosen = default_class(self._store.objects(_CLASSES))
            if chosen is not None:
                spec["storageClassName"] = chosen

    def judge(self, request: Request) -> None:
        """Nothing to refuse."""
