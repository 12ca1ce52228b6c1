"""`aegis rules` on real files."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from aegis.interfaces.cli.main import run

WHOLE = """
- list: shells
  items: [sh, bash]
- rule: shell
  desc: a shell
  condition: evt.type = execve and proc.name in (shells)
  output: "%proc.name"
  priority: NOTICE
"""
ALERTS = [
    {"output_fields": {"proc.name": "sh", "evt.type": "execve"}},
    {"output_fields": {"proc.name": "cat", "evt.type": "execve"}},
]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "b.yaml").write_text(WHOLE)
    return tmp_path


def test_good_rules(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "lint", str(rules), "-o", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["kind"], report["successful"], report["errors"], report["warnings"]) == (
        "RulesetReport",
        True,
        [],
        [],
    )
    assert report["rules"] == [
        {
            "name": "shell",
            "priority": "Notice",
            "source": "syscall",
            "enabled": True,
            "condition": "(evt.type = execve and proc.name in (sh, bash))",
        }
    ]


def test_bad_rules_end_with_1_and_show_where(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (rules / "c.yml").write_text("- macro: x\n  condition: proc.name = (a\n")
    assert run(["rules", "lint", str(rules)]) == 1
    said = capsys.readouterr().out
    assert "c.yml:1:3: LOAD_ERR_COMPILE_CONDITION: macro 'x': expected a string value" in said
    assert "\n  proc.name = (a\n              ^\n" in said
    assert "Falco would refuse these rules" in said


def test_a_list_of_rules(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "list", str(rules)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        "Notice",
        "true",
        "syscall",
        f"{rules}/b.yaml:4:3",
        "shell",
    ]


def test_a_condition_on_alerts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "alerts.jsonl"
    file.write_text("not json\n" + "".join(json.dumps(alert) + "\n" for alert in ALERTS))
    assert run(["rules", "eval", "--condition", "proc.name = sh", "--from", str(file), "-o", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["alerts"], result["matched"], result["lines"]) == (2, 1, [2])


def test_a_batch_is_answered_line_by_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"cond": "a and b"},
        {"cond": "a and"},
        {"cond": "proc.name = sh", "fields": {"proc.name": "sh"}},
        {"cond": "proc.name != sh", "fields": {"proc.name": None}},
        {"cond": "proc.pid = x", "fields": {}},
        {"no": 1},
        ["x"],
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows) + "garbage\n\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))
    assert run(["rules", "eval", "--batch", "-"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert answers[0] == {"ok": True, "ast": "(a and b)"}
    assert answers[1] == {"ok": False, "err": "expected blank or '(' after 'and'"}
    assert answers[2:4] == [{"ok": True, "match": True}, {"ok": True, "match": False}]
    assert [answer["ok"] for answer in answers[4:]] == [False] * 4


@pytest.mark.parametrize(
    "words",
    [
        ["lint", "/nowhere.yaml"],
        ["lint", "."],
        ["eval"],
        ["eval", "--condition", "proc.name ="],
        ["eval", "--condition", "proc.nome = x"],
        ["eval", "--batch", "/nowhere"],
    ],
)
def test_wrong_usage_ends_with_2(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["rules", *words]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_our_own_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(WHOLE.replace("evt.type = execve", 'evt.type = execve and proc.cwd contains ""'))
    assert run(["rules", "lint", str(file), "-o", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [one["code"] for one in report["warnings"]] == ["AEGIS_CATCH_ALL"]
    assert [one["code"] for one in report["notes"]] == ["AEGIS_FIELD_NOT_IN_OUTPUT"]
    assert report["successful"]
    assert run(["rules", "lint", str(file), "--strict"]) == 1
    assert "AEGIS_FIELD_NOT_IN_OUTPUT" not in capsys.readouterr().out
    assert run(["rules", "lint", str(file), "-v"]) == 0
    assert "AEGIS_FIELD_NOT_IN_OUTPUT" in capsys.readouterr().out
