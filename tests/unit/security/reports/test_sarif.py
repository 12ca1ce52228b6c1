"""SARIF that the standard's schema takes, and that says what did not run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from scans import (
    HOSTILE,
    absent,
    everything,
    failed,
    looked,
    of_image,
    privileged,
    scan,
    vulnerable,
    waived,
)

from aegis.model.scan import ScanStatus
from aegis.model.security import SecurityComparison, Severity
from aegis.security.reports.sarif import sarif
from aegis.security.reports.scan import Family, Scan

SCHEMA = Path(__file__).parents[3] / "fixtures" / "sarif" / "sarif-2.1.0-rtm.5.json"
OLD, NEW = vulnerable(), vulnerable(rule_id="CVE-2", aliases=(), package="curl", purl="")
GONE = vulnerable(rule_id="CVE-3", aliases=(), package="bash", purl="")
COMPARED = scan(
    looked("trivy", OLD, NEW), family=Family.IMAGE, comparison=SecurityComparison(before=(OLD, GONE), after=(OLD, NEW))
)


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema.Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def runs_of(given: Scan) -> dict[str, Any]:
    return {run["tool"]["driver"]["name"]: run for run in sarif(given)["runs"]}


def test_the_schema_is_the_one_that_was_published() -> None:
    digest = hashlib.sha256(SCHEMA.read_bytes()).hexdigest()
    assert digest == "2d99159ae54a3eea97f81781cff48780548657c35949f4b7f25e99a2ba4de4f8"


@pytest.mark.parametrize(
    "given",
    [
        everything(),
        of_image(),
        COMPARED,
        scan(),
        scan(absent("trivy")),
        scan(failed("trivy", ScanStatus.ERROR)),
        scan(looked("podsecurity", privileged(title=HOSTILE, description=HOSTILE * 9000, rule_id=HOSTILE))),
        scan(looked("zap", privileged(source="zap", reference="javascript:alert(1)", rule_id=""))),
    ],
)
def test_it_validates(given: Scan, validator: Any) -> None:
    document = json.loads(json.dumps(sarif(given)))
    assert [error.message for error in validator.iter_errors(document)] == []


def test_the_schema_is_not_empty_words(validator: Any) -> None:
    assert list(validator.iter_errors({"version": "2.1.0", "runs": [{"results": []}]}))


def test_a_result_has_what_code_scanning_reads() -> None:
    run = runs_of(everything())["AEGIS podsecurity"]
    result, rule = run["results"][0], run["tool"]["driver"]["rules"][0]
    assert run["automationDetails"]["id"] == "aegis/manifest/podsecurity/"
    assert (result["ruleId"], rule["id"], result["level"]) == (rule["id"], "pss-baseline-privileged", "error")
    assert rule["properties"]["security-severity"] == "9.5"
    where = result["locations"][0]["physicalLocation"]
    assert (where["artifactLocation"]["uri"], where["region"]["startLine"]) == ("deploy/web.yaml", 7)
    fingerprint = privileged().fingerprint.removeprefix("sha256:")
    assert result["partialFingerprints"]["aegisFingerprint/v1"] == fingerprint
    assert run["tool"]["driver"]["properties"] == {"digest": "sha256:ab", "database": "2026-02-27T12:00:00+00:00"}


def test_what_did_not_run_is_told_and_closes_no_alert() -> None:
    runs = runs_of(everything())
    assert set(runs) == {"AEGIS", "AEGIS podsecurity", "AEGIS kubesec"}
    invocation = runs["AEGIS"]["invocations"][0]
    assert (invocation["executionSuccessful"], invocation["exitCode"], runs["AEGIS"]["results"]) == (False, 1, [])
    assert [(note["level"], note["message"]["text"]) for note in invocation["toolExecutionNotifications"]] == [
        ("note", "kubesec: CRDs are not scored"),
        ("warning", "trivy did not look at everything (skipped): no trivy on PATH. Install it."),
        (
            "error",
            "semgrep did not look at everything (timeout): semgrep did not end within 60 s; not looked at: b",
        ),
        ("note", "waiver W-3 expired on 2026-01-01"),
    ]


def test_a_clean_scan_is_a_success() -> None:
    runs = runs_of(scan(looked("podsecurity")))
    assert [run["invocations"][0]["executionSuccessful"] for run in runs.values()] == [True, True]
    assert runs["AEGIS podsecurity"]["results"] == []


def test_what_a_failed_scanner_found_is_shown_as_part_of_a_failed_run() -> None:
    found = privileged(source="semgrep")
    partial = looked("semgrep", found, status=ScanStatus.PARTIAL, reason="half of it")
    run = runs_of(scan(partial))["AEGIS semgrep"]
    assert (len(run["results"]), run["invocations"][0]["executionSuccessful"]) == (1, False)


def test_a_waived_finding_is_there_and_suppressed() -> None:
    result = runs_of(everything())["AEGIS kubesec"]["results"][0]
    assert result["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "W-7: not reached (answered for by ana@example.com; until 2026-12-31)",
        }
    ]


def test_against_a_baseline_each_result_has_its_state() -> None:
    run = runs_of(COMPARED)["AEGIS trivy"]
    assert {one["ruleId"]: one["baselineState"] for one in run["results"]} == {
        "CVE-2023-45853": "unchanged",
        "CVE-2": "new",
        "CVE-3": "absent",
    }


def test_a_waived_finding_has_its_state_too() -> None:
    given = scan(
        looked("trivy", OLD), suppressed=(waived(OLD),), comparison=SecurityComparison(before=(OLD,), after=(OLD,))
    )
    (result,) = runs_of(given)["AEGIS trivy"]["results"]
    assert (result["baselineState"], len(result["suppressions"])) == ("unchanged", 1)


def test_an_unknown_severity_gets_no_number_that_would_rank_it() -> None:
    (rule,) = runs_of(scan(looked("podsecurity", privileged(severity=Severity.UNKNOWN))))["AEGIS podsecurity"]["tool"][
        "driver"
    ]["rules"]
    assert "security-severity" not in rule["properties"]
    assert rule["defaultConfiguration"] == {"level": "warning"}


def test_no_uri_leaves_the_repository() -> None:
    given = scan(looked("semgrep", privileged(source="semgrep", file="../../etc/pass wd")), family=Family.SOURCE)
    result = runs_of(given)["AEGIS semgrep"]["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "etc/pass%20wd"
