"""The garbage collector: what an owner leaves behind follows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aegis.localcluster.api import ClusterApi, Object, Propagation, WatchEvent
from aegis.localcluster.controllers.objects import Key, is_terminating, key_of, owners_of, uid_of
from aegis.localcluster.status import ApiError

_MANAGER = "kube-controller-manager"
_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"
_CRDS = "customresourcedefinitions.apiextensions.k8s.io"
_NOT_FOUND = 404


class Graph:
    """Who owns whom, by uid, as the stream of changes told so far."""

    def __init__(self) -> None:
        self._places: dict[str, Key] = {}
        self._owners: dict[str, frozenset[str]] = {}
        self._dependents: dict[str, set[str]] = {}
        self._kinds: dict[str, tuple[str, str]] = {}

    def take(self, event: WatchEvent) -> None:
        """Learn from a change."""
        obj, uid = event.object, uid_of(event.object)
        gone = event.type == "DELETED"
        for owner in self._owners.pop(uid, frozenset()):
            self._dependents[owner].discard(uid)
            if not self._dependents[owner]:
                del self._dependents[owner]
        if gone:
            self._places.pop(uid, None)
        else:
            self._places[uid] = (event.resource, *key_of(obj))
            if owners := frozenset(o["uid"] for o in owners_of(obj)):
                self._owners[uid] = owners
                for owner in owners:
                    self._dependents.setdefault(owner, set()).add(uid)
        if event.resource == _CRDS:
            self._kinds[uid] = (obj["spec"]["group"], obj["spec"]["names"]["kind"])

    def place(self, uid: str) -> Key | None:
        """Resource, namespace and name of what exists under a uid."""
        return self._places.get(uid)

    def dependents(self, uid: str) -> list[Key]:
        """What names this uid as an owner."""
        return [self._places[d] for d in sorted(self._dependents.get(uid, ())) if d in self._places]

    def defines(self, group: str, kind: str) -> bool:
        """Whether a custom resource definition of this kind was seen."""
        return (group, kind) in self._kinds.values()


class GarbageCollector:
    """Deletes dependents in the background or foreground, or orphans them."""

    name = "garbage-collector-controller"
    watches = ()

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._graph = Graph()

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The object itself where it has owners or waits for dependents; around a deletion, its neighbours too."""
        if event.resource == "events":
            return []
        self._graph.take(event)
        obj, owners = event.object, owners_of(event.object)
        keys: list[Key] = []
        if event.type != "DELETED" and (owners or _waits(obj)):
            keys.append((event.resource, *key_of(obj)))
        if event.type == "DELETED" or is_terminating(obj):
            keys += self._graph.dependents(uid_of(obj))
            keys += [place for o in owners if (place := self._graph.place(o["uid"])) is not None]
        return keys

    def sync(self, key: Key) -> float | None:
        """Do for one object what its owners' or its own deletion asks for.

        Raises:
            ApiError: a write was refused.
        """
        resource, namespace, name = key
        obj = self._api.get(resource, namespace or None, name)
        if obj is None:
            return None
        finalizers = obj["metadata"].get("finalizers") or ()
        if is_terminating(obj):
            if _ORPHAN in finalizers:
                self._orphan_dependents(obj)
                self._drop_finalizer(resource, obj, _ORPHAN)
            elif _FOREGROUND in finalizers:
                self._delete_dependents(resource, obj)
        elif owners_of(obj):
            self._follow_owners(resource, obj)
        return None

    def _follow_owners(self, resource: str, obj: Object) -> None:
        owners = owners_of(obj)
        if not all(self._is_known(o) for o in owners):
            return  # an owner of a kind that is not served may exist all the same
        solid = [o for o in owners if self._stands(o, obj)]
        if not solid:
            self._delete(resource, obj, self._propagation(obj))
        elif len(solid) < len(owners):
            self._write_owners(resource, obj, solid)

    def _stands(self, owner: Mapping[str, Any], dependent: Object) -> bool:
        """Whether an owner exists, where a dependent may have one, and is not waiting for its dependents to go."""
        place = self._graph.place(owner["uid"])
        if place is None or place[1] not in {"", dependent["metadata"].get("namespace")}:
            return False
        found = self._api.get(place[0], place[1] or None, place[2])
        return found is not None and not (is_terminating(found) and _waits_foreground(found))

    def _delete_dependents(self, resource: str, owner: Object) -> None:
        blocking = False
        for key in self._graph.dependents(uid_of(owner)):
            dependent = self._api.get(key[0], key[1] or None, key[2])
            if dependent is None:
                continue
            if not is_terminating(dependent):
                self._follow_owners(key[0], dependent)
                dependent = self._api.get(key[0], key[1] or None, key[2])
            blocking |= dependent is not None and _blocks(dependent, owner)
        if not blocking:
            self._drop_finalizer(resource, owner, _FOREGROUND)

    def _orphan_dependents(self, owner: Object) -> None:
        for key in self._graph.dependents(uid_of(owner)):
            dependent = self._api.get(key[0], key[1] or None, key[2])
            if dependent is not None:
                kept = [o for o in owners_of(dependent) if o["uid"] != uid_of(owner)]
                self._write_owners(key[0], dependent, kept)

    def _drop_finalizer(self, resource: str, obj: Object, finalizer: str) -> None:
        kept = [f for f in obj["metadata"]["finalizers"] if f != finalizer]
        self._patch(resource, obj, {"finalizers": kept or None})

    def _write_owners(self, resource: str, obj: Object, owners: Sequence[Mapping[str, Any]]) -> None:
        self._patch(resource, obj, {"ownerReferences": list(owners) or None})

    def _patch(self, resource: str, obj: Object, metadata: dict[str, Any]) -> None:
        namespace, name = key_of(obj)
        patch = {"metadata": {"uid": uid_of(obj), **metadata}}
        try:
            self._api.patch(resource, namespace or None, name, patch, manager=_MANAGER)
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise

    def _propagation(self, obj: Object) -> Propagation:
        """How an object is deleted after its owners: as it asked itself, else as its owners go."""
        finalizers = obj["metadata"].get("finalizers") or ()
        if _ORPHAN in finalizers:
            return "Orphan"
        waiting = any(self._graph.place(o["uid"]) is not None for o in owners_of(obj))
        return "Foreground" if waiting and self._graph.dependents(uid_of(obj)) else "Background"

    def _delete(self, resource: str, obj: Object, propagation: Propagation) -> None:
        namespace, name = key_of(obj)
        try:
            self._api.delete(resource, namespace or None, name, uid=uid_of(obj), propagation=propagation)
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise

    def _is_known(self, owner: Mapping[str, Any]) -> bool:
        """Whether the kind of an owner is served, so that its absence means something."""
        if self._graph.place(owner["uid"]) is not None:
            return True
        version, kind = str(owner.get("apiVersion", "")), str(owner.get("kind", ""))
        group = version.rpartition("/")[0]
        suffix = f".{group}" if group else ""
        lower, served = kind.lower(), self._api.resources()
        plurals = {lower, f"{lower}s", f"{lower}es", f"{lower.removesuffix('y')}ies"}
        return any(f"{p}{suffix}" in served for p in plurals) or self._graph.defines(group, kind)


def _waits(obj: Object) -> bool:
    finalizers = obj["metadata"].get("finalizers") or ()
    return is_terminating(obj) and (_FOREGROUND in finalizers or _ORPHAN in finalizers)


def _waits_foreground(obj: Object) -> bool:
    return _FOREGROUND in (obj["metadata"].get("finalizers") or ())


def _blocks(dependent: Object, owner: Object) -> bool:
    return any(o["uid"] == uid_of(owner) and o.get("blockOwnerDeletion") for o in owners_of(dependent))
