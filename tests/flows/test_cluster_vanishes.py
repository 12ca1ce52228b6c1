"""The cluster dies, or the way to it is cut, while a remediation runs: 69 in good time, and everything is kept."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from kill_world import BROKEN, GOOD, Actors, Ended, Theatre, deployment, gated, theatre, until

from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.drivers.kubernetes.driver import KubernetesDriver
from aegis.localcluster import daemon
from aegis.localcluster.options import ClusterInfo, ClusterOptions
from aegis.model.refs import ObjectRef

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(600)]

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
PLACES = [
    ("said starting both arms side by side#1", "Analyzing"),
    ("question: before#1", "AwaitingApproval"),
    ("write patch deployments.apps in production: before#1", "ApplyingFix"),
    ("said watching production#1", "Monitoring"),
]
IN_GOOD_TIME = 45.0


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Theatre]:
    async with theatre(tmp_path) as found:
        yield found


@pytest.mark.parametrize(("place", "phase"), PLACES)
async def test_a_cut_wire_ends_it_with_69_and_once_mended_the_same_command_goes_on(
    stage: Theatre, place: str, phase: str
) -> None:
    world = await stage.world()
    async with gated(world) as gate:
        act = await world.start(*world.fix(), die_at=place, number=signal.SIGSTOP)
        await act.reaches(place)
        await gate.cut()
        began = time.monotonic()
        os.kill(act.pid, signal.SIGCONT)
        first = await act.ended()
        assert first.status == 69, first.err
        assert time.monotonic() - began < IN_GOOD_TIME
        assert f"https://127.0.0.1:{gate.port}: " in first.err
        assert f"stands at {phase}" in first.err
        assert "Traceback" not in first.err
        again = await world.run(*world.fix())
        assert again.status == 69, again.err
        await gate.mend()
        second = await world.run(*world.fix())
        assert second.status == 0, second.err
        (incident,) = await world.incidents()
        assert incident["phase"] == "Resolved"
        assert len(world.writes()) == 1
        assert world.live()["metadata"]["generation"] == world.broken["metadata"]["generation"] + 1
        assert world.shadows() == []
        assert (await world.run("audit", "verify")).status == 0


@dataclass(slots=True, kw_only=True)
class Alone:
    """A cluster in a process of its own, and somebody who mends in it."""

    options: ClusterOptions
    info: ClusterInfo
    actors: Actors
    state: Path

    async def aegis(self, *arguments: str) -> Ended:
        words = [*arguments, "--kubeconfig", str(self.info.kubeconfig)]
        return await (await self.actors.start(words, self.state)).ended()

    async def kill(self) -> None:
        os.kill(self.info.pid, signal.SIGKILL)
        await until(lambda: daemon.status(self.options.state) is None)

    async def up(self) -> None:
        self.info = await asyncio.to_thread(daemon.up, self.options)


async def break_it(kubeconfig: Path) -> None:
    async with connect(KubeOptions(kubeconfig=kubeconfig)) as driver:
        await driver.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        await driver.apply(WEB, deployment("shop", GOOD), manager="kubectl")
        await counts(driver, "availableReplicas")
        await driver.apply(WEB, deployment("shop", BROKEN), manager="kubectl")
        await counts(driver, "unavailableReplicas")


async def counts(driver: KubernetesDriver, count: str) -> None:
    """Until the Deployment's status counts one."""
    for _ in range(600):
        if ((await driver.get(WEB)).get("status") or {}).get(count) == 1:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"no {count}")


@pytest_asyncio.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Alone]:
    options = ClusterOptions(state=tmp_path / "cluster", time_scale=40)
    info = await asyncio.to_thread(daemon.up, options)
    options = ClusterOptions(state=tmp_path / "cluster", time_scale=40, port=int(info.url.rpartition(":")[2]))
    (tmp_path / "acts").mkdir()
    (tmp_path / "person").mkdir()
    try:
        async with Actors(tmp_path / "acts").ready() as actors:
            yield Alone(options=options, info=info, actors=actors, state=tmp_path / "person")
    finally:
        await asyncio.to_thread(daemon.down, options.state)


async def test_a_cluster_that_was_killed_and_another_one_in_its_place_are_told_apart(alone: Alone) -> None:
    await break_it(alone.info.kubeconfig)
    words = ["fix", "deploy/web", "-n", "shop", "--yes", "--kubeconfig", str(alone.info.kubeconfig)]
    place = "said watching production#1"
    act = await alone.actors.start(words, alone.state, die_at=place, number=signal.SIGSTOP)
    await act.reaches(place)
    await alone.kill()
    os.kill(act.pid, signal.SIGCONT)
    first = await act.ended()
    assert first.status == 69, first.err
    assert "stands at Monitoring: production holds the change, and nobody watches it now" in first.err
    incident = next(word.rstrip(",)") for word in first.err.split() if word.startswith("inc-"))

    await alone.up()
    gone = await alone.aegis("fix", "deploy/web", "-n", "shop", "--yes")
    assert gone.status == 2, gone.err
    for command in (["incident", "show", incident], ["incident", "approve", incident, "--yes"]):
        refused = await alone.aegis(*command)
        assert refused.status == 4, refused.err
        assert f"incident {incident} belongs to another cluster" in refused.err
    listed = await alone.aegis("incident", "list", "-o", "json")
    assert listed.report["items"] == []

    await break_it(alone.info.kubeconfig)
    anew = await alone.aegis("fix", "deploy/web", "-n", "shop", "--yes")
    assert anew.status == 0, anew.err
    assert incident not in anew.err
