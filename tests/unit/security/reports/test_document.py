"""`kind: ScanReport` is stable: golden files hold it. `UPDATE_GOLDEN=1` writes them anew, for a person to read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from scans import HOSTILE, everything, looked, of_image, privileged, scan, vulnerable

from aegis.model.security import SecurityComparison
from aegis.security.reports.document import fields
from aegis.security.reports.scan import Scan

GOLDEN = Path(__file__).parent / "golden"
OLD = vulnerable()
COMPARED = of_image(
    baseline="registry.example:5000/shop/web:1.1",
    before=(looked("trivy", OLD),),
    comparison=SecurityComparison(
        before=(OLD, vulnerable(rule_id="CVE-9", aliases=(), package="bash", purl="")), after=(OLD,)
    ),
)


@pytest.mark.parametrize(
    ("name", "given"), [("manifest", everything()), ("image", of_image()), ("baseline", COMPARED), ("nothing", scan())]
)
def test_it_is_stable(name: str, given: Scan) -> None:
    told = json.dumps(fields(given), indent=2, ensure_ascii=False) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(told, encoding="utf-8")
    assert told == path.read_text(encoding="utf-8")


def test_the_first_keys_of_a_report_are_there() -> None:
    told = fields(everything())
    assert {"passed", "findings", "summary", "scanner_results", "timestamp"} <= told.keys()
    assert (told["passed"], told["verdict"]) == (False, "failed")
    assert told["summary"] == {"CRITICAL": 1, "HIGH": 0, "MEDIUM": 1, "LOW": 0, "UNKNOWN": 0}


def test_passed_with_gaps_is_not_passed() -> None:
    told = fields(scan(looked("podsecurity"), everything().report.scanner_results["trivy"][0]))
    assert (told["verdict"], told["passed"]) == ("passed with gaps", False)
    assert told["gaps"] == ["trivy: no trivy on PATH. Install it."]


def test_hostile_text_reaches_no_terminal() -> None:
    told = json.dumps(
        fields(scan(looked("podsecurity", privileged(title=HOSTILE), details={HOSTILE: [HOSTILE]}))), ensure_ascii=False
    )
    assert not {"\x1b", "\x9b", "\x00", "\ud800", "\u202e"} & set(told)
    assert told.encode()
