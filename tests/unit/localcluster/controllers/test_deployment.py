"""Deployments over the real store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aegis.localcluster.api import Object, Pace
from aegis.localcluster.controllers.deployment import DeploymentController
from aegis.localcluster.controllers.replicaset import ReplicaSetController

REVISION = "deployment.kubernetes.io/revision"
Make = Callable[..., Object]


def conditions(cluster: Any, name: str = "web") -> dict[str, tuple[str, str]]:
    status = cluster.api.get("deployments.apps", "default", name).get("status") or {}
    return {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions") or ()}


def sets(cluster: Any) -> dict[str, int]:
    """Replicas by revision."""
    found = cluster.api.list("replicasets.apps", "default")
    return {r["metadata"]["annotations"][REVISION]: r["spec"]["replicas"] for r in found}


def set_image(cluster: Any, image: str) -> None:
    containers = [{"name": "c", "image": image}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    cluster.api.patch("deployments.apps", "default", "web", patch, manager="test")


async def rolled_out(cluster: Any) -> None:
    def done() -> bool:
        cluster.make_all_ready()
        obj = cluster.api.get("deployments.apps", "default", "web")
        status, wanted = obj.get("status") or {}, obj["spec"]["replicas"]
        counts = [status.get(k, 0) for k in ("replicas", "updatedReplicas", "availableReplicas")]
        return status.get("observedGeneration") == obj["metadata"]["generation"] and counts == [wanted] * 3

    await cluster.expect(done)


async def test_a_new_deployment_becomes_available(cluster: Any, make_deployment: Make) -> None:
    async with cluster.running(DeploymentController, ReplicaSetController):
        cluster.api.create("deployments.apps", make_deployment(), manager="test")
        await cluster.expect(lambda: len(cluster.pods()) == 2)
        assert conditions(cluster)["Available"] == ("False", "MinimumReplicasUnavailable")
        await rolled_out(cluster)
        await cluster.expect(
            lambda: (
                conditions(cluster)
                == {
                    "Available": ("True", "MinimumReplicasAvailable"),
                    "Progressing": ("True", "NewReplicaSetAvailable"),
                }
            )
        )
        (replica_set,) = cluster.api.list("replicasets.apps", "default")
        name = replica_set["metadata"]["name"]
        assert name == f"web-{replica_set['metadata']['labels']['pod-template-hash']}"
        assert cluster.messages("ScalingReplicaSet") == [f"Scaled up replica set {name} from 0 to 2"]
        deployment = cluster.api.get("deployments.apps", "default", "web")
        assert deployment["metadata"]["annotations"][REVISION] == "1"
        assert deployment["metadata"]["generation"] == 1


async def test_a_rollout_and_its_undo_number_revisions(cluster: Any, make_deployment: Make) -> None:
    async with cluster.running(DeploymentController, ReplicaSetController):
        cluster.api.create("deployments.apps", make_deployment(), manager="test")
        await rolled_out(cluster)
        set_image(cluster, "nginx:1.28")
        await rolled_out(cluster)
        assert sets(cluster) == {"1": 0, "2": 2}
        set_image(cluster, "nginx:1.27")  # what `rollout undo` does: the old template again
        await rolled_out(cluster)
        assert sets(cluster) == {"2": 0, "3": 2}
        deployment = cluster.api.get("deployments.apps", "default", "web")
        assert deployment["metadata"]["annotations"][REVISION] == "3"


async def test_a_rollout_never_has_too_few_available(cluster: Any, make_deployment: Make) -> None:
    async with cluster.running(DeploymentController, ReplicaSetController):
        cluster.api.create("deployments.apps", make_deployment(replicas=4), manager="test")
        await rolled_out(cluster)
        set_image(cluster, "nginx:broken")
        await cluster.expect(lambda: sets(cluster) == {"1": 3, "2": 2})
        await cluster.quiet()
        assert sets(cluster) == {"1": 3, "2": 2}
        assert conditions(cluster)["Available"] == ("True", "MinimumReplicasAvailable")


async def test_recreate_waits_for_the_last_old_pod(cluster: Any, make_deployment: Make) -> None:
    wanted = make_deployment(strategy={"type": "Recreate"})
    async with cluster.running(DeploymentController, ReplicaSetController):
        cluster.api.create("deployments.apps", wanted, manager="test")
        await cluster.expect(lambda: len(cluster.pods()) == 2)
        for pod in cluster.pods():
            cluster.api.bind("default", pod["metadata"]["name"], "n1")
        await rolled_out(cluster)
        set_image(cluster, "nginx:1.28")
        await cluster.expect(lambda: all(p["metadata"].get("deletionTimestamp") for p in cluster.pods()))
        await cluster.quiet()
        assert sets(cluster) == {"1": 0}
        await rolled_out(cluster)
        assert sets(cluster) == {"1": 0, "2": 2}


async def test_paused_rolls_nothing_out_but_scales(cluster: Any, make_deployment: Make) -> None:
    async with cluster.running(DeploymentController, ReplicaSetController):
        cluster.api.create("deployments.apps", make_deployment(), manager="test")
        await rolled_out(cluster)
        cluster.api.patch("deployments.apps", "default", "web", {"spec": {"paused": True}}, manager="test")
        set_image(cluster, "nginx:1.28")
        await cluster.expect(lambda: conditions(cluster).get("Progressing") == ("Unknown", "DeploymentPaused"))
        cluster.api.patch("deployments.apps", "default", "web", {"spec": {"replicas": 3}}, manager="test")
        await cluster.expect(lambda: sets(cluster) == {"1": 3})
        cluster.api.patch("deployments.apps", "default", "web", {"spec": {"paused": False}}, manager="test")
        await rolled_out(cluster)
        assert sets(cluster) == {"1": 0, "2": 3}


async def test_history_is_limited(cluster: Any, make_deployment: Make) -> None:
    async with cluster.running(DeploymentController, ReplicaSetController):
        cluster.api.create("deployments.apps", make_deployment(replicas=1, revisionHistoryLimit=1), manager="test")
        await rolled_out(cluster)
        for tag in ("a", "b", "c"):
            set_image(cluster, f"nginx:{tag}")
            await rolled_out(cluster)
        await cluster.expect(lambda: sets(cluster) == {"3": 0, "4": 1})


@pytest.fixture
def pace() -> Pace:
    return Pace(scale=100)


async def test_the_progress_deadline_passes_on_the_time_scale(cluster: Any, make_deployment: Make) -> None:
    wanted = make_deployment(progressDeadlineSeconds=60)
    async with cluster.running(DeploymentController, ReplicaSetController):
        cluster.api.create("deployments.apps", wanted, manager="test")
        await cluster.expect(
            lambda: conditions(cluster).get("Progressing") == ("False", "ProgressDeadlineExceeded"), 3.0
        )
        (replica_set,) = cluster.api.list("replicasets.apps", "default")
        status = cluster.api.get("deployments.apps", "default", "web")["status"]
        (progressing,) = [c for c in status["conditions"] if c["type"] == "Progressing"]
        name = replica_set["metadata"]["name"]
        assert progressing["message"] == f'ReplicaSet "{name}" has timed out progressing.'


async def test_min_ready_seconds_delay_availability(cluster: Any, make_deployment: Make) -> None:
    async with cluster.running(DeploymentController, ReplicaSetController):
        cluster.api.create("deployments.apps", make_deployment(replicas=1, minReadySeconds=40), manager="test")
        await cluster.expect(cluster.pods)
        cluster.make_all_ready()
        await cluster.quiet()
        status = cluster.api.get("deployments.apps", "default", "web")["status"]
        assert (status["readyReplicas"], status.get("availableReplicas", 0)) == (1, 0)
        await rolled_out(cluster)


async def test_adopts_a_matching_replica_set_and_its_pods(cluster: Any, make_deployment: Make) -> None:
    async with cluster.running(DeploymentController, ReplicaSetController):
        created = cluster.api.create("deployments.apps", make_deployment(), manager="test")
        await rolled_out(cluster)
        pods = {p["metadata"]["uid"] for p in cluster.pods()}
        (replica_set,) = cluster.api.list("replicasets.apps", "default")
        orphan = {"metadata": {"ownerReferences": None}}
        cluster.api.patch("replicasets.apps", "default", replica_set["metadata"]["name"], orphan, manager="test")

        def adopted() -> bool:
            (found,) = cluster.api.list("replicasets.apps", "default")
            owners = found["metadata"].get("ownerReferences") or []
            return [o["uid"] for o in owners] == [created["metadata"]["uid"]]

        await cluster.expect(adopted)
        assert {p["metadata"]["uid"] for p in cluster.pods()} == pods
