"""What scanners are given of an arm: its objects as production would hold them, and the images that they run. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aegis.kube.pod_template import containers, pod_spec_of
from aegis.model.refs import Json, JsonObject
from aegis.model.scan import Image, Manifests, Subject

LAYERLESS = "an image of the embedded registry has no layers to look into"

_OF_SERVER = frozenset({
    "creationTimestamp",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
})


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """Of one arm.

    Attributes:
        manifests: the tried and the changed objects.
        images: of all their containers, each once, in the order in which they are named.
        fault: why the objects cannot be read in one way only; empty where they can.
    """

    manifests: Manifests
    images: tuple[Image, ...]
    fault: str = ""

    @property
    def all(self) -> tuple[Subject, ...]:
        """Both."""
        return (self.manifests, *self.images)


def subjects_of(objects: Iterable[Json], *, namespace: str, embedded: bool) -> Subjects:
    """What scanners are given of an arm.

    Args:
        objects: as the server holds them in the arm.
        namespace: of production: a finding names the object that a person knows.
        embedded: whether the cluster's images come from the embedded registry.
    """
    held = tuple(as_in_production(obj, namespace) for obj in objects)
    return Subjects(manifests=Manifests(objects=held), images=images_of(held, embedded=embedded))


def images_of(objects: Iterable[Json], *, embedded: bool) -> tuple[Image, ...]:
    """The images of all containers, those that start before the others included."""
    references = (
        str(one.spec["image"])
        for obj in objects
        for one in containers(pod_spec_of(obj) or {})
        if isinstance(one.spec.get("image"), str) and one.spec["image"]
    )
    layerless = LAYERLESS if embedded else ""
    return tuple(Image(reference=reference, layerless=layerless) for reference in dict.fromkeys(references))


def as_in_production(obj: Json, namespace: str) -> JsonObject:
    """The object without what a server says of it, in production's namespace."""
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key not in _OF_SERVER}
    if "namespace" in metadata:
        metadata["namespace"] = namespace
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}
