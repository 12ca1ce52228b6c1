"""Written once and taken back to the byte, on a real API server through the real door."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from flow_world import PRODUCTION, World, api_server, world

from aegis.delivery.apply import Drifted, Hands, Standing, establish, make, recheck, standing, take_back
from aegis.delivery.preview import preview
from aegis.errors import NotFound, Refused
from aegis.model.changes import Apply, Change, Evict, JsonPatch
from aegis.model.incident import Undo
from aegis.model.refs import ObjectRef
from aegis.ports import Purpose

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "nginx:1.27",
                        "env": [{"name": "A", "value": "1"}],
                        "resources": {"limits": {"memory": "64Mi"}},
                    }
                ]
            },
        },
    },
}


def template(**fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", **fields}]}}}}


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[World]:
    async with api_server(tmp_path) as kubeconfig, world(tmp_path, kubeconfig) as made:
        await made.driver.apply(WEB, DEPLOYMENT, manager="kubectl")
        yield made


async def hands(shop: World, purpose: Purpose = PRODUCTION) -> Hands:
    return Hands(reader=shop.driver, actuator=(await shop.tools()).actuator, purpose=purpose)


async def previewed(shop: World, *changes: Change) -> Undo:
    used = await hands(shop)
    return (await preview(used.reader, used.actuator, changes, used.purpose)).undo()


CHANGES: dict[str, Change] = {
    "an image": Apply(target=WEB, patch=template(image="nginx:1.28")),
    "one variable more": Apply(target=WEB, patch=template(env=[{"name": "B", "value": "2"}])),
    "another value": Apply(target=WEB, patch=template(env=[{"name": "A", "value": "7"}])),
    "a limit": Apply(target=WEB, patch=template(resources={"limits": {"memory": "128Mi", "cpu": "500m"}})),
    "a probe": Apply(target=WEB, patch=template(readinessProbe={"httpGet": {"path": "/", "port": 80}})),
    "an annotation": Apply(target=WEB, patch={"metadata": {"annotations": {"team": "shop"}}}),
    "replicas": Apply(target=WEB, patch={"spec": {"replicas": 5}}),
    "a patch that removes": JsonPatch(
        target=WEB, patch=({"op": "remove", "path": "/spec/template/spec/containers/0/env"},)
    ),
    "a patch that inserts": JsonPatch(
        target=WEB,
        patch=({"op": "add", "path": "/spec/template/spec/containers/0/env/0", "value": {"name": "Z", "value": "0"}},),
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_undo_after_the_change_is_the_identity(shop: World, change: Change) -> None:
    before = await shop.driver.get(WEB)
    undo = await previewed(shop, change)
    await make(await hands(shop), [change], undo)
    changed = await shop.driver.get(WEB)
    assert (changed["spec"], changed["metadata"].get("annotations")) != (
        before["spec"],
        before["metadata"].get("annotations"),
    )
    await take_back(await hands(shop, Purpose(kind="undo", incident="inc-test")), undo)
    after = await shop.driver.get(WEB)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    assert (after["metadata"].get("annotations") or {}) == (before["metadata"].get("annotations") or {})


async def test_a_change_is_made_once_however_often_it_is_asked_for(shop: World) -> None:
    change = CHANGES["an image"]
    undo = await previewed(shop, change)
    for _ in range(3):
        await make(await hands(shop), [change], undo)
    assert (await establish(shop.driver, [change], undo)) == {WEB: Standing.AFTER}
    assert shop.real_writes() == ["apply Deployment/web"]
    assert (await shop.driver.get(WEB))["metadata"]["generation"] == 2


async def test_an_undo_is_made_once_however_often_it_is_asked_for(shop: World) -> None:
    change = CHANGES["an image"]
    undo = await previewed(shop, change)
    await make(await hands(shop), [change], undo)
    for _ in range(3):
        await take_back(await hands(shop, Purpose(kind="undo", incident="inc-test")), undo)
    assert shop.real_writes() == ["apply Deployment/web", "json-patch Deployment/web"]


async def test_a_status_that_moves_meanwhile_is_no_drift(shop: World) -> None:
    """A crash-looping workload's status is written all the time: only the declared content counts."""
    change = CHANGES["an image"]
    undo = await previewed(shop, change)

    class Restless:
        def __init__(self) -> None:
            self.left = 2

        def __getattr__(self, name: str) -> Any:
            return getattr(shop.driver, name)

        async def apply(self, ref: ObjectRef, body: Any, **how: Any) -> Any:
            if not how.get("dry_run") and self.left:
                self.left -= 1
                mark = {"metadata": {"name": "web", "annotations": {"seen": str(self.left)}}}
                await shop.driver.apply(ref, {**ID, **mark}, manager="controller", force=True)
            return await shop.driver.apply(ref, body, **how)

    shop.writer = Restless()
    await make(await hands(shop), [change], undo)
    assert shop.writer.left == 0
    assert shop.real_writes() == ["apply Deployment/web"]


