"""A program of somebody else's in an arm: seen from its start to its end, and gone afterwards whatever it did."""

import asyncio
from typing import Any

import pytest

from aegis.errors import Conflict
from aegis.ports import Purpose
from aegis.shadow.errand import Ended, said, standing, until_ended
from aegis.shadow.probe import PROBE, Place
from aegis.shadow.tools import TrialTools

NAMESPACE = "aegis-shadow-x-c"


@pytest.fixture
def place(tools: TrialTools, fake: Any) -> Place:
    fake.put({"kind": "Namespace", "metadata": {"name": NAMESPACE}})
    return Place(
        tools=tools, purpose=Purpose(kind="shadow", incident="i", scope=(NAMESPACE,)), arm="c", namespace=NAMESPACE
    )


def pod(name: str = "p", **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {PROBE: "job"}}
    spec = {"restartPolicy": "Never", "containers": [{"name": "main"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def state(**state: Any) -> list[dict[str, Any]]:
    return [{"name": "main", "state": state}]


async def ended(place: Place, seconds: float = 5.0, patience: float = 5.0) -> Ended:
    return await until_ended(place, "job", "main", seconds=seconds, patience=patience)


async def test_its_end_is_told(place: Place, fake: Any) -> None:
    terminated = {"exitCode": 10, "reason": "Error"}
    fake.put(pod(phase="Failed", containerStatuses=state(terminated=terminated)))
    found = await ended(place)
    assert (found.status("main"), found.reason("main"), found.began, found.late) == (10, "Error", True, False)
    assert found.status("other") is None


async def test_every_pod_of_it_counts_as_our_own(place: Place, fake: Any) -> None:
    fake.put(pod(phase="Succeeded"))
    await ended(place)
    (uid,) = place.roll.own
    assert uid == fake.objects["Pod", NAMESPACE, "p"]["metadata"]["uid"]


async def test_its_time_runs_from_its_start(place: Place, fake: Any) -> None:
    fake.put(pod(phase="Running", containerStatuses=state(running={})))
    found = await ended(place, seconds=0.05)
    assert (found.late, found.began, found.status("main"), found.why) == (True, True, None, "")


async def test_one_that_never_starts_is_told_with_what_the_cluster_says(place: Place, fake: Any) -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available"}
    fake.put(pod(phase="Pending", conditions=[condition]))
    found = await ended(place, patience=0.05)
    assert (found.late, found.began) == (True, False)
    assert "0/2 nodes are available" in found.why
    assert "no pod" in (await until_ended(place, "none", "main", seconds=1, patience=0.05)).why


@pytest.mark.parametrize("reason", ["ErrImagePull", "InvalidImageName", "CreateContainerConfigError"])
async def test_one_that_cannot_start_is_not_waited_for(place: Place, fake: Any, reason: str) -> None:
    fake.put(pod(phase="Pending", containerStatuses=state(waiting={"reason": reason, "message": "no"})))
    assert (await ended(place)).why == f"{reason}: no"


async def test_one_whose_pod_is_taken_away_is_told(place: Place, fake: Any) -> None:
    fake.put(pod(phase="Running", containerStatuses=state(running={})))

    async def take_away() -> None:
        await asyncio.sleep(0.05)
        fake._tell("DELETED", fake.objects.pop(("Pod", NAMESPACE, "p")))

    async with asyncio.TaskGroup() as group:
        group.create_task(take_away())
        found = await ended(place)
    assert found.why == "its pod was deleted"
    assert found.status("main") is None


async def test_all_of_it_is_gone_even_if_it_is_cut_short(place: Place, fake: Any) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": NAMESPACE}}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), standing(place, [config, pod("q")]):
            await asyncio.Event().wait()
    assert [key for key in fake.objects if key[1] == NAMESPACE and key[0] != "ServiceAccount"] == []
    assert [call[1] for call in fake.calls if call[0] == "delete"] == ["Pod", "ConfigMap"]


async def test_what_was_made_before_a_refusal_is_gone(place: Place, fake: Any) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": NAMESPACE}}
    with pytest.raises(Conflict):
        async with standing(place, [config, config]):
            raise AssertionError("it cannot come to this")
    assert ("ConfigMap", NAMESPACE, "c") not in fake.objects


async def test_no_pod_said_nothing(place: Place) -> None:
    assert await said(place, {}, "main", limit_bytes=10) == ""
    assert await said(place, pod("gone"), "main", limit_bytes=10) == ""
