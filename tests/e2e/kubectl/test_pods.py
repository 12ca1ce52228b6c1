"""Ordinary manifests behave as on any cluster, and kubectl shows it."""

from __future__ import annotations

import re
import subprocess
import threading
from typing import Any

import pytest

pytestmark = [pytest.mark.kubectl, pytest.mark.namespaces]


def state(k: Any, pod: str, container: str = "main") -> dict[str, Any]:
    status = k.json(f"pod/{pod}").get("status") or {}
    found = [c for c in status.get("containerStatuses") or () if c["name"] == container]
    return found[0] if found else {}


def waiting(k: Any, pod: str) -> str:
    reason: str = (state(k, pod).get("state") or {}).get("waiting", {}).get("reason", "")
    return reason


def only_pod(k: Any, selector: str) -> str:
    (pod,) = k.expect(lambda: k.pods(selector))
    name: str = pod["metadata"]["name"]
    return name


def lines(process: subprocess.Popen[str], last: str, seconds: float = 15) -> list[str]:
    """What a command prints, up to the line that contains a text."""
    assert process.stdout is not None
    killer = threading.Timer(seconds, process.kill)
    killer.start()
    found = []
    for line in process.stdout:
        found.append(line.strip())
        if last in line:
            break
    killer.cancel()
    return found


def rolled_out(k: Any, name: str = "web") -> None:
    assert "successfully rolled out" in k("rollout", "status", f"deployment/{name}", "--timeout=30s")


