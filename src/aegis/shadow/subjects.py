"""What scanners are given of an arm: its objects as production would hold them, and the images that they run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aegis.kube.pod_template import containers, pod_spec_of, template_path
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.scan import Image, Manifests, Subject

LAYERLESS = "an image of the embedded registry has no layers to look into"

_TOKEN = "automountServiceAccountToken"  # noqa: S105 - the name of a field
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


def subjects_of(
    objects: Iterable[Json],
    *,
    namespace: str,
    embedded: bool,
    copied_from: Mapping[ObjectRef, Json | None] | None = None,
) -> Subjects:
    """What scanners are given of an arm.

    Args:
        objects: as the server holds them in the arm.
        namespace: of production: a finding names the object that a person knows.
        embedded: whether the cluster's images come from the embedded registry.
        copied_from: production's own objects, by what they are in a shadow, where `objects` are copies there: what the shadow put into those is
            nothing that a fix could take away.
    """
    held = tuple(as_in_production(obj, namespace) for obj in objects)
    if copied_from is not None:
        held = tuple(_with_its_token(obj, copied_from.get(ObjectRef.of(obj)) or {}) for obj in held)
    return Subjects(manifests=Manifests(objects=held), images=images_of(held, embedded=embedded))


def images_of(objects: Iterable[Json], *, embedded: bool) -> tuple[Image, ...]:
    """The images of all containers, those that start before the others included."""
    layerless = LAYERLESS if embedded else ""
    run: dict[str, list[str]] = {}
    for obj in objects:
        for one in containers(pod_spec_of(obj) or {}):
            reference = one.spec.get("image")
            if isinstance(reference, str) and reference:
                ref = ObjectRef.of(obj)
                run.setdefault(reference, []).append(f"{ref.kind}/{ref.name} {one.group}[{one.spec.get('name')}]")
    return tuple(
        Image(reference=reference, layerless=layerless, containers=tuple(names)) for reference, names in run.items()
    )


def as_in_production(obj: Json, namespace: str) -> JsonObject:
    """The object without what a server says of it, in production's namespace."""
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key not in _OF_SERVER}
    if "namespace" in metadata:
        metadata["namespace"] = namespace
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}


def _with_its_token(copy: JsonObject, original: Json) -> JsonObject:
    """The copy without the refusal of a token that every copy has, unless production has it too.

    A change that replaces the pod's spec, as a roll-back does, drops it; that would look as if it gave the pod a token.
    """
    if copy.get("kind") == "ServiceAccount":
        return _unsaid(copy, original)
    spec = pod_spec_of(copy)
    if spec is None:
        return copy
    path = (*template_path(str(copy.get("kind"))), "spec")
    return _replaced(copy, path, _unsaid(spec, pod_spec_of(original) or {}))


def _unsaid(copy: Json, original: Json) -> JsonObject:
    ours = copy.get(_TOKEN) is False and original.get(_TOKEN) is not False
    return {key: value for key, value in copy.items() if not (ours and key == _TOKEN)}


def _replaced(obj: Json, path: tuple[str, ...], value: JsonObject) -> JsonObject:
    if not path:
        return value
    return {**obj, path[0]: _replaced(obj[path[0]], path[1:], value)}
