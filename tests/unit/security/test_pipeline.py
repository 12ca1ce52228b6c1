"""All scanners together: phases, what follows, and the calls of scripts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slow_scanner import SlowScanner

import aegis.security
from aegis.model.refs import ObjectRef
from aegis.model.scan import Image, Manifests, Runtime, ScanStatus, Subject, Tool, Url
from aegis.model.security import Category, SecurityFinding, Severity
from aegis.security import SecurityPipeline
from aegis.security.canonical import canonicalise
from aegis.security.desk import Desk
from aegis.security.pipeline import Phase, Rules
from aegis.security.policy import SecurityPolicy
from aegis.security.waivers import Waiver

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DESK = Desk(now=lambda: NOW)
OPTIONAL = SecurityPolicy(required=frozenset())
POD = """apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
    - name: app
      image: nginx:1.27
      securityContext:
        privileged: true
"""
Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    def put(*fakes: SlowScanner) -> None:
        for fake in fakes:
            fake.go.set()
        monkeypatch.setattr("aegis.security.runner.discover", lambda *_: fakes)

    return put


def vulnerability(name: str, image: str, **more: Any) -> SecurityFinding:
    return SecurityFinding(
        source="images",
        rule_id=name,
        severity=more.pop("severity", Severity.HIGH),
        title=name,
        description="",
        subject=ObjectRef(api_version="v1", kind="Image", name=image),
        category=Category.VULNERABILITY,
        purl=more.pop("purl", f"pkg:deb/debian/{image.partition(':')[2]}lib@1?arch=amd64"),
        **more,
    )


def images(**findings: list[str]) -> SlowScanner:
    """A scanner that finds these in images of these tags."""
    found = {
        f"web:{tag}": tuple(vulnerability(name, f"web:{tag}", purl="pkg:deb/debian/zlib1g@1") for name in names)
        for tag, names in findings.items()
    }
    return SlowScanner(name="images", kinds=(Image,), findings=found)


def pipeline(**rules: Any) -> SecurityPipeline:
    return SecurityPipeline(DESK, Rules(**{"policy": OPTIONAL, **rules}))


async def test_candidate_against_baseline(install: Install) -> None:
    install(images(old=["CVE-1", "CVE-2", "CVE-3", "CVE-4"], new=["CVE-1", "CVE-2", "CVE-3"]))
    report = await pipeline().check([Image(reference="web:new")], baseline=[Image(reference="web:old")])
    assert report.passed
    assert report.comparison is not None
    counts = {name: len(getattr(report.comparison, name)) for name in ("fixed", "new", "same")}
    assert counts == {"fixed": 1, "new": 0, "same": 3}
    assert report.summary["HIGH"] == 3
    assert list(report.scanner_results) == ["images"]


async def test_what_is_new_stops_the_work(install: Install) -> None:
    install(images(old=["CVE-1"], new=["CVE-1", "CVE-9"]))
    report = await pipeline().check([Image(reference="web:new")], baseline=[Image(reference="web:old")])
    assert not report.passed
    assert report.blocked
    (verdict,) = report.verdicts.values()
    assert [item.rule_id for item in verdict.objections] == ["CVE-9"]


async def test_without_a_baseline_severity_decides(install: Install) -> None:
    install(images(new=["CVE-1"]))
    assert (await pipeline().check([Image(reference="web:new")])).blocked
    assert not (await pipeline().check([Image(reference="web:other")])).blocked


async def test_what_is_waived_is_shown_and_counts_on_neither_side(install: Install) -> None:
    install(images(old=["CVE-1"], new=["CVE-1", "CVE-9"]))
    waiver = Waiver(id="CVE-9", ids=frozenset({"CVE-9"}), owner="ana", reason="r", expires=NOW + timedelta(days=1))
    late = replace(waiver, id="CVE-1", ids=frozenset({"CVE-1"}), expires=NOW)
    report = await pipeline(waivers=(waiver, late)).check(
        [Image(reference="web:new")], baseline=[Image(reference="web:old")]
    )
    assert report.passed
    assert [item.finding.rule_id for item in report.suppressed] == ["CVE-9"]
    assert [item.rule_id for item in report.findings] == ["CVE-1"]
    assert any("expired" in note for note in report.notes)
    assert len(report.scanner_results["images"][0].findings) == 2  # what a scanner said stays as it was


async def test_phases_follow_each_other_and_the_next_is_not_begun_when_one_stops(install: Install) -> None:
    first = images(bad=["CVE-1"])
    second, third = SlowScanner(name="web", kinds=(Url,)), SlowScanner(name="runtime", kinds=(Runtime,))
    install(first, second, third)
    late: list[Subject] = [Url(url="http://127.0.0.1:1"), Runtime(namespace="x", since=NOW, until=NOW)]
    report = await pipeline().check([*late, Image(reference="web:bad")])
    assert second.asked == third.asked == []
    assert report.scanner_results["runtime"][0].status is ScanStatus.SKIPPED
    assert "pre-deploy stopped the work" in report.verdicts["web"].reason
    assert not report.passed
    good = await pipeline().check([*late, Image(reference="web:good")])
    assert len(second.asked) == len(third.asked) == 1
    assert good.passed


def test_when_each_can_be_looked_at() -> None:
    assert Phase.of(Manifests(objects=())) is Phase.of(Image(reference="x")) is Phase.PRE_DEPLOY
    assert Phase.of(Url(url="http://127.0.0.1")) is Phase.POST_DEPLOY


async def test_a_gap_is_no_pass(install: Install) -> None:
    absent = SlowScanner(name="x", status=ScanStatus.SKIPPED, tool=Tool(name="x", absent="not installed"))
    install(absent, images())
    report = await pipeline().check([Image(reference="web:1")])
    assert (report.passed, report.blocked, report.gaps) == (False, False, ("x: why",))
    told = await pipeline().scan_images("web:1")
    assert (told["passed"], told["status"], told["blocked"]) == (False, "passed with gaps", False)
    required = pipeline(policy=SecurityPolicy(required=frozenset({"x"})))
    assert (await required.check([Image(reference="web:1")])).blocked


async def test_what_is_switched_off_is_not_asked_and_said(install: Install) -> None:
    off, on = SlowScanner(name="off"), SlowScanner(name="on")
    install(off, on)
    report = await pipeline(off=frozenset({"off"})).check([Image(reference="web:1")])
    assert off.asked == []
    assert "off: switched off" in report.notes
    assert report.passed


async def test_images_as_scripts_read_them(install: Install) -> None:
    install(images(bad=["CVE-1", "CVE-2"]))
    told = await pipeline().scan_images(["web:bad", "web:good", "web:bad"])
    assert (told["passed"], told["status"], told["total_scanned"], told["failed_count"]) == (False, "findings", 2, 1)
    assert told["vulnerabilities"] == 2
    assert [(row["image"], row["passed"], row["vulnerabilities"]) for row in told["results"]] == [
        ("web:bad", False, 2),
        ("web:good", True, 0),
    ]


async def test_an_error_is_no_pass(install: Install) -> None:
    install(SlowScanner(name="x", status=ScanStatus.TIMEOUT))
    told = await pipeline().scan_images("web:1")
    assert (told["passed"], told["skipped"], told["status"], told["blocked"]) == (False, False, "errored", True)
    assert told["reason"] == "x: why"
    opened = await pipeline(policy=SecurityPolicy(required=frozenset(), fail_open=frozenset({"x"}))).scan_images("w:1")
    assert (opened["passed"], opened["blocked"]) == (False, False)


async def test_manifests_as_scripts_read_them() -> None:
    rules = Rules(policy=OPTIONAL, off=frozenset({"kubesec", "semgrep", "trivy"}))
    told = await SecurityPipeline(DESK, rules).scan_manifests([POD, {"apiVersion": "v1", "kind": "List", "items": []}])
    assert (told["passed"], told["skipped"], told["status"], told["blocked"]) == (False, False, "findings", True)
    worst = told["findings"][0]
    assert worst["rule_id"] == "pss-baseline-privileged"
    assert worst["line"] == 0  # text of no file
    assert told["scanners"]["podsecurity"]["outcome"] == "FAILED"
    assert {"score", "critical_issues", "advise", "summary"} <= set(told)


async def test_a_manifest_that_can_be_read_in_two_ways_is_no_pass() -> None:
    told = await SecurityPipeline(DESK, Rules()).scan_manifests(POD + "kind: Job\n")
    assert (told["passed"], told["blocked"], told["status"]) == (False, True, "errored")
    assert "stands twice" in told["reason"]


async def test_findings_are_told_by_the_lines_that_were_written() -> None:
    rules = Rules(policy=OPTIONAL, off=frozenset({"kubesec", "semgrep", "trivy"}))
    written = canonicalise("# one\n# two\n" + POD, source="pod.yaml")
    report = await SecurityPipeline(DESK, rules).check([Manifests(objects=written.plain)], written=written)
    (worst, *_) = report.findings
    assert (worst.file, worst.line) == ("pod.yaml", 11)


async def test_what_skipping_annotations_were_taken_away_is_said() -> None:
    text = POD.replace("{name: web}", "{name: web, annotations: {checkov.io/skip1: x}}")
    written = canonicalise(text)
    rules = Rules(policy=OPTIONAL, off=frozenset({"kubesec", "semgrep", "trivy"}))
    report = await SecurityPipeline(DESK, rules).check([Manifests(objects=written.plain)], written=written)
    assert any("checkov.io/skip1 is not obeyed" in note for note in report.notes)


def test_every_name_of_the_package_is_there() -> None:
    for name in aegis.security.__all__:
        assert getattr(aegis.security, name).__name__ == name
    assert set(aegis.security.__all__) <= set(dir(aegis.security))
    with pytest.raises(AttributeError):
        _ = aegis.security.nothing


def test_one_pipeline_serves_several_event_loops(install: Install) -> None:
    install(images())
    several = pipeline()
    for _ in range(2):
        told = asyncio.run(several.scan_images([f"web:{number}" for number in range(5)]))
        assert told["total_scanned"] == 5
