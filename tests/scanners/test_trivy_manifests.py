"""The real trivy over canonical manifests and over folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evasions import EVASIONS, HARMLESS
from oci_image import debian
from trivy_database import library_advisory, os_advisory, vulnerability, write_database

from aegis.model.scan import Manifests, ScanStatus, Source
from aegis.model.security import Category, SecurityComparison, Severity
from aegis.security.canonical import canonicalise
from aegis.security.desk import Desk, ScanRules
from aegis.security.scanners.trivy import PLUGIN

ADVISORIES: dict[str, dict[str, dict[str, Any]]] = {
    "debian 12": {"openssl": {"CVE-2024-1001": os_advisory("3.0.15-1~deb12u1")}},
    "pip::Test": {"django": {"CVE-2024-1004": library_advisory("<4.2.10", "4.2.10")}},
}
DETAILS = {"CVE-2024-1001": vulnerability("HIGH", "one"), "CVE-2024-1004": vulnerability("MEDIUM", "four")}


POD = EVASIONS["plain"].decode().replace("name: plain", "name: web")


@pytest.fixture
def desk(tool: Callable[[str], Path], tools_path: str, tmp_path: Path) -> Desk:
    cache = write_database(tmp_path / "cache", ADVISORIES, DETAILS)
    return Desk(rules=ScanRules(programs={"trivy": tool("trivy")}, trivy_cache=cache), path=tools_path)


def manifests(text: str | bytes) -> Manifests:
    return Manifests(objects=canonicalise(text).plain)


# ── manifests ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_finding_names_the_container_and_knows_it_again_when_lines_moved(desk: Desk) -> None:
    before = await PLUGIN.scan(manifests(POD), desk)
    moved = POD.replace("  containers:\n", "  containers:\n    - name: aaa\n      image: busybox:1.36\n")
    after = await PLUGIN.scan(manifests(moved), desk)
    (one,) = [item for item in before.findings if item.rule_id == "KSV-0017"]
    assert one.location == "containers[app]"
    assert one.severity is Severity.HIGH
    assert one.category is Category.CONFIG
    assert one.aliases == ("AVD-KSV-0017", "KSV017")
    change = SecurityComparison(before=before.findings, after=after.findings)
    assert change.fixed == ()
    assert {item.location for item in change.new} == {"containers[aaa]"}


async def test_each_object_has_its_section_or_the_scan_is_partial(desk: Desk) -> None:
    custom = "apiVersion: example.com/v1\nkind: Foo\nmetadata: {name: c}\nspec: {a: b}\n"
    result = await PLUGIN.scan(manifests(f"{HARMLESS}---\n{custom}"), desk)
    assert result.status is ScanStatus.CLEAN
    assert result.coverage.scanned == ("ConfigMap/harmless", "Foo/c")


async def test_checks_need_no_database(desk: Desk, tmp_path: Path) -> None:
    rules = ScanRules(programs=desk.rules.programs, trivy_cache=tmp_path / "none")
    result = await PLUGIN.scan(manifests(POD), Desk(rules=rules, path=desk.path))
    assert result.status is ScanStatus.FINDINGS


async def test_no_objects_are_clean_without_a_run(desk: Desk) -> None:
    result = await PLUGIN.scan(Manifests(objects=()), desk)
    assert (result.status, result.raw_digest) == (ScanStatus.CLEAN, "")


# ── folders ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


async def test_a_folder_is_looked_at_in_all_ways(desk: Desk, tmp_path: Path) -> None:
    source = write(tmp_path / "src", {
        "requirements.txt": "django==4.2.5\n",
        "Dockerfile": "FROM debian:12\n#trivy:ignore:*\nUSER root\n",
        "deploy/pod.yaml": f"{HARMLESS}--- # c\n{POD}",
        "config.env": "GH=ghp_012345678901234567890123456789abcdef\n",
        "trivy.yaml": "severity: [CRITICAL]\n",
        ".trivyignore": "CVE-2024-1004\n",
        "values.yaml": "replicas: 3\n",
    })  # fmt: skip
    result = await PLUGIN.scan(Source(path=source), desk)
    found = {(item.rule_id, item.file): item for item in result.findings}
    assert result.reason == ""
    assert result.status is ScanStatus.FINDINGS
    assert ("CVE-2024-1004", "requirements.txt") in found
    assert found["github-pat", "config.env"].category is Category.SECRET
    assert found["ignore-comment", "Dockerfile"].line == 2
    assert found["KSV-0017", "deploy/pod.yaml"].line == 14
    assert "ghp_0123" not in str(result.to_dict())


async def test_another_secret_in_the_same_place_is_new_and_a_moved_one_is_not(desk: Desk, tmp_path: Path) -> None:
    first, other = "ghp_012345678901234567890123456789abcdef", "ghp_abcdef012345678901234567890123456789"
    source = tmp_path / "src"
    results = []
    for text in (f"GH={first}\n", f"# moved\nGH={first}\n", f"GH={other}\n"):
        write(source, {"config.env": text})
        results.append(await PLUGIN.scan(Source(path=source), desk))
    assert [len(result.findings) for result in results] == [1, 1, 1]
    was, moved, changed = (result.findings for result in results)
    assert SecurityComparison(before=was, after=moved).new == ()
    assert len(SecurityComparison(before=was, after=changed).new) == 1


async def test_a_manifest_that_is_refused_makes_the_scan_partial(desk: Desk, tmp_path: Path) -> None:
    source = write(tmp_path / "src", {"pod.yaml": EVASIONS["duplicate-key"]})
    result = await PLUGIN.scan(Source(path=source), desk)
    assert result.status is ScanStatus.PARTIAL
    assert result.coverage.missing == ("pod.yaml",)
    assert "stands twice" in result.reason


async def test_a_root_file_system_is_known_by_its_release(desk: Desk, tmp_path: Path) -> None:

    root = write(tmp_path / "root", dict(debian("12.5", [("libssl3", "openssl", "3.0.11-1~deb12u2")])))
    result = await PLUGIN.scan(Source(path=root), desk)
    assert [item.rule_id for item in result.findings] == ["CVE-2024-1001"]
    assert result.coverage.scanned == ("packages of debian 12.5",)
    assert result.details["mode"] == "root"


async def test_what_is_not_there_is_an_error(desk: Desk, tmp_path: Path) -> None:
    result = await PLUGIN.scan(Source(path=tmp_path / "nowhere"), desk)
    assert (result.status, "there is no" in result.reason) == (ScanStatus.ERROR, True)
