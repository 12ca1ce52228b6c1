"""The driver, and the door, on the embedded cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.drivers.kubernetes.driver import KubernetesDriver
from aegis.errors import Conflict, NotFound, PermissionDenied, UsageError
from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions
from aegis.model.refs import ObjectRef
from aegis.ports import Access

pytestmark = pytest.mark.asyncio(loop_scope="module")
_CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace"}


def _map(name: str, namespace: str = "") -> ObjectRef:
    return ObjectRef(api_version="v1", kind="ConfigMap", name=name, namespace=namespace)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    options = ClusterOptions(state=tmp_path_factory.mktemp("cluster") / "state", time_scale=50, isolation="processes")
    async with LocalCluster(options) as cluster:
        yield cluster.kubeconfig


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driver(kubeconfig: Path) -> AsyncIterator[KubernetesDriver]:
    async with connect(KubeOptions(kubeconfig=kubeconfig)) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def namespace(driver: KubernetesDriver, request: pytest.FixtureRequest) -> str:
    created = await driver.create({**NAMESPACE, "metadata": {"generateName": "driver-"}})
    return str(created["metadata"]["name"])


async def test_it_knows_the_embedded_cluster_and_its_time_scale(driver: KubernetesDriver) -> None:
    cluster = await driver.cluster()
    assert cluster.embedded
    assert cluster.time_scale == 50
    assert cluster.gaps
    assert (await driver.whoami()).name
    assert await driver.allowed(Access(verb="patch", resource="deployments.apps", namespace="x"))


async def test_apply_takes_and_defends_fields(driver: KubernetesDriver, namespace: str) -> None:
    ref = _map("a", namespace)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}
    assert (await driver.apply(ref, body, manager="one", dry_run=True))["data"] == {"x": "1"}
    assert await driver.find(ref) is None
    first = await driver.apply(ref, body, manager="one")
    with pytest.raises(Conflict) as caught:
        await driver.apply(ref, {**body, "data": {"x": "2"}}, manager="two")
    assert caught.value.conflicts == (("one", ".data.x"),)
    assert (await driver.apply(ref, {**body, "data": {"x": "2"}}, manager="two", force=True))["data"] == {"x": "2"}
    stale = {**body, "metadata": {"name": "a", "resourceVersion": first["metadata"]["resourceVersion"]}}
    with pytest.raises(Conflict):
        await driver.apply(ref, stale, manager="one", force=True)


async def test_patches_hold_their_tests(driver: KubernetesDriver, namespace: str) -> None:
    ref = _map("p", namespace)
    created = await driver.create({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "p", "namespace": namespace},
        "data": {"x": "1"},
    })
    version = {"op": "test", "path": "/metadata/resourceVersion", "value": created["metadata"]["resourceVersion"]}
    replace = {"op": "replace", "path": "/data/x", "value": "2"}
    assert (await driver.patch(ref, [version, replace], manager="aegis"))["data"] == {"x": "2"}
    with pytest.raises(Conflict):
        await driver.patch(ref, [version, replace], manager="aegis")
    with pytest.raises(Conflict):
        await driver.create({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "p", "namespace": namespace},
        })


async def test_delete_only_that_one(driver: KubernetesDriver, namespace: str) -> None:
    ref = _map("d", namespace)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d", "namespace": namespace}}
    created = await driver.create(body)
    with pytest.raises(Conflict):
        await driver.delete(ref, uid="another")
    await driver.delete(ref, uid=created["metadata"]["uid"], dry_run=True)
    assert await driver.find(ref)
    await driver.delete(ref, uid=created["metadata"]["uid"])
    await driver.delete(ref)
    with pytest.raises(NotFound):
        await driver.get(ref)


async def test_lists_select_and_page(driver: KubernetesDriver, namespace: str) -> None:
    for number in range(3):
        labels = {"even": str(number % 2 == 0).lower()}
        metadata = {"name": f"l{number}", "namespace": namespace, "labels": labels}
        await driver.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    even = await driver.list("v1", "ConfigMap", namespace=namespace, labels="even=true")
    assert [obj["metadata"]["name"] for obj in even] == ["l0", "l2"]
    one = await driver.list("v1", "ConfigMap", namespace=namespace, fields="metadata.name=l1")
    assert [(obj["kind"], obj["metadata"]["name"]) for obj in one] == [("ConfigMap", "l1")]
    assert await driver.list("example.com/v1", "Widget") == []


async def test_watch_tells_what_happens(driver: KubernetesDriver, namespace: str) -> None:
    seen: list[tuple[str, str]] = []

    async def follow() -> None:
        async for event in driver.watch("v1", "Secret", namespace=namespace):
            seen.append((event.type, event.object["metadata"]["name"]))
            if event.type == "DELETED":
                return

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(follow())
        await asyncio.sleep(0.2)
        metadata = {"name": "s", "namespace": namespace}
        ref = ObjectRef(api_version="v1", kind="Secret", name="s", namespace=namespace)
        await driver.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
        await driver.patch(ref, [{"op": "add", "path": "/data", "value": {"a": "YQ=="}}], manager="aegis")
        await driver.delete(ref)
    assert seen == [("ADDED", "s"), ("MODIFIED", "s"), ("DELETED", "s")]


async def _established(driver: KubernetesDriver, name: str) -> None:
    async for event in driver.watch(_CRD[0], _CRD[1], fields=f"metadata.name={name}"):
        conditions = event.object.get("status", {}).get("conditions", [])
        if any((condition["type"], condition["status"]) == ("Established", "True") for condition in conditions):
            return


async def test_custom_resources_are_discovered(driver: KubernetesDriver) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "shortNames": ["gd"]}
    await driver.create({
        "apiVersion": _CRD[0],
        "kind": _CRD[1],
        "metadata": {"name": "gadgets.driver.test"},
        "spec": {"group": "driver.test", "scope": "Namespaced", "names": names, "versions": [version]},
    })
    async with asyncio.timeout(20):
        await _established(driver, "gadgets.driver.test")
    for word in ("gd", "gadget", "Gadget", "gadgets.driver.test", "gadgets.v1.driver.test"):
        found = await driver.resolve(word)
        assert (found.api_version, found.kind, found.namespace) == ("driver.test/v1", "Gadget", "")
    assert await driver.list("driver.test/v1", "Gadget") == []
    with pytest.raises(UsageError):
        await driver.resolve("gadgetry")


async def test_impersonation_is_judged_by_the_server(kubeconfig: Path, namespace: str) -> None:
    async with connect(KubeOptions(kubeconfig=kubeconfig, as_user="nobody-known")) as nobody:
        assert (await nobody.whoami()).name == "nobody-known"
        assert not await nobody.allowed(Access(verb="get", resource="secrets", namespace=namespace))
        with pytest.raises(PermissionDenied, match="not permitted: list secrets"):
            await nobody.list("v1", "Secret", namespace=namespace)
