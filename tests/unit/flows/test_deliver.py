"""A roll-back is finished whatever happens to the task around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from flow_world import World, api_server, world

from aegis.flows.deliver import apply, ask_approval, hand_off, prepare_undo, roll_back
from aegis.flows.events import Applied, RolledBack, Stopped, UndoPrepared
from aegis.flows.remediation import open_incident, run
from aegis.model.changes import Apply
from aegis.model.incident import Incident, Phase
from aegis.model.refs import Json, ObjectRef
from aegis.model.verdict import Decision, Verdict


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[World]:
    async with api_server(tmp_path) as kubeconfig, world(tmp_path, kubeconfig) as made:
        await made.make(colour="red")
        yield made


class Slow:
    """Writes take their time, so that a cancellation falls into one."""

    def __init__(self, shop: World) -> None:
        self._shop = shop
        self.writing = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shop.driver, name)

    async def patch(self, ref: ObjectRef, operations: list[Json], **how: Any) -> Any:
        self.writing.set()
        await asyncio.sleep(0.2)
        return await self._shop.driver.patch(ref, operations, **how)


async def applied(shop: World) -> Incident:
    """An incident whose change stands in production."""
    tools = await shop.tools()
    incident = await run(tools, await open_incident(tools, shop.target))
    assert await shop.data() == {"colour": "blue"}
    return replace(incident, phase=Phase.MONITORING, rolling_back=True)


async def test_a_roll_back_is_not_cut_off(shop: World) -> None:
    incident = await applied(shop)
    shop.writer = slow = Slow(shop)
    tools = await shop.tools()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(roll_back(tools, incident))
        await slow.writing.wait()
        task.cancel()
    assert task.cancelled()
    assert await shop.data() == {"colour": "red"}
    assert isinstance(await roll_back(tools, incident), RolledBack), "and asked again, it sees that it is done"
    assert shop.real_writes().count("json-patch ConfigMap/settings") == 1


class Died(BaseException):
    """The process ends here."""


class Late:
    """A reader after whose first look the write of a process that died arrives."""

    def __init__(self, shop: World) -> None:
        self._shop = shop
        self._arrived = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shop.driver, name)

    async def find(self, ref: ObjectRef) -> Any:
        found = await self._shop.driver.find(ref)
        if not self._arrived:
            self._arrived = True
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ref.name}, "data": {"colour": "blue"}}
            await self._shop.driver.apply(ref, body, manager="aegis", force=True)
        return found


async def test_a_write_that_arrives_late_is_the_one_write(shop: World) -> None:
    def die(place: str) -> None:
        if place == "apply: before":
            raise Died

    tools = await shop.tools(checkpoint=die)
    with pytest.raises(Died):
        await run(tools, await open_incident(tools, shop.target))
    (left,) = await tools.incidents.list(open_only=True)
    event = await apply(await shop.tools(reader=Late(shop)), left)
    assert isinstance(event, Applied)
    assert await shop.data() == {"colour": "blue"}
    assert shop.real_writes() == []


async def test_what_is_not_ours_any_more_is_not_taken_back(shop: World) -> None:
    incident = await applied(shop)
    await shop.make(colour="green")
    event = await roll_back(await shop.tools(), incident)
    assert isinstance(event, Stopped)
    assert event.reason == "Drifted"
    assert "a person must look" in shop.told


REJECTED = Verdict(decision=Decision.REJECT, reason="GateRejected", score_low=0, score_high=0, gates=())


@pytest.mark.parametrize(
    "news", [{"tried_digest": "another"}, {"tried_digest": ""}, {"verdict": REJECTED}, {"verdict": None}]
)
async def test_only_what_was_tried_and_accepted_is_asked_about_or_prepared(shop: World, news: dict[str, Any]) -> None:
    shop.person.yes = None
    tools = await shop.tools()
    waiting = await run(tools, await open_incident(tools, shop.target))
    shop.person.yes = True
    approved = await ask_approval(tools, waiting)
    asked = len(shop.person.shown)
    forged = replace(waiting, approval=approved.approval, **news)  # type: ignore[union-attr]
    for step in (ask_approval, prepare_undo):
        event = await step(tools, forged)
        assert isinstance(event, Stopped)
        assert event.reason == "Refused"
    assert len(shop.person.shown) == asked


async def test_the_undo_is_known_before_anything_is_written(shop: World) -> None:
    shop.person.yes = None
    tools = await shop.tools()
    waiting = await run(tools, await open_incident(tools, shop.target))
    shop.person.yes = True
    tools = await shop.tools(policy=replace(tools.policy))

    approved = await ask_approval(tools, waiting)
    event = await prepare_undo(tools, replace(waiting, approval=approved.approval))  # type: ignore[union-attr]
    assert isinstance(event, UndoPrepared)
    name = str(shop.target)
    assert event.undo.before_hashes[name] != event.undo.after_hashes[name]
    assert await shop.data() == {"colour": "red"}
    assert shop.real_writes() == []


async def test_a_change_of_labels_alone_is_known_by_what_it_changes(shop: World) -> None:
    fix = await shop.fix(Apply(target=shop.target, patch={"metadata": {"labels": {"tier": "front"}}}))
    tools = await shop.tools()
    shop.mended_when = lambda obj: "tier" in (obj["metadata"].get("labels") or {})
    done = await run(tools, await open_incident(tools, shop.target, fix))
    assert done.phase is Phase.RESOLVED
    assert done.undo is not None
    (name,) = done.undo.before_hashes
    assert done.undo.before_hashes[name] != done.undo.after_hashes[name]
    again = await apply(tools, replace(done, phase=Phase.APPLYING_FIX, applied_at=None))
    assert isinstance(again, Applied)
    assert len(shop.real_writes()) == 1, "it is seen that it was made"
    back = await roll_back(tools, replace(done, phase=Phase.MONITORING, rolling_back=True))
    assert isinstance(back, RolledBack)
    assert "tier" not in ((await shop.driver.get(shop.target))["metadata"].get("labels") or {})


@pytest.mark.parametrize("how", ["another", "moved"])
async def test_only_what_was_tried_and_stands_as_it_did_is_handed_over(shop: World, tmp_path: Path, how: str) -> None:
    shop.person.yes = None
    tools = await shop.tools()
    waiting = await run(tools, await open_incident(tools, shop.target))
    if how == "moved":
        await shop.make(colour="green")
    else:
        waiting = replace(waiting, tried_digest="another")
    event = await hand_off(await shop.tools(emit=tmp_path / "out"), waiting)
    assert isinstance(event, Stopped)
    assert event.reason == ("Drifted" if how == "moved" else "Refused")
    assert not (tmp_path / "out").exists()