ID = {"apiVersion": "apps/v1", "kind": "Deployment"}


async def test_drift_is_refused_before_and_after(shop: World) -> None:
    change = CHANGES["an image"]
    undo = await previewed(shop, change)
    meddled = {**ID, "metadata": {"name": "web"}, **template(image="nginx:9")}
    await shop.driver.apply(WEB, meddled, manager="kubectl-edit", force=True)
    with pytest.raises(Drifted):
        await make(await hands(shop), [change], undo)
    with pytest.raises(Drifted):
        await take_back(await hands(shop, Purpose(kind="undo", incident="inc-test")), undo)
    assert shop.real_writes() == []


async def test_another_object_of_the_same_name_is_drift(shop: World) -> None:
    fix = await shop_fix(shop)
    await recheck(shop.driver, fix.change_set)
    await shop.driver.delete(WEB)
    with pytest.raises(Drifted, match="gone"):
        await recheck(shop.driver, fix.change_set)
    await shop.driver.apply(WEB, DEPLOYMENT, manager="kubectl")
    with pytest.raises(Drifted, match="another object"):
        await recheck(shop.driver, fix.change_set)


async def test_an_object_made_anew_with_the_same_content_is_drift(shop: World) -> None:
    change = CHANGES["an image"]
    undo = await previewed(shop, change)
    await shop.driver.delete(WEB)
    await shop.driver.apply(WEB, DEPLOYMENT, manager="kubectl")
    assert await establish(shop.driver, [change], undo) == {WEB: Standing.NEITHER}
    with pytest.raises(Drifted):
        await make(await hands(shop), [change], undo)
    assert shop.real_writes() == []


async def shop_fix(shop: World) -> Any:
    return await shop.fix(Apply(target=WEB, patch=template(image="nginx:1.28")))


async def test_an_autoscaler_may_change_the_replicas(shop: World) -> None:
    scaler = ObjectRef(api_version="autoscaling/v2", kind="HorizontalPodAutoscaler", name="web", namespace="shop")
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 9}
    body = {"apiVersion": "autoscaling/v2", "kind": scaler.kind, "metadata": {"name": "web"}, "spec": spec}
    await shop.driver.apply(scaler, body, manager="kubectl")
    with pytest.raises(Refused, match="autoscaler"):
        await previewed(shop, CHANGES["replicas"])
    change = CHANGES["an image"]
    undo = await previewed(shop, change)
    scaled = {**ID, "metadata": {"name": "web"}, "spec": {"replicas": 7}}
    await shop.driver.apply(WEB, scaled, manager="kube-controller-manager", force=True)
    await make(await hands(shop), [change], undo)
    assert (await shop.driver.get(WEB))["spec"]["replicas"] == 7


async def test_what_is_there_to_the_byte_is_told_by_one_read(shop: World) -> None:
    change = CHANGES["an image"]
    undo = await previewed(shop, change)
    before = Counter(shop.driver.api_calls)
    assert await establish(shop.driver, [change], undo) == {WEB: Standing.BEFORE}
    assert Counter(shop.driver.api_calls) - before == Counter(get=1), "no autoscaler has to be asked about"


async def test_a_preview_names_the_fields_that_change_hands(shop: World) -> None:
    used = await hands(shop)
    (item,) = (await preview(used.reader, used.actuator, [CHANGES["an image"]], used.purpose)).objects
    assert {taken.manager for taken in item.taken} == {"kubectl"}
    assert item.operations == [
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "nginx:1.28"}
    ]
    assert (await shop.driver.get(WEB))["metadata"]["generation"] == 1, "asking writes nothing"


async def test_an_eviction_of_another_pod_of_that_name_is_refused(shop: World) -> None:
    pod = ObjectRef(api_version="v1", kind="Pod", name="p", namespace="shop")
    spec = {"containers": [{"name": "c", "image": "nginx:1.27"}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    await shop.driver.apply(pod, body, manager="kubectl")
    with pytest.raises(NotFound, match="another object"):
        await previewed(shop, Evict(target=pod, uid="somebody-else"))


@pytest.mark.parametrize(("live", "expected"), [("b", Standing.BEFORE), ("a", Standing.AFTER), ("x", Standing.NEITHER)])
def test_hashes_tell_where_an_object_stands(live: str, expected: Standing) -> None:
    assert standing(live, "b", "a") is expected


async def test_a_set_goes_on_where_it_was_left(shop: World) -> None:
    other = replace(WEB, name="api")
    await shop.driver.apply(other, {**DEPLOYMENT, "metadata": {"name": "api"}}, manager="kubectl")
    changes = [Apply(target=ref, patch=template(image="nginx:1.28")) for ref in (WEB, other)]
    undo = await previewed(shop, *changes)
    await make(await hands(shop), changes[:1], undo)
    assert await establish(shop.driver, changes, undo) == {WEB: Standing.AFTER, other: Standing.BEFORE}
    await make(await hands(shop), changes, undo)
    assert shop.real_writes() == ["apply Deployment/web", "apply Deployment/api"]
