"""`aegis rules replay` and `except` on real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.interfaces.cli.main import run

RULES = """
- rule: shell
  desc: d
  condition: evt.type = execve and proc.name in (sh, bash) and not proc.pname = login
  output: "%proc.name"
  priority: NOTICE
- rule: exec
  desc: d
  condition: evt.type = execve
  output: "%proc.name"
  priority: DEBUG
"""
SILENT = "- rule: shell\n  condition: and not (k8s.ns.name = ci and proc.cwd = /x)\n  override: {condition: append}\n"


def line(namespace: str, **more: Any) -> str:
    fields = {
        "evt.type": "execve",
        "proc.name": "sh",
        "proc.exepath": "/bin/sh",
        "k8s.ns.name": namespace,
        "container.image.repository": "busybox",
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    return json.dumps({"rule": "shell", "output": "o", "priority": "Notice", "output_fields": fields})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "silent.yaml").write_text(SILENT)
    told = [line("ci", proc__cwd="/x"), line("ci", proc__cwd="/y"), line("shop"), line("ci"), "no alert"]
    (tmp_path / "alerts.jsonl").write_text("\n".join(told))
    return tmp_path


def answered(capsys: pytest.CaptureFixture[str], *words: object, status: int = 0) -> dict[str, Any]:
    assert run(["rules", *map(str, words), "-o", "json"]) == status
    answer = json.loads(capsys.readouterr().out)
    assert isinstance(answer, dict)
    return answer


def test_replay(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("--rules", place / "rules.yaml", place / "silent.yaml")
    report = answered(capsys, "replay", *files, "--from", place / "alerts.jsonl")
    assert report["kind"] == "ReplayReport"
    counts = {key: report[key] for key in ("alerts", "suppressed", "kept", "unknown", "unmasked", "missing_fields")}
    assert counts == {
        "alerts": 4, "suppressed": 1, "kept": 2, "unknown": 1, "unmasked": 1, "missing_fields": ["proc.cwd"],
    }  # fmt: skip
    assert "ids" not in report
    assert report["seconds"] > 0
    again = answered(capsys, "replay", *files, "--from", place / "alerts.jsonl", "-v")
    assert [len(again["ids"][group]) for group in ("suppressed", "kept", "unknown", "unmasked")] == [1, 2, 1, 1]


def test_replay_of_one_file_with_its_own_override(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "one.yaml").write_text(RULES + SILENT)
    report = answered(capsys, "replay", "--rules", place / "one.yaml", "--from", place / "alerts.jsonl")
    assert (report["suppressed"], report["kept"], report["unknown"]) == (1, 2, 1)


def test_replay_with_a_baseline(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("--rules", place / "rules.yaml", "--baseline", place / "rules.yaml")
    assert answered(capsys, "replay", *files, "--from", place / "alerts.jsonl")["kept"] == 4
    without = answered(capsys, "replay", "--rules", place / "rules.yaml", "--from", place / "alerts.jsonl")
    assert (without["unknown"], without["missing_fields"]) == (4, ["proc.pname"])


def test_replay_for_people(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("--rules", place / "rules.yaml", place / "silent.yaml")
    assert run(["rules", "replay", *map(str, files), "--from", str(place / "alerts.jsonl")]) == 0
    shown = capsys.readouterr()
    assert "4 alerts: 1 suppressed, 2 kept, 1 unknown" in shown.out
    assert "then 'exec' fires instead of 'shell': 1 times" in shown.out
    assert "append_output:" in shown.out
    assert "1 lines of" in shown.err


def test_except(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("except", "shell", "--rules", place / "rules.yaml", "--from", place / "alerts.jsonl")
    answer = answered(capsys, *words, "--where", "k8s.ns.name = ci", "--owner", "me", "--expires", "2030-01-31")
    assert set(answer) == {"apiVersion", "kind", "exception_yaml", "scope", "proof", "refused", "notes"}
    assert answer["refused"] is None
    assert answer["scope"]["fields"] == ["k8s.ns.name", "container.image.repository", "proc.exepath"]
    assert (answer["scope"]["owner"], answer["scope"]["expires"]) == ("me", "2030-01-31")
    assert (answer["proof"]["kind"], answer["proof"]["suppressed"], answer["proof"]["kept"]) == ("ReplayReport", 3, 1)
    assert yaml.safe_load(answer["exception_yaml"])[0]["override"] == {"exceptions": "append"}
    (place / "made.yaml").write_text(answer["exception_yaml"])
    report = answered(
        capsys, "replay", "--rules", place / "rules.yaml", place / "made.yaml", "--from", place / "alerts.jsonl"
    )
    assert (report["suppressed"], report["kept"]) == (3, 1)


def test_except_without_rules(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = answered(capsys, "except", "shell", "--from", place / "alerts.jsonl", "--where", "k8s.ns.name = shop")
    assert answer["proof"]["suppressed"] == 1
    assert answer["notes"]


def test_except_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("except", "shell", "--rules", place / "rules.yaml", "--from", place / "alerts.jsonl", "--form", "macro")
    answer = answered(capsys, *words, status=1)
    assert "no user_known_" in answer["refused"]
    assert answer["exception_yaml"] is None
    assert run(["rules", *map(str, words)]) == 1
    assert capsys.readouterr().out.startswith("refused: ")


def test_except_for_people(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("except", "shell", "--rules", place / "rules.yaml", "--from", place / "alerts.jsonl")
    assert run(["rules", *map(str, words)]) == 0
    shown = capsys.readouterr().out
    assert yaml.safe_load(shown)[0]["rule"] == "shell"
    assert "# proved by replay: 4 of 4 alerts suppressed" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["except", "nobody", "--rules", "rules.yaml", "--from", "alerts.jsonl"],
        ["except", "nobody", "--from", "alerts.jsonl"],
        ["except", "shell", "--from", "alerts.jsonl", "--where", "("],
        ["except", "shell", "--from", "alerts.jsonl", "--where", "no.field = 1"],
        ["except", "shell", "--from", "alerts.jsonl", "--where", "k8s.ns.name = x"],
        ["except", "shell", "--from", "alerts.jsonl", "--expires", "soon"],
        ["replay", "--rules", "alerts.jsonl", "--from", "alerts.jsonl"],
        ["replay", "--rules", "rules.yaml", "--from", "nowhere"],
        ["replay", "--rules", "rules.yaml"],
    ],
)
def test_wrong_usage(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(place)
    assert run(["rules", *words]) == 2
    assert capsys.readouterr().out == ""
