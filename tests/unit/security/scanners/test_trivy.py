"""Trivy's scanner against a program that fails in every way; what the real one finds is held in tests/scanners."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_tool import ACTED, EXPECTED, FakeTool, Fault
from trivy_reports import CANARY, MUTE, NOW, config_report, desk, fault, image_report, install, os_section, version

from aegis.model.refs import Json
from aegis.model.scan import Image, Manifests, Runtime, ScanResult, ScanStatus, Source, Url
from aegis.model.security import SecurityComparison, Severity
from aegis.security.runner import Runner
from aegis.security.scanners.trivy import PLUGIN

FOUND = image_report(os_section(fault("CVE-2024-1", "zlib1g"), fault("CVE-2024-2", "bash", "UNKNOWN", "")))
POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "app", "image": "nginx:1.27"}]},
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "shop.tar"
    path.write_bytes(b"an image")
    return path


async def scan(tool: FakeTool, archive: Path, **rules: Any) -> ScanResult:
    return await PLUGIN.scan(Image(reference="shop:1", archive=archive), desk(tool, **rules))


def test_what_it_looks_at(tmp_path: Path) -> None:
    assert PLUGIN.accepts(Manifests(objects=()))
    assert PLUGIN.accepts(Image(reference="a"))
    assert PLUGIN.accepts(Source(path=tmp_path))
    assert not PLUGIN.accepts(Url(url="http://127.0.0.1"))
    assert not PLUGIN.accepts(Runtime(namespace="a", since=NOW, until=NOW))


# ── the fault table ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ACTED)
async def test_whatever_the_tool_does_the_scan_says_so_and_nothing_is_left(
    tmp_path: Path, archive: Path, kind: Fault
) -> None:
    tool = install(tmp_path / "bin", kind=kind, answer=FOUND)
    result = await scan(tool, archive)
    assert result.status in EXPECTED[kind]
    assert result.findings == ()
    assert result.reason
    assert "\x1b" not in result.reason
    await tool.assert_nothing_is_left()
    assert not any(Path(call["env"]["HOME"]).exists() for call in tool.calls())


@pytest.mark.parametrize(
    ("plan", "kind"),
    [
        ({"answer": image_report()}, Fault.NO_COVERAGE),
        ({"answer": image_report(os_section(packages=0))}, Fault.NO_COVERAGE),
        ({"answer": image_report(os_section()), "canary": MUTE}, Fault.EMPTY_DATABASE),
        ({"answer": FOUND, "version": version(age=timedelta(days=15))}, Fault.OLD_DATABASE),
        ({"answer": FOUND, "version": version(age=timedelta(days=-2))}, Fault.OLD_DATABASE),
        ({"answer": FOUND, "version": version(database=False)}, Fault.OLD_DATABASE),
    ],
)
async def test_an_answer_without_proof_is_not_believed(
    tmp_path: Path, archive: Path, plan: dict[str, Any], kind: Fault
) -> None:
    result = await scan(install(tmp_path, **plan), archive)
    assert result.status in EXPECTED[kind]
    assert not result.status.complete


@pytest.mark.parametrize("kind", [Fault.EMPTY, Fault.TRUNCATED, Fault.WRONG_JSON, Fault.PANIC])
async def test_manifests_are_not_clean_either(tmp_path: Path, kind: Fault) -> None:
    tool = install(tmp_path, kind=kind, answer=config_report("0001-pod-web.yaml"))
    result = await PLUGIN.scan(Manifests(objects=(POD,)), desk(tool))
    assert result.status is ScanStatus.ERROR


async def test_a_manifest_without_its_section_was_not_looked_at(tmp_path: Path) -> None:
    other = {**POD, "metadata": {"name": "other"}}
    tool = install(tmp_path, answer=config_report("0001-pod-web.yaml"))
    result = await PLUGIN.scan(Manifests(objects=(POD, other)), desk(tool))
    assert (result.status, result.coverage.missing) == (ScanStatus.PARTIAL, ("Pod/other",))
    unread = config_report("0001-pod-web.yaml", "0002-pod-other.yaml")
    unread["Results"][1]["MisconfSummary"] = {"Successes": 0, "Failures": 0}
    tool = install(tmp_path, answer=unread)
    assert (await PLUGIN.scan(Manifests(objects=(POD, other)), desk(tool))).coverage.missing == ("Pod/other",)


async def test_no_space_to_work_in_is_an_error(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    result = await scan(install(tmp_path, answer=FOUND), archive)
    assert result.status is ScanStatus.ERROR


# ── what is refused, what is skipped ─────────────────────────────────────────────────────────────────────────────────


async def test_an_image_of_the_embedded_registry_is_skipped_with_its_reason(tmp_path: Path) -> None:
    tool = install(tmp_path, answer=FOUND)
    why = "the embedded registry's images have no layers"
    result = await PLUGIN.scan(Image(reference="nginx:1.27", layerless=why), desk(tool))
    assert (result.status, result.reason) == (ScanStatus.SKIPPED, why)
    assert tool.calls() == []


@pytest.mark.parametrize("number", ["0.69.4", "v0.69.5", "0.69.6"])
async def test_a_trojaned_release_is_refused(tmp_path: Path, archive: Path, number: str) -> None:
    tool = install(tmp_path, answer=FOUND, version=version(number=number))
    result = await scan(tool, archive)
    assert (result.status, "malicious" in result.reason) == (ScanStatus.ERROR, True)
    assert [call["argv"][0] for call in tool.calls()] == ["version"]
    assert "malicious" in (await PLUGIN.probe(desk(tool))).absent


async def test_one_that_is_stamped_so_is_not_even_run(tmp_path: Path, archive: Path) -> None:
    tool = install(tmp_path, answer=FOUND)
    with tool.path.open("a", encoding="utf-8") as file:
        file.write("# -X=github.com/aquasecurity/trivy/pkg/version/app.ver=0.69.5\n")
    result = await scan(tool, archive)
    assert (result.status, result.tool.version) == (ScanStatus.ERROR, "0.69.5")
    assert tool.calls() == []


async def test_a_missing_tool_names_the_remedy(tmp_path: Path) -> None:
    tool = install(tmp_path, kind=Fault.MISSING)
    assert "security.trivy_path" in (await PLUGIN.probe(desk(tool))).absent


async def test_a_probe_of_a_broken_tool_says_what_is_wrong(tmp_path: Path) -> None:
    tool = FakeTool.install(tmp_path, "trivy", fault=Fault.PANIC)
    assert "crashed" in (await PLUGIN.probe(desk(tool))).absent


async def test_what_is_no_reference_is_never_passed_on(tmp_path: Path) -> None:
    tool = install(tmp_path, answer=FOUND)
    result = await PLUGIN.scan(Image(reference="--output=/tmp/x"), desk(tool))
    assert (result.status, "no image reference" in result.reason) == (ScanStatus.ERROR, True)
    result = await PLUGIN.scan(Image(reference="a", archive=tmp_path / "none.tar"), desk(tool))
    assert (result.status, "there is no file" in result.reason) == (ScanStatus.ERROR, True)
    assert {call["argv"][0] for call in tool.calls()} == {"version"}


# ── how it is asked ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_it_runs_in_an_empty_folder_with_a_clean_environment(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVY_SEVERITY", "LOW")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    tool = install(tmp_path, answer=image_report(os_section()))
    assert (await scan(tool, archive)).status is ScanStatus.CLEAN
    asked, image, canary = tool.calls()
    assert [call["argv"][0] for call in (asked, image, canary)] == ["version", "image", "sbom"]
    for call in (asked, image, canary):
        assert call["listing"] == []
        assert {key for key in call["env"] if not key.startswith("LC_")} == {"PATH", "HOME", "TMPDIR"}
        assert call["env"]["HOME"] == call["env"]["TMPDIR"] != str(Path.home())
        assert not Path(call["env"]["HOME"]).exists()
        assert "--config=/dev/null" in call["argv"] or "/dev/null" in call["argv"]
    for option in ("--ignorefile=/dev/null", "--show-suppressed", "--skip-db-update", "--disable-telemetry"):
        assert option in image["argv"]
    assert image["argv"][-2:] == ["--input", str(archive)]
    assert not any(word.startswith(("--exit-code", "--severity", "--ignore-")) for word in image["argv"])


async def test_only_a_pull_sees_the_logins_of_registries(tmp_path: Path) -> None:
    tool = install(tmp_path, answer=FOUND)
    await PLUGIN.scan(Image(reference="registry.example/shop@sha256:" + "a" * 64, platform="linux/amd64"), desk(tool))
    pull = tool.calls()[1]
    assert pull["env"]["HOME"] == str(Path.home())
    assert pull["argv"][-4:-1] == ["--image-src", "remote", "--"]
    assert pull["argv"][pull["argv"].index("--platform") + 1] == "linux/amd64"


# ── what it makes of an answer ───────────────────────────────────────────────────────────────────────────────────────


async def test_findings_with_what_proves_them(tmp_path: Path, archive: Path) -> None:
    tool = install(tmp_path, answer=FOUND)
    result = await scan(tool, archive)
    assert result.status is ScanStatus.FINDINGS
    assert [(item.rule_id, item.severity) for item in result.findings] == [
        ("CVE-2024-1", Severity.HIGH),
        ("CVE-2024-2", Severity.UNKNOWN),
    ]
    assert result.tool.database == NOW - timedelta(days=1)
    assert (result.tool.version, result.details["image_id"]) == ("0.74.0", "sha256:aa")
    assert [call["argv"][0] for call in tool.calls()] == ["version", "image"]
    assert json.dumps(result.to_dict())


async def test_what_trivy_was_told_to_hide_is_a_finding_and_is_told(tmp_path: Path, archive: Path) -> None:
    hidden = {
        "Type": "vulnerability", "Status": "not_affected", "Source": "VEX", "Statement": "trust me",
        "Finding": fault("CVE-2024-3", "curl"),
    }  # fmt: skip
    tool = install(tmp_path, answer=image_report(os_section(ExperimentalModifiedFindings=[hidden])))
    result = await scan(tool, archive)
    assert [item.rule_id for item in result.findings] == ["CVE-2024-3"]
    assert result.details["suppressed"] == [
        {"id": "CVE-2024-3", "status": "not_affected", "source": "VEX", "why": "trust me"}
    ]


async def test_an_end_of_life_that_comes_is_new_and_one_that_stays_is_the_same(tmp_path: Path, archive: Path) -> None:
    living = await scan(install(tmp_path, answer=image_report(os_section())), archive)
    ended = await scan(install(tmp_path, answer=image_report(os_section(), ended=True)), archive)
    assert living.status is ScanStatus.CLEAN
    change = SecurityComparison(before=living.findings, after=ended.findings)
    assert [item.rule_id for item in change.new] == ["os-end-of-life"]
    assert SecurityComparison(before=ended.findings, after=ended.findings).new == ()


async def test_a_database_that_is_replaced_during_the_scan_is_an_error(tmp_path: Path, archive: Path) -> None:
    cache = tmp_path / "cache"
    (cache / "db").mkdir(parents=True)
    (cache / "db" / "trivy.db").write_bytes(b"old")
    for name, answer in (("version", version()), ("image", FOUND), ("sbom", CANARY)):
        (tmp_path / f"{name}.json").write_text(json.dumps(answer), encoding="utf-8")
    program = tmp_path / "trivy"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = image ] && echo newer > {cache}/db/trivy.db\ncat {tmp_path}/$1.json\n', encoding="utf-8"
    )
    program.chmod(0o755)
    tool = FakeTool(path=program, seconds=30)
    result = await scan(tool, archive, trivy_cache=cache)
    assert (result.status, "was replaced" in result.reason) == (ScanStatus.ERROR, True)


async def test_an_image_that_is_declared_empty_may_be(tmp_path: Path, archive: Path) -> None:
    bare = {**image_report(), "Metadata": {"ImageID": "sha256:aa", "DiffIDs": ["sha256:bb"]}}
    tool = install(tmp_path, answer=bare)
    assert (await scan(tool, archive)).status is ScanStatus.PARTIAL
    assert (await scan(tool, archive, trivy_scratch=("shop:1",))).status is ScanStatus.CLEAN


async def test_what_is_kept_of_a_scan_is_not_given_once_its_database_is_too_old(tmp_path: Path, archive: Path) -> None:
    tool = install(tmp_path, answer=FOUND, version=version(age=timedelta(days=13)))
    at = replace(desk(tool), cache=tmp_path / "kept")
    image = Image(reference="shop:1", archive=archive)
    assert (await Runner(desk=at).look(PLUGIN, image)).status is ScanStatus.FINDINGS
    assert (await Runner(desk=at).look(PLUGIN, image)).coverage.notes
    later = replace(at, now=lambda: NOW + timedelta(days=2))
    assert (await Runner(desk=later).look(PLUGIN, image)).status is ScanStatus.ERROR
