"""The watch ends when it is clear, and when what is seen is not ours any more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from flow_world import PRODUCTION, QUICK, World, api_server, world

from aegis.delivery.apply import Hands, make
from aegis.delivery.preview import preview
from aegis.delivery.regression import Aftermath
from aegis.delivery.watch import Watched, health_of, watch
from aegis.model.changes import Apply
from aegis.model.health import Health
from aegis.model.refs import ObjectRef

POD = ObjectRef(api_version="v1", kind="Pod", name="p", namespace="shop")


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[World]:
    async with api_server(tmp_path) as kubeconfig, world(tmp_path, kubeconfig) as made:
        await made.make(colour="red")
        yield made


async def applied(shop: World) -> Watched:
    change = Apply(target=shop.target, patch={"data": {"colour": "blue"}})
    hands = Hands(reader=shop.driver, actuator=(await shop.tools()).actuator, purpose=PRODUCTION)
    undo = (await preview(hands.reader, hands.actuator, [change], PRODUCTION)).undo()
    await make(hands, [change], undo)
    return Watched(changes=(change,), undo=undo, refs=(shop.target,), baseline=Health(wanted=1, ready=1))


async def test_what_is_neither_ready_nor_not_is_given_its_time(shop: World) -> None:
    assert await health_of(shop.driver, [shop.target]) is None
    assert await watch(shop.driver, await applied(shop), QUICK, shop.hear) is Aftermath.RESOLVED


async def test_what_somebody_else_changed_is_not_ours_to_judge(shop: World) -> None:
    subject = await applied(shop)
    await shop.make(colour="green")
    assert await watch(shop.driver, subject, QUICK, shop.hear) is Aftermath.REPLACED


@pytest.mark.parametrize(("ready", "expected"), [(1, Aftermath.RESOLVED), (0, Aftermath.WORSE)])
async def test_pods_are_looked_at(
    shop: World, monkeypatch: pytest.MonkeyPatch, ready: int, expected: Aftermath
) -> None:
    async def health(_reader: object, _refs: object) -> Health:
        return Health(wanted=1, ready=ready)

    monkeypatch.setattr("aegis.delivery.watch.health_of", health)
    assert await watch(shop.driver, await applied(shop), QUICK, shop.hear) is expected
    assert "watching production" in shop.told


async def test_a_pod_that_is_not_ready_is_seen(shop: World) -> None:
    spec = {"containers": [{"name": "c", "image": "nginx:1.27"}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    await shop.driver.apply(POD, body, manager="kubectl")
    assert await health_of(shop.driver, [POD, shop.target]) == Health(wanted=1, ready=0)
