"""What pods do, in the output of the falco pod of their node."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.localcluster.kubelet.conftest import Bench

from aegis.localcluster.api import LogRequest
from aegis.localcluster.kubelet.sandbox.channel import SandboxError

pytestmark = pytest.mark.namespaces
FALCO, PYTHON = "falcosecurity/falco:0.44.1", "python:3.12-slim"
SHELL, READ = "Run shell untrusted", "Read sensitive file untrusted"


def falco(bench: Bench, name: str = "falco", node: str = "node-1", **env: str) -> None:
    container = {"name": "app", "image": FALCO, "env": [{"name": key, "value": text} for key, text in env.items()]}
    bench.create(name, containers=[container], nodeName=node)


async def listening(bench: Bench, *names: str) -> None:
    for name in names:
        await bench.ready(name)
        await bench.said(name, "seccomp user notification.\n")


async def told(bench: Bench, count: int, name: str = "falco") -> list[dict[str, Any]]:
    """The alerts in a falco pod's output, once there are so many."""
    alerts: list[dict[str, Any]] = []
    for _ in range(2000):
        lines = (await bench.output(name)).splitlines()
        alerts = [json.loads(line) for line in lines if line.startswith("{")]
        if len(alerts) >= count:
            return alerts
        await asyncio.sleep(0.02)
    raise AssertionError(f"only {[alert['rule'] for alert in alerts]}")


def app(bench: Bench, name: str, code: str, node: str = "node-1", **more: Any) -> None:
    pod = {key: more.pop(key) for key in ("volumes", "securityContext") if key in more}
    container = {"name": "app", "image": PYTHON, "command": ["python", "-c", code], **more}
    bench.create(name, restartPolicy="Never", nodeName=node, containers=[container], **pod)


async def test_each_node_tells_of_its_own_pods(make_bench: Callable[..., Any]) -> None:
    async with make_bench(watch=True) as bench:
        falco(bench, FALCO_HOSTNAME="node-1")
        falco(bench, "falco-2", "node-2", FALCO_JSON_OUTPUT="false")
        await listening(bench, "falco", "falco-2")
        app(bench, "one", "import subprocess; subprocess.run(['sh', '-c', 'cat /etc/shadow'])")
        app(bench, "two", "import os; os.system('echo of the\\nother node')", "node-2")
        shell, read = await told(bench, 2)
        assert (shell["rule"], read["rule"]) == (SHELL, READ)
        assert shell["hostname"] == "node-1"
        fields = read["output_fields"]
        await bench.phase("one", "Succeeded")
        container = bench.container("one")["containerID"].removeprefix("containerd://")
        assert fields["container.id"] == container[:12]
        assert fields["container.image.repository"] == "docker.io/library/python"
        assert (fields["container.image.tag"], fields["container.name"]) == ("3.12-slim", "app")
        assert (fields["k8s.ns.name"], fields["k8s.pod.name"]) == ("default", "one")
        assert (fields["proc.pname"], fields["proc.aname[2]"], fields["user.name"]) == ("sh", "python", "root")
        line = (await bench.said("falco-2", "k8s_ns_name=default\n")).splitlines()[-1]
        assert re.match(r"\d\d:\d\d:\d\d\.\d{9}: Notice Shell spawned by untrusted binary \| ", line)
        assert r"command=sh -c echo of the\nother node " in line
        assert len(await told(bench, 2)) == 2


async def test_what_the_kubelet_starts_is_no_alert(make_bench: Callable[..., Any]) -> None:
    async with make_bench(watch=True) as bench:
        falco(bench)
        await listening(bench, "falco")
        script = ["sh", "-c", "test -e /tmp/up"]
        bench.create("probed", containers=[{
            "name": "app",
            "image": "busybox:1.36",
            "command": ["sh", "-c", "cat /etc/hostname; trap exit TERM; while :; do sleep 0.1; done"],
            "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "echo > /tmp/up"]}}},
            "readinessProbe": {"exec": {"command": script}, "periodSeconds": 1},
        }])  # fmt: skip
        await bench.ready("probed")
        session = await bench.kubelet.execute(bench.pod("probed"), "app", ["sh"], stdin=True, tty=True)
        await session.write(b"exit\n")
        await session.ended()
        await session.close()
        (alert,) = await told(bench, 1)
        assert alert["rule"] == "Terminal shell in container"
        assert alert["output_fields"]["proc.tty"]


