"""Two remediations at a time: of one target, of two targets of a namespace, of two people who know nothing of another."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from kill_world import Theatre, World, theatre, until

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(600)]


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Theatre]:
    async with theatre(tmp_path) as found:
        yield found


def moved(world: World) -> int:
    return int(world.live()["metadata"]["generation"] - world.broken["metadata"]["generation"])


def answers(stage: Theatre, path: str) -> list[int]:
    return [one.status for one in stage.recording.requests if one.is_write and one.path == path]


async def test_a_second_fix_of_the_same_target_is_refused_and_says_who_is_at_work(stage: Theatre) -> None:
    world = await stage.world()
    first = await world.start(*world.fix())
    await first.reaches("step try: before#1")
    second = await world.run(*world.fix())
    assert second.status == 4
    assert second.err.startswith(f"aegis: Deployment/web in {world.namespace} is being worked on by another AEGIS")
    assert f"(process {first.pid})" in second.err
    assert second.err.count("\n") == 1
    assert (await first.ended()).status == 0
    assert (len(world.writes()), moved(world), len(await world.incidents())) == (1, 1, 1)


def elsewhere(mine: World) -> World:
    """Another machine's: the same production, and a state folder of its own."""
    theirs = World(theatre=mine.theatre, namespace=mine.namespace, folder=mine.folder / "elsewhere", broken=mine.broken)
    theirs.folder.mkdir()
    return theirs


def leases(world: World) -> list[dict[str, Any]]:
    return list(world.theatre.cluster.api.list("leases.coordination.k8s.io", world.namespace))


def age(world: World) -> None:
    """As if the holders of all Leases had been silent for long, who had promised to speak each second."""
    long_ago = {"spec": {"leaseDurationSeconds": 1, "renewTime": "2020-01-01T00:00:00.000000Z"}}
    for lease in leases(world):
        name = lease["metadata"]["name"]
        world.theatre.cluster.api.patch("leases.coordination.k8s.io", world.namespace, name, long_ago, manager="test")


async def of_two_machines_that_know_nothing_of_each_other_one_writes(stage: Theatre) -> None:
    mine = await stage.world()
    theirs = elsewhere(mine)
    place = "said starting both arms side by side#1"
    first = await mine.start(*mine.fix(), die_at=place, number=signal.SIGSTOP)
    await first.reaches(place)
    second, tried = await theirs.run(*theirs.fix()), await theirs.run(*theirs.fix("--dry-run"))
    assert (second.status, tried.status) == (4, 4), second.err + tried.err
    assert f"Deployment/web in {mine.namespace} is being worked on by another AEGIS (" in second.err
    assert f"/{first.pid})" in second.err
    assert f"Deployment/web in {mine.namespace} is being tried already" in tried.err, "who only tries needs no Lease"
    os.kill(first.pid, signal.SIGCONT)
    assert (await first.ended()).status == 0
    later = await theirs.run(*theirs.fix())
    assert (later.status, later.report["reason"]) == (0, "Healthy"), later.err
    assert (len(mine.writes()), moved(mine)) == (1, 1)
    assert mine.shadows() == theirs.shadows() == []
    assert leases(mine) == []


async def a_holder_that_was_killed_is_followed_by_another_machine_once_its_time_is_over(stage: Theatre) -> None:
    mine = await stage.world()
    theirs = elsewhere(mine)
    died = await mine.run(*mine.fix(), die_at="step ask-approval: stored#1")
    assert died.status == -signal.SIGKILL
    (left,) = leases(mine)
    assert left["spec"]["holderIdentity"].endswith(f"/{died.pid}")
    assert left["metadata"]["ownerReferences"][0]["uid"] == mine.broken["metadata"]["uid"]
    refused = await theirs.run(*theirs.fix())
    assert refused.status == 4, refused.err
    age(mine)
    ended = await theirs.run(*theirs.fix())
    assert ended.status == 0, ended.err
    assert f"/{died.pid}) left Deployment/web in {mine.namespace} without a word: waiting 1 s" in ended.err
    back = await mine.run(*mine.fix())
    assert (back.status, back.report["reason"]) in {(0, "Healthy"), (4, "Drifted")}, back.err
    assert (len(mine.writes()), moved(mine)) == (1, 1)
    assert leases(mine) == []
    assert mine.shadows() == theirs.shadows() == []


