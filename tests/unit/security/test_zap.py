"""`zap_baseline_scan`: the keys that scripts read, and `passed` only for a scan that looked and found nothing."""

from pathlib import Path

import pytest
from fake_docker import installed
from fake_zap import KEY, listening
from web_service import SAFE, serving

from aegis.security.desk import Desk, ScanRules
from aegis.security.zap import zap_baseline_scan

KEYS = {
    "target_url", "tool", "timeout_seconds", "status", "passed", "skipped", "reason", "alerts", "summary", "raw_report",
    "coverage",
}  # fmt: skip


async def test_a_clean_service_passes() -> None:
    async with listening() as daemon, serving(SAFE) as url:
        desk = Desk(rules=ScanRules(zap_api_url=daemon.url, zap_api_key=KEY))
        answer = await zap_baseline_scan(url, 20, desk=desk)
    assert set(answer) == KEYS
    assert (answer["target_url"], answer["tool"], answer["timeout_seconds"]) == (url, "zap", 20)
    assert (answer["status"], answer["passed"], answer["skipped"]) == ("clean", True, False)
    assert answer["summary"] == {"high": 0, "medium": 0, "low": 0, "info": 0}
    assert answer["raw_report"]["@version"] == "2.17.0"


async def test_faults_are_counted_by_their_codes() -> None:
    async with listening() as daemon, serving() as url:
        answer = await zap_baseline_scan(url, 20, desk=Desk(rules=ScanRules(zap_api_url=daemon.url, zap_api_key=KEY)))
    assert (answer["status"], answer["passed"]) == ("findings", False)
    assert answer["summary"] == {"high": 0, "medium": 1, "low": 1, "info": 0}
    assert {alert["alert_ref"] for alert in answer["alerts"]} == {"10038-1", "10021"}


async def test_a_scan_that_cannot_be_made_is_skipped_and_does_not_pass(tmp_path: Path) -> None:
    async with installed(tmp_path, daemon="down") as docker:
        desk = Desk(rules=ScanRules(programs={"docker": docker.program}, docker_host=docker.host))
        answer = await zap_baseline_scan("http://127.0.0.1/", desk=desk)
    assert set(answer) == KEYS
    assert (answer["status"], answer["passed"], answer["skipped"]) == ("skipped", False, True)
    assert "not reachable" in answer["reason"]
    assert answer["raw_report"] is None


async def test_a_scan_that_fails_does_not_pass_with_zero_high(tmp_path: Path) -> None:
    async with installed(tmp_path, image="refused") as docker:
        desk = Desk(rules=ScanRules(programs={"docker": docker.program}, docker_host=docker.host))
        answer = await zap_baseline_scan("http://127.0.0.1/", desk=desk)
    assert answer["summary"]["high"] == 0
    assert (answer["status"], answer["passed"], answer["skipped"]) == ("errored", False, False)


async def test_the_settings_decide_where_no_desk_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("AEGIS_SECURITY__ZAP_ENABLED", "false")
    answer = await zap_baseline_scan("http://127.0.0.1/")
    assert (answer["status"], answer["reason"]) == ("skipped", "switched off: security.zap_enabled")
    async with listening() as daemon, serving(SAFE) as url:
        monkeypatch.setenv("SECURITY_ZAP_API_URL", daemon.url)
        monkeypatch.setenv("AEGIS_SECURITY__ZAP_API_KEY", KEY)
        monkeypatch.setenv("AEGIS_SECURITY__ZAP_ENABLED", "true")
        assert (await zap_baseline_scan(url, 20))["passed"]
