"""The quota controller: what a namespace uses of what it may use."""

from __future__ import annotations

from collections.abc import Iterable

from aegis.localcluster.api import ClusterApi, WatchEvent
from aegis.localcluster.controllers.objects import Key, key_of
from aegis.localcluster.quota import counted, used

_QUOTAS = "resourcequotas"


class ResourceQuotaController:
    """Keeps the status of every ResourceQuota."""

    name = "resourcequota-controller"
    watches = ()

    def __init__(self, api: ClusterApi) -> None:
        self._api = api

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The quota itself, or those of the namespace that count such objects."""
        if event.resource == _QUOTAS:
            return [key_of(event.object)]
        namespace = event.object["metadata"].get("namespace")
        if not namespace:
            return []
        return [key_of(q) for q in self._api.list(_QUOTAS, namespace) if event.resource in counted(q)]

    def sync(self, key: Key) -> float | None:
        """Count anew.

        Raises:
            ApiError: the status could not be written.
        """
        quota = self._api.get(_QUOTAS, *key)
        if quota is None:
            return None
        served = self._api.resources()
        objects = [(r, o) for r in sorted(counted(quota)) if r in served for o in self._api.list(r, key[0])]
        status = {"hard": quota["spec"].get("hard") or {}, "used": used(quota, objects)}
        if quota.get("status") != status:
            self._api.update_status(_QUOTAS, {**quota, "status": status}, manager="kube-controller-manager")
        return None
