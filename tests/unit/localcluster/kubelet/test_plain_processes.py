"""Pods where namespaces are refused: plain processes, still whole and still leaving nothing behind."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

WEB = "import http.server; http.server.ThreadingHTTPServer(('', {port}), http.server.SimpleHTTPRequestHandler).serve_forever()"


def free_port() -> int:
    with socket.create_server(("", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
async def plain(make_bench: Any) -> Any:
    async with make_bench(mode="processes") as made:
        yield made


async def test_says_what_it_does_not_enforce(plain: Any) -> None:
    assert plain.kubelet.capabilities.mode == "processes"
    assert any(line.startswith("NetworkPolicy") for line in plain.kubelet.capabilities.not_enforced)


async def test_volumes_and_environment(plain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_SECRET", "hunter2")
    plain.api.create(
        "configmaps",
        {"metadata": {"name": "code", "namespace": "default"}, "data": {"app.sh": "echo from the volume"}},
        manager="test",
    )
    mounts = [{"name": "code", "mountPath": "/app", "readOnly": True}]
    volumes = [{"name": "code", "configMap": {"name": "code"}}]
    out = await plain.ran("app", "sh /app/app.sh; env; pwd", volumeMounts=mounts, volumes=volumes)
    assert out.startswith("from the volume\n")
    assert "hunter2" not in out
    assert "HOSTNAME=app" in out
    assert str(Path.cwd()) not in out.splitlines()


async def test_probes_crashes_and_memory(plain: Any) -> None:
    port = free_port()
    probe = {"httpGet": {"path": "/", "port": port}, "periodSeconds": 1}
    web = {"name": "app", "image": "python:3.12-slim", "command": ["python", "-c", WEB.format(port=port)]}
    plain.create("web", containers=[{**web, "readinessProbe": probe}])
    plain.create("crash", containers=[{"name": "app", "image": "busybox:1.36", "command": ["sh", "-c", "exit 7"]}])
    hungry = "x = bytearray(200 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\nimport time; time.sleep(60)"
    limits = {"resources": {"limits": {"memory": "64Mi"}}}
    eater = {"name": "app", "image": "python:3.12-slim", "command": ["python", "-c", hungry], **limits}
    plain.create("hungry", restartPolicy="Never", containers=[eater])
    await plain.ready("web")
    await plain.until(lambda: plain.container("crash")["restartCount"])
    await plain.phase("hungry", "Failed")
    assert plain.container("hungry")["state"]["terminated"]["reason"] == "OOMKilled"
    assert plain.container("crash")["lastState"]["terminated"]["exitCode"] == 7


async def test_a_missing_program_and_exec(plain: Any) -> None:
    plain.create("odd", containers=[{"name": "app", "image": "busybox:1.36", "command": ["no-such"]}])
    await plain.until(lambda: plain.container("odd").get("lastState"))
    assert "executable file not found in $PATH" in plain.container("odd")["lastState"]["terminated"]["message"]
    plain.create("up", containers=[{"name": "app", "image": "busybox:1.36", "command": ["sleep", "60"]}])
    argv = ["sh", "-c", "echo $HOSTNAME; exit 3"]
    session = await plain.kubelet.execute(await plain.ready("up"), "app", argv, stdin=False, tty=False)
    assert b"".join([piece async for piece in session.outputs["stdout"]]) == b"up\n"
    assert await session.ended() == 3
    await session.close()


async def test_a_service_is_reached_by_its_variables(plain: Any) -> None:
    port = free_port()
    web = {"name": "app", "image": "python:3.12-slim", "command": ["python", "-c", WEB.format(port=port)]}
    plain.create("web", containers=[{**web, "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1}}])
    address = (await plain.ready("web"))["status"]["podIP"]
    assert address.startswith("127.")
    ports = [{"name": "http", "port": 18080, "targetPort": port}]
    metadata = {"name": "web", "namespace": "default"}
    plain.api.create("services", {"metadata": metadata, "spec": {"ports": ports}}, manager="test")
    slice_ = {
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]}],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }
    plain.api.create("endpointslices.discovery.k8s.io", slice_, manager="test")
    await asyncio.sleep(0.1)
    script = "wget -q -T 5 -O - http://$WEB_SERVICE_HOST:$WEB_SERVICE_PORT/ | head -c 9"
    assert await plain.ran("client", script) == "<!DOCTYPE"


async def test_what_a_container_leaves_running_ends_with_it(plain: Any, tmp_path: Path, processes: Any) -> None:
    await plain.ran("parent", "(setsid sleep 8642.5 &) ; sleep 0.2")
    await plain.until(lambda: not processes("8642.5"))
    await plain.until(lambda: not list((tmp_path / "pods").glob("parent-*")))


async def test_kill_9_of_the_cluster_leaves_no_process(kill_and_look: Any) -> None:
    await kill_and_look("processes", "7531.75")
