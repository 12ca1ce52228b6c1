"""Falco's alerts filtered by namespace, priority and time against `grep` for the namespace alone, on the same file.

Prints medians of whole processes, the ratio (the target is 2: at least half of grep's speed) and the memory, and ends
with status 1 where the target is missed or the alerts are not those that parsing every line finds.

The file is made from the recorded alerts of the tests: 40 namespaces take turns, one of which looks like the wanted one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECORDED = Path(__file__).parents[1] / "tests" / "unit" / "falco" / "alerts.jsonl"
WANTED = "billing"
NAMESPACES = [WANTED, f"{WANTED}-canary", None, *(f"team-{number}" for number in range(37))]
FILTER = """
import sys
from datetime import datetime, UTC
from aegis.falco.lines import alerts_in
from aegis.falco.priority import Priority
from aegis.falco.query import AlertQuery
query = AlertQuery(namespace=sys.argv[2], priority=Priority.WARNING, since=datetime(2026, 11, 21, 0, 32, tzinfo=UTC))
with open(sys.argv[1], "rb", buffering=0) as file:
    print(sum(1 for _ in alerts_in(file, query)))
"""
EVERY_LINE = """
import sys
from datetime import datetime, UTC
from aegis.falco.alert import parse_alert
from aegis.falco.priority import Priority
from aegis.falco.query import AlertQuery
query = AlertQuery(namespace=sys.argv[2], priority=Priority.WARNING, since=datetime(2026, 11, 21, 0, 32, tzinfo=UTC))
with open(sys.argv[1], "rb") as file:
    print(sum(query.matches(alert) for line in file if (alert := parse_alert(line.rstrip(b"\\n"))) is not None))
"""
TARGET = 2.0


def write(path: Path, size: int) -> None:
    """Recorded alerts in a shuffled order, each of one namespace, until the file is large enough."""
    rng = random.Random(2026)
    recorded = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]
    lines = []
    for alert in recorded:
        for namespace in NAMESPACES:
            pod = f"{namespace}-web-1" if namespace else None
            fields = alert["output_fields"] | {"k8s.ns.name": namespace, "k8s.pod.name": pod}
            output = alert["output"].replace("k8s_ns_name=<NA>", f"k8s_ns_name={namespace or '<NA>'}")
            made = alert | {"output_fields": fields, "output": output}
            lines.append(json.dumps(made, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
    with path.open("wb") as file:
        while file.tell() < size:
            rng.shuffle(lines)
            file.write(b"".join(lines))


def run(command: list[str]) -> tuple[float, float, bytes]:
    """The wall time and the CPU time of one whole process, and what it printed."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    # grep only counts where it writes to /dev/null: it would stop at the first line.
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"})
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def main() -> int:
    """Take turns, so that a drifting machine speed hits both alike."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alerts.jsonl"
        write(path, options.mib << 20)
        grep = ["grep", "-c", "-F", f'"k8s.ns.name":"{WANTED}"', str(path)]
        ours = [sys.executable, "-c", FILTER, str(path), WANTED]
        found = run(ours)[2]
        run(grep)
        taken: dict[str, list[tuple[float, float]]] = {"grep -c -F": [], "aegis": []}
        for _ in range(options.runs):
            taken["grep -c -F"].append(run(grep)[:2])
            taken["aegis"].append(run(ours)[:2])
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        same = run([sys.executable, "-c", EVERY_LINE, str(path), WANTED])[2] == found
    for name, times in taken.items():
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{name:<12} {wall:6.2f} s   {cpu:6.2f} s CPU   {options.mib / 1024 / wall:5.2f} GiB/s")
    pairs = zip(taken["aegis"], taken["grep -c -F"], strict=True)
    ratio = statistics.median(mine[0] / other[0] for mine, other in pairs)
    print(f"ratio {ratio:.2f} (target {TARGET}), {memory / 1024:.0f} MiB at most, {int(found)} alerts")
    print("the same alerts as parsing every line" if same else "NOT the alerts that parsing every line finds")
    return 0 if same and ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
