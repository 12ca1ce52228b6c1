"""Who else writes an object: GitOps tools, which would write it back, and controllers, whose creature it is.

The marks on the object say who; where the source lies, the owner's own objects say, where they may be read: Argo CD's
Application, Flux's Kustomization or HelmRelease and the source it names, the Secret in which Helm keeps a release.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from aegis.delivery.handoff import Owner
from aegis.errors import AegisError
from aegis.kube.ownership import ARGO_CD, GitOpsOwner, gitops_owner
from aegis.model.refs import Json, ObjectRef
from aegis.ports import ClusterReader

_APPLICATION: Final = ("argoproj.io/v1alpha1", "Application")
_VERSIONS: Final = {
    "Kustomization": ("kustomize.toolkit.fluxcd.io/v1", "kustomize.toolkit.fluxcd.io/v1beta2"),
    "HelmRelease": ("helm.toolkit.fluxcd.io/v2", "helm.toolkit.fluxcd.io/v2beta2", "helm.toolkit.fluxcd.io/v2beta1"),
    "GitRepository": ("source.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1beta2"),
    "HelmRepository": ("source.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1beta2"),
    "OCIRepository": ("source.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1beta2"),
    "Bucket": ("source.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1beta2"),
    "HelmChart": ("source.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1beta2"),
}
_LARGEST_RELEASE: Final = 32 << 20


async def owner_of(reader: ClusterReader, ref: ObjectRef) -> Owner | None:
    """The owner; None where the object is nobody's but the cluster's."""
    obj = await reader.find(ref)
    if obj is None:
        return None
    marked = gitops_owner(obj)
    if marked is None:
        return _controller(obj) or await _listed(reader, obj)
    owner = Owner(owner=marked.owner, app=marked.app)
    try:
        return await _sourced(reader, owner, marked, obj)
    except AegisError:
        return owner


def _controller(obj: Json) -> Owner | None:
    for reference in (obj.get("metadata") or {}).get("ownerReferences") or []:
        if reference.get("controller"):
            return Owner(owner=f"{reference.get('kind')}/{reference.get('name')}")
    return None


async def _sourced(reader: ClusterReader, owner: Owner, marked: GitOpsOwner, obj: Json) -> Owner:
    match marked.kind:
        case "Application":
            return await _of_application(reader, owner, marked, obj)
        case "Kustomization":
            return await _of_kustomization(reader, owner, marked.namespace)
        case "HelmRelease":
            return await _of_helm_release(reader, owner, marked.namespace)
        case _:
            return await _of_release(reader, owner, marked.namespace or ObjectRef.of(obj).namespace)


async def _of_application(reader: ClusterReader, owner: Owner, marked: GitOpsOwner, obj: Json) -> Owner:
    """Of several Applications of that name, the one whose namespace is marked, or that lists the object."""
    applications = await reader.list(*_APPLICATION)
    named = [one for one in applications if one["metadata"]["name"] == owner.app]
    here = [one for one in named if marked.namespace and one["metadata"].get("namespace") == marked.namespace]
    listing = [one for one in named if _lists(one, obj)]
    found = here or listing or named
    return _with_source(owner, found[0]) if found else owner


async def _listed(reader: ClusterReader, obj: Json) -> Owner | None:
    """The Application that lists an object which carries no mark: Argo CD may be told to track by a label of one's own."""
    try:
        applications = await reader.list(*_APPLICATION)
    except AegisError:
        return None
    for application in applications:
        if _lists(application, obj):
            return _with_source(Owner(owner=ARGO_CD, app=str(application["metadata"]["name"])), application)
    return None


def _lists(application: Json, obj: Json) -> bool:
    """Whether an Application deploys this object, on this cluster."""
    ref = ObjectRef.of(obj)
    destination = _mapping(_mapping(application.get("spec")).get("destination"))
    if destination.get("server") not in {None, "", "https://kubernetes.default.svc"}:
        return False
    return any(
        (str(one.get("group") or ""), one.get("kind"), str(one.get("namespace") or ""), one.get("name"))
        == (ref.group, ref.kind, ref.namespace, ref.name)
        for one in _mapping(application.get("status")).get("resources") or []
        if isinstance(one, Mapping)
    )


