"""The demo, again and again: `aegis demo --scenario all --yes -o json` N times, each end held against the table.

A scenario that ends otherwise even once is a defect, of the product or of the local cluster. The runs follow each other,
as a user would start them; what a run said while it went on is kept where it did not end as it must.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TABLE = {
    "missing-env": ("Resolved", "", "missing_env", "Deployment", "ACCEPT", 0),
    "memory-limit": ("Resolved", "", "oom_limit", "Deployment", "ACCEPT", 0),
    "image-tag": ("Resolved", "", "image_not_found", "Deployment", "ACCEPT", 0),
    "liveness-500": ("Resolved", "", "probe_kill", "Deployment", "ACCEPT", 0),
    "readiness-503": ("Resolved", "", None, "Deployment", "ACCEPT", 0),
    "unschedulable": ("Resolved", "", "sched_resources", "Deployment", "ACCEPT", 0),
    "service-selector": ("Resolved", "", "svc_selector", "Service", "ACCEPT", 0),
    "shell-in-fix": ("Failed", "GateRejected", None, None, "REJECT", 1),
    "useless-fix": ("Failed", "GateRejected", None, None, "REJECT", 1),
    "not-reproduced": ("Failed", "NotReproduced", None, None, "INCONCLUSIVE", 3),
    "drift": ("Failed", "Drifted", None, None, "ACCEPT", 4),
    "worse": ("Failed", "RolledBack", None, None, "ACCEPT", 1),
}
"""Phase, reason, cause, kind of the root cause, decision and exit status; None where nothing is promised."""

MOST_SECONDS = 480.0
"""One whole run."""


@dataclass(slots=True)
class Soaked:
    """What all runs showed of one scenario."""

    seconds: list[float] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)


def main() -> int:
    """The table of ends and durations; 1 if any run differed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--runs", type=int, default=10)
    parser.add_argument("--keep", type=Path, default=None, help="where to keep what a run said that ended wrongly")
    options = parser.parse_args()
    keep = options.keep or Path(tempfile.mkdtemp(prefix="aegis-soak-"))
    keep.mkdir(parents=True, exist_ok=True)
    ends = {name: Soaked() for name in TABLE}
    walls: list[float] = []
    for number in range(1, options.runs + 1):
        seconds, faults = run(ends, keep / f"run-{number}")
        walls.append(seconds)
        print(f"run {number}: {seconds:.0f} s, {'as the table says' if not faults else '; '.join(faults)}", flush=True)
    print(shown(ends, walls))
    good = all(not soaked.wrong and len(soaked.seconds) == options.runs for soaked in ends.values())
    if good:
        if not any(keep.iterdir()):
            keep.rmdir()
        return 0
    print(f"what the runs said that ended wrongly lies in {keep}")
    return 1


def run(ends: dict[str, Soaked], kept: Path) -> tuple[float, list[str]]:
    """One run: how long it took, and what was not as the table says."""
    with tempfile.TemporaryDirectory(prefix="aegis-soak-run-") as folder:
        env = {**os.environ, "XDG_STATE_HOME": folder, "TMPDIR": folder, "NO_COLOR": "1"}
        env.pop("KUBECONFIG", None)
        words = ("demo", "--scenario", "all", "--yes", "-o", "json", "--timeout", str(int(MOST_SECONDS)))
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "aegis.interfaces.cli.main", *words],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS + 60,
            check=False,
        )
        seconds = time.monotonic() - begin
    faults = held(ends, items_of(done.stdout)) + ([f"exit status {done.returncode}"] if done.returncode else [])
    if faults:
        kept.with_suffix(".log").write_text(done.stderr, encoding="utf-8")
        kept.with_suffix(".json").write_text(done.stdout, encoding="utf-8")
    return seconds, faults


def items_of(text: str) -> list[dict[str, Any]]:
    """The items of a report; none of what is no report."""
    try:
        return list(json.loads(text)["items"])
    except (ValueError, KeyError, TypeError):
        return []


def held(ends: dict[str, Soaked], items: list[dict[str, Any]]) -> list[str]:
    """Note each end; what differs from the table, in words."""
    faults = [f"{name} is missing" for name in TABLE.keys() - {item["scenario"] for item in items}]
    for item in items:
        name, root = item["scenario"], item["root_cause"] or {}
        found = (item["phase"], item["reason"], item["cause"], root.get("kind"), item["decision"], item["exit"])
        wanted = TABLE.get(name, found)
        soaked = ends.setdefault(name, Soaked())
        soaked.seconds.append(item["duration_seconds"])
        if any(should is not None and seen != should for seen, should in zip(found, wanted, strict=True)):
            words = f"{item['phase']} {item['reason']} {item['cause']} {item['decision']} {item['exit']}"
            soaked.wrong[words] += 1
            faults.append(f"{name}: {words}")
    return sorted(faults)


def shown(ends: dict[str, Soaked], walls: list[float]) -> str:
    """The table."""
    lines = [f"{'scenario':<18} {'runs':>4} {'right':>5} {'fastest':>8} {'median':>8} {'slowest':>8}  otherwise"]
    for name, soaked in ends.items():
        times = sorted(soaked.seconds) or [0.0]
        right = len(soaked.seconds) - soaked.wrong.total()
        others = ", ".join(f"{words} (x{count})" for words, count in soaked.wrong.items())
        spread = f"{times[0]:>6.1f} s {times[len(times) // 2]:>6.1f} s {times[-1]:>6.1f} s"
        lines.append(f"{name:<18} {len(soaked.seconds):>4} {right:>5} {spread}  {others}")
    lines.append(f"whole runs: {min(walls):.0f} to {max(walls):.0f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
