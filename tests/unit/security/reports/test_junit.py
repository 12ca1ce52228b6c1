"""JUnit that other programs can read, in which nothing that did not run looks passed."""

from __future__ import annotations

from xml.etree import ElementTree as Tree

import junitparser
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scans import HOSTILE, absent, everything, failed, looked, of_image, privileged, scan, vulnerable

from aegis.model.scan import ScanStatus
from aegis.model.security import SecurityComparison
from aegis.security.reports.junit import junit
from aegis.security.reports.scan import Scan


def parsed(of: Scan) -> Tree.Element:
    """The document, read back."""
    return Tree.fromstring(junit(of).encode())  # noqa: S314 - we wrote it


def cases(of: Scan) -> dict[str, dict[str, str]]:
    """Suite → case → how it ended."""
    found: dict[str, dict[str, str]] = {}
    for suite in parsed(of):
        found[suite.get("name", "")] = {
            case.get("name", ""): next((child.tag for child in case if child.tag != "system-out"), "passed")
            for case in suite
        }
    return found


def test_every_outcome() -> None:
    assert cases(everything()) == {
        "podsecurity": {
            "looked at everything": "passed",
            "pss-baseline-privileged: Deployment/web in shop containers[web].securityContext.privileged": "failure",
            "pss-restricted-seccomp: Deployment/web in shop pod.seccompProfile": "skipped",
        },
        "kubesec": {
            "looked at everything": "passed",
            "kubesec-host-network: Deployment/web in shop pod.hostNetwork": "skipped",
        },
        "trivy": {"looked at everything": "skipped"},
        "semgrep": {"looked at everything": "error"},
    }


def test_another_program_counts_the_same() -> None:
    suites = junitparser.JUnitXml.fromstring(junit(everything()).encode())
    assert (suites.tests, suites.failures, suites.errors, suites.skipped) == (7, 1, 1, 3)
    assert [(suite.name, suite.tests) for suite in suites] == [
        ("podsecurity", 3),
        ("kubesec", 2),
        ("trivy", 1),
        ("semgrep", 1),
    ]


@pytest.mark.parametrize(
    ("of", "outcome"),
    [
        (scan(absent("trivy")), "error"),
        (scan(looked("podsecurity"), absent("trivy")), "skipped"),
        (scan(looked("podsecurity"), absent("trivy"), must=frozenset({"trivy"})), "error"),
        (scan(looked("podsecurity"), failed("trivy", ScanStatus.PARTIAL)), "error"),
        (scan(looked("podsecurity"), failed("trivy"), fail_open=frozenset({"trivy"})), "skipped"),
    ],
)
def test_a_scanner_that_did_not_look_is_never_a_passed_case(of: Scan, outcome: str) -> None:
    assert cases(of)["trivy"] == {"looked at everything": outcome}


def test_an_old_finding_is_no_failure() -> None:
    old = vulnerable()
    of = of_image(comparison=SecurityComparison(before=(old,), after=(old,)))
    assert cases(of)["trivy"]["CVE-2023-45853: Image/registry.example:5000/shop/web:1.2 zlib1g"] == "skipped"


@given(some.text(alphabet=some.characters(), max_size=200))
def test_any_text_makes_a_document(text: str) -> None:
    item = privileged(title=text, description=text, rule_id=text, location=text)
    root = parsed(scan(looked("podsecurity", item)))
    assert root.get("failures") == "1"


def test_hostile_text() -> None:
    item = privileged(title=HOSTILE, description=HOSTILE * 20_000)
    text = junit(scan(looked("podsecurity", item)))
    failure = parsed(scan(looked("podsecurity", item))).find(".//failure")
    assert failure is not None
    assert "<script>" in failure.get("message", "")
    assert not {"\x1b", "\x9b", "\x00", "\u202e"} & set(text)
    assert len(text) < 40_000
