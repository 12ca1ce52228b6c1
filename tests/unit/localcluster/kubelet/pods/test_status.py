"""A pod's status."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.localcluster.kubelet.pods.state import Container, Running, Terminated, Waiting
from aegis.localcluster.kubelet.pods.status import PodFacts, pod_status, qos_class

DONE = Terminated(exit_code=0, reason="Completed", started_at=1, finished_at=2, container_id="containerd://x")
UP = Container(state=Running(started_at=0), ready=True, passed_startup=True, image_id="i")


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "generation": 2}, "spec": {"containers": [{"name": "a", "image": "img"}], **spec}}


def facts(phase: Any = "Running", **more: Any) -> PodFacts:
    given = {"initialized": True, "sandbox": True, "host_ip": "172.18.0.2", "pod_ip": "10.244.1.2", "started_at": 0.0}
    return PodFacts(phase=phase, **{**given, **more})


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {one["type"]: (one["status"], one.get("reason")) for one in status["conditions"]}


def test_a_running_pod() -> None:
    status = pod_status(pod(), {"a": UP}, facts(), 5)
    assert conditions(status) == dict.fromkeys(
        ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"), ("True", None)
    )
    assert status["containerStatuses"][0]["state"] == {"running": {"startedAt": "1970-01-01T00:00:00Z"}}
    assert (status["podIPs"], status["observedGeneration"]) == ([{"ip": "10.244.1.2"}], 2)


def test_conditions_of_others_stay_and_times_change_only_with_the_status() -> None:
    first = pod_status(pod(), {"a": UP}, facts(), 5)
    scheduled = {"type": "PodScheduled", "status": "True"}
    stored = {**pod(), "status": {**first, "conditions": [scheduled, *first["conditions"]]}}
    same = pod_status(stored, {"a": UP}, facts(), 9)
    assert [one["lastTransitionTime"][17:19] for one in same["conditions"][:-1]] == ["05"] * 4
    assert same["conditions"][-1] == scheduled
    fallen = pod_status(stored, {"a": Container(state=Waiting(reason="CrashLoopBackOff"))}, facts(), 9)
    by_type = {one["type"]: one for one in fallen["conditions"]}
    assert by_type["Ready"]["lastTransitionTime"].endswith("09Z")
    assert by_type["Ready"]["message"] == "containers with unready status: [a]"
    assert by_type["Initialized"]["lastTransitionTime"].endswith("05Z")


@pytest.mark.parametrize(("phase", "reason"), [("Succeeded", "PodCompleted"), ("Failed", "PodFailed")])
def test_a_finished_pod_is_not_ready(phase: str, reason: str) -> None:
    found = conditions(pod_status(pod(), {"a": Container(state=DONE, ended=DONE)}, facts(phase), 5))
    assert found["Ready"] == found["ContainersReady"] == ("False", reason)


def test_init_containers_and_sidecars() -> None:
    spec = {"initContainers": [{"name": "i", "image": "img"}, {"name": "s", "image": "img", "restartPolicy": "Always"}]}
    known = {"i": Container(state=DONE, ended=DONE), "s": Container(state=Running(started_at=0)), "a": Container()}
    status = pod_status(pod(**spec), known, facts("Pending", initialized=False), 5)
    assert conditions(status)["Initialized"] == ("False", "ContainersNotInitialized")
    messages = [one["message"] for one in status["conditions"] if one["type"] == "Initialized"]
    assert messages == ["containers with incomplete status: [s]"]
    assert [one["ready"] for one in status["initContainerStatuses"]] == [True, False]


def test_readiness_gates() -> None:
    gated = pod(readinessGates=[{"conditionType": "x/y"}])
    assert conditions(pod_status(gated, {"a": UP}, facts(), 5))["Ready"] == ("False", "ReadinessGatesNotReady")
    opened = {**gated, "status": {"conditions": [{"type": "x/y", "status": "True"}]}}
    assert conditions(pod_status(opened, {"a": UP}, facts(), 5))["Ready"] == ("True", None)


def test_why_a_pod_failed_as_a_whole() -> None:
    status = pod_status(pod(), {"a": UP}, facts("Failed", reason="DeadlineExceeded", message="late"), 5)
    assert (status["reason"], status["message"]) == ("DeadlineExceeded", "late")


@pytest.mark.parametrize(
    ("resources", "qos"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
    ],
)
def test_quality_of_service(resources: list[dict[str, Any]], qos: str) -> None:
    assert qos_class({"containers": [{"resources": one} for one in resources]}) == qos