def test_a_deployment_rolls_out_and_back(k: Any) -> None:
    k.apply("web")
    rolled_out(k)
    k("wait", "--for=condition=Available", "deployment/web", "--timeout=10s")
    k("set", "image", "deployment/web", "web=nginx:no-such-tag")
    waiting_for = k.run("rollout", "status", "deployment/web", "--timeout=2s")
    assert waiting_for.returncode != 0
    assert k.json("deploy/web")["status"]["availableReplicas"] == 2
    history = k("rollout", "history", "deployment/web")
    assert re.search(r"^1 .*^2 ", history, re.MULTILINE | re.DOTALL)
    assert "nginx:no-such-tag" in k("rollout", "history", "deployment/web", "--revision=2")
    assert "rolled back" in k("rollout", "undo", "deployment/web")
    rolled_out(k)
    assert re.search(r"^2 .*^3 ", k("rollout", "history", "deployment/web"), re.MULTILINE | re.DOTALL)
    assert k.json("deploy/web")["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.27"


def test_restart_and_scale(k: Any) -> None:
    k.apply("web")
    rolled_out(k)
    before = {p["metadata"]["uid"] for p in k.pods("app=web")}
    k("rollout", "restart", "deployment/web")
    rolled_out(k)
    k.expect(lambda: len(k.pods("app=web")) == 2)
    assert not before & {p["metadata"]["uid"] for p in k.pods("app=web")}
    k("scale", "deployment/web", "--replicas=3")
    rolled_out(k)
    k("scale", "deployment/web", "--replicas=0")
    k.expect(lambda: not k.pods("app=web"))


def test_get_shows_what_people_look_for(k: Any) -> None:
    k.apply("web")
    rolled_out(k)
    assert re.search(r"web +2/2 +2 +2 ", k("get", "deployments"))
    wide = k("get", "pods", "-o", "wide")
    assert re.search(r"web-\S+ +1/1 +Running +0 .*10\.\d+\.\d+\.\d+ +aegis-local-\d", wide)
    assert re.search(r"web +ClusterIP +10\.\S+ +<none> +80/TCP", k("get", "services"))
    assert re.search(r"web +10\.\S+:80,10\.\S+:80", k("get", "endpoints"))
    assert re.search(r"aegis-local-1 +Ready ", k("get", "nodes"))
    described = k("describe", "deployment", "web")
    assert "NewReplicaSetAvailable" in described
    assert re.search(r"ScalingReplicaSet .*Scaled up replica set web-\S+ from 0 to 2", described)
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in described
    assert re.search(r"Endpoints: +10\.\S+:80,10\.\S+:80", k("describe", "service", "web"))
    assert re.search(r"Allocatable:\n +cpu: +4", k("describe", "node", "aegis-local-1"))
    pod = only_name(k)
    shown = k("describe", "pod", pod)
    for word in ("Scheduled", "Pulled", "Created", "Started", "Controlled By:  ReplicaSet/web-", "QoS Class"):
        assert word in shown


def only_name(k: Any) -> str:
    name: str = k.pods("app=web")[0]["metadata"]["name"]
    return name


def test_crash_loop(k: Any) -> None:
    k.apply("crash-loop")
    pod = only_pod(k, "app=crasher")
    k.expect(lambda: waiting(k, pod) == "CrashLoopBackOff" and state(k, pod)["restartCount"] >= 1)
    last = k.expect(lambda: (state(k, pod).get("lastState") or {}).get("terminated"))
    assert (last["exitCode"], last["reason"]) == (3, "Error")
    k.expect(lambda: k.run("logs", pod, "--previous").stdout.strip() == "about to fail")
    assert any("Back-off restarting failed container" in m for m in k.events("BackOff"))
    k.expect(lambda: "CrashLoopBackOff" in k("get", "pod", pod))
    assert re.search(r"Last State: +Terminated\n +Reason: +Error\n +Exit Code: +3", k("describe", "pod", pod))


def test_missing_config_map_until_it_is_there(k: Any) -> None:
    k.apply("missing-configmap")
    k.expect(lambda: waiting(k, "wanting") == "CreateContainerConfigError")
    assert state(k, "wanting")["state"]["waiting"]["message"] == 'configmap "settings" not found'
    k("create", "configmap", "settings", "--from-literal=mode=fast")
    k("wait", "--for=condition=Ready", "pod/wanting", "--timeout=20s")
    k.expect(lambda: k("logs", "wanting").strip() == "mode is fast")


def test_out_of_memory(k: Any) -> None:
    k.apply("oom")
    ended = k.expect(lambda: (state(k, "hungry").get("state") or {}).get("terminated"))
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    assert k.json("pod/hungry")["status"]["phase"] == "Failed"
    assert "OOMKilled" in k("get", "pod", "hungry")


def test_a_failing_liveness_probe_restarts(k: Any) -> None:
    k.apply("liveness")
    k.expect(lambda: state(k, "sickly").get("restartCount", 0) >= 1, 30)
    assert any(m.startswith("Liveness probe failed:") for m in k.events("Unhealthy"))
    assert any("failed liveness probe, will be restarted" in m for m in k.events("Killing"))


def test_a_failing_readiness_probe_stalls_the_rollout(k: Any) -> None:
    k.apply("readiness")
    done = k.run("rollout", "status", "deployment/unready", "--timeout=20s")
    assert done.returncode != 0
    assert "exceeded its progress deadline" in done.stderr
    assert any("HTTP probe failed with statuscode: 404" in m for m in k.events("Unhealthy"))
    conditions = {c["type"]: c["reason"] for c in k.json("deploy/unready")["status"]["conditions"]}
    assert conditions == {"Available": "MinimumReplicasUnavailable", "Progressing": "ProgressDeadlineExceeded"}
    pod = only_pod(k, "app=unready")
    assert re.search(r"0/1 +Running", k("get", "pod", pod))


def test_init_containers_volumes_and_environment(k: Any) -> None:
    k.apply("init")
    k("wait", "--for=condition=Ready", "pod/prepared", "--timeout=20s")
    assert re.search(r"2/2 +Running", k("get", "pod", "prepared"))
    said = k.expect(lambda: k("logs", "prepared", "-c", "main"))
    assert "prepared by prepared" in said
    assert 'token s3cret; label app="prepared"; name prepared; user 1234' in said
    assert "a container name must be specified" in k.run("logs", "prepared").stderr or k("logs", "prepared")


def test_a_service_is_reached_by_name_until_a_policy_denies(k: Any) -> None:
    k.apply("web")
    rolled_out(k)
    k.apply("client")
    k.expect(lambda: "reached" in k("logs", "client", "--tail=1"))
    k.apply("policy")
    k.expect(lambda: "failed" in k("logs", "client", "--tail=1"))
    k("label", "pod", "client", "role=friend", "--overwrite")
    k.expect(lambda: "reached" in k("logs", "client", "--tail=1"))
    k("scale", "deployment/web", "--replicas=0")
    k.expect(lambda: "failed" in k("logs", "client", "--tail=1"))


def test_a_quota_stops_the_third_pod(k: Any) -> None:
    k.apply("quota")
    k.expect(lambda: k.json("quota/two-pods").get("status", {}).get("used") == {"pods": "0"})
    k.apply("web")
    rolled_out(k)
    assert "used: pods=2, limited: pods=2" in k.fails("run", "one-more", "--image=nginx:1.27")
    k("scale", "deployment/web", "--replicas=3")
    k.expect(lambda: k.events("FailedCreate"))
    assert any("exceeded quota: two-pods, requested: pods=1, used: pods=2, limited: pods=2" in m
               for m in k.events("FailedCreate"))  # fmt: skip
    conditions = k.expect(
        lambda: [c for c in k.json("deploy/web")["status"]["conditions"] if c["type"] == "ReplicaFailure"]
    )
    assert conditions[0]["reason"] == "FailedCreate"
    assert re.search(r"pods +2 +2", k("describe", "quota", "two-pods"))


def test_limit_ranges_fill_in_and_refuse(k: Any) -> None:
    k.apply("limits")
    k("run", "modest", "--image=nginx:1.27")
    resources = k.json("pod/modest")["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"memory": "128Mi"}, "requests": {"memory": "64Mi"}}
    k.apply("web")
    k("set", "resources", "deployment/web", "--limits=memory=1Gi")
    k.expect(lambda: any("maximum memory usage per Container is 256Mi" in m for m in k.events("FailedCreate")))


def test_what_fits_nowhere_waits(k: Any) -> None:
    k.apply("unschedulable")
    message = k.expect(lambda: k.events("FailedScheduling"))[0]
    assert message.startswith("0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available:")
    pod = only_pod(k, "app=giant")
    assert re.search(r"0/1 +Pending", k("get", "pod", pod))
    k("set", "resources", "deployment/giant", "--requests=cpu=100m")
    rolled_out(k, "giant")


def test_an_image_that_does_not_exist(k: Any) -> None:
    k.apply("bad-image")
    pod = only_pod(k, "app=unpulled")
    k.expect(lambda: waiting(k, pod) == "ImagePullBackOff")
    assert any('Failed to pull image "nginx:no-such-tag"' in m for m in k.events("Failed"))
    assert any('Back-off pulling image "nginx:no-such-tag"' in m for m in k.events("BackOff"))
    assert "trying and failing to pull image" in k.fails("logs", pod)


def test_logs_follow_tail_and_timestamps(k: Any) -> None:
    k.apply("talker")
    k("wait", "--for=condition=Ready", "pod/talker", "--timeout=20s")
    process = k.start("logs", "-f", "talker", "-c", "main")
    try:
        assert lines(process, "line 3") == ["line 1", "line 2", "line 3"]
    finally:
        process.kill()
        process.communicate()
    assert k("logs", "talker", "-c", "other").strip() == "from the other"
    assert len(k("logs", "talker", "-c", "main", "--tail=2").splitlines()) == 2
    stamped = k("logs", "talker", "-c", "main", "--timestamps", "--tail=1")
    assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z line \d+", stamped)
    everything = k("logs", "talker", "--all-containers", "--prefix")
    assert "from the other" in everything


def test_a_pod_ends_within_its_grace_period(k: Any) -> None:
    k.apply("talker")
    k("wait", "--for=condition=Ready", "pod/talker", "--timeout=20s")
    k("delete", "pod", "talker", "--timeout=15s")
    assert "NotFound" in k.fails("get", "pod", "talker")


def test_a_pod_of_its_own_completes(k: Any) -> None:
    k("run", "once", "--image=busybox:1.36", "--restart=Never", "--", "sh", "-c", "echo done")
    k.expect(lambda: k.json("pod/once")["status"]["phase"] == "Succeeded")
    assert re.search(r"0/1 +Completed", k("get", "pod", "once"))
    assert k("logs", "once").strip() == "done"


def test_watching_a_rollout(k: Any) -> None:
    process = k.start("get", "pods", "-w", "--no-headers")
    try:
        k.apply("web")
        rolled_out(k)
        seen = " ".join(lines(process, " 1/1 "))
    finally:
        process.kill()
        process.communicate()
    assert "Pending" in seen
    assert "Running" in seen
