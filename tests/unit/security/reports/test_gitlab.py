"""GitLab's report: what its schema 15.2.1 demands, for images and for files."""

from __future__ import annotations

import re
from typing import Any

import pytest
from scans import HOSTILE, absent, everything, failed, looked, of_image, privileged, scan, vulnerable

from aegis.security.reports.gitlab import gitlab
from aegis.security.reports.scan import Family, Scan

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")
SEVERITIES = {"Info", "Unknown", "Low", "Medium", "High", "Critical"}


def check(document: dict[str, Any]) -> None:
    """The schema's demands on what both shapes have."""
    assert re.fullmatch(r"15\.\d+\.\d+", document["version"])
    about = document["scan"]
    assert TIME.fullmatch(about["start_time"])
    assert TIME.fullmatch(about["end_time"])
    assert about["status"] in {"success", "failure"}
    for who in (about["analyzer"], about["scanner"]):
        assert all((who["id"], who["name"], who["version"], who["vendor"]["name"]))
    assert all(one["level"] in {"info", "warn", "fatal"} and one["value"] for one in about.get("messages", []))
    for one in document["vulnerabilities"]:
        assert one["id"]
        assert len(one["name"]) <= 255
        assert one["severity"] in SEVERITIES
        assert one["identifiers"]
        assert all(name[key] for name in one["identifiers"] for key in ("type", "name", "value"))
        assert all(re.match(r"https?://.+", found["url"]) for found in one.get("links", []))


@pytest.mark.parametrize(
    "given",
    [
        everything(),
        of_image(),
        scan(),
        scan(looked("podsecurity", privileged(title=HOSTILE * 90, rule_id=HOSTILE, reference="ftp:x"))),
        of_image(subjects=()),
        scan(looked("semgrep", privileged(source="semgrep", rule_id="", title="")), family=Family.SOURCE),
    ],
)
def test_it_is_well_formed(given: Scan) -> None:
    check(gitlab(given))


def test_an_image() -> None:
    document = gitlab(of_image())
    assert document["scan"]["type"] == "container_scanning"
    found = document["vulnerabilities"][0]
    assert found["location"] == {
        "dependency": {"package": {"name": "zlib1g"}, "version": "1:1.2.13"},
        "operating_system": "debian-12.5",
        "image": "registry.example:5000/shop/web:1.2",
    }
    assert found["severity"] == "High"
    assert found["solution"] == "Upgrade zlib1g from 1:1.2.13 to 1:1.3.1."
    assert [(one["type"], one["value"]) for one in found["identifiers"]] == [
        ("cve", "CVE-2023-45853"),
        ("ghsa", "GHSA-mq29-j5xf-cjwr"),
    ]


def test_a_fault_keeps_its_id_when_its_version_changes() -> None:
    ids = [
        gitlab(of_image(report=scan(looked("trivy", vulnerable(installed_version=version))).report))["vulnerabilities"][
            0
        ]["id"]
        for version in ("1", "2")
    ]
    assert ids[0] == ids[1]


def test_files() -> None:
    document = gitlab(everything())
    assert document["scan"]["type"] == "sast"
    location = document["vulnerabilities"][0]["location"]
    assert (location["file"], location["start_line"]) == ("deploy/web.yaml", 7)


def test_what_did_not_run_and_what_is_waived_are_messages() -> None:
    about = gitlab(everything())["scan"]
    assert about["status"] == "failure"
    assert [one["level"] for one in about["messages"]] == ["info", "warn", "fatal", "info"]
    assert "is waived until 2026-12-31 by ana@example.com: not reached" in about["messages"][-1]["value"]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (scan(looked("podsecurity")), "success"),
        (scan(looked("podsecurity", privileged())), "success"),
        (scan(looked("podsecurity"), absent("trivy")), "success"),
        (scan(absent("trivy")), "failure"),
        (scan(looked("podsecurity"), failed("trivy")), "failure"),
    ],
)
def test_the_scan_is_a_success_only_where_somebody_looked(given: Scan, status: str) -> None:
    assert gitlab(given)["scan"]["status"] == status
