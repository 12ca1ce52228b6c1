"""What one remediation costs: API calls by verb, wall time, peak memory; and `analyze` against starting the program.

Everything runs for real: a local cluster in a process of its own, `aegis` as a user runs it, and between the two a proxy
that records each request. Times are wall times at the stated time scale; ratios are against `aegis version` in the same
run, which is what it costs to start the program and do nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from recording_proxy import Request, recording_proxy  # noqa: E402 - the test's own proxy, found by its folder

INCIDENT = ROOT / "examples" / "incidents" / "missing-env"
NAMESPACE = "demo-missing-env"
TARGET = ("deploy/checkout", "-n", NAMESPACE)
SCALE = 30
RUNS = 7


def aegis(*argv: str, state: Path, kubeconfig: Path | None = None) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run the command line and time the whole process."""
    env = {**os.environ, "XDG_STATE_HOME": str(state), "NO_COLOR": "1"}
    if kubeconfig:
        env["KUBECONFIG"] = str(kubeconfig)
    begin = time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.executable).with_name("aegis")), *argv],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return time.perf_counter() - begin, done


def kubectl(*argv: str, kubeconfig: Path) -> None:
    """Run kubectl, which must succeed."""
    subprocess.run(["kubectl", "--kubeconfig", str(kubeconfig), *argv], check=True, capture_output=True, timeout=60)


def verb_of(request: Request) -> str:
    """How Kubernetes would name the request."""
    if request.method == "GET":
        return "watch" if request.query.get("watch") in {"true", "1"} else "read"
    dry = " (dry-run)" if "dryRun" in request.query else ""
    return {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}[request.method] + dry


async def measure(kubeconfig: Path, state: Path) -> None:
    """Analyze several times, fix once, and print what it took."""
    async with recording_proxy(kubeconfig) as recording:
        start, analyses = [], []
        for _ in range(RUNS):
            start.append((await asyncio.to_thread(aegis, "version", state=state))[0])
            recording.requests.clear()
            seconds, _ = await asyncio.to_thread(
                aegis, "analyze", *TARGET, "-o", "json", state=state, kubeconfig=recording.kubeconfig
            )
            analyses.append(seconds)
        reads = len(recording.requests)
        extra = statistics.median(one - other for one, other in zip(analyses, start, strict=True))
        ratio = statistics.median(one / other for one, other in zip(analyses, start, strict=True))
        print(f"aegis version   {statistics.median(start):6.2f} s   1.0 x")
        print(
            f"aegis analyze   {statistics.median(analyses):6.2f} s   {ratio:.1f} x, {extra:.2f} s beyond the start, {reads} API calls"
        )
        recording.requests.clear()
        seconds, done = await asyncio.to_thread(
            aegis, "fix", *TARGET, "--yes", "-o", "json", state=state, kubeconfig=recording.kubeconfig
        )
        counts = Counter(verb_of(request) for request in recording.requests)
        phase = json.loads(done.stdout)["phase"] if done.stdout else done.stderr[-300:]
        print(f"aegis fix       {seconds:6.2f} s at time scale {SCALE}: {phase}, {sum(counts.values())} API calls")
        for verb, count in sorted(counts.items()):
            print(f"  {verb:<18}{count:>5}")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"peak memory of the largest process: {peak:.0f} MiB")


def main() -> None:
    """Bring a cluster up, break a workload, measure, take the cluster down."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        _, up = aegis("local", "up", "--time-scale", str(SCALE), state=state)
        if up.returncode:
            sys.exit(up.stderr)
        kubeconfig = state / "aegis" / "local" / "kubeconfig"
        try:
            kubectl("apply", "-f", str(INCIDENT / "01-good.yaml"), kubeconfig=kubeconfig)
            kubectl("rollout", "status", "deploy/checkout", "-n", NAMESPACE, "--timeout=30s", kubeconfig=kubeconfig)
            kubectl("apply", "-f", str(INCIDENT / "02-broken.yaml"), kubeconfig=kubeconfig)
            time.sleep(3)
            asyncio.run(measure(kubeconfig, state))
        finally:
            aegis("local", "down", state=state)


if __name__ == "__main__":
    main()
