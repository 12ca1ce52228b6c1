"""Who else writes an object: GitOps tools, which would write it back, and controllers, whose creature it is."""

from __future__ import annotations

from typing import Any

from aegis.delivery.handoff import Owner
from aegis.errors import AegisError
from aegis.kube.ownership import gitops_owner
from aegis.model.refs import Json, ObjectRef
from aegis.ports import ClusterReader


async def owner_of(reader: ClusterReader, ref: ObjectRef) -> Owner | None:
    """The owner; None where the object is nobody's but the cluster's."""
    obj = await reader.find(ref)
    if obj is None:
        return None
    marked = gitops_owner(obj)
    if marked is not None:
        owner = Owner(owner=marked.owner, app=marked.app, repo=marked.repo, path=marked.path)
        return await _with_source(reader, owner)
    return _controller(obj)


def _controller(obj: Json) -> Owner | None:
    for reference in (obj.get("metadata") or {}).get("ownerReferences") or []:
        if reference.get("controller"):
            return Owner(owner=f"{reference.get('kind')}/{reference.get('name')}")
    return None


async def _with_source(reader: ClusterReader, owner: Owner) -> Owner:
    """Argo CD's Application says where the source lies, where it may be read; else what the object itself says."""
    if owner.owner != "Argo CD" or not owner.app or owner.repo:
        return owner
    try:
        applications = await reader.list("argoproj.io/v1alpha1", "Application")
    except AegisError:
        return owner
    for application in applications:
        if application["metadata"]["name"] == owner.app:
            return _sourced(owner, application.get("spec") or {})
    return owner


def _sourced(owner: Owner, spec: dict[str, Any]) -> Owner:
    source: dict[str, Any] = spec.get("source") or next(iter(spec.get("sources") or []), {})
    repo, path = str(source.get("repoURL") or ""), str(source.get("path") or "")
    return Owner(owner=owner.owner, app=owner.app, repo=repo, path=path)
