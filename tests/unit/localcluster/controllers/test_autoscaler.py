"""The autoscaler on the real API, with pods that use what a test says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aegis.localcluster.api import ContainerUsage, Object, Pace, PodUsage
from aegis.localcluster.controllers.autoscaler import AutoscalerController
from aegis.localcluster.controllers.loop import attempt
from aegis.localcluster.controllers.queue import WorkQueue

AUTOSCALERS = "horizontalpodautoscalers.autoscaling"
KEY = ("default", "h")


class Usages:
    """Every pod uses the same; None while nothing is known."""

    def __init__(self) -> None:
        self.cores: float | None = None

    def usage(self, pod_uid: str) -> PodUsage | None:
        assert pod_uid
        if self.cores is None:
            return None
        used = {"c": ContainerUsage(cpu=self.cores, memory=1 << 20)}
        return PodUsage(at=datetime.now(UTC), window=0.0, containers=used)


class World:
    """A Deployment `web` of two ready pods that request a tenth of a core, and its autoscaler."""

    def __init__(self, cluster: Any, make_deployment: Any, make_pod: Any) -> None:
        self.cluster, self.api, self.usages = cluster, cluster.api, Usages()
        self.controller = AutoscalerController(cluster.api, Pace(), self.usages)
        self.api.create("deployments.apps", make_deployment(), manager="test")
        for name in ("a", "b"):
            container = {"resources": {"requests": {"cpu": "100m"}}}
            made = self.api.create("pods", make_pod(name, labels={"app": "web"}, container=container), manager="test")
            cluster.make_ready(made)
            stored = self.api.get("pods", "default", name)
            started = {**stored["status"], "startTime": "2026-01-01T00:00:00Z"}
            self.api.update_status("pods", {**stored, "status": started}, manager="kubelet")

    def scale_by(self, **spec: Any) -> None:
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        obj = {
            "metadata": {"name": "h", "namespace": "default"},
            "spec": {"scaleTargetRef": reference, "maxReplicas": 10, **spec},
        }
        self.api.create(AUTOSCALERS, obj, manager="test")

    async def look(self) -> Object:
        self.controller._memory.clear()  # a look is due every 15 s, which no test waits for
        attempt(self.controller, WorkQueue(Pace()), KEY)
        status: Object = self.api.get(AUTOSCALERS, *KEY)["status"]
        return status

    @property
    def size(self) -> int:
        replicas: int = self.api.get("deployments.apps", "default", "web")["spec"]["replicas"]
        return replicas


@pytest.fixture
def world(cluster: Any, make_deployment: Any, make_pod: Any) -> World:
    return World(cluster, make_deployment, make_pod)


def reasons(status: Object) -> dict[str, str]:
    return {c["type"]: c["reason"] for c in status["conditions"]}


async def test_busy_pods_get_company(world: World) -> None:
    world.scale_by()
    world.usages.cores = 0.16
    status = await world.look()
    assert world.size == 4
    assert (status["currentReplicas"], status["desiredReplicas"]) == (2, 4)
    assert status["lastScaleTime"]
    assert status["currentMetrics"][0]["resource"]["current"] == {"averageUtilization": 160, "averageValue": "160m"}
    assert reasons(status) == {
        "AbleToScale": "SucceededRescale", "ScalingActive": "ValidMetricFound", "ScalingLimited": "DesiredWithinRange",
    }  # fmt: skip
    why = "New size: 4; reason: cpu resource utilization (percentage of request) above target"
    assert world.cluster.messages("SuccessfulRescale") == [why]


async def test_one_step_is_limited(world: World) -> None:
    world.scale_by()
    world.usages.cores = 0.8
    status = await world.look()
    assert world.size == 4
    assert reasons(status)["ScalingLimited"] == "ScaleUpLimit"


async def test_near_the_target_nothing_changes(world: World) -> None:
    world.scale_by()
    world.usages.cores = 0.087
    status = await world.look()
    assert world.size == 2
    assert reasons(status)["AbleToScale"] == "ReadyForNewScale"


async def test_scaling_down_waits(world: World) -> None:
    world.scale_by()
    world.usages.cores = 0.01
    status = await world.look()
    assert world.size == 2
    assert reasons(status)["AbleToScale"] == "ScaleDownStabilized"


async def test_scaling_down_without_a_window(world: World) -> None:
    world.scale_by(behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    world.usages.cores = 0.01
    await world.look()
    assert world.size == 1


async def test_no_metrics_no_scaling(world: World) -> None:
    world.scale_by()
    status = await world.look()
    assert world.size == 2
    assert reasons(status)["ScalingActive"] == "FailedGetResourceMetric"
    (message,) = world.cluster.messages("FailedComputeMetricsReplicas")
    assert message.startswith("invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric")
    assert "no metrics returned from resource metrics API" in message


async def test_one_bad_metric_stops_going_down_only(world: World) -> None:
    pods = {"metric": {"name": "requests"}, "target": {"type": "AverageValue", "averageValue": "1"}}
    cpu = {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "100m"}}
    world.scale_by(metrics=[{"type": "Pods", "pods": pods}, {"type": "Resource", "resource": cpu}])
    world.usages.cores = 0.01
    status = await world.look()
    assert world.size == 2
    assert reasons(status)["ScalingActive"] == "FailedGetPodsMetric"
    world.usages.cores = 0.15
    await world.look()
    assert world.size == 3


async def test_a_kind_without_a_size(world: World) -> None:
    world.scale_by(scaleTargetRef={"apiVersion": "v1", "kind": "ConfigMap", "name": "x"})
    assert reasons(await world.look()) == {"AbleToScale": "FailedGetScale"}
    world.api.patch(
        AUTOSCALERS, *KEY, {"spec": {"scaleTargetRef": {"apiVersion": "x/v1", "kind": "Y", "name": "z"}}}, manager="t"
    )
    assert 'no matches for kind "Y" in group "x"' in (await world.look())["conditions"][0]["message"]


async def test_between_two_looks_only_a_new_spec_counts(world: World) -> None:
    world.scale_by()
    assert world.controller.sync(KEY) == 15.0
    left = world.controller.sync(KEY)
    assert left is not None
    assert 0 < left <= 15
    world.api.patch(AUTOSCALERS, *KEY, {"spec": {"minReplicas": 3}}, manager="test")
    world.controller.sync(KEY)
    assert world.size == 3
