"""The in-process door: `aegis.localcluster.api.ClusterApi` over the store and the write path."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from aegis.kube.patch import merge_patch
from aegis.localcluster.api import Object, Propagation, WatchEvent
from aegis.localcluster.apiserver.deleting import DeleteOptions, Deleter
from aegis.localcluster.apiserver.objects import copied, timestamp
from aegis.localcluster.apiserver.refusals import Conflict, NoSuchPath, NotFound
from aegis.localcluster.apiserver.registry import Place, Registry, Resource
from aegis.localcluster.apiserver.scaling import rescaled, scale_of
from aegis.localcluster.apiserver.store import Store
from aegis.localcluster.apiserver.writing import WriteOptions, Writer
from aegis.localcluster.status import ApiError

_SCHEDULER = "kube-scheduler"


class Door:  # noqa: PLR0904 - one method for each that `ClusterApi` asks for
    """What the controllers, the scheduler and the kubelet call."""

    def __init__(self, store: Store, registry: Registry, writer: Writer, deleter: Deleter) -> None:
        self._store, self._registry, self._writer, self._deleter = store, registry, writer, deleter

    def get(self, resource: str, namespace: str | None, name: str) -> Object | None:
        """See `ClusterApi.get`."""
        place = Place(self._registry.named(resource), namespace, name)
        return self._store.get(place.resource.stored_as, place.key)

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Object]:
        """See `ClusterApi.list`."""
        return self._store.objects(self._registry.named(resource).stored_as, namespace)

    def resources(self) -> Mapping[str, bool]:
        """See `ClusterApi.resources`; what two resources share is named once."""
        return {r.full_name: r.namespaced for r in self._registry if r.full_name == r.stored_as}

    def create(self, resource: str, obj: Mapping[str, Any], *, manager: str) -> Object:
        """See `ClusterApi.create`."""
        found = self._registry.named(resource)
        return self._writer.create(found, _namespace(found, obj), obj, _options(manager))

    def update(self, resource: str, obj: Mapping[str, Any], *, manager: str) -> Object:
        """See `ClusterApi.update`."""
        return self._writer.update(self._place_of(resource, obj), obj, _options(manager))

    def update_status(self, resource: str, obj: Mapping[str, Any], *, manager: str) -> Object:
        """See `ClusterApi.update_status`."""
        return self._writer.update(self._place_of(resource, obj), obj, _options(manager, "status"))

    def patch(
        self, resource: str, namespace: str | None, name: str, patch: Mapping[str, Any], *, manager: str
    ) -> Object:
        """See `ClusterApi.patch`.

        Raises:
            NotFound: there is no such object.
        """
        place = Place(self._registry.named(resource), namespace, name)
        old = self._store.get(place.resource.stored_as, place.key)
        if old is None:
            raise NotFound(place.resource, name)
        loose = {**old, "metadata": {k: v for k, v in old["metadata"].items() if k != "resourceVersion"}}
        return self._writer.update(place, merge_patch(loose, patch), _options(manager))

    def scale(self, reference: Mapping[str, Any], namespace: str) -> Object | None:
        """See `ClusterApi.scale`."""
        place = self._scalable(reference, namespace)
        found = self._store.get(place.resource.stored_as, place.key)
        return None if found is None else scale_of(place.resource, found)

    def rescale(self, reference: Mapping[str, Any], namespace: str, replicas: int, *, manager: str) -> Object:
        """See `ClusterApi.rescale`.

        Raises:
            NotFound: there is no such object.
        """
        place = self._scalable(reference, namespace)
        found = self._store.get(place.resource.stored_as, place.key)
        if found is None:
            raise NotFound(place.resource, place.name)
        new = rescaled(place.resource, found, {"spec": {"replicas": replicas}})
        return scale_of(place.resource, self._writer.update(place, new, _options(manager, "scale")))

    def _scalable(self, reference: Mapping[str, Any], namespace: str) -> Place:
        kind, version = str(reference.get("kind")), str(reference.get("apiVersion") or "")
        resource = self._registry.of_kind(version, kind)
        if resource is None:
            message = f'no matches for kind "{kind}" in group "{version.rpartition("/")[0]}"'
            raise ApiError(404, "NotFound", message)
        if "scale" not in resource.subresources:
            raise NoSuchPath
        return Place(resource, namespace, str(reference.get("name")))

    def bind(self, namespace: str, pod: str, node: str) -> None:
        """See `ClusterApi.bind`.

        Raises:
            NotFound: there is no such pod.
            Conflict: the pod has a node already, or is being deleted.
        """
        place = Place(self._registry.named("pods"), namespace, pod)
        old = self._store.get("pods", place.key)
        if old is None:
            raise NotFound(place.resource, pod)
        if old["metadata"].get("deletionTimestamp"):
            raise Conflict(place.resource, pod, f"pod {pod} is being deleted, cannot be assigned to a host")
        if assigned := old["spec"].get("nodeName"):
            raise Conflict(place.resource, pod, f'pod {pod} is already assigned to node "{assigned}"')
        new = copied(old)
        new["spec"]["nodeName"] = node
        bound = self._writer.update(place, new, _options(_SCHEDULER, "binding"))
        self._writer.update(place, _scheduled(bound), _options(_SCHEDULER, "status"))

    def delete(
        self,
        resource: str,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        grace_seconds: int | None = None,
        propagation: Propagation = "Background",
    ) -> None:
        """See `ClusterApi.delete`."""
        wanted = None if propagation == "Background" else propagation
        options = DeleteOptions(uid=uid, grace_seconds=grace_seconds, propagation=wanted)
        self._deleter.delete(Place(self._registry.named(resource), namespace, name), options)

    async def watch(self, *resources: str) -> AsyncIterator[WatchEvent]:
        """See `ClusterApi.watch`."""
        chosen = {self._registry.named(r).stored_as for r in resources} or None
        with self._store.subscribe(chosen) as changes:
            initial = [(s, o) for s in (chosen or self._store.storages()) for o in self._store.objects(s)]
            for storage, obj in initial:
                yield WatchEvent(type="ADDED", resource=storage, object=obj)
            async for change in changes:
                yield WatchEvent(type=change.type, resource=change.storage, object=change.object)

    def _place_of(self, resource: str, obj: Mapping[str, Any]) -> Place:
        found = self._registry.named(resource)
        return Place(found, _namespace(found, obj), obj["metadata"]["name"])


def _options(manager: str, subresource: str = "") -> WriteOptions:
    return WriteOptions(manager=manager, trusted=True, field_validation="Ignore", subresource=subresource)


def _namespace(resource: Resource, obj: Mapping[str, Any]) -> str | None:
    if not resource.namespaced:
        return None
    namespace: str | None = (obj.get("metadata") or {}).get("namespace")
    return namespace


def _scheduled(pod: Object) -> Object:
    status = pod.get("status") or {}
    others = [c for c in status.get("conditions") or () if c.get("type") != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": timestamp()}
    return {**pod, "status": {**status, "conditions": [*others, scheduled]}}
