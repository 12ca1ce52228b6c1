"""What an update may not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.objects import copied
from aegis.localcluster.apiserver.refusals import forbidden_field, invalid_value, shown
from aegis.localcluster.status import Cause

Object = Mapping[str, Any]

_IMMUTABLE = "field is immutable"
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec.selector",),
    "ReplicaSet": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "Job": ("spec.selector", "spec.completionMode", "spec.template"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "Secret": ("type",),
    "PriorityClass": ("value", "preemptionPolicy"),
    "StorageClass": ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    "CustomResourceDefinition": ("spec.group", "spec.scope", "spec.names.plural", "spec.names.kind"),
    "RuntimeClass": ("handler",),
    "IngressClass": ("spec.controller",),
    "ControllerRevision": ("data",),
}
_STATEFUL_SET = frozenset({
    "replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
    "revisionHistoryLimit",
})  # fmt: skip
_POD_RULE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def faults(kind: str, new: Object, old: Object, *, subresource: str, trusted: bool) -> list[Cause]:
    """The changes that this kind does not allow."""
    found = [
        invalid_value(path, shown_value(_at(new, path)), _IMMUTABLE)
        for path in _FIELDS.get(kind, ())
        if _at(new, path) != _at(old, path)
    ]
    if kind == "Pod" and subresource in {"", "ephemeralcontainers"} and not trusted:
        found += _pod(new, old, subresource)
    elif kind in {"ConfigMap", "Secret"} and old.get("immutable"):
        found += _frozen(new, old)
    elif kind == "StatefulSet":
        found += _stateful_set(new, old)
    elif kind == "Service":
        found += _service(new, old)
    elif kind == "PersistentVolumeClaim" and subresource != "status":
        found += _claim(new, old)
    return found


def shown_value(value: Any) -> Any:
    """A value short enough for a message."""
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    text = str(value)
    return text if len(text) < 500 else f"{text[:500]}…"  # noqa: PLR2004 - readable


def _pod(new: Object, old: Object, subresource: str) -> list[Cause]:
    comparable: dict[str, Any] = copied(new["spec"])
    before: Object = old["spec"]
    if subresource == "ephemeralcontainers":
        return _ephemeral(comparable, before)
    for group in ("containers", "initContainers"):
        ours, theirs = comparable.get(group) or [], before.get(group) or []
        if len(ours) != len(theirs):
            return [forbidden_field(f"spec.{group}", "pod updates may not add or remove containers")]
        for mine, other in zip(ours, theirs, strict=True):
            mine["image"] = other.get("image")
    for name in ("activeDeadlineSeconds", "schedulingGates"):
        _carry(comparable, before, name)
    added = [t for t in before.get("tolerations") or () if t not in (comparable.get("tolerations") or ())]
    if not added:
        _carry(comparable, before, "tolerations")
    changed = sorted(k for k in {*comparable, *before} if comparable.get(k) != before.get(k))
    return [forbidden_field("spec", f"{_POD_RULE}; changed: {', '.join(changed)}")] if changed else []


def _carry(target: dict[str, Any], source: Object, name: str) -> None:
    target.pop(name, None)
    if name in source:
        target[name] = source[name]


def _ephemeral(spec: dict[str, Any], before: Object) -> list[Cause]:
    kept = before.get("ephemeralContainers") or []
    mine = spec.get("ephemeralContainers") or []
    _carry(spec, before, "ephemeralContainers")
    if spec != before or mine[: len(kept)] != kept:
        return [
            forbidden_field("spec.ephemeralContainers", "existing ephemeral containers may not be changed or removed")
        ]
    return []


def _frozen(new: Object, old: Object) -> list[Cause]:
    found = [
        forbidden_field(name, "field is immutable when `immutable` is set")
        for name in ("data", "binaryData")
        if new.get(name) != old.get(name)
    ]
    if not new.get("immutable"):
        found.append(forbidden_field("immutable", "field is immutable when `immutable` is set"))
    return found


def _stateful_set(new: Object, old: Object) -> list[Cause]:
    ours, theirs = new.get("spec") or {}, old.get("spec") or {}
    if all(ours.get(k) == theirs.get(k) for k in {*ours, *theirs} - _STATEFUL_SET):
        return []
    allowed = ", ".join(f"'{n}'" for n in sorted(_STATEFUL_SET))
    return [forbidden_field("spec", f"updates to statefulset spec for fields other than {allowed} are forbidden")]


def _service(new: Object, old: Object) -> list[Cause]:
    ours, theirs = new.get("spec") or {}, old.get("spec") or {}
    if "ExternalName" in {ours.get("type"), theirs.get("type")}:
        return []
    if theirs.get("clusterIP") in {None, ours.get("clusterIP")}:
        return []
    return [invalid_value("spec.clusterIPs[0]", shown([ours.get("clusterIP")]), "may not change once set")]


def _claim(new: Object, old: Object) -> list[Cause]:
    ours, theirs = dict(new.get("spec") or {}), dict(old.get("spec") or {})
    for spec in (ours, theirs):
        spec.pop("resources", None)
    if theirs.get("storageClassName") is None:  # a default class that came later
        ours.pop("storageClassName", None)
    if not theirs.get("volumeName"):
        ours.pop("volumeName", None)
        theirs.pop("volumeName", None)
    if ours == theirs:
        return []
    return [
        forbidden_field(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        )
    ]


def _at(obj: Object, path: str) -> Any:
    value: Any = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
