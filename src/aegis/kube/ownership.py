"""Who owns an object, or a field of it: GitOps tools, autoscalers, field managers.

The marks are those that the tools document. Argo CD: the tracking annotation (`APP:GROUP/KIND:NAMESPACE/NAME`, the app with
its namespace before a `_` where it does not live beside Argo CD), its own instance label, and the common label
`app.kubernetes.io/instance` where Argo CD is a field manager. Flux: the labels of its kustomize- and helm-controller. Helm:
the annotations of a release. And the managers in `metadata.managedFields` (server-side apply, FieldsV1: `f:` a field, `k:` a
list item by its keys, `v:` a set's value).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = Mapping[str, Any]

ARGO_CD: Final = "Argo CD"
FLUX: Final = "Flux"
HELM: Final = "Helm"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitOpsOwner:
    """The tool that would write an object back, so that a live patch does not last.

    Attributes:
        owner: `Argo CD`, `Flux` or `Helm`.
        app: the application, kustomization or release.
        kind: of the object that is called so: `Application`, `Kustomization`, `HelmRelease`, `Release`.
        namespace: where that lives, where a mark tells it.
    """

    owner: str
    app: str
    kind: str
    namespace: str = ""


_TRACKING = "argocd.argoproj.io/tracking-id"
_ARGO_INSTANCE = "argocd.argoproj.io/instance"
_INSTANCE = "app.kubernetes.io/instance"
_FLUX_KUSTOMIZE = "kustomize.toolkit.fluxcd.io"
_FLUX_HELM = "helm.toolkit.fluxcd.io"
_HELM_RELEASE = "meta.helm.sh/release-name"
_HELM_NAMESPACE = "meta.helm.sh/release-namespace"
_MANAGERS: Final = {
    "argocd-controller": (ARGO_CD, "Application"),
    "argocd-application-controller": (ARGO_CD, "Application"),
    "argocd-server": (ARGO_CD, "Application"),
    "kustomize-controller": (FLUX, "Kustomization"),
    "helm-controller": (FLUX, "HelmRelease"),
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
    managers = _writers(metadata)
    return (
        _tracked(obj, str(annotations.get(_TRACKING) or ""))
        or _argo_label(labels, managers)
        or _flux({**annotations, **labels})
        or _by_manager(labels, managers)
        or _helm(annotations, managers)
    )


def _tracked(obj: Json, mark: str) -> GitOpsOwner | None:
    """By the tracking annotation, unless it names another object: a copy carries it too, and Argo CD passes that over."""
    app, _, about = mark.partition(":")
    if not app:
        return None
    metadata = obj.get("metadata") or {}
    group, slash, _ = str(obj.get("apiVersion") or "").partition("/")
    place = metadata.get("namespace") or ""
    itself = f"{group if slash else ''}/{obj.get('kind')}:{place}/{metadata.get('name')}"
    if about and obj.get("apiVersion") and about != itself:
        return None
    namespace, underscore, name = app.rpartition("_")
    return GitOpsOwner(owner=ARGO_CD, app=name, kind="Application", namespace=namespace if underscore else "")


def _argo_label(labels: Json, managers: frozenset[str]) -> GitOpsOwner | None:
    """By the instance label: Argo CD's own, or the common one where Argo CD writes the object."""
    app = labels.get(_ARGO_INSTANCE)
    if not app and any(_MANAGERS.get(manager, ("",))[0] == ARGO_CD for manager in managers):
        app = labels.get(_INSTANCE)
    return GitOpsOwner(owner=ARGO_CD, app=str(app), kind="Application") if app else None


def _flux(marks: Json) -> GitOpsOwner | None:
    for prefix, kind in ((_FLUX_HELM, "HelmRelease"), (_FLUX_KUSTOMIZE, "Kustomization")):
        if app := marks.get(f"{prefix}/name"):
            namespace = str(marks.get(f"{prefix}/namespace") or "")
            return GitOpsOwner(owner=FLUX, app=str(app), kind=kind, namespace=namespace)
    return None


def _by_manager(labels: Json, managers: frozenset[str]) -> GitOpsOwner | None:
    for manager in sorted(managers & _MANAGERS.keys()):
        owner, kind = _MANAGERS[manager]
        return GitOpsOwner(owner=owner, app=str(labels.get(_INSTANCE) or ""), kind=kind)
    return None


def _helm(annotations: Json, managers: frozenset[str]) -> GitOpsOwner | None:
    release = annotations.get(_HELM_RELEASE)
    if not release and "helm" not in managers:
        return None
    namespace = str(annotations.get(_HELM_NAMESPACE) or "")
    return GitOpsOwner(owner=HELM, app=str(release or ""), kind="Release", namespace=namespace)


def _writers(metadata: Json) -> frozenset[str]:
    """Who writes the object itself; who writes only its status does not own it."""
    entries = metadata.get("managedFields") or []
    return frozenset(str(entry.get("manager")) for entry in entries if not entry.get("subresource"))


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
