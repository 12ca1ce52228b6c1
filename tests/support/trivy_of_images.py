"""A trivy that knows a few images: what is wrong with each, and which one it never comes back from.

It answers `version`, `sbom` (the canary), `config` (every file is clean) and `image`, in the words of 0.74.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from trivy_reports import CANARY, fault, image_report, os_section

HANGS = "hangs"

_PROGRAM = """#!{python} -I
import json, os, sys, time
with open(os.path.abspath(__file__) + ".plan", "rb") as file:
    plan = json.load(file)
with open(os.path.abspath(__file__) + ".pids", "a") as file:
    file.write(str(os.getpid()) + "\\n")
command, last = sys.argv[1], sys.argv[-1]
if command == "config":
    names = sorted(os.listdir(last))
    summary = dict(Successes=80, Failures=0)
    results = [dict(Target=name, Class="config", Type="kubernetes", MisconfSummary=summary) for name in names]
    answer = dict(SchemaVersion=2, ArtifactName=last, ArtifactType="filesystem", Results=results)
elif command == "image":
    answer = plan["images"].get(last) or plan["unknown"]
    if answer == plan["hangs"]:
        time.sleep(300)
else:
    answer = plan[command]
sys.stdout.write(json.dumps(answer))
"""


def install(folder: Path, images: Mapping[str, Sequence[tuple[str, str, str]] | str]) -> Path:
    """Put it into a folder.

    Args:
        folder: where.
        images: by reference the vulnerabilities (id, package, severity), or `HANGS`; others are clean.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "trivy"
    updated = (datetime.now(UTC) - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    known = {"Version": 2, "UpdatedAt": updated, "NextUpdate": updated, "DownloadedAt": updated}
    plan: dict[str, Any] = {
        "version": {"Version": "0.74.0", "VulnerabilityDB": known},
        "sbom": CANARY,
        "hangs": HANGS,
        "unknown": _report("unknown", ()),
        "images": {name: one if isinstance(one, str) else _report(name, one) for name, one in images.items()},
    }
    Path(f"{path}.plan").write_text(json.dumps(plan), encoding="utf-8")
    path.write_text(_PROGRAM.replace("{python}", sys.executable), encoding="utf-8")
    path.chmod(0o755)
    return path


def left_of(path: Path) -> list[int]:
    """Its processes that still run."""
    pids = Path(f"{path}.pids").read_text(encoding="utf-8").split()
    return [int(pid) for pid in pids if Path(f"/proc/{pid}").exists()]


def _report(name: str, faults: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    section = os_section(*(fault(rule, package, severity) for rule, package, severity in faults), Target=name)
    return image_report(section, ArtifactName=name)
