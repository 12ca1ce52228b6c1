"""The in-process door: `aegis.localcluster.api.ClusterApi` over the store and the write path."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from aegis.kube.patch import merge_patch
from aegis.localcluster.api import Object, WatchEvent
from aegis.localcluster.apiserver.deleting import DeleteOptions, Deleter
from aegis.localcluster.apiserver.objects import copied, timestamp
from aegis.localcluster.apiserver.refusals import conflict, not_found
from aegis.localcluster.apiserver.registry import Registry, Resource
from aegis.localcluster.apiserver.store import Change, Store
from aegis.localcluster.apiserver.writing import WriteOptions, Writer


class Door:
    """What the controllers, the scheduler and the kubelet call."""

    def __init__(self, store: Store, registry: Registry, writer: Writer, deleter: Deleter) -> None:
        self._store, self._registry, self._writer, self._deleter = store, registry, writer, deleter

    def get(self, resource: str, namespace: str | None, name: str) -> Object | None:
        """See `ClusterApi.get`."""
        found = self._registry.named(resource)
        return self._store.get(found.stored_as, (namespace if found.namespaced else None, name))

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Object]:
        """See `ClusterApi.list`."""
        return self._store.list(self._registry.named(resource).stored_as, namespace)

    def create(self, resource: str, obj: Mapping[str, Any], *, manager: str) -> Object:
        """See `ClusterApi.create`."""
        found = self._registry.named(resource)
        options = WriteOptions(manager=manager, trusted=True, field_validation="Ignore")
        return self._writer.create(found, _namespace(found, obj), obj, options)

    def update(self, resource: str, obj: Mapping[str, Any], *, manager: str) -> Object:
        """See `ClusterApi.update`."""
        return self._update(resource, obj, manager, "")

    def update_status(self, resource: str, obj: Mapping[str, Any], *, manager: str) -> Object:
        """See `ClusterApi.update_status`."""
        return self._update(resource, obj, manager, "status")

    def patch(
        self, resource: str, namespace: str | None, name: str, patch: Mapping[str, Any], *, manager: str
    ) -> Object:
        """See `ClusterApi.patch`.

        Raises:
            ApiError: 404 where the object is gone, and whatever an update may raise.
        """
        found = self._registry.named(resource)
        old = self.get(resource, namespace, name)
        if old is None:
            raise not_found(found, name)
        loose = {**old, "metadata": {k: v for k, v in old["metadata"].items() if k != "resourceVersion"}}
        options = WriteOptions(manager=manager, trusted=True, field_validation="Ignore")
        return self._writer.update(found, namespace, name, merge_patch(loose, patch), options)

    def bind(self, namespace: str, pod: str, node: str) -> None:
        """See `ClusterApi.bind`.

        Raises:
            ApiError: 404 for a missing pod, 409 where it has a node or is going.
        """
        resource = self._registry.named("pods")
        old = self._store.get("pods", (namespace, pod))
        if old is None:
            raise not_found(resource, pod)
        if old["metadata"].get("deletionTimestamp"):
            raise conflict(resource, pod, f"pod {pod} is being deleted, cannot be assigned to a host")
        if assigned := old["spec"].get("nodeName"):
            raise conflict(resource, pod, f'pod {pod} is already assigned to node "{assigned}"')
        new = copied(old)
        new["spec"]["nodeName"] = node
        options = WriteOptions(manager="kube-scheduler", trusted=True, field_validation="Ignore", subresource="binding")
        self._writer.update(resource, namespace, pod, new, options)
        self._mark_scheduled(resource, namespace, pod)

    def delete(
        self,
        resource: str,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        grace_seconds: int | None = None,
    ) -> None:
        """See `ClusterApi.delete`."""
        options = DeleteOptions(uid=uid, grace_seconds=grace_seconds)
        self._deleter.delete(self._registry.named(resource), namespace, name, options)

    async def watch(self, *resources: str) -> AsyncIterator[WatchEvent]:
        """See `ClusterApi.watch`."""
        names = {self._registry.named(r).stored_as: r for r in resources}
        with self._store.subscribe(names) as changes:
            initial = [(r, o) for s, r in names.items() for o in self._store.list(s)]
            for resource, obj in initial:
                yield WatchEvent(type="ADDED", resource=resource, object=obj)
            async for change in changes:
                yield _event(change, names)

    def _update(self, resource: str, obj: Mapping[str, Any], manager: str, subresource: str) -> Object:
        found = self._registry.named(resource)
        options = WriteOptions(manager=manager, trusted=True, field_validation="Ignore", subresource=subresource)
        return self._writer.update(found, _namespace(found, obj), obj["metadata"]["name"], obj, options)

    def _mark_scheduled(self, resource: Resource, namespace: str, pod: str) -> None:
        new = copied(self._store.get("pods", (namespace, pod)))
        status = new.setdefault("status", {})
        others = [c for c in status.get("conditions") or () if c.get("type") != "PodScheduled"]
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": timestamp()}
        status["conditions"] = [*others, scheduled]
        options = WriteOptions(manager="kube-scheduler", trusted=True, field_validation="Ignore", subresource="status")
        self._writer.update(resource, namespace, pod, new, options)


def _namespace(resource: Resource, obj: Mapping[str, Any]) -> str | None:
    if not resource.namespaced:
        return None
    namespace: str | None = (obj.get("metadata") or {}).get("namespace")
    return namespace


def _event(change: Change, names: Mapping[str, str]) -> WatchEvent:
    return WatchEvent(type=change.type, resource=names[change.storage], object=change.object)
