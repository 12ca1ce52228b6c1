"""Who would write an object back, and where they have it from: recorded objects of Argo CD, Flux and Helm."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from aegis.delivery.handoff import Owner
from aegis.delivery.owners import owner_of
from aegis.errors import PermissionDenied
from aegis.kube.selector import parse_selector
from aegis.model.refs import ObjectRef
from aegis.ports import ClusterReader

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.yaml"))
WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
ARGO = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}


class Holds:
    """Recorded objects; closed: only the first one may be read."""

    def __init__(self, *objects: dict[str, Any], closed: bool = False) -> None:
        self._objects = objects
        self._closed = closed

    async def find(self, ref: ObjectRef) -> dict[str, Any] | None:
        found = next((obj for obj in self._objects if ObjectRef.of(obj) == ref), None)
        if self._closed and found is not self._objects[0]:
            raise PermissionDenied("no")
        return found

    async def list(self, api_version: str, kind: str, *, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        if self._closed:
            raise PermissionDenied("no")
        selector = parse_selector(labels)
        return [
            obj
            for obj in self._objects
            if (obj["apiVersion"], obj["kind"]) == (api_version, kind)
            and namespace in {"", obj["metadata"].get("namespace")}
            and selector.matches(obj["metadata"].get("labels") or {})
        ]


def read(path: Path) -> tuple[list[dict[str, Any]], Owner]:
    recorded = yaml.safe_load(path.read_text(encoding="utf-8"))
    for other in recorded["others"]:
        if release := other.pop("release", None):
            packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
            other["data"] = {"release": base64.b64encode(packed).decode()}
    return [recorded["object"], *recorded["others"]], Owner(**recorded["owner"])


async def owner(*objects: dict[str, Any], closed: bool = False) -> Owner | None:
    return await owner_of(cast("ClusterReader", Holds(*objects, closed=closed)), ObjectRef.of(objects[0]))


def web(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", **metadata}}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_the_owners_objects_say_where_the_source_lies(path: Path) -> None:
    objects, expected = read(path)
    assert await owner(*objects) == expected


@pytest.mark.parametrize(
    "path", [path for path in RECORDED if path.stem != "argocd-listed"], ids=lambda path: path.stem
)
async def test_whose_objects_may_not_be_read_is_still_the_owner(path: Path) -> None:
    objects, expected = read(path)
    assert await owner(*objects, closed=True) == Owner(owner=expected.owner, app=expected.app)
    assert await owner(objects[0]) == Owner(owner=expected.owner, app=expected.app), "and whose objects are gone"


async def test_nobody_owns_an_ordinary_object_or_one_that_is_gone() -> None:
    assert await owner(web()) is None
    assert await owner(web(), closed=True) is None
    assert await owner_of(cast("ClusterReader", Holds()), WEB) is None


async def test_a_copy_that_carries_the_mark_of_another_object_is_nobodys() -> None:
    copied = web(annotations={"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:production/web"})
    assert await owner(copied) is None
    assert await owner(web(annotations=ARGO)) == Owner(owner="Argo CD", app="shop")


async def test_who_only_writes_the_status_does_not_own() -> None:
    entry = {"manager": "argocd-controller", "operation": "Update", "subresource": "status", "fieldsV1": {}}
    assert await owner(web(managedFields=[entry])) is None


async def test_a_controllers_creature_is_its_own() -> None:
    references = [{"kind": "Shop", "name": "main", "controller": True}]
    assert await owner(web(ownerReferences=references)) == Owner(owner="Shop/main")


@pytest.mark.parametrize(
    "release",
    ["", "no base64!", base64.b64encode(b"none either").decode(), base64.b64encode(base64.b64encode(b"x")).decode()],
)
async def test_a_release_that_cannot_be_read_is_still_the_owner(release: str) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "namespace": "shop",
            "name": "s",
            "labels": {"owner": "helm", "name": "web", "status": "deployed"},
        },
        "data": {"release": release},
    }
    marks = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}
    assert await owner(web(annotations=marks), secret) == Owner(owner="Helm", app="web")


async def test_a_release_packed_to_grow_is_not_unpacked_to_its_end() -> None:
    bomb = base64.b64encode(base64.b64encode(gzip.compress(b" " * (64 << 20)))).decode()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "namespace": "shop",
            "name": "s",
            "labels": {"owner": "helm", "name": "web", "status": "deployed"},
        },
        "data": {"release": bomb},
    }
    assert await owner(web(annotations={"meta.helm.sh/release-name": "web"}), secret) == Owner(owner="Helm", app="web")


async def test_charts_that_name_each_other_are_not_followed_for_ever() -> None:
    labels = {"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "shop"}
    itself = {"kind": "HelmChart", "name": "web", "namespace": "shop"}
    release = {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"chartRef": itself},
    }
    chart = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "HelmChart",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"sourceRef": itself},
    }
    assert await owner(web(labels=labels), release, chart) == Owner(owner="Flux", app="web")
