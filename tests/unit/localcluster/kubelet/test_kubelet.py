"""Pods end to end: real processes in real namespaces."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from aegis.localcluster.api import LogRequest
from aegis.localcluster.status import ApiError

pytestmark = pytest.mark.namespaces

WEB = {"name": "app", "image": "nginx:1.27"}


def shell(script: str, **more: Any) -> dict[str, Any]:
    return {"name": "app", "image": "busybox:1.36", "command": ["sh", "-c", script], **more}


async def test_registers_its_nodes(bench: Any) -> None:
    node = bench.api.get("nodes", None, "node-2")
    assert node["status"]["allocatable"]["cpu"] == "4"
    assert {one["type"]: one["status"] for one in node["status"]["conditions"]}["Ready"] == "True"
    assert bench.api.get("leases.coordination.k8s.io", "kube-node-lease", "node-2")


async def test_a_web_server_becomes_ready_and_serves_by_its_address(bench: Any) -> None:
    probe = {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1}
    bench.create("web", containers=[{**WEB, "ports": [{"name": "http", "containerPort": 80}], "readinessProbe": probe}])
    pod = await bench.ready("web")
    address = pod["status"]["podIP"]
    assert "Welcome" in await bench.ran("client", f"wget -q -O - http://{address}/")
    assert '"GET / HTTP/1.1" 200' in await bench.output("web")
    conditions = {one["type"]: one["status"] for one in pod["status"]["conditions"]}
    assert (
        conditions["Initialized"] == conditions["ContainersReady"] == conditions["PodReadyToStartContainers"] == "True"
    )


async def test_two_pods_may_bind_the_same_port(bench: Any) -> None:
    for name in ("one", "two"):
        bench.create(name, containers=[WEB])
    addresses = {(await bench.ready(name))["status"]["podIP"] for name in ("one", "two")}
    assert len(addresses) == 2
    await asyncio.sleep(0.3)
    assert all("running" in bench.container(name)["state"] for name in ("one", "two"))


async def test_the_address_of_a_pod_that_ended_is_given_back_once(bench: Any) -> None:
    pool = bench.kubelet._pools["node-1"]
    free = sorted(pool._free)
    await bench.ran("brief", "true")
    bench.api.delete("pods", "default", "brief", grace_seconds=0)
    await bench.until(lambda: not bench.kubelet._workers)
    assert sorted(pool._free) == free


async def test_a_container_sees_nothing_of_the_machine(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOST_SECRET", "hunter2")
    (tmp_path / "secret").write_text("hunter2")
    out = await bench.ran(
        "curious",
        f"env; ls -A /home /var/lib; ls /root; cat {tmp_path}/secret; ps ax; cat /etc/shadow; hostname; id -u",
    )
    assert "hunter2" not in out
    assert "/home:\n\n/var/lib:\n" in out
    assert "curious\n0\n" in out
    assert "zygote" not in out
    assert "-m pytest" not in out


async def test_what_a_container_writes_stays_its_own(bench: Any) -> None:
    probe = "/usr/aegis-test-probe"
    out = await bench.ran("writer", f"echo hi > /etc/mine && echo hi > {probe} && cat /etc/mine {probe}")
    assert out == "hi\nhi\n"
    assert not Path(probe).exists()
    assert not Path("/etc/mine").exists()


async def test_a_crash_is_restarted_with_back_off_and_its_output_is_kept(bench: Any) -> None:
    bench.create("crash", containers=[shell("echo dying $HOSTNAME; exit 7")])
    await bench.until(
        lambda: (bench.container("crash").get("state") or {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"
    )
    status = bench.container("crash")
    assert status["lastState"]["terminated"]["exitCode"] == 7
    assert status["lastState"]["terminated"]["reason"] == "Error"
    assert status["restartCount"] >= 1
    uid = bench.pod("crash")["metadata"]["uid"]
    assert f"restarting failed container=app pod=crash_default({uid})" in status["state"]["waiting"]["message"]
    assert await bench.output("crash", previous=True) == "dying crash\n"
    assert await bench.output("crash") == "dying crash\n"
    assert ("BackOff", f"Back-off restarting failed container app in pod crash_default({uid})") in bench.events("crash")


async def test_back_off_grows(make_bench: Any) -> None:
    async with make_bench(scale=200) as bench:
        bench.create("crash", containers=[shell("exit 1")])
        await bench.until(lambda: bench.container("crash").get("restartCount", 0) >= 4)
        assert (
            "back-off 1m20s" in (await bench.until(lambda: bench.container("crash")["state"].get("waiting")))["message"]
        )


@pytest.mark.parametrize(
    ("container", "reason", "words"),
    [
        ({"image": "busybox:none"}, "ImagePullBackOff", 'failed to resolve reference "docker.io/library/busybox:none"'),
        ({"image": "Busy Box"}, "InvalidImageName", "couldn't parse image name"),
        ({"image": "busybox:1.36", "imagePullPolicy": "Never"}, "ErrImageNeverPull", "pull policy of Never"),
        (
            {"image": "busybox:1.36", "envFrom": [{"configMapRef": {"name": "gone"}}]},
            "CreateContainerConfigError",
            'configmap "gone" not found',
        ),
        (
            {"image": "busybox:1.36", "securityContext": {"runAsNonRoot": True}},
            "CreateContainerConfigError",
            "container has runAsNonRoot and image will run as root",
        ),
        (
            {"image": "busybox:1.36", "command": ["no-such"]},
            "CrashLoopBackOff",
            "restarting failed container=app",
        ),
    ],
)
async def test_what_cannot_start_says_why(bench: Any, container: dict[str, Any], reason: str, words: str) -> None:
    bench.create("odd", containers=[{"name": "app", **container}])
    waiting = await bench.until(
        lambda: (
            (found := (bench.container("odd").get("state") or {}).get("waiting"))
            and found["reason"] == reason
            and found
        )
    )
    assert words in waiting["message"]


async def test_a_missing_program_is_a_start_error(bench: Any) -> None:
    bench.create(
        "odd", restartPolicy="Never", containers=[{"name": "app", "image": "busybox:1.36", "command": ["no-such"]}]
    )
    await bench.phase("odd", "Failed")
    ended = bench.container("odd")["lastState"]["terminated"]
    assert ended["exitCode"] == 128
    assert ended["reason"] == "StartError"
    assert ended["message"].endswith('exec: "no-such": executable file not found in $PATH: unknown')
    assert ended["startedAt"] == "1970-01-01T00:00:00Z"


async def test_a_config_map_that_comes_later_lets_the_container_start(make_bench: Any) -> None:
    async with make_bench(scale=0.5) as bench:
        env = [{"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "mode"}}}]
        bench.create("patient", restartPolicy="Never", containers=[shell("echo $MODE", env=env)])
        await bench.until(
            lambda: (
                (bench.container("patient").get("state") or {}).get("waiting", {}).get("reason")
                == "CreateContainerConfigError"
            )
        )
        bench.api.create(
            "configmaps", {"metadata": {"name": "late", "namespace": "default"}, "data": {"mode": "on"}}, manager="test"
        )
        await bench.phase("patient", "Succeeded")
        assert await bench.output("patient") == "on\n"


async def test_volumes_show_objects_and_follow_them(bench: Any) -> None:
    bench.api.create(
        "configmaps",
        {"metadata": {"name": "cm", "namespace": "default"}, "data": {"a": "1\n", "b": "2"}},
        manager="test",
    )
    mounts = [
        {"name": "v", "mountPath": "/cfg", "readOnly": True},
        {"name": "v", "mountPath": "/one/a.txt", "subPath": "a"},
    ]
    bench.create(
        "watcher",
        containers=[
            shell(
                "cat /cfg/a /one/a.txt; touch /cfg/x; while ! grep -q new /cfg/a; do sleep 0.05; done; cat /cfg/a; sleep 60",
                volumeMounts=mounts,
            )
        ],
        volumes=[{"name": "v", "configMap": {"name": "cm"}}],
    )
    await bench.ready("watcher")
    await bench.until(lambda: bench.container("watcher").get("started"))
    bench.api.patch("configmaps", "default", "cm", {"data": {"a": "new\n"}}, manager="test")
    expected = {"1", "new", "touch: cannot touch '/cfg/x': Read-only file system"}
    said: set[str] = set()
    for _ in range(500):  # the two streams of a container come in no order
        said = set((await bench.output("watcher")).splitlines())
        if said == expected:
            break
        await asyncio.sleep(0.02)
    assert said == expected


async def test_a_missing_volume_source_keeps_the_pod_pending(bench: Any) -> None:
    bench.create("novol", containers=[shell("true")], volumes=[{"name": "v", "configMap": {"name": "gone"}}])
    message = 'MountVolume.SetUp failed for volume "v" : configmap "gone" not found'
    await bench.until(lambda: ("FailedMount", message) in bench.events("novol"))
    assert bench.container("novol")["state"]["waiting"]["reason"] == "ContainerCreating"


async def test_init_containers_run_in_order_and_share_volumes(bench: Any) -> None:
    mount = [{"name": "s", "mountPath": "/s"}]
    inits = [shell(f"echo {name} >> /s/order", volumeMounts=mount) | {"name": name} for name in ("first", "second")]
    out = await bench.ran(
        "ordered", "cat /s/order", initContainers=inits, volumeMounts=mount, volumes=[{"name": "s", "emptyDir": {}}]
    )
    assert out == "first\nsecond\n"


async def test_a_failing_init_container_fails_a_pod_that_never_restarts(bench: Any) -> None:
    bench.create(
        "broken",
        restartPolicy="Never",
        initContainers=[{**shell("exit 3"), "name": "init"}],
        containers=[shell("echo never")],
    )
    pod = await bench.phase("broken", "Failed")
    assert pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"


async def test_a_sidecar_runs_beside_and_ends_with_the_job(bench: Any) -> None:
    sidecar = {
        **shell("trap 'exit 0' TERM; while true; do sleep 0.05; done"),
        "name": "side",
        "restartPolicy": "Always",
    }
    assert await bench.ran("job", "echo done", initContainers=[sidecar]) == "done\n"
    side = bench.pod("job")["status"]["initContainerStatuses"][0]
    assert side["state"]["terminated"]["exitCode"] == 0


async def test_too_much_memory_is_killed(bench: Any) -> None:
    hungry = "x = bytearray(200 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\nimport time; time.sleep(60)"
    container = {"name": "app", "image": "python:3.12-slim", "command": ["python3", "-c", hungry]}
    bench.create(
        "hungry", restartPolicy="Never", containers=[{**container, "resources": {"limits": {"memory": "64Mi"}}}]
    )
    await bench.phase("hungry", "Failed")
    ended = bench.container("hungry")["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


async def test_memory_of_all_processes_of_a_container_counts_but_not_of_its_neighbour(bench: Any) -> None:
    each = "x = bytearray(40 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\nimport time; time.sleep(60)"
    script = 'for n in 1 2 3; do python3 -c "$CODE" & done; wait'
    limited = {"resources": {"limits": {"memory": "90Mi"}}, "env": [{"name": "CODE", "value": each}]}
    free = {**shell(script, env=limited["env"]), "name": "free"}
    bench.create("many", restartPolicy="Never", containers=[{**shell(script), **limited}, free])
    await bench.until(lambda: "terminated" in (bench.container("many").get("state") or {}))
    statuses = {one["name"]: one["state"] for one in bench.pod("many")["status"]["containerStatuses"]}
    assert statuses["app"]["terminated"]["reason"] == "OOMKilled"
    assert "running" in statuses["free"]


async def test_a_failing_liveness_probe_restarts(bench: Any) -> None:
    probe = {
        "httpGet": {"path": "/gone", "port": 80},
        "periodSeconds": 2,
        "failureThreshold": 2,
        "initialDelaySeconds": 20,
    }
    bench.create("sick", terminationGracePeriodSeconds=2, containers=[{**WEB, "livenessProbe": probe}])
    await bench.until(lambda: bench.container("sick").get("restartCount"))
    events = bench.events("sick")
    assert ("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 404") in events
    assert ("Killing", "Container app failed liveness probe, will be restarted") in events


async def test_a_program_takes_the_time_it_takes_to_start(bench: Any) -> None:
    liveness = {"tcpSocket": {"port": 9000}, "periodSeconds": 2, "failureThreshold": 2}  # at this scale 0.2 s
    server = "import socketserver, time; time.sleep(0.8); socketserver.TCPServer(('', 9000), socketserver.BaseRequestHandler).serve_forever()"
    container = {"name": "app", "image": "python:3.12-slim", "command": ["python", "-c", server]}
    bench.create("late", containers=[{**container, "livenessProbe": liveness, "readinessProbe": liveness}])
    await bench.ready("late")
    assert bench.container("late")["restartCount"] == 0


async def test_exec_and_tcp_probes_and_startup(bench: Any) -> None:
    container = shell(
        "sleep 0.2; touch /tmp/up; sleep 0.2; nc -l -p 9000; sleep 60",
        startupProbe={"exec": {"command": ["cat", "/tmp/up"]}, "periodSeconds": 1, "failureThreshold": 100},
        readinessProbe={"tcpSocket": {"port": 9000}, "periodSeconds": 1},
    )
    bench.create("slow", containers=[container])
    await bench.until(lambda: bench.container("slow").get("started"))
    await bench.ready("slow")
    reasons = [message for reason, message in bench.events("slow") if reason == "Unhealthy"]
    assert any(message.startswith("Startup probe failed: cat: /tmp/up: No such file") for message in reasons)
    assert bench.container("slow")["restartCount"] == 0


async def test_an_ordinary_user_and_its_group(bench: Any) -> None:
    context = {"runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000}
    out = await bench.ran(
        "user", "id -u; id -g; echo x > /s/y && cat /s/y; touch /nope || exit 3",
        securityContext=context, volumeMounts=[{"name": "s", "mountPath": "/s"}], volumes=[{"name": "s", "emptyDir": {}}],
    )  # fmt: skip
    assert out.startswith("1000\n3000\nx\n")
    if bench.kubelet._runtime.sandboxes.map_users:  # else all files are the one user's that there is
        assert out.endswith("touch: cannot touch '/nope': Permission denied\n")


async def test_dropped_capabilities_are_gone(bench: Any) -> None:
    script = "grep CapEff /proc/self/status | cut -f2"
    assert await bench.ran("plain", script) != "0000000000000000\n"
    assert await bench.ran("dropped", script) != "0000000000000000\n"
    bench.create(
        "none", restartPolicy="Never", containers=[shell(script, securityContext={"capabilities": {"drop": ["ALL"]}})]
    )
    await bench.phase("none", "Succeeded")
    assert await bench.output("none") == "0000000000000000\n"


async def test_a_termination_message_is_kept(bench: Any) -> None:
    await bench.ran("note", "echo why > /dev/termination-log; exit 4")
    assert bench.container("note")["state"]["terminated"]["message"] == "why\n"
    await bench.ran("fallback", "echo last words; exit 4", terminationMessagePolicy="FallbackToLogsOnError")
    assert bench.container("fallback")["state"]["terminated"]["message"] == "last words\n"


async def test_graceful_deletion_lets_the_container_finish(bench: Any) -> None:
    bench.create("polite", containers=[shell("trap 'echo bye; exit 0' TERM; echo up; while true; do sleep 0.02; done")])
    await bench.ready("polite")
    await asyncio.sleep(0.2)
    follow = asyncio.ensure_future(_all(bench.kubelet.logs(bench.pod("polite"), "app", LogRequest(follow=True))))
    await asyncio.sleep(0.05)
    bench.api.delete("pods", "default", "polite")
    await bench.until(lambda: bench.api.get("pods", "default", "polite") is None)
    assert await asyncio.wait_for(follow, 5) == b"up\nbye\n"
    assert ("Killing", "Stopping container app") in bench.events("polite")


async def _all(pieces: Any) -> bytes:
    return b"".join([piece async for piece in pieces])


async def test_the_first_process_ignores_the_signal_it_does_not_handle_until_grace_is_over(bench: Any) -> None:
    bench.create("stubborn", terminationGracePeriodSeconds=10, containers=[shell("sleep 600")])
    await bench.ready("stubborn")
    begun = time.monotonic()
    bench.api.delete("pods", "default", "stubborn")
    await bench.until(lambda: bench.api.get("pods", "default", "stubborn") is None)
    assert time.monotonic() - begun >= 0.45


async def test_removal_from_the_store_ends_everything_at_once(bench: Any, processes: Any) -> None:
    bench.create("forced", containers=[shell("sleep 600.125")])
    await bench.ready("forced")
    bench.api.delete("pods", "default", "forced", grace_seconds=0)
    await bench.until(lambda: not processes("600.125"))


async def test_hooks(bench: Any) -> None:
    hooks = {
        "postStart": {"exec": {"command": ["sh", "-c", "echo started > /tmp/hook"]}},
        "preStop": {"exec": {"command": ["sh", "-c", "touch /tmp/stop"]}},
    }
    script = "while [ ! -e /tmp/stop ]; do sleep 0.02; done; cat /tmp/hook; echo stopped"
    bench.create("hooked", restartPolicy="Never", containers=[shell(script, lifecycle=hooks)])
    await bench.ready("hooked")
    follow = asyncio.ensure_future(_all(bench.kubelet.logs(bench.pod("hooked"), "app", LogRequest(follow=True))))
    await asyncio.sleep(0.05)
    bench.api.delete("pods", "default", "hooked")
    assert await asyncio.wait_for(follow, 10) == b"started\nstopped\n"


async def test_an_active_deadline_ends_the_pod(bench: Any) -> None:
    bench.create("late", activeDeadlineSeconds=4, terminationGracePeriodSeconds=0, containers=[shell("sleep 600")])
    pod = await bench.phase("late", "Failed")
    assert pod["status"]["reason"] == "DeadlineExceeded"


async def test_logs_of_a_container_that_waits_are_refused(bench: Any) -> None:
    bench.create("odd", containers=[{"name": "app", "image": "busybox:none"}])
    await bench.until(lambda: bench.container("odd").get("state"))
    with pytest.raises(ApiError, match="trying and failing to pull image"):
        await bench.output("odd")


async def test_the_previous_output_of_a_container_that_runs_again_and_of_one_that_never_did(bench: Any) -> None:
    script = "if [ -e /s/x ]; then echo second; sleep 60; fi; touch /s/x; echo first; exit 1"
    mounts = [{"name": "s", "mountPath": "/s"}]
    bench.create("twice", containers=[shell(script, volumeMounts=mounts)], volumes=[{"name": "s", "emptyDir": {}}])
    await bench.until(lambda: bench.container("twice").get("restartCount") == 1 and bench.container("twice")["ready"])
    assert await bench.said("twice", "second\n") == "second\n"
    assert await bench.output("twice", previous=True) == "first\n"
    bench.create("once", containers=[shell("sleep 60")])
    await bench.ready("once")
    with pytest.raises(ApiError, match='previous terminated container "app" in pod "once" not found'):
        await bench.output("once", previous=True)


async def test_usage_and_dial(bench: Any) -> None:
    bench.create("web", containers=[WEB])
    pod = await bench.ready("web")
    uid = pod["metadata"]["uid"]
    await _grown(bench, uid)
    connection = await _dialled(bench, uid, 80)
    reader, writer = await asyncio.open_connection(sock=connection)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()


async def _grown(bench: Any, uid: str) -> None:
    """Wait until a container holds a megabyte: one that has only just begun holds next to nothing."""
    deadline = asyncio.get_running_loop().time() + 40
    while (await bench.kubelet.usage(uid))["app"]["memory"] < 1_000_000:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


async def _dialled(bench: Any, uid: str, port: int) -> Any:
    async with asyncio.timeout(40):
        while True:
            try:
                return await bench.kubelet.dial(uid, port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)


async def test_kill_9_of_the_cluster_leaves_no_process_and_no_mount(kill_and_look: Any) -> None:
    await kill_and_look("namespaces", "7531.25")
