"""What the pipeline costs beyond the tools that it runs: 20 manifests, four scanners, two tools at a time.

`make bench`, or `python bench/scanning.py [--runs N]`. Each tool is started through a shim that notes when it ran, so that
the clock of the whole can be divided: the time in which at least one tool ran, and the rest, which is AEGIS's own
(reading and writing manifests, guarding processes, reading reports, deciding). What is printed is that rest as a share of
the tools' time; `passed` says whether it is at most 10 %. Tools that are not on PATH are stood in for by a program that
runs as long as the real one was measured to (semgrep 2.5 s, trivy 1.0 s, kubesec 0.5 s), and that is said.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from aegis.model.scan import Manifests
from aegis.security.desk import Desk, ScanRules
from aegis.security.pipeline import Rules, SecurityPipeline, read_manifests
from aegis.security.policy import SecurityPolicy

LIMIT = 0.10
COUNT = 20
STAND_INS = {"semgrep": 2.5, "trivy": 1.0, "kubesec": 0.5}

_SHIM = """#!{python} -IS
import os, sys, time
began = time.monotonic()
pid = os.fork()
if not pid:
    {run}
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
with open({log!r}, "a") as file:
    file.write(f"{{began}} {{time.monotonic()}}\\n")
sys.exit(status if status >= 0 else 128 - status)
"""

_MANIFEST = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{number}
  labels: &labels {{app: web-{number}}}
spec:
  replicas: 2
  selector: {{matchLabels: *labels}}
  template:
    metadata: {{labels: *labels}}
    spec:
      containers:
        - name: app
          image: registry.example/shop/web:1.{number}
          command: ["sh", "-c", "exec /app/server --port 8080"]
          ports: [{{containerPort: 8080}}]
          resources: {{limits: {{cpu: 500m, memory: 256Mi}}, requests: {{cpu: 100m, memory: 128Mi}}}}
          securityContext: {{allowPrivilegeEscalation: false, runAsNonRoot: true}}
"""


def main() -> int:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    texts = [_MANIFEST.format(number=number) for number in range(COUNT)]
    with tempfile.TemporaryDirectory(prefix="aegis-bench-") as name:
        folder = Path(name)
        real = {tool: shutil.which(tool) for tool in STAND_INS}
        programs = {tool: _shim(folder, tool, path) for tool, path in real.items()}
        asyncio.run(_once(texts, programs, folder))  # what is read from a cold disk is nobody's overhead
        shares = [asyncio.run(_once(texts, programs, folder)) for _ in range(runs)]
    share = statistics.median(row["own"] / row["tools"] for row in shares)
    report = {
        "manifests": COUNT,
        "scanners": ["podsecurity", *STAND_INS],
        "stood_in_for": sorted(tool for tool, path in real.items() if path is None),
        "tools_seconds": round(statistics.median(row["tools"] for row in shares), 3),
        "own_seconds": round(statistics.median(row["own"] for row in shares), 3),
        "overhead": round(share, 4),
        "limit": LIMIT,
        "passed": share <= LIMIT,
    }
    print(json.dumps(report, indent=2))
    return 0 if share <= LIMIT else 1


async def _once(texts: list[str], programs: dict[str, Path], folder: Path) -> dict[str, float]:
    log = folder / "runs"
    log.write_text("", encoding="ascii")
    desk = Desk(rules=ScanRules(programs=programs, trivy_cache=folder / "trivy"), path=os.environ["PATH"])
    pipeline = SecurityPipeline(desk, Rules(policy=SecurityPolicy(required=frozenset())))
    began = time.monotonic()
    written = read_manifests(texts)
    await pipeline.check([Manifests(objects=written.plain)], written=written)
    ended = time.monotonic()
    spans = sorted(tuple(map(float, line.split())) for line in log.read_text(encoding="ascii").splitlines())
    tools = _union(spans)
    return {"tools": tools, "own": ended - began - tools}


def _union(spans: list[tuple[float, ...]]) -> float:
    """Seconds in which at least one tool ran."""
    total, until = 0.0, 0.0
    for began, ended in spans:
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total


def _shim(folder: Path, tool: str, path: str | None) -> Path:
    seconds = STAND_INS[tool]
    run = f"os.execv({path!r}, [{path!r}, *sys.argv[1:]])" if path else f"time.sleep({seconds}); os._exit(0)"
    shim = folder / tool
    shim.write_text(_SHIM.format(python=sys.executable, run=run, log=str(folder / "runs")), encoding="utf-8")
    shim.chmod(0o755)
    return shim


if __name__ == "__main__":
    sys.exit(main())
