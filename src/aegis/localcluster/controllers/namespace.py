"""The namespace controller: what lives in a namespace that is going goes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from aegis.localcluster.api import ClusterApi, Object, WatchEvent
from aegis.localcluster.controllers.objects import Key, is_terminating, timestamp, uid_of
from aegis.localcluster.status import ApiError

_MANAGER = "kube-controller-manager"
_NOT_FOUND = 404


class NamespaceController:
    """Empties terminating namespaces, then lets them go."""

    name = "namespace-controller"
    watches = ()

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._going: set[str] = set()

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """A namespace that is going, and whatever leaves (or still enters) it."""
        metadata = event.object["metadata"]
        if event.resource != "namespaces":
            return [(metadata["namespace"],)] if metadata.get("namespace") in self._going else []
        name: str = metadata["name"]
        if event.type == "DELETED" or not is_terminating(event.object):
            self._going.discard(name)
            return []
        self._going.add(name)
        return [(name,)]

    def sync(self, key: Key) -> float | None:
        """Delete what is there; with nothing left, give up the namespace's finalizer.

        Raises:
            ApiError: a write was refused.
        """
        (name,) = key
        space = self._api.get("namespaces", None, name)
        if space is None or not is_terminating(space):
            return None
        left = self._emptied(name)
        if left:
            self._report(space, left)
            return None
        rest = [f for f in space["spec"].get("finalizers") or () if f != "kubernetes"]
        self._api.update("namespaces", {**space, "spec": {**space["spec"], "finalizers": rest}}, manager=_MANAGER)
        return None

    def _emptied(self, namespace: str) -> dict[str, list[Object]]:
        """Delete everything in a namespace; what still stands, by resource."""
        left: dict[str, list[Object]] = {}
        for resource in [r for r, namespaced in self._api.resources().items() if namespaced]:
            for obj in self._api.list(resource, namespace):
                if not is_terminating(obj):
                    self._delete(resource, namespace, obj)
            if remaining := list(self._api.list(resource, namespace)):
                left[resource] = remaining
        return left

    def _delete(self, resource: str, namespace: str, obj: Object) -> None:
        try:
            self._api.delete(resource, namespace, obj["metadata"]["name"], uid=uid_of(obj))
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise

    def _report(self, space: Object, left: Mapping[str, list[Object]]) -> None:
        status = space.get("status") or {}
        known = {c["type"]: c for c in status.get("conditions") or ()}
        conditions = []
        for new in conditions_of(left):
            old = known.get(new["type"])
            turned = old["lastTransitionTime"] if old is not None and old["status"] == new["status"] else timestamp()
            conditions.append({**new, "lastTransitionTime": turned})
        if conditions != status.get("conditions"):
            changed = {**space, "status": {**status, "phase": "Terminating", "conditions": conditions}}
            self._api.update_status("namespaces", changed, manager=_MANAGER)


def conditions_of(left: Mapping[str, list[Object]]) -> list[dict[str, Any]]:
    """What a namespace says while content remains in it."""
    # Resources in the form plural.group, as the controller of Kubernetes names them ("pods." for the core group).
    content = ", ".join(f"{_dotted(r)} has {len(left[r])} resource instances" for r in sorted(left))
    counts = Counter(f for objects in left.values() for o in objects for f in o["metadata"].get("finalizers") or ())
    held = ", ".join(f"{f} in {n} resource instances" for f, n in sorted(counts.items()))
    return [
        {
            "type": "NamespaceDeletionContentFailure",
            "status": "False",
            "reason": "ContentDeleted",
            "message": "All content successfully deleted, may be waiting on finalization",
        },
        {
            "type": "NamespaceContentRemaining",
            "status": "True",
            "reason": "SomeResourcesRemain",
            "message": f"Some resources are remaining: {content}",
        },
        {
            "type": "NamespaceFinalizersRemaining",
            "status": "True" if held else "False",
            "reason": "SomeFinalizersRemain" if held else "ContentHasNoFinalizers",
            "message": f"Some content in the namespace has finalizers remaining: {held}"
            if held
            else "All content-preserving finalizers finished",
        },
    ]


def _dotted(resource: str) -> str:
    return resource if "." in resource else f"{resource}."
