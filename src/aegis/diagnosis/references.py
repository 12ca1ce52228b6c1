"""Fixes for references to something that is not there: what a good revision named, else the one name that is a slip away.

Values are never made up: a Secret that is missing is a person's to bring back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aegis.diagnosis.case import Case
from aegis.diagnosis.graph import Node
from aegis.diagnosis.history import good_revisions
from aegis.diagnosis.mend import can_change_template, from_object, json_fix, template_field
from aegis.diagnosis.reading import mapping
from aegis.diagnosis.restore import restore_container, restore_pod
from aegis.diagnosis.services import likeness
from aegis.kube.pod_template import Reference, pod_spec_of, references, template_path
from aegis.model.changes import Fix, Risk

_ALIKE = 0.8
_NAMED_BY = {
    "ConfigMap": (("configMapRef", "name"), ("configMapKeyRef", "name"), ("configMap", "name")),
    "Secret": (("secretRef", "name"), ("secretKeyRef", "name"), ("secret", "secretName"), ("secret", "name")),
    "PersistentVolumeClaim": (("persistentVolumeClaim", "claimName"),),
    "ServiceAccount": (("", "serviceAccountName"),),
    "PriorityClass": (("", "priorityClassName"),),
}
_ON_THE_POD = ("volumes", "serviceAccountName", "serviceAccount", "priorityClassName", "imagePullSecrets")
_DEEPEST = 12


def retarget(case: Case, kind: str, name: str) -> tuple[Fix, ...]:
    """Fixes for a missing object that the pod template names."""
    return _back(case, kind, name) or _nearest(case, kind, name)


def rekey(case: Case, container: str, *, kind: str, name: str, key: str, probe: bool = False) -> tuple[Fix, ...]:
    """Fixes for a key that a ConfigMap or Secret lacks: the key that a good revision named, else the nearest.

    Args:
        case: where.
        container: that needs the key; empty where only `probe` matters.
        kind: `ConfigMap` or `Secret`.
        name: of the object.
        key: that it lacks.
        probe: any container will do.
    """
    node = case.subject
    source = case.graph.get(kind, case.namespace, name)
    naming = [ref for ref in references(pod_spec_of(node.obj) or {}) if ref.kind == kind and ref.key == key]
    if not naming or source is None or not can_change_template(node):
        return ()
    if not probe and any(_good_names_another(case, ref) for ref in naming):
        return restore_container(case, container, ("env", "envFrom"), what="the variables")
    near = [other for other in mapping(source.obj.get("data")) if likeness(other, key) >= _ALIKE]
    if len(near) != 1:
        return ()
    spec = pod_spec_of(node.obj) or {}
    field = "configMapKeyRef" if kind == "ConfigMap" else "secretKeyRef"
    places = [path for path, held in _held(spec, field) if (held.get("name"), held.get("key")) == (name, key)]
    if not places:
        return ()
    base = "/" + "/".join((*template_path(node.ref.kind), "spec"))
    operations = [{"op": "replace", "path": f"{base}{path}/key", "value": near[0]} for path in places]
    return (
        json_fix(
            case,
            node,
            operations,
            id="set-key",
            summary=f"Take the key {near[0]} of {kind} {name}, which has no key {key}",
            risk=Risk.MEDIUM,
            provenance=[from_object(template_field(node, path.strip("/")), near[0], source, "data") for path in places],
        ),
    )


def _good_names_another(case: Case, reference: Reference) -> bool:
    for revision in good_revisions(case.graph, case.subject):
        found = {ref.path: ref for ref in references(mapping(revision.template.get("spec")))}
        return reference.path in found and found[reference.path].key != reference.key
    return False


def _back(case: Case, kind: str, name: str) -> tuple[Fix, ...]:
    """What the newest good revision names in that place, if it is another name and is there."""
    spec = pod_spec_of(case.subject.obj) or {}
    naming = [ref for ref in references(spec) if (ref.kind, ref.name) == (kind, name)]
    what = f"what names {kind} {name}"
    for ref in naming:
        if ref.path.split("[")[0].split(".")[0] in _ON_THE_POD:
            return restore_pod(case, ("volumes",) if "volumes" in ref.path else (ref.path.split("[")[0],), what=what)
        container = ref.path.split("[", 1)[1].split("]", 1)[0]
        return restore_container(case, container, ("env", "envFrom"), what=what)
    return ()


def _nearest(case: Case, kind: str, name: str) -> tuple[Fix, ...]:
    """The one object of that kind whose name is a slip away and that has every key that is needed."""
    node = case.subject
    spec = pod_spec_of(node.obj)
    if spec is None or not can_change_template(node):
        return ()
    keys = {ref.key for ref in references(spec) if (ref.kind, ref.name) == (kind, name) and ref.key}
    namespace = None if kind == "PriorityClass" else case.namespace
    near = [
        other
        for other in case.graph.of_kind(kind, namespace)
        if likeness(other.ref.name, name) >= _ALIKE and keys <= set(_keys(other))
    ]
    places = [path for holder, field in _NAMED_BY.get(kind, ()) for path in _places(spec, holder, field, name)]
    if len(near) != 1 or not places:
        return ()
    base = "/" + "/".join((*template_path(node.ref.kind), "spec"))
    value = near[0].ref.name
    return (
        json_fix(
            case,
            node,
            [{"op": "replace", "path": base + path, "value": value} for path in places],
            id="retarget",
            summary=f"Name {kind} {value}, which is there, instead of {name}",
            risk=Risk.MEDIUM,
            provenance=[
                from_object(template_field(node, path.strip("/").replace("/", ".")), value, near[0], "metadata.name")
                for path in places
            ],
        ),
    )


def _keys(node: Node) -> Iterator[str]:
    for field in ("data", "binaryData"):
        yield from mapping(node.obj.get(field))


def _places(spec: Any, holder: str, field: str, name: str) -> Iterator[str]:
    """JSON pointers within the pod spec to where a name stands."""
    if not holder:
        if spec.get(field) == name:
            yield f"/{field}"
        return
    yield from (f"{path}/{field}" for path, held in _held(spec, holder) if held.get(field) == name)


def _held(value: Any, holder: str, path: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """(pointer, object) of every object that stands under a key."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if key == holder and isinstance(item, dict):
                yield f"{path}/{key}", item
            yield from _held(item, holder, f"{path}/{key}", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _held(item, holder, f"{path}/{index}", depth + 1)
