"""What follows from a CustomResourceDefinition: its resources are served, its status says so, its end ends its objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aegis.localcluster.apiserver.deleting import DeleteOptions, Deleter
from aegis.localcluster.apiserver.objects import Object, timestamp
from aegis.localcluster.apiserver.registry import CustomType, Place, Registry, Resource
from aegis.localcluster.apiserver.store import Change, Store, Stored
from aegis.localcluster.apiserver.writing import CLEANUP, WriteOptions, Writer

STORAGE = "customresourcedefinitions.apiextensions.k8s.io"


class Definitions:
    """Follows the store: definitions become resources of the registry at once."""

    def __init__(self, store: Store, registry: Registry, writer: Writer, deleter: Deleter) -> None:
        self._store, self._registry, self._writer, self._deleter = store, registry, writer, deleter
        self._ending: dict[str, str] = {}
        store.observe(self._changed)

    def _changed(self, change: Change) -> None:
        if change.storage in self._ending and change.type == "DELETED":
            self._finish(self._ending[change.storage])
        elif change.storage == STORAGE:
            self._defined(change)

    def _defined(self, change: Change) -> None:
        spec, metadata = change.object["spec"], change.object["metadata"]
        if change.type == "DELETED":
            self._registry.remove(spec["group"], spec["names"]["plural"])
            self._ending.pop(metadata["name"], None)
        elif metadata.get("deletionTimestamp"):
            self._end(change.object)
        else:
            self._serve(change.object)

    def _serve(self, definition: Stored) -> None:
        spec = definition["spec"]
        self._registry.remove(spec["group"], spec["names"]["plural"])
        for resource in resources_of(definition):
            self._registry.add(resource)
        if (definition.get("status") or {}).get("acceptedNames") != spec["names"] or not _stored_versions(definition):
            self._write(definition, {**definition, "status": _status(definition)}, "status")

    def _end(self, definition: Stored) -> None:
        name = definition["metadata"]["name"]
        if name in self._ending or CLEANUP not in (definition["metadata"].get("finalizers") or ()):
            return
        self._ending[name] = name
        resource = self._registry.named(name)
        for obj in self._store.objects(name):
            metadata = obj["metadata"]
            place = Place(resource, metadata.get("namespace"), metadata["name"])
            self._deleter.delete(place, DeleteOptions())
        self._finish(name)

    def _finish(self, name: str) -> None:
        definition = self._store.get(STORAGE, (None, name))
        if definition is None or self._store.objects(name):
            return
        kept = [f for f in definition["metadata"].get("finalizers") or () if f != CLEANUP]
        if CLEANUP in (definition["metadata"].get("finalizers") or ()):
            self._write(definition, {**definition, "metadata": {**definition["metadata"], "finalizers": kept}}, "")

    def _write(self, definition: Stored, new: Object, subresource: str) -> None:
        place = Place(self._registry.named(STORAGE), None, definition["metadata"]["name"])
        options = WriteOptions(manager="kube-apiserver", trusted=True, subresource=subresource)
        self._writer.update(place, new, options)


def resources_of(definition: Mapping[str, Any]) -> Iterator[Resource]:
    """The resources that a definition's served versions are; the stored version comes last."""
    spec = definition["spec"]
    names = spec["names"]
    for version in sorted(spec["versions"], key=lambda v: bool(v.get("storage"))):
        if version.get("served"):
            subresources = tuple(sorted(version.get("subresources") or ()))
            yield Resource(
                group=spec["group"],
                version=version["name"],
                plural=names["plural"],
                kind=names["kind"],
                namespaced=spec["scope"] == "Namespaced",
                singular=names.get("singular") or names["kind"].lower(),
                short_names=tuple(names.get("shortNames") or ()),
                categories=tuple(names.get("categories") or ()),
                subresources=subresources,
                custom=_custom_type(version),
            )


def _custom_type(version: Mapping[str, Any]) -> CustomType:
    selectable = (f["jsonPath"].lstrip(".") for f in version.get("selectableFields") or ())
    return CustomType(
        schema=version["schema"]["openAPIV3Schema"],
        columns=tuple(version.get("additionalPrinterColumns") or ()),
        scale=(version.get("subresources") or {}).get("scale"),
        selectable=frozenset(selectable),
    )


def _stored_versions(definition: Mapping[str, Any]) -> list[str]:
    versions: list[str] = (definition.get("status") or {}).get("storedVersions") or []
    return versions


def _status(definition: Mapping[str, Any]) -> Object:
    moment = timestamp()
    storage = [v["name"] for v in definition["spec"]["versions"] if v.get("storage")]
    kept = _stored_versions(definition)
    reasons = (
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    )
    conditions = [
        {"type": t, "status": "True", "reason": r, "message": m, "lastTransitionTime": moment} for t, r, m in reasons
    ]
    return {
        "conditions": conditions,
        "acceptedNames": definition["spec"]["names"],
        "storedVersions": [*kept, *(v for v in storage if v not in kept)],
    }
