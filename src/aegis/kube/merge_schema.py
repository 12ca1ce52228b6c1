"""How the lists and maps of built-in Kubernetes types merge: the facts behind strategic merge and server-side apply.

The tables hold what the API's own types say (patchMergeKey and patchStrategy, listType and listMapKey, mapType) for
the kinds of the groups core, apps, batch, networking, rbac, policy, autoscaling and apiextensions; a list that is not
named is replaced whole, a map that is not named merges by field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Path = tuple[str, ...]
"""The names of fields from the object's root; the items of a list stand under the list's own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRule:
    """How a list merges.

    Attributes:
        keys: the fields that identify an item in server-side apply; empty where the list is atomic there or a set.
        unique: the list is a set of scalars in server-side apply.
        merge_key: the field that identifies an item in a strategic merge; None where items are scalars.
        merges: whether a strategic merge keeps the items that the patch does not name.
        retain_keys: whether a strategic merge of an item honours `$retainKeys`.
    """

    keys: Path = ()
    unique: bool = False
    merge_key: str | None = None
    merges: bool = True
    retain_keys: bool = False


def _map(*keys: str, retain_keys: bool = False) -> ListRule:
    return ListRule(keys=keys, merge_key=keys[0], retain_keys=retain_keys)


_POD_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
_BY_NAME: Final = {
    **{name: _map("name") for name in _POD_CONTAINERS},
    "env": _map("name"),
    "volumeMounts": _map("mountPath"),
    "volumeDevices": _map("devicePath"),
    "volumes": _map("name", retain_keys=True),
    "hostAliases": _map("ip"),
    "topologySpreadConstraints": _map("topologyKey", "whenUnsatisfiable"),
    "podIPs": _map("ip"),
    "hostIPs": ListRule(merge_key="ip"),
    "resourceClaims": _map("name", retain_keys=True),
    "resourceClaimStatuses": _map("name", retain_keys=True),
    "schedulingGates": _map("name"),
    "conditions": _map("type"),
    "podCIDRs": ListRule(unique=True),
}
_AT_PATH: Final[dict[tuple[str, Path], ListRule]] = {
    ("Service", ("spec", "ports")): _map("port", "protocol"),
    ("ServiceAccount", ("secrets",)): _map("name"),
    ("Node", ("status", "addresses")): _map("type"),
    ("Job", ("status", "conditions")): ListRule(merge_key="type"),
    ("CustomResourceDefinition", ("status", "conditions")): ListRule(keys=("type",), merges=False),
}
_METADATA: Final = {
    "ownerReferences": _map("uid"),
    "finalizers": ListRule(unique=True),
}
_UNDER: Final = {
    **{(parent, "ports"): _map("containerPort", "protocol") for parent in _POD_CONTAINERS},
    ("resources", "claims"): ListRule(keys=("name",), merges=False),
    ("onExitCodes", "values"): ListRule(unique=True, merges=False),
}
_DEFAULTED_KEYS: Final = {"protocol": "TCP"}
"""Key fields that have a default: an item that leaves one out is identified by it."""

_ATOMIC_MAPS: Final = frozenset({
    "labelSelector", "podSelector", "namespaceSelector", "nodeSelector", "configMapKeyRef", "secretKeyRef",
    "fileKeyRef", "fieldRef", "resourceFieldRef", "scopeSelector", "involvedObject", "targetRef", "roleRef",
    "dataSource", "nodePublishSecretRef", "secretRef",
})  # fmt: skip
_ATOMIC_ITEMS: Final = frozenset({"ownerReferences", "imagePullSecrets", "secrets"})
_OPEN_MAPS: Final = frozenset({
    "labels", "annotations", "data", "binaryData", "stringData", "matchLabels", "limits", "requests", "capacity",
    "allocatable", "hard", "used", "overhead", "parameters", "volumeAttributes", "options", "allocatedResources",
    "allocatedResourceStatuses", "disruptedPods", "containerResources",
})  # fmt: skip


def list_rule(kind: str, path: Path) -> ListRule | None:
    """How the list at a path of a built-in kind merges; None where it is replaced whole."""
    name, parent = path[-1], path[-2] if len(path) > 1 else ""
    if parent == "metadata":
        return _METADATA.get(name)
    if (rule := _AT_PATH.get((kind, path)) or _UNDER.get((parent, name))) is not None:
        return rule
    if name == "imagePullSecrets":
        return _map("name") if parent == "spec" else None
    return _BY_NAME.get(name)


def is_atomic_map(kind: str, path: Path) -> bool:
    """Whether the map at a path (an item of the list there, where it is a list) changes as a whole in server-side apply."""
    name, parent = path[-1], path[-2] if len(path) > 1 else ""
    if name == "selector":
        return True
    if name == "requiredDuringSchedulingIgnoredDuringExecution":
        return parent == "nodeAffinity"
    if name == "port":
        return kind == "Ingress"
    return name in _ATOMIC_MAPS or name in _ATOMIC_ITEMS


def is_open_map(path: Path) -> bool:
    """Whether the map at a path has keys of the user's choosing, rather than fields of a type."""
    return bool(path) and path[-1] in _OPEN_MAPS


def key_default(field: str) -> str | None:
    """The value that identifies an item which leaves this key field out."""
    return _DEFAULTED_KEYS.get(field)


def retains_keys(kind: str, path: Path) -> bool:
    """Whether a strategic merge of the map at a path honours `$retainKeys`."""
    if kind == "Deployment" and path == ("spec", "strategy"):
        return True
    rule = list_rule(kind, path) if path else None
    return rule is not None and rule.retain_keys


def replaces_map(kind: str, path: Path) -> bool:
    """Whether a strategic merge replaces the map at a path."""
    return kind == "PodDisruptionBudget" and path == ("spec", "selector")
