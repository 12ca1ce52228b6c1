"""Discovery: which groups, versions and resources there are, plain and aggregated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aegis.localcluster.apiserver.registry import REVIEWS, Registry, Resource, ReviewKind

Document = dict[str, Any]

_SUBRESOURCE_KINDS: dict[str, tuple[str, str, str]] = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "binding": ("", "v1", "Binding"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
    "attach": ("", "v1", "PodAttachOptions"),
    "exec": ("", "v1", "PodExecOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
    "proxy": ("", "v1", "PodProxyOptions"),
}
_SUBRESOURCE_VERBS: dict[str, tuple[str, ...]] = {
    "log": ("get",),
    "eviction": ("create",),
    "binding": ("create",),
    "token": ("create",),
    "finalize": ("update",),
    "attach": ("create", "get"),
    "exec": ("create", "get"),
    "portforward": ("create", "get"),
    "proxy": ("create", "delete", "get", "patch", "update"),
}
_CHANGEABLE = ("get", "patch", "update")
_PRIORITY = ("apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io")


def api_versions(address: str) -> Document:
    """`/api`: the versions of the core group."""
    servers = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": servers}


def group_list(registry: Registry) -> Document:
    """`/apis`: every named group."""
    groups = [_group(name, versions) for name, versions in _groups(registry).items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> Document | None:
    """`/apis/GROUP`, or None."""
    versions = _groups(registry).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions else None


def resource_list(registry: Registry, name: str, version: str) -> Document | None:
    """`/api/v1` or `/apis/GROUP/VERSION`, or None."""
    resources = [entry for r in _served(registry, name, version) for entry in _entries(r)]
    resources += [_review_entry(r) for r in _reviews(name, version)]
    if not resources:
        return None
    group_version = f"{name}/{version}" if name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def aggregated(registry: Registry, *, core: bool) -> Document:
    """Every resource at once (apidiscovery.k8s.io/v2): of the core group, or of all others."""
    groups = {"": ["v1"]} if core else _groups(registry)
    items = [
        {
            "metadata": {"name": name or None, "creationTimestamp": None} if name else {"creationTimestamp": None},
            "versions": [_aggregated_version(registry, name, v) for v in versions],
        }
        for name, versions in groups.items()
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def group_versions(registry: Registry) -> list[tuple[str, str]]:
    """Every group and version, the core group first."""
    return [("", "v1"), *((name, v) for name, versions in _groups(registry).items() for v in versions)]


def _groups(registry: Registry) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in _PRIORITY}
    pairs: Iterable[tuple[str, str]] = [(r.group, r.version) for r in registry] + [(r.group, "v1") for r in REVIEWS]
    for name, version in pairs:
        if name and version not in found.setdefault(name, []):
            found[name].append(version)
    return {name: sorted(versions, key=version_rank) for name, versions in found.items() if versions}


def version_rank(version: str) -> tuple[int, int, int]:
    """Sorts versions as Kubernetes prefers them: v2, v1, v1beta2, v1beta1, v1alpha1."""
    stable, major, stage, minor = 0, 0, 0, 0
    digits, _, rest = version.removeprefix("v").partition("beta")
    if rest:
        stable, stage, minor = 1, 0, int(rest) if rest.isdigit() else 0
    elif "alpha" in version:
        digits, _, rest = version.removeprefix("v").partition("alpha")
        stable, stage, minor = 1, 1, int(rest) if rest.isdigit() else 0
    major = int(digits) if digits.isdigit() else 0
    return (stable + stage, -major, -minor)


def _group(name: str, versions: list[str]) -> Document:
    listed = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _served(registry: Registry, name: str, version: str) -> Iterator[Resource]:
    return (r for r in registry if (r.group, r.version) == (name, version))


def _reviews(name: str, version: str) -> list[ReviewKind]:
    return [r for r in REVIEWS if r.group == name and version == "v1"]


def _entries(resource: Resource) -> Iterator[Document]:
    entry: Document = {
        "name": resource.plural,
        "singularName": resource.singular or resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    yield entry
    for subresource in resource.subresources:
        yield _sub_entry(resource, subresource)


def _sub_entry(resource: Resource, subresource: str) -> Document:
    entry: Document = {
        "name": f"{resource.plural}/{subresource}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(_SUBRESOURCE_VERBS.get(subresource, _CHANGEABLE)),
    }
    if subresource in _SUBRESOURCE_KINDS:
        name, version, kind = _SUBRESOURCE_KINDS[subresource]
        entry["kind"] = kind
        if name:
            entry |= {"group": name, "version": version}
    return entry


def _review_entry(review: ReviewKind) -> Document:
    return {
        "name": review.plural,
        "singularName": review.kind.lower(),
        "namespaced": review.namespaced,
        "kind": review.kind,
        "verbs": ["create"],
    }


def _aggregated_version(registry: Registry, name: str, version: str) -> Document:
    resources = [_aggregated_resource(r) for r in _served(registry, name, version)]
    resources += [_as_aggregated(_review_entry(review), name, version) for review in _reviews(name, version)]
    return {"version": version, "resources": resources, "freshness": "Current"}


def _aggregated_resource(resource: Resource) -> Document:
    first, *subresources = _entries(resource)
    shown = _as_aggregated(first, resource.group, resource.version)
    if subresources:
        shown["subresources"] = [
            {
                "subresource": s["name"].partition("/")[2],
                "responseKind": {
                    "group": s.get("group", resource.group),
                    "version": s.get("version", resource.version),
                    "kind": s["kind"],
                },
                "verbs": s["verbs"],
            }
            for s in subresources
        ]
    return shown


def _as_aggregated(entry: Document, name: str, version: str) -> Document:
    shown = {
        "resource": entry["name"],
        "responseKind": {"group": name, "version": version, "kind": entry["kind"]},
        "scope": "Namespaced" if entry["namespaced"] else "Cluster",
        "singularResource": entry["singularName"],
        "verbs": entry["verbs"],
    }
    return shown | {k: entry[k] for k in ("shortNames", "categories") if k in entry}
