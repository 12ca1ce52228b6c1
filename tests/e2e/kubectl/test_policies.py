"""What kubectl top, autoscale, drain and cordon do on a cluster with metrics, autoscalers and budgets."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = [pytest.mark.kubectl, pytest.mark.namespaces]


def ready(k: Any, app: str, count: int) -> list[dict[str, Any]]:
    """The pods of an app, once so many are ready."""

    def found() -> list[dict[str, Any]]:
        conditions = [
            p
            for p in k.pods(f"app={app}")
            if any(c["type"] == "Ready" and c["status"] == "True" for c in p["status"].get("conditions") or ())
        ]
        return conditions if len(conditions) == count else []

    pods: list[dict[str, Any]] = k.expect(found)
    return pods


def test_a_busy_deployment_is_seen_and_scaled(k: Any) -> None:
    k.apply("busy")
    assert "autoscaled" in k("autoscale", "deployment/busy", "--min=1", "--max=3", "--cpu-percent=50")
    (pod,) = ready(k, "busy", 1)
    top = k.expect(lambda: k.run("top", "pods").stdout)
    assert re.search(rf"{pod['metadata']['name']} +\d+m +\d+Mi", top)
    assert re.search(r"aegis-local-1 +\d+m +\d+% +\d+Mi +\d+%", k("top", "nodes"))
    ready(k, "busy", 3)
    assert re.search(r"busy +Deployment/busy +cpu: \d+%/50% +1 +3 +\d", k("get", "hpa"))
    described = k("describe", "hpa", "busy")
    assert re.search(r"SuccessfulRescale .* New size: 3; reason: cpu resource utilization", described)
    conditions = k.json("hpa.v2.autoscaling/busy")["status"]["conditions"]
    assert {"ValidMetricFound"} == {one["reason"] for one in conditions if one["type"] == "ScalingActive"}


def test_a_drain_waits_for_the_budget(k: Any) -> None:
    k.apply("web")
    k.apply("budget")
    pods = ready(k, "web", 2)
    k.expect(lambda: k.json("pdb/web").get("status", {}).get("currentHealthy") == 2)
    node = pods[0]["spec"]["nodeName"]
    chosen = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--pod-selector=app=web")
    try:
        refused = k.fails(*chosen, "--timeout=2s")
        assert "Cannot evict pod as it would violate the pod's disruption budget" in refused
        assert re.search(rf"{node} +Ready,SchedulingDisabled", k("get", "node", node))
        k("patch", "pdb", "web", "--type=merge", "-p", '{"spec": {"minAvailable": 1}}')
        assert re.search(rf"node/{node} (drained|evicted)", k(*chosen, "--timeout=60s"))
        moved = ready(k, "web", 2)
        assert {p["spec"]["nodeName"] for p in moved} == {p["spec"]["nodeName"] for p in moved} - {node}
    finally:
        k("uncordon", node)
    assert "SchedulingDisabled" not in k("get", "node", node)


def test_a_stateful_set_finds_its_data_again(k: Any) -> None:
    k.apply("db")
    k.expect(lambda: k.run("logs", "db-0").stdout.strip() == "1")
    assert re.search(r"data-db-0 +Bound +pvc-\S+ +8Mi +RWO +standard", k("get", "pvc"))
    assert re.search(
        r"standard \(default\) +aegis.local/folder +Delete +WaitForFirstConsumer", k("get", "storageclass")
    )
    k("delete", "pod", "db-0", "--wait=true")
    k.expect(lambda: k.run("logs", "db-0").stdout.strip() == "2")


def test_a_restricted_namespace_refuses_and_warns(k: Any) -> None:
    k("label", "namespace", k.namespace, "pod-security.kubernetes.io/enforce=restricted")
    refused = k.fails("run", "plain", "--image=busybox:1.36", "--", "true")
    assert 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false' in refused
    done = k.run("create", "deployment", "plain", "--image=busybox:1.36")
    assert done.returncode == 0
    assert 'Warning: would violate PodSecurity "restricted:latest"' in done.stderr
    k.expect(lambda: any("violates PodSecurity" in m for m in k.events("FailedCreate")))
