"""What one remediation costs, and how that grows with what else is in the cluster.

Everything runs for real: a local cluster in a process of its own, `aegis` as a user runs it, and between the two a proxy
that records each request. The unrelated pods are objects of a node that does not exist: they are there to be listed, and
running a thousand programs would measure the machine instead. Times are wall times at the stated time scale. Ratios are
against the first row of the same run, which is the empty namespace; `aegis version` is what it costs to start the program
and do nothing.

    python bench/remediation.py [--pods 10,100,1000] [--namespaces 10,100]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from recording_proxy import Recording, Request, recording_proxy  # noqa: E402 - the test's own proxy, found by its folder

from aegis.drivers.kubernetes.faults import Doing  # noqa: E402
from aegis.drivers.kubernetes.kubeconfig import find_endpoint  # noqa: E402
from aegis.drivers.kubernetes.options import KubeOptions  # noqa: E402
from aegis.drivers.kubernetes.transport import Call, Transport, open_transport  # noqa: E402

INCIDENT = ROOT / "examples" / "incidents" / "missing-env"
NAMESPACE = "demo-missing-env"
TARGET = ("deploy/checkout", "-n", NAMESPACE)
SCALE = 40
STARTS = 5
PODS_OF_A_NAMESPACE = 10
PROGRAM = "aegis.interfaces.cli.main"
LAUNCHER = """
import json, os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(pid, 0)
with open(sys.argv[1], "w") as out:
    json.dump({"cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss}, out)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Starts the program from a small process: its account would else begin with the memory of this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run of the program took.

    Attributes:
        seconds: of wall time.
        cpu: seconds of the processor, of the program itself.
        memory: the most that it held, in MiB.
        status: its exit status.
        stdout: what it said.
    """

    seconds: float
    cpu: float
    memory: float
    status: int
    stdout: str


def aegis(*argv: str, state: Path, kubeconfig: Path | None = None) -> Cost:
    """Run the command line and account for its process alone."""
    env = {**os.environ, "XDG_STATE_HOME": str(state), "NO_COLOR": "1"}
    if kubeconfig:
        env["KUBECONFIG"] = str(kubeconfig)
    begin = time.perf_counter()
    with tempfile.NamedTemporaryFile() as account:
        command = [sys.executable, "-S", "-c", LAUNCHER, account.name, sys.executable, "-m", PROGRAM, *argv]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900, check=False)
        used = json.loads(account.read())
    return Cost(
        seconds=time.perf_counter() - begin,
        cpu=used["cpu"],
        memory=used["peak"] / 1024,
        status=done.returncode,
        stdout=done.stdout,
    )


def kubectl(*argv: str, kubeconfig: Path) -> None:
    """Run kubectl, which must succeed."""
    subprocess.run(["kubectl", "--kubeconfig", str(kubeconfig), *argv], check=True, capture_output=True, timeout=120)


def verb_of(request: Request) -> str:
    """How Kubernetes would name the request."""
    if request.method == "GET":
        return "watch" if request.query.get("watch") in {"true", "1"} else "read"
    dry = " (dry-run)" if "dryRun" in request.query else ""
    return {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}[request.method] + dry


# ── what else is in the cluster ──────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def door(kubeconfig: Path) -> AsyncIterator[Transport]:
    """A way to make many objects quickly."""
    endpoint = find_endpoint(KubeOptions(kubeconfig=kubeconfig))
    async with open_transport(endpoint, timeout=60, environ={}) as transport:
        yield transport


async def send(transport: Transport, method: str, path: str, body: object) -> None:
    """One write."""
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    doing = Doing(verb="create", resource=path)
    await transport.json(Call(doing=doing, method=method, path=path, body=body, content_type=kind))


async def crowd(transport: Transport, namespace: str, numbers: Iterable[int]) -> None:
    """Unrelated pods that run well, on a node that is not there."""
    gate = asyncio.Semaphore(16)

    async def one(number: int) -> None:
        path = f"/api/v1/namespaces/{namespace}/pods"
        name = f"other-{number}"
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": f"other-{number % 20}"}},
            "spec": {
                "nodeName": "elsewhere",
                "tolerations": [{"operator": "Exists"}],
                "containers": [{"name": "main", "image": "nginx:1.27"}],
            },
        }
        status = {
            "phase": "Running",
            "conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady", "PodScheduled")],
            "containerStatuses": [
                {
                    "name": "main",
                    "image": "nginx:1.27",
                    "imageID": "",
                    "ready": True,
                    "restartCount": 0,
                    "state": {"running": {}},
                }
            ],
        }
        async with gate:
            await send(transport, "POST", path, pod)
            await send(transport, "PATCH", f"{path}/{name}/status", {"status": status})

    async with asyncio.TaskGroup() as group:
        for number in numbers:
            group.create_task(one(number))


async def elsewhere(transport: Transport) -> None:
    """The node of the unrelated pods."""
    taints = [{"key": "bench", "value": "elsewhere", "effect": "NoSchedule"}]
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "elsewhere"}, "spec": {"taints": taints}}
    await send(transport, "POST", "/api/v1/nodes", node)


async def neighbours(transport: Transport, numbers: Iterable[int]) -> None:
    """Namespaces with a few pods each."""
    for number in numbers:
        name = f"other-{number}"
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await send(transport, "POST", "/api/v1/namespaces", namespace)
        await crowd(transport, name, range(PODS_OF_A_NAMESPACE))


# ── measuring ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One remediation and one diagnosis, beside so much else."""

    name: str
    fix: Cost
    calls: Counter[str]
    analyze: Cost
    analyze_calls: int

    @property
    def all_calls(self) -> int:
        """Requests of the remediation."""
        return sum(self.calls.values())


async def remediate(name: str, recording: Recording, kubeconfig: Path, state: Path) -> Row:
    """Break the workload, analyse it, mend it."""
    good, broken = INCIDENT / "01-good.yaml", INCIDENT / "02-broken.yaml"
    await asyncio.to_thread(kubectl, "apply", "-f", str(good), kubeconfig=kubeconfig)
    rolled_out = ("rollout", "status", "deploy/checkout", "-n", NAMESPACE, "--timeout=100s")
    await asyncio.to_thread(kubectl, *rolled_out, kubeconfig=kubeconfig)
    await asyncio.to_thread(kubectl, "apply", "-f", str(broken), kubeconfig=kubeconfig)
    await failing(kubeconfig)
    through = recording.kubeconfig
    recording.requests.clear()
    analyze = await asyncio.to_thread(aegis, "analyze", *TARGET, "-o", "json", state=state, kubeconfig=through)
    reads = len(recording.requests)
    recording.requests.clear()
    fix = await asyncio.to_thread(aegis, "fix", *TARGET, "--yes", "-o", "json", state=state, kubeconfig=through)
    phase = json.loads(fix.stdout)["phase"] if fix.stdout else "nothing"
    if phase != "Resolved":
        sys.exit(f"{name}: the remediation ended as {phase}, status {fix.status}: {fix.stdout[:2000]}")
    calls = Counter(verb_of(request) for request in recording.requests)
    return Row(name=name, fix=fix, calls=calls, analyze=analyze, analyze_calls=reads)


async def failing(kubeconfig: Path) -> None:
    """Wait until a pod of the broken revision has crashed.

    Raises:
        TimeoutError: if none does within a minute.
    """
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    async with asyncio.timeout(60), door(kubeconfig) as transport:
        while True:
            pods = await transport.json(Call(doing=Doing(verb="list", resource="pods"), method="GET", path=path))
            states = [status for pod in pods["items"] for status in pod.get("status", {}).get("containerStatuses", [])]
            if any(status.get("restartCount", 0) >= 2 for status in states):
                return
            await asyncio.sleep(0.2)


async def measure(kubeconfig: Path, state: Path, pods: list[int], namespaces: list[int]) -> list[Row]:
    """Every row, each with more in the cluster than the one before."""
    rows = []
    async with recording_proxy(kubeconfig) as recording, door(kubeconfig) as transport:
        await elsewhere(transport)
        rows.append(await remediate("nothing else", recording, kubeconfig, state))
        known = 0
        for count in pods:
            await crowd(transport, NAMESPACE, range(known, count))
            known = count
            rows.append(await remediate(f"{count} pods beside it", recording, kubeconfig, state))
        known = 0
        for count in namespaces:
            await neighbours(transport, range(known, count))
            known = count
            rows.append(
                await remediate(f"and {count} namespaces of {PODS_OF_A_NAMESPACE} pods", recording, kubeconfig, state)
            )
    return rows


def table(rows: list[Row]) -> str:
    """Absolute figures, and ratios against the first row."""
    first = rows[0]
    lines = [
        "| in the cluster | fix: API calls | seconds | CPU s | peak MiB | analyze: API calls | CPU s | peak MiB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        figures = (
            f"{row.all_calls} ({row.all_calls / first.all_calls:.2f}x)",
            f"{row.fix.seconds:.1f} ({row.fix.seconds / first.fix.seconds:.2f}x)",
            f"{row.fix.cpu:.1f} ({row.fix.cpu / first.fix.cpu:.2f}x)",
            f"{row.fix.memory:.0f} ({row.fix.memory / first.fix.memory:.2f}x)",
            f"{row.analyze_calls} ({row.analyze_calls / first.analyze_calls:.2f}x)",
            f"{row.analyze.cpu:.2f} ({row.analyze.cpu / first.analyze.cpu:.2f}x)",
            f"{row.analyze.memory:.0f} ({row.analyze.memory / first.analyze.memory:.2f}x)",
        )
        lines.append(f"| {row.name} | {' | '.join(figures)} |")
    return "\n".join(lines)


def report(rows: list[Row], starts: list[Cost]) -> None:
    """Print what was measured."""
    print(
        f"time scale {SCALE}; aegis version: median CPU {statistics.median(cost.cpu for cost in starts):.2f} s, ",
        end="",
    )
    print(f"peak {max(cost.memory for cost in starts):.0f} MiB\n")
    print(table(rows))
    verbs = sorted({verb for row in rows for verb in row.calls})
    print(f"\n| API calls of fix | {' | '.join(verbs)} |\n|---|{'--:|' * len(verbs)}")
    for row in rows:
        print(f"| {row.name} | {' | '.join(str(row.calls[verb]) for verb in verbs)} |")


def numbers(text: str) -> list[int]:
    """`10,100` as numbers."""
    return [int(part) for part in text.split(",") if part]


def main() -> None:
    """Bring a cluster up, measure, take it down."""
    parser = argparse.ArgumentParser(description="What a remediation costs, and how that grows.")
    parser.add_argument("--pods", type=numbers, default=[10, 100, 1000])
    parser.add_argument("--namespaces", type=numbers, default=[10, 100])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        up = aegis("local", "up", "--time-scale", str(SCALE), state=state)
        kubeconfig = state / "aegis" / "local" / "kubeconfig"
        try:
            if up.status:
                sys.exit(f"the local cluster did not start: status {up.status}")
            starts = [aegis("version", state=state) for _ in range(STARTS)]
            report(asyncio.run(measure(kubeconfig, state, chosen.pods, chosen.namespaces)), starts)
        finally:
            aegis("local", "down", state=state)


if __name__ == "__main__":
    main()
