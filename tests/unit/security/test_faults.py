"""The fault table from end to end: what a tool does wrong, what the scan is called, and what the policy makes of it.

Kubesec stands for all tools here; each scanner's own tests hold it to the rows that are its own (databases, coverage).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fake_tool import ACTED, EXPECTED, GIBIBYTE, FakeTool, Fault

from aegis.model.report import ScannerOutcome, SecurityReport
from aegis.model.scan import Manifests
from aegis.security.canonical import canonicalise
from aegis.security.desk import Desk, ScanRules
from aegis.security.pipeline import Rules, SecurityPipeline
from aegis.security.policy import SecurityPolicy
from aegis.security.runner import scanners

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nspec: {containers: [{name: a, image: i}]}\n"
GOOD = [
    {
        "object": "Pod/aegis-0.default",
        "valid": True,
        "fileName": "STDIN",
        "message": "Passed with a score of 1 points",
        "score": 1,
        "scoring": {"passed": [{"id": "x", "selector": "s", "reason": "r", "points": 1}]},
    }
]
OFF = frozenset({"podsecurity", "semgrep", "trivy"})


def install(folder: Path, **options: Any) -> FakeTool:
    return FakeTool.install(folder, "kubesec", answer=GOOD, probes={"version": "version 2.14.2\n"}, **options)


async def check(tool: FakeTool, *, cache: Path | None = None, **policy: Any) -> SecurityReport:
    rules = ScanRules(programs={"kubesec": tool.path}, timeouts={"kubesec": tool.seconds})
    desk = Desk(rules=rules, path=os.environ["PATH"], cache=cache)
    pipeline = SecurityPipeline(desk, Rules(policy=SecurityPolicy(**policy), off=OFF))
    report = await pipeline.check([Manifests(objects=canonicalise(POD).plain)])
    await tool.assert_nothing_is_left()
    return report


async def test_a_tool_that_works(tmp_path: Path) -> None:
    report = await check(install(tmp_path))
    assert report.passed, report.to_dict()


@pytest.mark.parametrize("fault", [fault for fault in ACTED if fault is not Fault.HUGE])
async def test_what_follows_from_a_fault(tmp_path: Path, fault: Fault) -> None:
    cache = tmp_path / "cache"
    report = await check(install(tmp_path / "bin", fault=fault), cache=cache)
    (result,) = report.scanner_results["kubesec"]
    verdict = report.verdicts["kubesec"]
    assert result.status in EXPECTED[fault]
    assert result.reason
    assert not report.passed
    if fault is Fault.MISSING:
        assert (verdict.outcome, verdict.blocks, verdict.gap) == (ScannerOutcome.SKIPPED, False, True)
    else:
        assert (verdict.outcome, verdict.blocks, verdict.gap) == (ScannerOutcome.ERRORED, True, False)
    assert list(cache.rglob("*.json")) == []


@pytest.mark.parametrize(
    ("fault", "policy", "blocks", "gap"),
    [
        (Fault.MISSING, {"required": frozenset({"kubesec"})}, True, False),
        (Fault.PANIC, {"fail_open": frozenset({"kubesec"})}, False, True),
    ],
)
async def test_what_the_policy_changes(
    tmp_path: Path, fault: Fault, policy: dict[str, Any], blocks: bool, gap: bool
) -> None:
    report = await check(install(tmp_path, fault=fault), **policy)
    verdict = report.verdicts["kubesec"]
    assert (report.passed, verdict.blocks, verdict.gap) == (False, blocks, gap)


async def test_a_gibibyte_of_output_is_an_error_and_takes_no_memory(tmp_path: Path) -> None:
    peak = _peak()
    report = await check(install(tmp_path, fault=Fault.HUGE, bytes_written=GIBIBYTE))
    verdict = report.verdicts["kubesec"]
    assert (verdict.outcome, verdict.blocks, verdict.gap) == (ScannerOutcome.ERRORED, True, False)
    assert _peak() - peak < 200 << 20


_SCAN = """
import asyncio, sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
from fake_tool import FakeTool
from test_faults import check
asyncio.run(check(FakeTool(path=Path(sys.argv[3]), seconds=100)))
"""


def test_when_aegis_is_killed_during_a_scan_nothing_is_left(tmp_path: Path) -> None:
    tool = install(tmp_path, fault=Fault.TIMEOUT)
    here = Path(__file__).parent
    command = [sys.executable, "-c", _SCAN, str(here), str(here.parents[1] / "support"), str(tool.path)]
    aegis = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)})  # who is killed leaves its folders
    until = time.monotonic() + 60
    while not tool.path.with_name("kubesec.ready").exists() and time.monotonic() < until:
        time.sleep(0.02)
    aegis.send_signal(signal.SIGKILL)
    aegis.wait()
    assert len(tool.pids()) > 1
    asyncio.run(tool.assert_nothing_is_left())


def test_every_scanner_with_a_tool_is_held_to_the_table() -> None:
    tools = {one.name for one in scanners()} - {"podsecurity", "falco", "zap"}
    folder = Path(__file__).parent / "scanners"
    held = {name for name in tools if "fake_tool" in (folder / f"test_{name}.py").read_text(encoding="utf-8")}
    assert held | {"kubesec"} == tools


def _peak() -> int:
    """Bytes: the most that this process ever held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))
