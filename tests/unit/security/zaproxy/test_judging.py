"""ZAP's report: codes, not words; insights, not counts; places, not hosts."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zap_baseline import alert, insight

from aegis.model.scan import ScanResult, ScanStatus, Tool
from aegis.model.security import SecurityComparison, Severity
from aegis.security.zaproxy.judging import aligned, result_of, summary
from aegis.security.zaproxy.report import CAP, parse_report, report_of

SITE = "http://web:8080"
TOOL = Tool(name="zap")


def made(*alerts: dict[str, Any], insights: list[dict[str, str]] | None = None, site: str = SITE) -> dict[str, Any]:
    said = [insight("insight.endpoint.total", site, 5), insight("insight.code.2xx", site, 100)]
    held = {"@name": site, "@host": "web", "@port": "8080", "@ssl": "false", "alerts": list(alerts)}
    return {"@version": "2.17.0", "insights": said if insights is None else insights, "site": [held]}


def judged(raw: dict[str, Any], target: str = f"{SITE}/") -> ScanResult:
    return result_of(report_of(raw), target, tool=TOOL)


def test_the_risk_is_read_from_its_code_and_never_from_words() -> None:
    medium = alert("1", "one", "2", [f"{SITE}/a"])
    assert medium["riskdesc"] == "Medium (High)"
    result = judged(made(medium))
    assert [one.severity for one in result.findings] == [Severity.MEDIUM]
    assert result.details["summary"] == {"high": 0, "medium": 1, "low": 0, "info": 0}


@pytest.mark.parametrize(
    ("code", "severity"), [("3", Severity.HIGH), ("1", Severity.LOW), ("7", Severity.UNKNOWN), (None, Severity.UNKNOWN)]
)
def test_a_code_that_zap_does_not_have_is_not_harmless(code: str | None, severity: Severity) -> None:
    odd = alert("1", "one", "3", [f"{SITE}/a"]) | {"riskcode": code}
    assert [one.severity for one in judged(made(odd)).findings] == [severity]
    assert summary(report_of(made(odd)).alerts)["high"] == (severity is not Severity.LOW)


def test_what_zap_itself_calls_false_or_a_mere_information_is_no_fault() -> None:
    false = alert("1", "one", "3", [f"{SITE}/a"]) | {"confidence": "0"}
    note = alert("2", "two", "0", [f"{SITE}/a"])
    result = judged(made(false, note))
    assert (result.status, result.findings) == (ScanStatus.CLEAN, ())
    assert result.details["false_positives"] == 1
    assert result.details["summary"] == {"high": 0, "medium": 0, "low": 0, "info": 1}


def test_texts_lose_their_html_their_colours_and_their_secrets() -> None:
    hostile = alert("1", "<b>x</b>", "2", [f"{SITE}/a"]) | {
        "desc": "<p>a &lt;b&gt;</p><p>c</p>\x1b[31m\u202e",
        "solution": "use password=hunter2secret",
    }
    (found,) = judged(made(hostile)).findings
    assert found.title == "x"
    assert found.description.startswith("a <b>\nc")
    assert "hunter2secret" not in found.description
    assert "\x1b" not in found.description
    assert found.reference == "https://example.org/one"


def test_a_finding_is_the_same_in_another_arm() -> None:
    before = judged(made(alert("1", "one", "2", [f"{SITE}/a"])))
    other = "http://10.0.0.7:9999"
    after = judged(
        made(alert("1", "one", "2", [f"{other}/a"]), alert("2", "two", "2", [f"{other}/a"]), site=other), f"{other}/"
    )
    found = SecurityComparison(before=before.findings, after=after.findings)
    assert ([one.rule_id for one in found.same], [one.rule_id for one in found.new], found.fixed) == (["1"], ["2"], ())
    assert before.findings[0].location == "GET /a"


def test_the_parameter_and_the_method_belong_to_the_place() -> None:
    one = alert("1", "one", "2", [f"{SITE}/a", f"{SITE}/a"])
    one["instances"][1] |= {"param": "q", "method": "POST"}
    assert {found.location for found in judged(made(one)).findings} == {"GET /a", "POST /a?q"}


def test_pages_that_zap_happened_not_to_name_are_not_new() -> None:
    many = [f"{SITE}/{n}" for n in range(30)]
    before = judged(made(alert("1", "one", "2", many[:20])))
    after = judged(made(alert("1", "one", "2", many[10:30])))
    assert len(before.findings) == CAP
    assert before.details["capped"] == ["1"]
    assert SecurityComparison(before=before.findings, after=after.findings).new
    level = [one.findings for one in aligned(before, after)]
    assert not SecurityComparison(before=level[0], after=level[1]).new
    few = judged(made(alert("1", "one", "2", many[:1])))
    level = [one.findings for one in aligned(before, few)]
    assert SecurityComparison(before=level[0], after=level[1]).fixed == ()
    assert aligned(few, few) == (few, few)


@pytest.mark.parametrize(
    ("insights", "status", "words"),
    [
        ([], ScanStatus.PARTIAL, "nothing of its coverage"),
        ([insight("insight.code.2xx", SITE, 100)], ScanStatus.ERROR, "no endpoint"),
        ([insight("insight.endpoint.total", "http://other", 9)], ScanStatus.ERROR, "no endpoint"),
        (
            [insight("insight.endpoint.total", SITE, 9), insight("insight.code.5xx", SITE, 100)],
            ScanStatus.PARTIAL,
            "100 %",
        ),
        ([insight("insight.endpoint.total", SITE, 9), insight("insight.code.5xx", SITE, 49)], ScanStatus.CLEAN, ""),
        (
            [insight("insight.endpoint.total", SITE, 9), insight("insight.network.failure", "", 63)],
            ScanStatus.PARTIAL,
            "63 %",
        ),
        (
            [insight("insight.endpoint.total", SITE, 9), insight("insight.diskspace.full", "", 1)],
            ScanStatus.PARTIAL,
            "disk",
        ),
        ([insight("insight.endpoint.total", SITE, 9), insight("insight.code.4xx", SITE, 100)], ScanStatus.CLEAN, ""),
    ],
)
def test_only_what_was_looked_at_is_clean(insights: list[dict[str, str]], status: ScanStatus, words: str) -> None:
    result = judged(made(insights=insights))
    assert (result.status, bool(result.coverage.scanned)) == (status, status is ScanStatus.CLEAN)
    assert words in result.reason


def test_a_broken_service_keeps_the_faults_that_were_seen() -> None:
    insights = [insight("insight.endpoint.total", SITE, 9), insight("insight.code.5xx", SITE, 80)]
    result = judged(made(alert("1", "one", "3", [f"{SITE}/a"]), insights=insights))
    assert result.status is ScanStatus.PARTIAL
    assert len(result.findings) == 1


def test_another_host_is_left_out_and_named() -> None:
    raw = made()
    raw["site"].append({
        "@name": "https://cdn.example.org",
        "alerts": [alert("1", "one", "3", ["https://cdn.example.org/x"])],
    })
    result = judged(raw)
    assert result.findings == ()
    assert any("cdn.example.org" in note for note in result.coverage.notes)


def test_no_site_is_an_error() -> None:
    assert judged(made() | {"site": []}).status is ScanStatus.ERROR


def test_default_ports_are_the_same_site() -> None:
    result = judged(made(site="http://web"), "http://web:80/x")
    assert result.status is ScanStatus.CLEAN


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
KEYS = (
    "@version",
    "insights",
    "site",
    "alerts",
    "instances",
    "riskcode",
    "confidence",
    "count",
    "statistic",
    "key",
    "uri",
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6),
)
def test_a_report_of_any_shape_is_read_or_refused(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    raw = {"@version": "2", "site": [inner], **outer}
    try:
        report = parse_report(json.dumps(raw).encode())
    except ValueError:
        return
    result = result_of(report, f"{SITE}/", tool=TOOL)
    assert result.status is not ScanStatus.CLEAN or result.coverage.scanned
    json.dumps(result.to_dict())


def test_the_version_is_the_reports() -> None:
    result = result_of(report_of(made()), f"{SITE}/", tool=replace(TOOL, version="x"))
    assert result.tool.version == "2.17.0"
