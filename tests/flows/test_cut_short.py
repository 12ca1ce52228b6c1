"""Ctrl-C, SIGTERM and a closed terminal: 130, nothing left in the cluster, and the same command goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from kill_world import Ended, Theatre, World, in_session, theatre, until

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(600)]

PLACES = [
    ("step analyze: before#1", signal.SIGINT, "Analyzing"),
    ("said proving that the arms are cut off#1", signal.SIGTERM, "Analyzing"),
    ("write create pods in shadow: sent, not answered#1", signal.SIGINT, "Analyzing"),
    ("said starting both arms side by side#1", signal.SIGINT, "Analyzing"),
    ("question: before#1", signal.SIGTERM, "AwaitingApproval"),
    ("write patch deployments.apps in production: before#1", signal.SIGINT, "ApplyingFix"),
    ("write patch deployments.apps in production: sent, not answered#1", signal.SIGTERM, "ApplyingFix"),
    ("said watching production#1", signal.SIGHUP, "Monitoring"),
]


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Theatre]:
    async with theatre(tmp_path) as found:
        yield found


async def one_effect(world: World) -> None:
    (incident,) = await world.incidents()
    assert incident["phase"] == "Resolved"
    assert len(world.writes()) == 1
    assert world.live()["metadata"]["generation"] == world.broken["metadata"]["generation"] + 1
    assert (await world.run("audit", "verify")).status == 0
    assert world.unannounced() == []
    assert world.strays() == []


async def interrupted(stage: Theatre, place: str, number: int, phase: str) -> None:
    world = await stage.world()
    first = await world.run(*world.fix(), die_at=place, number=number)
    assert first.status == 130, (place, first.status, first.err)
    assert f"stands at {phase}" in first.err, (place, first.err)
    assert f"`aegis fix Deployment/web -n {world.namespace}` takes it up again." in first.err, (place, first.err)
    assert "Traceback" not in first.err, (place, first.err)
    assert world.shadows() == [], place
    assert list(in_session(first.pid)) == [], place
    second = await world.run(*world.fix())
    assert second.status == 0, (place, second.err)
    await one_effect(world)


async def test_interrupted_anywhere_it_cleans_up_says_where_it_stands_and_goes_on_later(stage: Theatre) -> None:
    gate = asyncio.Semaphore(4)

    async def one(place: str, number: int, phase: str) -> None:
        async with gate:
            await interrupted(stage, place, number, phase)

    async with asyncio.TaskGroup() as group:
        for place, number, phase in PLACES:
            group.create_task(one(place, number, phase))


async def test_the_way_back_is_finished_before_it_ends(stage: Theatre) -> None:
    world = await stage.world(worse=True)
    place = "write patch deployments.apps in production: before#2"
    first = await world.run(*world.fix(), die_at=place, number=signal.SIGINT)
    assert first.status == 130, first.err
    assert world.live()["spec"] == world.broken["spec"], "the undo was made although it was interrupted"
    second = await world.run(*world.fix())
    assert (second.status, second.report["reason"]) == (1, "RolledBack"), second.err
    assert len(world.writes()) == 2
    assert len(await world.incidents()) == 1


async def test_a_second_ctrl_c_leaves_the_shadow_to_the_next_run_and_says_so(stage: Theatre) -> None:
    world = await stage.world()
    act = await world.start(*world.fix())
    await act.reaches("said starting both arms side by side#1")
    os.kill(act.pid, signal.SIGINT)
    await act.reaches("write delete namespaces in shadow: before#1")
    with contextlib.suppress(ProcessLookupError):  # it may have cleaned up already
        os.kill(act.pid, signal.SIGINT)
    first: Ended = await act.ended()
    assert first.status == 130, first.err
    assert "stands at Analyzing: production was not touched" in first.err
    if world.shadows():
        assert "swept then" in first.err
    second = await world.run(*world.fix())
    assert second.status == 0, second.err
    assert world.shadows() == []
    await one_effect(world)


async def test_a_shadow_that_nobody_takes_up_again_goes_with_any_later_fix(stage: Theatre) -> None:
    dead, other = await stage.world(), await stage.world()
    await dead.run(*dead.fix(), die_at="said starting both arms side by side#1")
    assert len(dead.shadows()) == 2
    assert (await other.run(*other.fix("--no-verify"))).status == 0
    assert len(dead.shadows()) == 2, "its time is not over: it may be another's"
    for name in dead.shadows():
        expired = {"metadata": {"annotations": {"aegis.io/expires-at": "2020-01-01T00:00:00Z"}}}
        stage.cluster.api.patch("namespaces", None, name, expired, manager="test")
    assert (await other.run(*other.fix())).status == 0
    await until(lambda: dead.shadows() == [])


async def test_a_dry_run_finishes_nothing_that_an_earlier_run_began(stage: Theatre) -> None:
    world = await stage.world()
    await world.run(*world.fix(), die_at="step ask-approval: stored#1")
    shown = await world.run(*world.fix("--yes", "--dry-run"))
    assert (shown.status, shown.report["phase"]) == (0, "AwaitingApproval"), shown.err
    assert world.writes() == []
    died = await world.run(*world.fix(), die_at="write patch deployments.apps in production: before#1")
    assert died.status == -signal.SIGKILL
    refused = await world.run(*world.fix("--yes", "--dry-run"))
    assert refused.status == 4
    assert "is ApplyingFix: production was touched already" in refused.err
    assert world.writes() == []
    assert (await world.run(*world.fix())).status == 0
    await one_effect(world)
