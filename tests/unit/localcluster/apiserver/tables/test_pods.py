"""The word that says how a pod is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aegis.localcluster.apiserver.tables.pods import PODS, ready, restarts, status


def running(name: str = "c", **more: Any) -> dict[str, Any]:
    return {"name": name, "ready": True, "restartCount": 0, "state": {"running": {}}, **more}


def waiting(reason: str, name: str = "c", **more: Any) -> dict[str, Any]:
    return {"name": name, "ready": False, "restartCount": 0, "state": {"waiting": {"reason": reason}}, **more}


def ended(code: int, reason: str = "", name: str = "c", **more: Any) -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "reason": reason, **more}}
    return {"name": name, "ready": False, "restartCount": 0, "state": state}


def pod(
    *statuses: dict[str, Any],
    phase: str = "Running",
    init: tuple[dict[str, Any], ...] = (),
    conditions: dict[str, str] | None = None,
    sidecar: bool = False,
    deleting: bool = False,
) -> dict[str, Any]:
    init_spec = [{"name": s["name"], **({"restartPolicy": "Always"} if sidecar else {})} for s in init]
    return {
        "metadata": {"name": "p", **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {})},
        "spec": {
            "containers": [{"name": s["name"]} for s in statuses or ({"name": "c"},)],
            "initContainers": init_spec,
        },
        "status": {
            "phase": phase,
            "containerStatuses": list(statuses),
            "initContainerStatuses": list(init),
            "conditions": [{"type": k, "status": v} for k, v in (conditions or {}).items()],
        },
    }


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (pod(running(), conditions={"Ready": "True"}), "Running"),
        (pod(phase="Pending"), "Pending"),
        (pod(waiting("CrashLoopBackOff")), "CrashLoopBackOff"),
        (pod(waiting("ContainerCreating"), phase="Pending"), "ContainerCreating"),
        (pod(ended(0, "Completed"), phase="Succeeded"), "Completed"),
        (pod(ended(137, "OOMKilled"), phase="Failed"), "OOMKilled"),
        (pod(ended(2), phase="Failed"), "ExitCode:2"),
        (pod(ended(0, signal=9), phase="Failed"), "Signal:9"),
        (pod(running("a"), ended(0, "Completed", "b")), "NotReady"),
        (pod(running("a"), ended(0, "Completed", "b"), conditions={"Ready": "True"}), "Running"),
        (pod(running(), deleting=True), "Terminating"),
        (pod(ended(0, "Completed"), phase="Succeeded", deleting=True), "Completed"),
        (pod(waiting("PodInitializing"), init=(running("i"),), phase="Pending"), "Init:0/1"),
        (pod(waiting("PodInitializing"), init=(ended(0, name="i"), running("j")), phase="Pending"), "Init:1/2"),
        (pod(waiting("x"), init=(ended(1, "Error", "i"),), phase="Pending"), "Init:Error"),
        (pod(waiting("x"), init=(waiting("ImagePullBackOff", "i"),), phase="Pending"), "Init:ImagePullBackOff"),
        (pod(running(), init=(running("i", started=True),), sidecar=True), "Running"),
    ],
)
def test_status(shown: dict[str, Any], expected: str) -> None:
    assert status(shown) == expected


def test_gated() -> None:
    gated = pod(phase="Pending")
    gated["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]
    assert status(gated) == "SchedulingGated"


def test_ready_counts_sidecars() -> None:
    assert ready(pod(running("a"), waiting("x", "b"))) == "1/2"
    assert ready(pod(running("a"), init=(running("s", started=True),), sidecar=True)) == "2/2"
    assert ready(pod(phase="Pending")) == "0/1"


def test_restarts_say_when() -> None:
    last = (datetime.now(UTC) - timedelta(seconds=61)).strftime("%Y-%m-%dT%H:%M:%SZ")
    crashed = running(restartCount=3, lastState={"terminated": {"finishedAt": last}})
    assert restarts(pod(crashed)) in {"3 (61s ago)", "3 (62s ago)"}
    assert restarts(pod(running())) == "0"


def test_every_cell_of_a_bare_pod_can_be_shown() -> None:
    bare = {"metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {}}
    cells = {c.name: c.cell(bare) for c in PODS}
    assert cells["Ready"] == "0/0"
    assert cells["Node"] == "<none>"
