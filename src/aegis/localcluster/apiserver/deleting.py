"""Deletion: preconditions, grace, finalizers and propagation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aegis.localcluster.api import Propagation
from aegis.localcluster.apiserver.objects import Object, copied, now, timestamp
from aegis.localcluster.apiserver.refusals import Conflict, Forbidden, NotFound
from aegis.localcluster.apiserver.registry import Place, Resource
from aegis.localcluster.apiserver.store import Store, Stored
from aegis.localcluster.apiserver.writing import may_vanish

_FINISHED = frozenset({"Succeeded", "Failed"})
_GRACE_SECONDS = 30
_PROTECTED = frozenset({"default", "kube-system", "kube-public"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """meta/v1 DeleteOptions, as far as they are kept."""

    uid: str | None = None
    resource_version: str | None = None
    grace_seconds: int | None = None
    propagation: Propagation | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion did: the object as it is now, and whether it is gone."""

    object: Object
    gone: bool


class Deleter:
    """Deletes objects, or marks them to be."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def delete(self, place: Place, options: DeleteOptions) -> Deleted:
        """Delete an object.

        Raises:
            NotFound: there is no such object.
            Forbidden: the cluster cannot be without this namespace.
            Conflict: a precondition does not hold.
        """
        resource, key = place.resource, place.key
        old = self._store.get(resource.stored_as, key)
        if old is None:
            raise NotFound(resource, place.name)
        if old["metadata"]["name"] in _PROTECTED and resource.full_name == "namespaces":
            raise Forbidden(resource, place.name, "this namespace may not be deleted")
        _check(resource, old, options)
        new = _marked(resource, old, options)
        gone = may_vanish(resource, new)
        if options.dry_run:
            return Deleted(new, gone)
        if gone:
            return Deleted(self._store.remove(resource.stored_as, key, _without_mark(old, new)), gone=True)
        if new == old:
            return Deleted(old, gone=False)
        return Deleted(self._store.put(resource.stored_as, key, new), gone=False)


def _without_mark(old: Stored, new: Object) -> Object:
    """A deletion in one step shows no deletionTimestamp of its own."""
    return new if "deletionTimestamp" in old["metadata"] else old


def _check(resource: Resource, old: Stored, options: DeleteOptions) -> None:
    metadata = old["metadata"]
    for name, wanted, found in (
        ("UID", options.uid, metadata["uid"]),
        ("ResourceVersion", options.resource_version, metadata["resourceVersion"]),
    ):
        if wanted is not None and wanted != found:
            why = f"the {name} in the precondition ({wanted}) does not match the {name} in record ({found}). The object might have been deleted and then recreated"
            raise Conflict(resource, metadata["name"], why)


def _marked(resource: Resource, old: Stored, options: DeleteOptions) -> Object:
    new: Object = copied(old)
    metadata = new["metadata"]
    grace = _grace(resource, old, options)
    if not metadata.get("deletionTimestamp"):
        metadata["deletionTimestamp"] = timestamp(now() + timedelta(seconds=grace))
        metadata["deletionGracePeriodSeconds"] = grace
        if "generation" in metadata:
            metadata["generation"] += 1
    elif grace < (metadata.get("deletionGracePeriodSeconds") or 0):
        metadata["deletionTimestamp"] = timestamp(now() + timedelta(seconds=grace))
        metadata["deletionGracePeriodSeconds"] = grace
    if finalizers := _finalizers(metadata.get("finalizers") or [], options.propagation):
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    if resource.kind == "Namespace" and not resource.group:
        new["status"] = {**(new.get("status") or {}), "phase": "Terminating"}
    return new


def _finalizers(present: list[str], propagation: Propagation | None) -> list[str]:
    if propagation is None:
        return present
    kept = [f for f in present if f not in {"orphan", "foregroundDeletion"}]
    added = {"Orphan": ["orphan"], "Foreground": ["foregroundDeletion"], "Background": []}
    return kept + added[propagation]


def _grace(resource: Resource, old: Mapping[str, Any], options: DeleteOptions) -> int:
    """Seconds until removal: pods that run get theirs, everything else goes at once."""
    if resource.kind != "Pod" or resource.group:
        return 0
    spec = old.get("spec") or {}
    if not spec.get("nodeName") or (old.get("status") or {}).get("phase") in _FINISHED:
        return 0
    if options.grace_seconds is not None:
        return max(0, options.grace_seconds)
    return int(spec.get("terminationGracePeriodSeconds", _GRACE_SECONDS))
