"""What the disruption controller writes where owners are odd, or evicted pods stay."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.localcluster.api import Object, Pace
from aegis.localcluster.controllers.disruption import DisruptionController
from aegis.localcluster.controllers.objects import timestamp

BUDGETS = "poddisruptionbudgets.policy"


def budget(**spec: Any) -> Object:
    metadata = {"name": "b", "namespace": "default"}
    return {"metadata": metadata, "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}}


def status(cluster: Any) -> Any:
    return cluster.api.get(BUDGETS, "default", "b").get("status") or {}


async def test_pods_without_an_owner_count_only_by_number(cluster: Any, make_pod: Any) -> None:
    async with cluster.running(DisruptionController):
        for name in ("x", "y"):
            cluster.make_ready(cluster.api.create("pods", make_pod(name, labels={"app": "web"}), manager="test"))
        cluster.api.create(BUDGETS, budget(minAvailable=1), manager="test")
        await cluster.expect(lambda: status(cluster).get("disruptionsAllowed") == 1)
        cluster.api.patch(
            BUDGETS, "default", "b", {"spec": {"minAvailable": None, "maxUnavailable": 1}}, manager="test"
        )
        await cluster.expect(lambda: cluster.messages("UnmanagedPods"))
        assert status(cluster)["disruptionsAllowed"] == 0


async def test_an_owner_without_a_size_fails_closed(cluster: Any, make_pod: Any) -> None:
    wanted = make_pod("x", labels={"app": "web"})
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": True}
    wanted["metadata"]["ownerReferences"] = [owner]
    async with cluster.running(DisruptionController):
        cluster.make_ready(cluster.api.create("pods", wanted, manager="test"))
        cluster.api.create(BUDGETS, budget(maxUnavailable=1), manager="test")
        await cluster.expect(lambda: cluster.messages("CalculateExpectedPodCountFailed"))
        assert status(cluster)["disruptionsAllowed"] == 0
        assert status(cluster)["conditions"][0]["reason"] == "SyncFailed"
        assert "jobs.batch does not implement the scale subresource" in status(cluster)["conditions"][0]["message"]


@pytest.mark.parametrize("pace", [Pace(scale=1000)])
async def test_an_evicted_pod_that_stays_counts_again(cluster: Any, make_pod: Any) -> None:
    async with cluster.running(DisruptionController):
        cluster.make_ready(cluster.api.create("pods", make_pod("x", labels={"app": "web"}), manager="test"))
        made = cluster.api.create(BUDGETS, budget(minAvailable=0), manager="test")
        await cluster.expect(lambda: status(cluster).get("disruptionsAllowed") == 1)
        evicted = {**status(cluster), "disruptionsAllowed": 0, "disruptedPods": {"x": timestamp(), "gone": timestamp()}}
        del made["metadata"]["resourceVersion"]
        cluster.api.update_status(BUDGETS, {**made, "status": evicted}, manager="test")
        await cluster.expect(lambda: list(status(cluster)["disruptedPods"]) == ["x"])
        assert status(cluster)["currentHealthy"] == 0
        await cluster.expect(lambda: status(cluster)["currentHealthy"] == 1)
        assert "disruptedPods" not in status(cluster)
        assert cluster.messages("NotDeleted")
