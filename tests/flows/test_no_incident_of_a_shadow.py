"""What breaks in a shadow (as it should) is no incident; what somebody else broke is one, however it is labelled."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from kill_world import BROKEN, Theatre, World, deployment, theatre, until

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(300)]


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Theatre]:
    async with theatre(tmp_path) as found:
        yield found


def pods_of(world: World, namespace: str) -> list[dict[str, Any]]:
    return list(world.theatre.cluster.api.list("pods", namespace))


def fails(pod: dict[str, Any]) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    reasons = {((status.get("state") or {}).get("waiting") or {}).get("reason") for status in statuses}
    return bool(reasons & {"ErrImagePull", "ImagePullBackOff"})


async def broken_in(stage: Theatre, world: World, like: str) -> str:
    """A namespace that bears every mark of a shadow, in which something of somebody else's is broken."""
    found = stage.cluster.api.get("namespaces", None, like)
    assert found is not None
    marks = {key: found["metadata"][key] for key in ("labels", "annotations")}
    name = "aegis-shadow-0badbad0-r"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **marks}}
    stage.cluster.api.create("namespaces", body, manager="kubectl")
    stage.cluster.api.create("deployments.apps", deployment(name, BROKEN, name="mine"), manager="kubectl")
    await until(lambda: any(fails(pod) for pod in pods_of(world, name)))
    return name


async def test_a_shadow_opens_no_incident_and_no_label_hides_one(stage: Theatre) -> None:
    world = await stage.world()
    act = await world.start(*world.fix())
    await act.reaches("said starting both arms side by side#1")
    red = next(name for name in world.shadows() if name.endswith("-r"))
    await until(lambda: any(fails(pod) for pod in pods_of(world, red)))
    os.kill(act.pid, signal.SIGSTOP)
    disguised = await broken_in(stage, world, red)

    seen = await world.run("analyze", "-A", "-o", "json", *world.at)
    assert seen.status == 1, seen.err
    places = {item["target"]["namespace"] for item in seen.report["items"]}
    assert places == {world.namespace, disguised}

    before = await world.incidents()
    for target in ("deploy/web", f"pod/{pods_of(world, red)[0]['metadata']['name']}"):
        refused = await world.run("fix", target, "-n", red, "--yes", *world.at)
        assert refused.status == 4, refused.err
        assert "belongs to a trial of AEGIS: nothing there is an incident" in refused.err
    assert [one["id"] for one in await world.incidents()] == [one["id"] for one in before]

    os.kill(act.pid, signal.SIGCONT)
    assert (await act.ended()).status == 0
    assert world.shadows() == [disguised], "what is not ours stays, whatever it is labelled"