def _with_source(owner: Owner, application: Json) -> Owner:
    """The first source that has a path; a chart's name stands for one."""
    found = [source for source in _sources(_mapping(application.get("spec"))) if source.get("repoURL")]
    best = next((source for source in found if source.get("path")), found[0] if found else {})
    path = best.get("path") or best.get("chart") or ""
    return replace(owner, repo=str(best.get("repoURL") or ""), path=str(path))


def _sources(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield _mapping(_mapping(spec.get("sourceHydrator")).get("drySource"))
    yield _mapping(spec.get("source"))
    yield from (_mapping(source) for source in spec.get("sources") or [])


async def _of_kustomization(reader: ClusterReader, owner: Owner, namespace: str) -> Owner:
    found = await _find(reader, "Kustomization", owner.app, namespace)
    spec = _mapping((found or {}).get("spec"))
    repo = await _url(reader, _mapping(spec.get("sourceRef")), namespace)
    return replace(owner, repo=repo, path=str(spec.get("path") or ""))


async def _of_helm_release(reader: ClusterReader, owner: Owner, namespace: str) -> Owner:
    """Where the values of a release stand: in the Git of whoever owns the HelmRelease; else the chart is all there is."""
    found = await _find(reader, "HelmRelease", owner.app, namespace)
    if found is None:
        return owner
    above = gitops_owner(found)
    if above is not None and above.kind in {"Kustomization", "Application"}:
        source = await _sourced(reader, Owner(owner=above.owner, app=above.app), above, found)
        if source.repo:
            return replace(owner, repo=source.repo, path=source.path)
    spec = _mapping(found.get("spec"))
    chart = _mapping(_mapping(spec.get("chart")).get("spec"))
    repo = await _url(reader, _mapping(chart.get("sourceRef") or spec.get("chartRef")), namespace)
    return replace(owner, repo=repo, path=str(chart.get("chart") or ""))


async def _url(reader: ClusterReader, source: Mapping[str, Any], namespace: str) -> str:
    """The URL of a Flux source; of a chart that is an object of its own, that of its source."""
    for _ in range(2):
        kind, name = str(source.get("kind") or ""), str(source.get("name") or "")
        namespace = str(source.get("namespace") or namespace)
        found = await _find(reader, kind, name, namespace)
        spec = _mapping((found or {}).get("spec"))
        if kind != "HelmChart":
            return str(spec.get("url") or spec.get("endpoint") or "")
        source = _mapping(spec.get("sourceRef"))
    return ""


async def _find(reader: ClusterReader, kind: str, name: str, namespace: str) -> Json | None:
    """An object of Flux, in whichever version the cluster has it."""
    for api_version in _VERSIONS.get(kind, ()) if name and namespace else ():
        found = await reader.find(ObjectRef(api_version=api_version, kind=kind, name=name, namespace=namespace))
        if found is not None:
            return found
    return None


async def _of_release(reader: ClusterReader, owner: Owner, namespace: str) -> Owner:
    """The chart of a release; of what Helm keeps only the chart's own description is looked at."""
    if not owner.app:
        return owner
    selector = f"owner=helm,name={owner.app},status=deployed"
    secrets = await reader.list("v1", "Secret", namespace=namespace, labels=selector)
    chart = next(filter(None, (_chart(secret) for secret in secrets)), {})
    sources = [*(chart.get("sources") or []), chart.get("home")]
    repo = next((str(url) for url in sources if url), "")
    name = "-".join(str(chart[key]) for key in ("name", "version") if chart.get(key))
    return replace(owner, repo=repo, path=name)


def _chart(secret: Json) -> Mapping[str, Any]:
    """`chart.metadata` of a release: JSON, gzipped, in base64, which the Secret holds in base64 once more."""
    try:
        packed = base64.b64decode(base64.b64decode(str(_mapping(secret.get("data")).get("release") or "")))
        text = zlib.decompressobj(wbits=31).decompress(packed, _LARGEST_RELEASE)
        return _mapping(_mapping(_mapping(json.loads(text)).get("chart")).get("metadata"))
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