async def test_who_may_not_read_has_not_read(make_bench: Callable[..., Any]) -> None:
    async with make_bench(watch=True) as bench:
        falco(bench)
        await listening(bench, "falco")
        code = "import os\ntry: open('/etc/shadow')\nexcept OSError: os.system(':')"
        app(bench, "poor", code, securityContext={"runAsUser": 1000, "runAsGroup": 1000})
        alerts = await told(bench, 1)
        assert alerts[-1]["rule"] == SHELL
        assert alerts[-1]["output_fields"]["user.uid"] == 1000
        assert alerts[-1]["output_fields"]["user.name"] is None
        if bench.kubelet.capabilities and not any("users:" in gap for gap in bench.kubelet.capabilities.not_enforced):
            assert len(alerts) == 1


async def test_dropped_into_a_volume(make_bench: Callable[..., Any]) -> None:
    async with make_bench(watch=True) as bench:
        falco(bench)
        await listening(bench, "falco")
        code = "import shutil, subprocess; shutil.copy('/bin/true', '/data/x'); subprocess.run(['/data/x'])"
        mounts = [{"name": "data", "mountPath": "/data"}]
        app(bench, "dropper", code, volumes=[{"name": "data", "emptyDir": {}}], volumeMounts=mounts)
        (alert,) = await told(bench, 1)
        assert alert["rule"] == "Drop and execute new binary in container"
        assert alert["output_fields"]["proc.exepath"] == "/data/x"


async def test_a_falco_pod_that_comes_back_tells_on(make_bench: Callable[..., Any]) -> None:
    async with make_bench(watch=True) as bench:
        falco(bench)
        await listening(bench, "falco")
        app(bench, "before", "import os; os.system(':')")
        await told(bench, 1)
        killing = await bench.kubelet.execute(bench.pod("falco"), "app", ["kill", "1"], stdin=False, tty=False)
        await killing.ended()
        await killing.close()
        await bench.until(lambda: bench.container("falco").get("restartCount") == 1)
        await listening(bench, "falco")
        assert (
            "SIGTERM received"
            in b"".join([
                piece async for piece in bench.kubelet.logs(bench.pod("falco"), "app", LogRequest(previous=True))
            ]).decode()
        )
        app(bench, "after", "import os; os.system(':')")
        (alert,) = await told(bench, 1)
        assert alert["output_fields"]["k8s.pod.name"] == "after"


async def test_no_filter_where_no_watch_is_wanted(bench: Bench) -> None:
    out = await bench.ran("plain", "grep Seccomp_filters /proc/self/status")
    own = re.search(r"Seccomp_filters:\s*(\d+)", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert own is not None
    assert out.split()[1] == own[1]


async def test_plain_processes_are_not_watched(make_bench: Callable[..., Any]) -> None:
    async with make_bench(watch=True, mode="processes") as bench:
        assert bench.kubelet.capabilities is not None
        assert not bench.kubelet.capabilities.watched
        assert any("no falco pods" in gap for gap in bench.kubelet.capabilities.not_enforced)


async def test_pods_do_not_outlive_the_one_who_answers_them(make_bench: Callable[..., Any]) -> None:
    async def lose_the_sentry() -> None:
        async with make_bench(watch=True) as bench:
            app(bench, "any", "import time; time.sleep(60)")
            await bench.until(lambda: bench.container("any").get("ready"))
            (sentry,) = [pid for pid in _descendants(os.getpid()) if _answers(pid)]
            os.kill(sentry, signal.SIGKILL)
            await asyncio.sleep(30)

    with pytest.raises(ExceptionGroup) as ended:
        await lose_the_sentry()
    assert ended.group_contains(SandboxError, match="watches all pods")


def _descendants(top: int) -> list[int]:
    found, ends = [], [top]
    while ends:
        for task in Path(f"/proc/{ends.pop()}/task").glob("*/children"):
            below = [int(pid) for pid in task.read_text(encoding="utf-8").split()]
            found += below
            ends += below
    return found


def _answers(pid: int) -> bool:
    """Whether a process holds the listener of a filter: of ours only the sentry."""
    links = [fd.readlink().name for fd in Path(f"/proc/{pid}/fd").iterdir()]
    return any("seccomp" in link for link in links)
