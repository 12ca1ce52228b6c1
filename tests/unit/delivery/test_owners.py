"""Who would write an object back."""

from __future__ import annotations

from typing import Any, cast

from aegis.delivery.handoff import Owner
from aegis.delivery.owners import owner_of
from aegis.errors import PermissionDenied
from aegis.model.refs import ObjectRef
from aegis.ports import ClusterReader

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
ARGO = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}
APPLICATION = {
    "metadata": {"name": "shop"},
    "spec": {"source": {"repoURL": "https://git.example/shop", "path": "deploy"}},
}


class Reads:
    """One object, and the applications that may be listed."""

    def __init__(self, metadata: dict[str, Any] | None, applications: list[Any] | None = None) -> None:
        self._metadata = metadata
        self._applications = applications

    async def find(self, ref: ObjectRef) -> dict[str, Any] | None:
        return None if self._metadata is None else {"kind": ref.kind, "metadata": self._metadata}

    async def list(self, _api_version: str, _kind: str) -> list[Any]:
        if self._applications is None:
            raise PermissionDenied("no")
        return self._applications


async def owner(metadata: dict[str, Any] | None, applications: list[Any] | None = None) -> Owner | None:
    return await owner_of(cast("ClusterReader", Reads(metadata, applications)), WEB)


async def test_nobody_owns_an_ordinary_object_or_one_that_is_gone() -> None:
    assert await owner({"name": "web"}) is None
    assert await owner(None) is None


async def test_the_application_says_where_the_source_lies() -> None:
    found = await owner({"name": "web", "annotations": ARGO}, [{"metadata": {"name": "other"}}, APPLICATION])
    assert found == Owner(owner="Argo CD", app="shop", repo="https://git.example/shop", path="deploy")


async def test_an_application_that_may_not_be_read_is_still_the_owner() -> None:
    assert await owner({"name": "web", "annotations": ARGO}) == Owner(owner="Argo CD", app="shop")
    assert await owner({"name": "web", "annotations": ARGO}, []) == Owner(owner="Argo CD", app="shop")


async def test_a_controllers_creature_is_its_own() -> None:
    references = [{"kind": "Shop", "name": "main", "controller": True}]
    assert await owner({"name": "web", "ownerReferences": references}) == Owner(owner="Shop/main")