async def a_holder_that_slept_while_another_one_took_over_writes_nothing(stage: Theatre) -> None:
    mine = await stage.world()
    theirs = elsewhere(mine)
    place = "write patch deployments.apps in production: before#1"
    first = await mine.start(*mine.fix(), die_at=place, number=signal.SIGSTOP)
    await first.reaches(place)
    age(mine)
    second = await theirs.run(*theirs.fix())
    assert second.status == 0, second.err
    assert (len(mine.writes()), moved(mine)) == (1, 1)
    os.kill(first.pid, signal.SIGCONT)
    late = await first.ended()
    assert late.status in {0, 69}, late.err
    assert "Traceback" not in late.err
    assert (len(mine.writes()), moved(mine)) == (1, 1), "its write was for a version that is no more"
    assert (await mine.run(*mine.fix())).status == 0
    assert moved(mine) == 1
    assert leases(mine) == []


async def test_two_machines_keep_apart_by_a_lease(stage: Theatre) -> None:
    """Each of the three in a namespace of its own, at the same time."""
    async with asyncio.TaskGroup() as group:
        group.create_task(of_two_machines_that_know_nothing_of_each_other_one_writes(stage))
        group.create_task(a_holder_that_was_killed_is_followed_by_another_machine_once_its_time_is_over(stage))
        group.create_task(a_holder_that_slept_while_another_one_took_over_writes_nothing(stage))


async def test_changes_of_one_namespace_wait_for_each_other(stage: Theatre) -> None:
    web_one = await stage.world()
    api = await stage.beside(web_one, "api")
    first = await web_one.start(*web_one.fix(), die_at="said watching production#1", number=signal.SIGSTOP)
    await first.reaches("said watching production#1")
    second = await api.start(*api.fix())
    waiting = f"Namespace/{api.namespace} is being worked on by another AEGIS (process {first.pid}): waiting"
    await second.reaches("said Namespace/shop-N is being worked on by another AEGIS (process N): waiting#1")
    assert api.writes() == []
    os.kill(first.pid, signal.SIGCONT)
    assert (await first.ended()).status == 0
    ended = await second.ended()
    assert ended.status == 0, ended.err
    assert waiting in ended.err
    order = [(record["action"], record["subject"]) for record in api.records() if record["outcome"] == "noted"]
    over = order.index(("remediation.watch", f"Deployment/web in {api.namespace}"))
    assert order.index(("remediation.prepare-undo", f"Deployment/api in {api.namespace}")) > over
    assert (moved(web_one), moved(api)) == (1, 1)


async def test_a_change_whose_process_died_must_be_finished_before_the_next_one_of_its_namespace(
    stage: Theatre,
) -> None:
    web_one = await stage.world()
    api = await stage.beside(web_one, "api")
    await web_one.run(*web_one.fix(), die_at="save Monitoring: done#1")
    refused = await api.run(*api.fix())
    assert refused.status == 4, refused.err
    assert f"about Deployment/web in {api.namespace} is half done (Monitoring)" in refused.err
    assert f"Finish it first: aegis fix Deployment/web -n {api.namespace}." in refused.err
    assert api.writes() == []
    assert (await web_one.run(*web_one.fix())).status == 0
    ended = await api.run(*api.fix())
    assert ended.status == 0, ended.err
    assert "taking up again" in ended.err
    assert (moved(web_one), moved(api)) == (1, 1)


async def test_a_write_that_arrives_after_its_sender_died_has_no_second_effect(stage: Theatre) -> None:
    world = await stage.world()
    late, arrived = asyncio.Event(), asyncio.Event()

    async def hold(request: web.Request) -> None:
        real = request.method == "PATCH" and "dryRun" not in request.query
        if real and f"/namespaces/{world.namespace}/deployments/" in request.path and not arrived.is_set():
            arrived.set()
            await late.wait()

    stage.recording.hold = hold
    await world.run(*world.fix(), die_at="write patch deployments.apps in production: sent, not answered#1")
    await asyncio.wait_for(arrived.wait(), 20)
    ended = await world.run(*world.fix())
    assert ended.status == 0, ended.err
    late.set()
    path = world.writes()[0].path
    await until(lambda: len(answers(stage, path)) == 2)
    assert sorted(answers(stage, path)) == [200, 409]
    assert moved(world) == 1
    assert len(await world.incidents()) == 1
