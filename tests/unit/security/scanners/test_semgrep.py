"""Semgrep: how it is run, what its answers mean, and that no way of failing reads as clean. The tool itself is a fake here."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_tool import ACTED, EXPECTED, FakeTool, Fault

from aegis.model.scan import Image, Manifests, ScanResult, ScanStatus, Source
from aegis.model.security import SecurityComparison, Severity
from aegis.plugins import members
from aegis.ports import Scanner
from aegis.security.desk import Desk, ScanRules
from aegis.security.scanners import semgrep
from aegis.security.scanners.semgrep import PLUGIN, rules

Json = dict[str, Any]
POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"containers": [{"name": "app", "securityContext": {"privileged": True}}]},
}
SHEET = "sheets/00000-0001-pod-web.yaml"
CANARIES = {
    "aegis-canary-manifest": "sheets/00000-canary.yaml",
    "aegis-canary-command": "sheets/00000-canary.yaml.sh",
    "aegis-canary-instruction": "sheets/00000-canary.dockerfile",
}


def match(rule: str, path: str, line: int = 1, end: int | None = None) -> Json:
    return {"check_id": rule, "path": path, "start": {"line": line, "col": 1}, "end": {"line": end or line, "col": 9}}


def report(*matches: Json, scanned: Iterable[str] = (SHEET,), errors: Iterable[Json] = (), canaries: int = 3) -> Json:
    sung = [match(rule, path) for rule, path in list(CANARIES.items())[:canaries]]
    return {
        "version": "1.182.0",
        "results": [*sung, *matches],
        "errors": list(errors),
        "paths": {"scanned": [*CANARIES.values(), *scanned]},
    }


FOUND = match("k8s-privileged", SHEET, 10)


async def scan(folder: Path, answer: Any, *objects: Json, **options: Any) -> ScanResult:
    tool = FakeTool.install(folder, "semgrep", answer=answer, probes={"--version": "1.182.0\n"}, **options)
    desk = Desk(rules=ScanRules(programs={"semgrep": tool.path}, timeouts={"semgrep": tool.seconds}))
    return await PLUGIN.scan(Manifests(objects=objects or (POD,)), desk)


def test_it_is_a_scanner_of_manifests_and_folders() -> None:
    assert all(hasattr(PLUGIN, name) for name in members(Scanner))
    assert PLUGIN.accepts(Manifests(objects=()))
    assert PLUGIN.accepts(Source(path=Path()))
    assert not PLUGIN.accepts(Image(reference="nginx"))


# ── what an answer means ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_match_becomes_a_finding_of_its_object_and_container(tmp_path: Path) -> None:
    result = await scan(tmp_path, report(FOUND))
    (found,) = result.findings
    assert result.status is ScanStatus.FINDINGS
    assert (found.rule_id, found.severity, str(found.subject)) == (
        "k8s-privileged",
        Severity.CRITICAL,
        "Pod/web in shop",
    )
    assert found.location == "containers[app].securityContext.privileged"
    assert "CWE-250" in found.description
    assert (found.file, found.line) == ("", 0)
    assert result.tool.version == "1.182.0"
    assert result.coverage.scanned == result.coverage.expected == ("Pod/web in shop",)


async def test_the_same_fault_is_the_same_in_another_namespace_and_on_another_line(tmp_path: Path) -> None:
    before = await scan(tmp_path, report(FOUND))
    container = {"name": "other", "image": "a:1"}
    spec = {"containers": [container, *POD["spec"]["containers"]]}
    moved = POD | {"metadata": {"name": "web", "namespace": "aegis-shadow-1"}, "spec": spec}
    after = await scan(tmp_path, report(match("k8s-privileged", SHEET, 12)), moved)
    comparison = SecurityComparison(before=before.findings, after=after.findings)
    assert comparison.new == comparison.fixed == ()
    assert len(comparison.same) == 1


async def test_two_matches_of_one_rule_in_one_place_count_once(tmp_path: Path) -> None:
    assert len((await scan(tmp_path, report(FOUND, FOUND))).findings) == 1


async def test_nothing_found_is_clean(tmp_path: Path) -> None:
    result = await scan(tmp_path, report())
    assert (result.status, result.findings, result.reason) == (ScanStatus.CLEAN, (), "")


@pytest.mark.parametrize("level", ["warn", "error"])
async def test_an_error_of_any_level_makes_the_file_unseen_though_it_stands_among_the_scanned(
    tmp_path: Path, level: str
) -> None:
    error = {"level": level, "type": "Timeout", "message": "Timeout when running k8s-privileged", "path": SHEET}
    result = await scan(tmp_path, report(FOUND, errors=[error]))
    assert result.status is ScanStatus.PARTIAL
    assert result.coverage.missing == ("Pod/web in shop",)
    assert "Timeout when running" in result.reason
    assert result.findings


async def test_a_file_that_was_passed_over_makes_it_partial(tmp_path: Path) -> None:
    result = await scan(tmp_path, report(scanned=()))
    assert result.status is ScanStatus.PARTIAL
    assert "Pod/web in shop: it was not looked at" in result.reason


async def test_an_error_of_no_file_is_an_error_of_all(tmp_path: Path) -> None:
    error = {"level": "error", "type": "Rule parse error", "message": "invalid rule"}
    result = await scan(tmp_path, report(errors=[error], canaries=0), status=2)
    assert result.status is ScanStatus.ERROR
    assert "invalid rule" in result.reason


@pytest.mark.parametrize("canaries", [0, 1, 2])
async def test_a_tool_that_does_not_find_what_is_put_there_has_not_looked(tmp_path: Path, canaries: int) -> None:
    result = await scan(tmp_path, report(canaries=canaries))
    assert result.status is ScanStatus.ERROR
    assert "to be found" in result.reason


@pytest.mark.parametrize("strange", [match("k8s-privileged", "/etc/passwd"), match("somebody-elses-rule", SHEET)])
async def test_an_answer_about_what_was_not_asked_is_an_error(tmp_path: Path, strange: Json) -> None:
    assert (await scan(tmp_path, report(strange))).status is ScanStatus.ERROR


@pytest.mark.parametrize("status", [0, 1, 2, 7])
async def test_the_exit_status_decides_nothing(tmp_path: Path, status: int) -> None:
    assert (await scan(tmp_path, report(FOUND), status=status)).status is ScanStatus.FINDINGS


@pytest.mark.parametrize(
    "spoil",
    [
        lambda said: said.pop("paths"),
        lambda said: said.pop("errors"),
        lambda said: said.update(results={}),
        lambda said: said.update(results=[{"check_id": "x"}]),
        lambda said: said.update(paths=None),
        lambda said: said.update(errors=["x"]),
        lambda said: said.update(results=[match("k8s-privileged", SHEET) | {"start": {"line": "x", "col": 1}}]),
    ],
)
async def test_json_of_another_shape_is_an_error(tmp_path: Path, spoil: Callable[[Json], object]) -> None:
    said = report(FOUND)
    spoil(said)
    assert (await scan(tmp_path, said)).status is ScanStatus.ERROR


# ── how it is run ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_it_is_kept_from_the_network_and_told_every_file_by_name(tmp_path: Path) -> None:
    tool = FakeTool.install(tmp_path, "semgrep", answer=report())
    await PLUGIN.scan(Manifests(objects=(POD,)), Desk(rules=ScanRules(programs={"semgrep": tool.path})))
    (call,) = tool.calls()
    home = call["env"]["HOME"]
    assert call["env"]["SEMGREP_SEND_METRICS"] == "off"
    assert call["env"]["SEMGREP_ENABLE_VERSION_CHECK"] == "0"
    assert {"--metrics=off", "--disable-version-check", "--disable-nosem", "--no-git-ignore"} <= set(call["argv"])
    assert {"--max-target-bytes=0", "--no-rewrite-rule-ids", "--json"} <= set(call["argv"])
    assert [word for word in call["argv"] if word.startswith("sheets/")] == [
        *("sheets/00000-canary.yaml", "sheets/00000-canary.yaml.sh", "sheets/00000-canary.dockerfile"),
        SHEET,
    ]
    assert call["cwd"] == home
    assert f"--config={home}/rules.yaml" in call["argv"]
    assert set(call["listing"]) == {"rules.yaml", "sheets"}
    assert not Path(home).exists()


async def test_its_version_is_asked_once(tmp_path: Path) -> None:
    tool = FakeTool.install(tmp_path, "semgrep", probes={"--version": "1.182.0\n"})
    desk = Desk(rules=ScanRules(programs={"semgrep": tool.path}))
    for _ in range(2):
        found = await PLUGIN.probe(desk)
        assert (found.version, found.digest, found.absent) == ("1.182.0", rules().digest, "")
    assert len(tool.calls()) == 1


async def test_a_missing_program_is_skipped_with_what_to_do() -> None:
    desk = Desk(rules=ScanRules(programs={"semgrep": Path("/nowhere/semgrep")}))
    assert "Install Semgrep" in (await PLUGIN.probe(desk)).absent
    result = await PLUGIN.scan(Manifests(objects=(POD,)), desk)
    assert (result.status, result.tool.absent) == (ScanStatus.SKIPPED, result.reason)


async def test_nothing_to_look_at_runs_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    tool = FakeTool.install(tmp_path, "semgrep", answer="")
    desk = Desk(rules=ScanRules(programs={"semgrep": tool.path}))
    for subject in (Manifests(objects=()), Source(path=folder)):
        result = await PLUGIN.scan(subject, desk)
        assert result.status is ScanStatus.CLEAN
        assert result.coverage.notes
    assert tool.calls() == []


async def test_a_folder_that_can_be_read_in_part_is_partial(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "twice.yaml").write_text("apiVersion: v1\nkind: Pod\nkind: Job\n", encoding="utf-8")
    tool = FakeTool.install(tmp_path, "semgrep", answer=report(scanned=["sheets/00001-image.dockerfile"]))
    desk = Desk(rules=ScanRules(programs={"semgrep": tool.path}))
    alone = await PLUGIN.scan(Source(path=folder), desk)
    (folder / "Dockerfile").write_text("FROM a:1\nUSER 1\n", encoding="utf-8")
    both = await PLUGIN.scan(Source(path=folder), desk)
    for result in (alone, both):
        assert result.status is ScanStatus.PARTIAL
        assert "twice.yaml" in result.reason
    assert both.coverage.scanned == ("Dockerfile",)
    assert both.coverage.missing == ("twice.yaml",)


async def test_a_folder_that_is_not_there_is_partial(tmp_path: Path) -> None:
    tool = FakeTool.install(tmp_path, "semgrep")
    result = await PLUGIN.scan(
        Source(path=tmp_path / "nowhere"), Desk(rules=ScanRules(programs={"semgrep": tool.path}))
    )
    assert result.status is ScanStatus.PARTIAL
    assert "No such file" in result.reason


# ── how it fails ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", [*ACTED, Fault.NO_COVERAGE])
async def test_the_fault_table(tmp_path: Path, fault: Fault) -> None:
    answer = report(scanned=()) if fault is Fault.NO_COVERAGE else report(FOUND)
    acted = None if fault is Fault.NO_COVERAGE else fault
    tool = FakeTool.install(tmp_path, "semgrep", answer=answer, fault=acted)
    desk = Desk(rules=ScanRules(programs={"semgrep": tool.path}, timeouts={"semgrep": tool.seconds}))
    result = await PLUGIN.scan(Manifests(objects=(POD,)), desk)
    assert result.status in EXPECTED[fault]
    assert result.reason
    assert "\x1b" not in result.reason
    await tool.assert_nothing_is_left()


async def test_no_room_to_work_in_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = FakeTool.install(tmp_path, "semgrep", answer=report())
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    result = await PLUGIN.scan(Manifests(objects=(POD,)), Desk(rules=ScanRules(programs={"semgrep": tool.path})))
    assert result.status is ScanStatus.ERROR
    assert "no room" in result.reason


async def test_an_object_that_json_does_not_have_is_an_error(tmp_path: Path) -> None:
    result = await scan(tmp_path, report(), POD | {"spec": {"x": float("nan")}})
    assert result.status is ScanStatus.ERROR


async def test_many_troubles_are_told_in_few_words(tmp_path: Path) -> None:
    objects = [POD | {"metadata": {"name": f"web-{number}"}} for number in range(100)]
    result = await scan(tmp_path, report(scanned=()), *objects)
    assert "and 92 more" in result.reason
    assert len(result.coverage.missing) == 100


async def test_many_matches_in_a_large_file_take_no_long_time(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    lines = 20_000
    (folder / "a.sh").write_text("".join(f"chmod 777 {number}\n" for number in range(lines)), encoding="utf-8")
    sheet = "sheets/00001-script.sh"
    answer = report(*(match("shell-opens-files", sheet, number) for number in range(1, lines + 1)), scanned=[sheet])
    tool = FakeTool.install(tmp_path, "semgrep", answer=answer)
    result = await PLUGIN.scan(Source(path=folder), Desk(rules=ScanRules(programs={"semgrep": tool.path})))
    assert result.status is ScanStatus.FINDINGS


# ── the rules ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_rules_are_whole() -> None:
    written = yaml.safe_load(rules().text)["rules"]
    names = [rule["id"] for rule in written]
    assert len(names) == len(set(names)) == len(rules().cards)
    for rule in written:
        assert rule["languages"] in (["yaml"], ["regex"])
        assert rule["languages"] == ["yaml"] or rule["paths"]["include"]
        if not rule["id"].startswith("aegis-canary"):
            card = rules().cards[rule["id"]]
            assert card.severity in set(Severity) - {Severity.UNKNOWN}
            assert card.cwe.startswith("CWE-")
            assert card.reference.startswith("https://")
            assert card.message.count(". ") >= 1, "what is wrong, and what to do"


def test_the_canaries_fit_their_rules() -> None:
    assert {semgrep._path(sheet) for sheet in semgrep._CANARIES} == set(CANARIES.values())
    assert {name for name in rules().cards if name.startswith("aegis-canary")} == set(CANARIES)


def test_a_change_of_a_rule_changes_the_digest() -> None:
    assert rules().digest.startswith("sha256:")
    assert json.dumps(sorted(rules().cards))
