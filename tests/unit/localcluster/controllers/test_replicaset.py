"""ReplicaSets: how many pods, which go first, and what is said when none may be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.objects import condition
from aegis.localcluster.controllers.replicaset import ReplicaSetController, first_to_go, pod_for
from aegis.localcluster.status import ApiError

Make = Callable[..., Object]


def replica_set(replicas: int = 2) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "rs", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "a"}},
            "template": {
                "metadata": {"labels": {"app": "a"}, "annotations": {"note": "x"}},
                "spec": {"containers": [{"name": "c", "image": "busybox:1.36"}]},
            },
        },
    }


def some_pod(name: str, **facts: Any) -> Object:
    ready = facts.get("ready")
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": ready}] if ready else []
    restarts = [{"restartCount": facts.get("restarts", 0)}]
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "creationTimestamp": facts.get("created", "2026-01-01T00:00:00Z"),
            "annotations": {"controller.kubernetes.io/pod-deletion-cost": facts["cost"]} if "cost" in facts else {},
        },
        "spec": {"nodeName": facts.get("node", "n1")} if facts.get("node", "n1") else {},
        "status": {"phase": facts.get("phase", "Running"), "conditions": conditions, "containerStatuses": restarts},
    }


def order(*pods: Object) -> list[str]:
    return [p["metadata"]["name"] for p in first_to_go(pods)]


def test_what_serves_least_goes_first() -> None:
    day = "2026-01-01T00:00:00Z"
    found = order(
        some_pod("serving", ready=day),
        some_pod("unready"),
        some_pod("pending", phase="Pending"),
        some_pod("nowhere", phase="Pending", node=""),
    )
    assert found == ["nowhere", "pending", "unready", "serving"]


def test_the_cheaper_then_the_crowded_then_the_younger_goes_first() -> None:
    day, later = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    assert order(some_pod("dear", ready=day, cost="5"), some_pod("cheap", ready=day, cost="-5"))[0] == "cheap"
    crowded = [some_pod("a", ready=day, node="n1"), some_pod("b", ready=day, node="n2"), some_pod("c", node="n2")]
    assert order(*crowded) == ["c", "b", "a"]
    assert order(some_pod("old", ready=day), some_pod("young", ready=later))[0] == "young"
    assert order(some_pod("calm", ready=day), some_pod("restless", ready=day, restarts=3))[0] == "restless"


def test_a_pod_has_its_templates_metadata_and_one_controller() -> None:
    stored = replica_set()
    stored["metadata"]["uid"] = "u"
    made = pod_for(stored)
    assert made["metadata"]["generateName"] == "rs-"
    assert made["metadata"]["annotations"] == {"note": "x"}
    assert [o["uid"] for o in made["metadata"]["ownerReferences"] if o["controller"]] == ["u"]


async def test_makes_replaces_and_deletes_pods(cluster: Any) -> None:
    async with cluster.running(ReplicaSetController):
        cluster.api.create("replicasets.apps", replica_set(3), manager="test")
        await cluster.expect(lambda: len(cluster.pods()) == 3)
        doomed = cluster.pods()[0]["metadata"]["name"]
        cluster.api.delete("pods", "default", doomed)
        await cluster.expect(lambda: len(cluster.pods()) == 3)
        assert doomed not in {p["metadata"]["name"] for p in cluster.pods()}
        cluster.api.patch("replicasets.apps", "default", "rs", {"spec": {"replicas": 1}}, manager="test")
        await cluster.expect(lambda: len(cluster.pods()) == 1)
        assert len(cluster.messages("SuccessfulCreate")) == 4
        assert len(cluster.messages("SuccessfulDelete")) == 2
        (kept,) = cluster.pods()
        assert f"Created pod: {kept['metadata']['name']}" in cluster.messages("SuccessfulCreate")


async def test_a_relabelled_pod_is_released_and_replaced(cluster: Any) -> None:
    async with cluster.running(ReplicaSetController):
        cluster.api.create("replicasets.apps", replica_set(1), manager="test")
        (pod,) = await cluster.expect(cluster.pods)
        name = pod["metadata"]["name"]
        cluster.api.patch("pods", "default", name, {"metadata": {"labels": {"app": "debug"}}}, manager="test")
        await cluster.expect(lambda: len(cluster.pods()) == 2)
        released = cluster.api.get("pods", "default", name)
        assert not released["metadata"].get("ownerReferences")
        cluster.api.patch("pods", "default", name, {"metadata": {"labels": {"app": "a"}}}, manager="test")
        await cluster.expect(lambda: len(cluster.pods()) == 1)  # adopted, hence one too many


async def test_a_refusal_is_an_event_and_a_condition_and_tried_again(cluster: Any, monkeypatch: Any) -> None:
    create, refuse = cluster.api.create, [True]
    tries: list[str] = []
    message = 'pods "rs-" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'

    def refusing(resource: str, obj: Mapping[str, Any], *, manager: str) -> Object:
        if resource == "pods" and refuse[0]:
            tries.append(message if not tries else f"{message} again {len(tries)}")
            raise ApiError(403, "Forbidden", tries[-1])
        made: Object = create(resource, obj, manager=manager)
        return made

    monkeypatch.setattr(cluster.api, "create", refusing)

    def failure() -> Mapping[str, Any] | None:
        return condition(cluster.api.get("replicasets.apps", "default", "rs"), "ReplicaFailure")

    async with cluster.running(ReplicaSetController):
        create("replicasets.apps", replica_set(1), manager="test")
        found = await cluster.expect(failure)
        assert (found["status"], found["reason"], found["message"]) == ("True", "FailedCreate", message)
        assert f"Error creating: {message}" in cluster.messages("FailedCreate")
        await cluster.quiet()
        assert len(tries) < 4  # a text that differs each time sets no hot loop going
        refuse[0] = False
        await cluster.expect(cluster.pods)
        await cluster.expect(lambda: failure() is None)
