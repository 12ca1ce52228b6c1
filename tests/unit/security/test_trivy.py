"""Trivy from Python: passed is a yes only where all of it was looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_tool import Fault
from trivy_reports import desk, fault, image_report, install, os_section

from aegis.errors import UsageError
from aegis.model.scan import ScanStatus
from aegis.model.security import Severity
from aegis.security.trivy import TrivyScanner, TrivyScanResult

LOW = image_report(os_section(fault("CVE-2024-1", "zlib1g", "LOW")))
MIXED = image_report(
    os_section(
        fault("CVE-2024-1", "zlib1g", "LOW"),
        fault("CVE-2024-2", "bash", "HIGH"),
        fault("CVE-2024-3", "curl", "CRITICAL"),
    )
)


@pytest.mark.parametrize(
    ("report", "options", "passed", "shown", "failing"),
    [
        (MIXED, {}, False, 2, 2),
        (MIXED, {"fail_on_csv": "CRITICAL"}, False, 2, 1),
        (MIXED, {"severity_csv": "low,medium"}, False, 1, 1),
        (LOW, {}, True, 0, 0),
        (LOW, {"severity_csv": "LOW", "fail_on_csv": "HIGH"}, True, 1, 0),
        (image_report(os_section(fault("CVE-2024-4", "bash", "UNKNOWN"))), {}, False, 1, 1),
        (image_report(os_section()), {}, True, 0, 0),
        (image_report(os_section(), ended=True), {}, False, 1, 1),
    ],
)
def test_a_report_held_against_severities(
    report: dict[str, Any], options: dict[str, str], passed: bool, shown: int, failing: int
) -> None:
    for given in (report, json.dumps(report), json.dumps(report).encode()):
        told = TrivyScanResult.from_trivy_json(given, image="shop:1", **options).to_dict()
        assert (told["passed"], told["vulnerabilities"], told["failed_count"]) == (passed, shown, failing)
        assert told["status"] == ("clean" if passed else "findings")
        assert bool(told["reason"]) is not passed
        assert json.dumps(told)


@pytest.mark.parametrize(
    ("report", "status"),
    [
        ("", ScanStatus.ERROR),
        ("{", ScanStatus.ERROR),
        ({"SchemaVersion": 1}, ScanStatus.ERROR),
        ({"SchemaVersion": 2}, ScanStatus.PARTIAL),
        (image_report(os_section(packages=0)), ScanStatus.PARTIAL),
        ({"a": object()}, ScanStatus.ERROR),
    ],
)
def test_what_proves_nothing_has_not_passed(report: Any, status: ScanStatus) -> None:
    result = TrivyScanResult.from_trivy_json(report)
    assert (result.status, result.passed, result.to_dict()["status"]) == (status, False, "errored")
    assert result.reason


def test_one_fault_under_two_names_counts_once() -> None:
    both = image_report(
        os_section(fault("CVE-2024-1", "a", VendorIDs=["GHSA-x"]), fault("GHSA-x", "a", VendorIDs=["CVE-2024-1"]))
    )
    assert TrivyScanResult.from_trivy_json(both).to_dict()["vulnerabilities"] == 1


def test_words_that_are_no_severity_are_refused() -> None:
    with pytest.raises(UsageError, match="'GRAVE' is no severity"):
        TrivyScanResult.from_trivy_json(LOW, severity_csv="HIGH,GRAVE")


async def test_an_image_is_scanned(tmp_path: Path) -> None:
    tool = install(tmp_path, answer=MIXED)
    told = await TrivyScanner(desk=desk(tool)).scan_image("shop:1", fail_on_csv="CRITICAL")
    assert (told["image"], told["passed"], told["status"], told["skipped"]) == ("shop:1", False, "findings", False)
    assert [item["rule_id"] for item in told["findings"]] == ["CVE-2024-3", "CVE-2024-2"]
    assert told["severity_counts"] == {"CRITICAL": 1, "HIGH": 1, "MEDIUM": 0, "LOW": 1, "UNKNOWN": 0}
    assert told["details"]["trivy"]["version"] == "0.74.0"


@pytest.mark.parametrize(
    ("kind", "status", "skipped"),
    [(Fault.MISSING, "skipped", True), (Fault.PANIC, "errored", False), (Fault.EMPTY, "errored", False)],
)
async def test_what_did_not_look_has_not_passed(tmp_path: Path, kind: Fault, status: str, skipped: bool) -> None:
    tool = install(tmp_path, kind=kind, answer=LOW)
    told = await TrivyScanner(tool.path, desk=desk(tool)).scan_image("shop:1", timeout_seconds=tool.seconds)
    assert (told["passed"], told["status"], told["skipped"]) == (False, status, skipped)
    assert told["reason"]


async def test_it_works_by_the_settings_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("AEGIS_SECURITY__TRIVY_PATH", str(tmp_path / "none"))
    assert "not installed" in (await TrivyScanner().scan_image("shop:1"))["reason"]
    monkeypatch.setenv("AEGIS_SECURITY__TRIVY_SEVERITY", "CRITICAL")
    assert (await TrivyScanner().scan_image("shop:1"))["severities"] == ["CRITICAL"]
    monkeypatch.setenv("AEGIS_SECURITY__TRIVY_ENABLED", "false")
    told = await TrivyScanner().scan_image("shop:1")
    assert (told["skipped"], told["reason"]) == (True, "switched off: security.trivy_enabled")


def test_severities_are_ordered() -> None:
    told = TrivyScanResult.from_trivy_json(LOW, severity_csv="low, critical,HIGH").to_dict()
    assert told["severities"] == ["CRITICAL", "HIGH", "LOW"]
    assert Severity.UNKNOWN.name not in told["severities"]
