from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aegis.evidence.describe import read_text
from aegis.evidence.tables import AGE

POD = """\
Name:             worker-5d9c-x
Namespace:        jobs
Service Account:  runner
Node:             node-7/10.0.0.7
Start Time:       Tue, 03 Mar 2026 10:00:00 +0100
Labels:           app=worker
                  tier=back
Annotations:      <none>
Status:           Running
IP:               10.1.0.9
Controlled By:    ReplicaSet/worker-5d9c
Init Containers:
  prepare:
    Image:         busybox
    State:         Terminated
      Reason:      Completed
      Exit Code:   0
    Ready:         True
    Restart Count: 0
Containers:
  main:
    Image:          worker:3
    Ports:          8080/TCP, 9090/TCP
    Command:
      sh
      -c
      while true; do
        run
      done
    State:          Waiting
      Reason:       CrashLoopBackOff
    Last State:     Terminated
      Reason:       Error
      Message:      boom
      Exit Code:    3
      Started:      Tue, 03 Mar 2026 10:00:05 +0100
      Finished:     Tue, 03 Mar 2026 10:00:06 +0100
    Ready:          False
    Restart Count:  4
    Limits:
      cpu:     100m
      memory:  64Mi
    Liveness:   http-get http://:8080/live delay=5s timeout=1s period=10s #success=1 #failure=3
    Readiness:  exec [test -f /ready] delay=0s timeout=1s period=10s #success=1 #failure=3
    Environment Variables from:
      settings  ConfigMap  Optional: false
    Environment:
      MODE:   fast
      TOKEN:  <set to the key 't' in secret 'auth'>  Optional: true
      HOME:
Conditions:
  Type              Status
  Ready             False
  PodScheduled      True
Volumes:
  data:
    Type:       PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)
    ClaimName:  disk
Node-Selectors:  disk=ssd
Events:
  Type     Reason   Age                  From     Message
  ----     ------   ----                 ----     -------
  Normal   Pulled   3m (x5 over 10m)     kubelet  Container image "worker:3" already present on machine
  Warning  BackOff  12s (x20 over 10m)   kubelet  Back-off restarting failed container
"""


def _pod(text: str = POD) -> dict[str, Any]:
    reading = read_text(text)
    assert reading is not None
    return reading.objects[0]


def test_a_described_pod_reads_as_the_object() -> None:
    pod = _pod()

    assert pod["kind"] == "Pod"
    assert pod["metadata"]["namespace"] == "jobs"
    assert pod["metadata"]["labels"] == {"app": "worker", "tier": "back"}
    assert pod["metadata"]["creationTimestamp"] == "2026-03-03T09:00:00Z"
    assert pod["metadata"]["ownerReferences"] == [{"kind": "ReplicaSet", "name": "worker-5d9c", "controller": True}]
    assert (pod["spec"]["nodeName"], pod["spec"]["nodeSelector"]) == ("node-7", {"disk": "ssd"})
    assert pod["spec"]["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "disk"}}]
    assert pod["status"]["conditions"] == [
        {"type": "Ready", "status": "False"},
        {"type": "PodScheduled", "status": "True"},
    ]


def test_a_described_container_reads_as_the_object() -> None:
    (main,) = _pod()["spec"]["containers"]

    assert main["command"] == ["sh", "-c", "while true; do\n  run\ndone"]
    assert main["ports"] == [{"containerPort": 8080, "protocol": "TCP"}, {"containerPort": 9090, "protocol": "TCP"}]
    assert main["resources"] == {"limits": {"cpu": "100m", "memory": "64Mi"}}
    assert main["livenessProbe"]["httpGet"] == {"path": "/live", "port": 8080, "scheme": "HTTP"}
    assert main["readinessProbe"]["exec"] == {"command": ["test", "-f", "/ready"]}
    assert main["envFrom"] == [{"configMapRef": {"name": "settings", "optional": False}}]
    assert main["env"] == [
        {"name": "MODE", "value": "fast"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "auth", "key": "t", "optional": True}}},
        {"name": "HOME", "value": ""},
    ]


def test_described_states_read_as_the_object() -> None:
    status = _pod()["status"]
    (main,) = status["containerStatuses"]

    assert main["state"] == {"waiting": {"reason": "CrashLoopBackOff"}}
    assert main["lastState"]["terminated"] == {
        "reason": "Error", "message": "boom", "exitCode": 3, "startedAt": "2026-03-03T09:00:05Z", "finishedAt": "2026-03-03T09:00:06Z",
    }  # fmt: skip
    assert (main["restartCount"], main["ready"]) == (4, False)
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


def test_details_beside_a_state_count_too() -> None:
    edited = (
        POD
        .replace("      Reason:       Error\n", "    Reason:       OOMKilled\n")
        .replace("      Message:      boom\n", "")
        .replace("      Exit Code:    3", "    Exit Code:    137")
    )

    assert _pod(edited)["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 137


def test_described_events_know_their_age_and_component() -> None:
    reading = read_text(POD)
    assert reading is not None
    pulled, back_off = reading.events

    assert (back_off["reason"], back_off["source"], back_off["count"], back_off[AGE]) == (
        "BackOff",
        {"component": "kubelet"},
        20,
        12,
    )
    assert back_off["involvedObject"] == {"kind": "Pod", "name": "worker-5d9c-x", "namespace": "jobs"}
    assert pulled[AGE] == 180


def test_tables_give_sketches() -> None:
    table = "NAMESPACE   NAME    READY   STATUS             RESTARTS      AGE   LABELS\nshop        web-1   0/1     CrashLoopBackOff   5 (10s ago)   3m    app=web,tier=x\n"
    reading = read_text(table)
    assert reading is not None
    (pod,) = reading.objects

    assert pod["metadata"] == {"name": "web-1", "namespace": "shop", "labels": {"app": "web", "tier": "x"}}
    assert pod["status"]["containerStatuses"][0]["state"] == {"waiting": {"reason": "CrashLoopBackOff"}}


def test_rows_without_a_header_are_known_by_their_shape() -> None:
    reading = read_text("default   web-1   1/1   Running   0   3m   10.0.0.1   node-1\n", hint="get-pod-web")
    assert reading is not None

    assert [(o["kind"], o["metadata"]["name"], o["spec"]) for o in reading.objects] == [
        ("Pod", "web-1", {"nodeName": "node-1"})
    ]


def test_objects_and_prose_are_not_for_this_reader() -> None:
    assert read_text("apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n") is None
    assert read_text("Nothing to see here") is None


@given(st.lists(st.sampled_from([*POD.splitlines(keepends=True), "\n", "   x\n", "Name:  y\n", "  :\n"]), max_size=60))
def test_mutilated_text_never_raises(lines: list[str]) -> None:
    read_text("".join(lines), hint="describe-pod-x")
