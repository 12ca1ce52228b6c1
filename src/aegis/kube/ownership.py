"""Who owns an object, or a field of it: GitOps tools, autoscalers, field managers.

The marks are those that the tools document: Argo CD's tracking annotation and instance label, Flux's kustomize and
helm-controller labels, Helm's release annotations; and the managers in `metadata.managedFields` (server-side apply,
FieldsV1: `f:` a field, `k:` a list item by its keys, `v:` a set's value).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GitOpsOwner:
    """The tool that would write an object back, so that a live patch does not last.

    Attributes:
        owner: `Argo CD`, `Flux` or `Helm`.
        app: the application, kustomization or release.
        repo: the repository, where a mark tells it.
        path: the path within it, where a mark tells it.
    """

    owner: str
    app: str
    repo: str = ""
    path: str = ""


_TRACKING = "argocd.argoproj.io/tracking-id"
_FLUX_KUSTOMIZE = "kustomize.toolkit.fluxcd.io/name"
_FLUX_HELM = "helm.toolkit.fluxcd.io/name"
_HELM_RELEASE = "meta.helm.sh/release-name"
_MANAGERS = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "helm": "Helm",
}
_BY_HAND = (
    "kubectl",
    "before-first-apply",
    "aegis",
)


def gitops_owner(obj: Json) -> GitOpsOwner | None:
    """Which GitOps tool owns an object, by its marks and then by its field managers; None where none does."""
    metadata = obj.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if tracking := annotations.get(_TRACKING):
        return GitOpsOwner(owner="Argo CD", app=str(tracking).partition(":")[0])
    for mark in (_FLUX_KUSTOMIZE, _FLUX_HELM):
        if app := labels.get(mark) or annotations.get(mark):
            return GitOpsOwner(owner="Flux", app=str(app))
    if release := annotations.get(_HELM_RELEASE):
        return GitOpsOwner(owner="Helm", app=str(release))
    for manager in sorted(str(entry.get("manager")) for entry in metadata.get("managedFields") or []):
        if manager in _MANAGERS:
            app = labels.get("argocd.argoproj.io/instance") or labels.get("app.kubernetes.io/instance") or ""
            return GitOpsOwner(owner=_MANAGERS[manager], app=str(app))
    return None


def takes_over(manager: str) -> bool:
    """Whether a person's approval may take fields from this manager: kubectl's own and ours, nobody else's."""
    return any(manager == name or manager.startswith(name + "-") for name in _BY_HAND)


def autoscaler_of(obj: Json, autoscalers: Sequence[Json]) -> Json | None:
    """The HorizontalPodAutoscaler or ScaledObject whose `scaleTargetRef` is this object."""
    kind, name = obj.get("kind"), (obj.get("metadata") or {}).get("name")
    namespace = (obj.get("metadata") or {}).get("namespace")
    for scaler in autoscalers:
        target = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
        same_place = (scaler.get("metadata") or {}).get("namespace") == namespace
        if same_place and target.get("name") == name and target.get("kind", "Deployment") == kind:
            return scaler
    return None


def managers_of(obj: Json, pointer: str) -> frozenset[str]:
    """Who owns the field at a JSON pointer, or any field within it.

    Args:
        obj: the object with its `metadata.managedFields`.
        pointer: RFC 6901, as `/spec/template/spec/containers/0/image`; what does not exist has the owners of the
            nearest field above it that is owned whole.
    """
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    entries = (obj.get("metadata") or {}).get("managedFields") or []
    return frozenset(str(entry.get("manager")) for entry in entries if _owns(entry.get("fieldsV1") or {}, obj, steps))


def _owns(fields: Json, value: Any, steps: Sequence[str]) -> bool:
    """Walk the field set and the value together; an empty field set is a leaf, owned with all below it."""
    for step in steps:
        if isinstance(value, Sequence) and not isinstance(value, str):
            value = value[int(step)] if step.isdigit() and int(step) < len(value) else None
            key = next((key for key in fields if _is_item(key, value)), None)
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
            key = f"f:{step}"
        if key is None or key not in fields:
            return False
        fields = fields[key]
        if not fields:
            return True
    return True


def _is_item(key: str, item: Any) -> bool:
    """Whether a field-set key names this list item: `k:{"name":"web"}` or `v:"value"`."""
    if key.startswith("k:") and isinstance(item, Mapping):
        wanted: dict[str, Any] = json.loads(key[2:])
        return all(item.get(name) == value for name, value in wanted.items())
    return key.startswith("v:") and bool(json.loads(key[2:]) == item)
