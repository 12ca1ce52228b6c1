"""What the server says that a change would make of an object which others write meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from flow_world import PRODUCTION, World, api_server, config_map, world

from aegis.delivery.preview import preview
from aegis.errors import Conflict
from aegis.model.changes import Apply
from aegis.model.refs import JsonObject, ObjectRef


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[World]:
    async with api_server(tmp_path) as kubeconfig, world(tmp_path, kubeconfig) as made:
        await made.make(colour="red")
        yield made


class Restless:
    """A reader after whose look somebody else writes: the next so many times."""

    def __init__(self, shop: World, times: int) -> None:
        self._shop = shop
        self._times = times
        self.looks = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shop.driver, name)

    async def get(self, ref: ObjectRef) -> JsonObject:
        found = await self._shop.driver.get(ref)
        self.looks += 1
        if self.looks <= self._times:
            body = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": ref.name},
                "data": {"seen": str(self.looks)},
            }
            await self._shop.driver.apply(ref, body, manager="a-controller", force=True)
        return found


async def shown(shop: World, times: int) -> tuple[dict[str, str], int]:
    reader, actuator = Restless(shop, times), (await shop.tools()).actuator
    change = Apply(target=config_map("settings", "shop"), patch={"data": {"colour": "blue"}})
    found = await preview(reader, actuator, [change], PRODUCTION)
    after = found.objects[0].after
    assert after is not None
    return after["data"], reader.looks


async def test_what_moved_between_the_look_and_the_question_is_looked_at_again(shop: World) -> None:
    assert await shown(shop, 2) == ({"colour": "blue", "seen": "2"}, 3)
    assert await shop.data() == {"colour": "red", "seen": "2"}


async def test_what_never_holds_still_is_given_up(shop: World) -> None:
    with pytest.raises(Conflict):
        await shown(shop, 100)
    assert (await shop.data())["colour"] == "red"
