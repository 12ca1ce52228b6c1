"""Findings have one spelling, one place and everything that a person needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from trivy_reports import config_report, fault, image_report, misconfiguration, os_section

from aegis.model.refs import ObjectRef
from aegis.model.security import Category, SecurityComparison, SecurityFinding, Severity
from aegis.security.trivytool.findings import misconfigurations, of_files, rule_id, spellings, vulnerabilities
from aegis.security.trivytool.placed import Placed
from aegis.security.trivytool.report import read_report
from aegis.security.trivytool.seal import Seal

IMAGE = ObjectRef(api_version="", kind="Image", name="shop:1")
POD = ObjectRef(api_version="v1", kind="Pod", name="web")


@pytest.mark.parametrize("name", ["KSV001", "KSV-0001", "AVD-KSV-0001", "avd-ksv-0001", "KSV0001"])
def test_a_check_has_one_name_and_is_known_by_all(name: str) -> None:
    assert rule_id(name) == "KSV-0001"
    assert spellings(name) == ("AVD-KSV-0001", "KSV001")


def test_other_names_stay_as_they_are() -> None:
    assert rule_id("github-pat") == "github-pat"
    assert spellings("CVE-2024-1") == ()
    assert (rule_id("AVD-DS-0002"), rule_id("DS002")) == ("DS-0002", "DS-0002")


def test_a_vulnerability() -> None:
    entry = fault("GHSA-aaaa-bbbb-cccc", "django", VendorIDs=["CVE-2024-1", "PYSEC-1"], PkgPath="a/METADATA")
    (found,) = vulnerabilities(read_report(json.dumps(image_report(os_section(entry))).encode()), IMAGE)
    assert found.category is Category.VULNERABILITY
    assert found.aliases == ("CVE-2024-1", "PYSEC-1")
    assert found.title == "a fault"
    assert found.description.endswith("Mended in 2.0.")
    assert (found.package, found.fixed_version, found.file) == ("django", "2.0", "a/METADATA")
    assert found.purl.startswith("pkg:deb/debian/django@1.0?")


def test_versions_releases_and_aliases_do_not_make_it_another() -> None:
    def read(name: str, version: str, *vendors: str) -> list:  # type: ignore[type-arg]  # of findings
        purl = {"PURL": f"pkg:deb/debian/zlib1g@{version}?arch=amd64&distro=debian-{version}"}
        entry = fault(name, "zlib1g", VendorIDs=list(vendors), PkgIdentifier=purl, InstalledVersion=version)
        return vulnerabilities(read_report(json.dumps(image_report(os_section(entry))).encode()), IMAGE)

    before, after = read("CVE-2024-1", "1.0", "GHSA-x"), read("GHSA-x", "1.1", "CVE-2024-1")
    change = SecurityComparison(before=tuple(before), after=tuple(after))
    assert (len(change.fixed), len(change.new), len(change.same)) == (0, 0, 1)


def test_what_is_missing_or_odd_is_no_reason_to_fail() -> None:
    entry = {
        "VulnerabilityID": "CVE-2024-1",
        "PkgIdentifier": 3,
        "VendorIDs": "x",
        "Severity": None,
        "Status": "affected",
    }
    (found,) = vulnerabilities(read_report(json.dumps(image_report(os_section(entry))).encode()), IMAGE)
    assert (found.severity, found.aliases, found.purl) == (Severity.UNKNOWN, (), "")
    assert "Nobody has mended it yet (affected)." in found.description


def test_a_failed_check_is_placed_in_its_object() -> None:
    text = "kind: Pod\nspec:\n  containers:\n    - name: app\n      image: a\n    - name: side\n      image: b\n"
    report = config_report("0001-pod-web.yaml", failed={"0001-pod-web.yaml": [misconfiguration("KSV017", 6, 7)]})
    (section,) = read_report(json.dumps(report).encode()).sections
    (found,) = misconfigurations(section, Placed.of(POD, text))
    assert (found.rule_id, found.location, found.subject) == ("KSV-0017", "containers[side]", POD)
    assert (found.file, found.line, found.category) == ("0001-pod-web.yaml", 6, Category.CONFIG)
    assert found.description.count("..") == 0


def test_a_secret_is_known_by_its_mark(tmp_path: Path) -> None:
    entry = {
        "RuleID": "github-pat",
        "Severity": "CRITICAL",
        "Title": "Token",
        "StartLine": 3,
        "Offset": 30,
        "Match": "GH=**********",
    }
    report = {"SchemaVersion": 2, "Results": [{"Target": "a.env", "Class": "secret", "Secrets": [entry]}]}
    seal = Seal(base=tmp_path, salt="salt")
    (tmp_path / "a.env").write_bytes(b"x" * 30 + b"1234567890" + b"rest")
    (found,) = of_files(read_report(json.dumps(report).encode()), IMAGE, seal)
    assert found.location == seal.of_text("1234567890")
    assert (found.category, found.file, found.line) == (Category.SECRET, "a.env", 3)


def test_a_line_at_fault_is_known_when_it_moves_and_is_not_told(tmp_path: Path) -> None:
    def read(number: int, line: str) -> tuple[SecurityFinding, ...]:
        code = {"Lines": [{"Number": number, "Content": line, "IsCause": True}]}
        entry = misconfiguration("DS031", number, number, CauseMetadata={"StartLine": number, "Code": code})
        report = {
            "SchemaVersion": 2,
            "Results": [{"Target": "Dockerfile", "Class": "config", "Misconfigurations": [entry]}],
        }
        return tuple(of_files(read_report(json.dumps(report).encode()), IMAGE, Seal(base=tmp_path, salt="s")))

    was, moved, other = read(2, "ENV P=hunter2"), read(9, " ENV P=hunter2"), read(2, "ENV P=other")
    assert "hunter2" not in str([item.to_dict() for item in was])
    assert SecurityComparison(before=was, after=moved).new == ()
    assert len(SecurityComparison(before=was, after=other).new) == 1
