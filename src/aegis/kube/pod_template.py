"""Where pod templates live, which containers they hold, and what else of the cluster they name.

Source of the shapes: the Kubernetes API reference, core/v1 PodSpec and the apps/v1 and batch/v1 kinds. Nothing here
trusts that an object is well formed: what has the wrong shape is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

CONTAINER_GROUPS = ("initContainers", "containers", "ephemeralContainers")

_TEMPLATE_PATHS: dict[str, tuple[str, ...]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
_USUAL_PATH = ("spec", "template")
"""Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, ReplicationController, and custom kinds made after them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One object that a pod spec names, in the pod's own namespace where the kind lives in namespaces.

    Attributes:
        kind: `ConfigMap`, `Secret`, `PersistentVolumeClaim`, `ServiceAccount`, `PriorityClass`, `RuntimeClass` or
            `ResourceClaim`.
        name: its name.
        key: the one key of it that must be there; None where the whole object is named.
        optional: whether the pod starts without it (`optional: true`, and pull secrets, whose lack only warns).
        path: where in the pod spec, list items by their merge key: `containers[web].env[MODE].valueFrom.configMapKeyRef`.
    """

    kind: str
    name: str
    key: str | None = None
    optional: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerAt:
    """One container of a pod spec and its place.

    Attributes:
        group: `initContainers`, `containers` or `ephemeralContainers`.
        index: within the group.
        spec: the container itself.
    """

    group: str
    index: int
    spec: Json

    @property
    def name(self) -> str:
        """Its name, unique within the pod."""
        return str(self.spec.get("name") or "")

    @property
    def path(self) -> str:
        """Its place in the pod spec: `containers[web]`."""
        return f"{self.group}[{self.name}]"


def template_path(kind: str) -> tuple[str, ...]:
    """The keys that lead from an object of this kind to its pod template; empty for a Pod, which is its own."""
    return _TEMPLATE_PATHS.get(kind, _USUAL_PATH)


def template_of(obj: Json) -> Json | None:
    """The pod template (`metadata` and `spec`) of an object; a Pod is its own; None where there is none."""
    found: Any = obj
    for key in template_path(str(obj.get("kind") or "")):
        found = _mapping(found).get(key)
    return (
        found if isinstance(found, Mapping) and isinstance(found.get("spec"), Mapping) and _holds_pod(found) else None
    )


def pod_spec_of(obj: Json) -> Json | None:
    """The PodSpec of a Pod or of a template's owner; None where the object bears no pod."""
    template = template_of(obj)
    return _mapping(template.get("spec")) if template is not None else None


def template_labels(obj: Json) -> dict[str, str]:
    """The labels that the pods of an object carry."""
    template = template_of(obj) or {}
    labels = _mapping(_mapping(template.get("metadata")).get("labels"))
    return {str(key): str(value) for key, value in labels.items()}


def containers(pod_spec: Json) -> tuple[ContainerAt, ...]:
    """Every container: init containers first, in the order in which they start."""
    return tuple(
        ContainerAt(group=group, index=index, spec=item)
        for group in CONTAINER_GROUPS
        for index, item in enumerate(_items(pod_spec.get(group)))
    )


def references(pod_spec: Json) -> tuple[Reference, ...]:
    """Everything of the cluster that the pod spec names, in the order of the spec; one entry a place."""
    return (*_of_pod(pod_spec), *_of_volumes(pod_spec), *(ref for at in containers(pod_spec) for ref in _of_env(at)))


def _holds_pod(template: Json) -> bool:
    return isinstance(_mapping(template.get("spec")).get("containers"), list)


def _of_pod(spec: Json) -> Iterator[Reference]:
    for kind, field in (
        ("ServiceAccount", "serviceAccountName"),
        ("PriorityClass", "priorityClassName"),
        ("RuntimeClass", "runtimeClassName"),
    ):
        if name := _name(spec.get(field)):
            yield Reference(kind=kind, name=name, path=field)
    for item in _items(spec.get("imagePullSecrets")):
        if name := _name(item.get("name")):
            yield Reference(kind="Secret", name=name, optional=True, path=f"imagePullSecrets[{name}]")
    for item in _items(spec.get("resourceClaims")):
        if name := _name(item.get("resourceClaimName")):
            yield Reference(kind="ResourceClaim", name=name, path=f"resourceClaims[{item.get('name')}]")


def _of_volumes(spec: Json) -> Iterator[Reference]:
    for volume in _items(spec.get("volumes")):
        path = f"volumes[{volume.get('name')}]"
        yield from _of_files(volume, path, named_by="secretName")
        claim = _mapping(volume.get("persistentVolumeClaim"))
        if name := _name(claim.get("claimName")):
            yield Reference(kind="PersistentVolumeClaim", name=name, path=f"{path}.persistentVolumeClaim")
        for source in _items(_mapping(volume.get("projected")).get("sources")):
            yield from _of_files(source, f"{path}.projected", named_by="name")
        yield from _of_drivers(volume, path)


def _of_files(source: Json, path: str, *, named_by: str) -> Iterator[Reference]:
    """A volume or a projection that shows a ConfigMap or a Secret as files."""
    for kind, field, name_field in (("ConfigMap", "configMap", "name"), ("Secret", "secret", named_by)):
        body = _mapping(source.get(field))
        name = _name(body.get(name_field))
        if not name:
            continue
        keys: list[str | None] = [str(item["key"]) for item in _items(body.get("items")) if item.get("key")]
        for key in keys or [None]:
            yield Reference(
                kind=kind, name=name, key=key, optional=body.get("optional") is True, path=f"{path}.{field}"
            )


def _of_drivers(volume: Json, path: str) -> Iterator[Reference]:
    """Secrets that a storage driver needs to mount: CSI, and what came before it."""
    for driver, value in volume.items():
        body = _mapping(value)
        for field in ("nodePublishSecretRef", "secretRef"):
            if name := _name(_mapping(body.get(field)).get("name")):
                yield Reference(kind="Secret", name=name, path=f"{path}.{driver}.{field}")
        if driver == "azureFile" and (name := _name(body.get("secretName"))):
            yield Reference(kind="Secret", name=name, path=f"{path}.azureFile")


def _of_env(at: ContainerAt) -> Iterator[Reference]:
    for index, source in enumerate(_items(at.spec.get("envFrom"))):
        yield from _of_selector(source, f"{at.path}.envFrom[{index}]", ("configMapRef", "secretRef"), keyed=False)
    for variable in _items(at.spec.get("env")):
        path = f"{at.path}.env[{variable.get('name')}].valueFrom"
        fields = ("configMapKeyRef", "secretKeyRef")
        yield from _of_selector(_mapping(variable.get("valueFrom")), path, fields, keyed=True)


def _of_selector(source: Json, path: str, fields: tuple[str, str], *, keyed: bool) -> Iterator[Reference]:
    for kind, field in zip(("ConfigMap", "Secret"), fields, strict=True):
        body = _mapping(source.get(field))
        if name := _name(body.get("name")):
            key = str(body["key"]) if keyed and body.get("key") else None
            yield Reference(
                kind=kind, name=name, key=key, optional=body.get("optional") is True, path=f"{path}.{field}"
            )


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _name(value: Any) -> str:
    return value if isinstance(value, str) else ""
