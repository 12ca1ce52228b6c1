"""`aegis audit` and `aegis mode` on a real log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegis.interfaces.cli.main import run


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of three records, made by setting the mode."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for mode in ("observe", "frozen", "run"):
        assert run(["mode", "set", mode, "--reason", f"to {mode}"]) == 0
    return tmp_path / "aegis" / "audit" / "audit.jsonl"


def test_a_whole_log_is_whole(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["audit", "verify", "-o", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["whole"], result["records"], result["fault"]) == (True, 3, None)


@pytest.mark.parametrize("harm", ["changed", "removed", "cut", "swapped"])
def test_any_harm_ends_with_1_and_is_named(log: Path, harm: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third = log.read_text(encoding="utf-8").splitlines(keepends=True)
    harmed = {
        "changed": [first, second.replace("frozen", "harmed"), third],
        "removed": [first, third],
        "cut": [first, second],
        "swapped": [second, first, third],
    }
    log.write_text("".join(harmed[harm]), encoding="utf-8")
    capsys.readouterr()
    assert run(["audit", "verify", "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["fault"]["message"]


@pytest.mark.parametrize("command", ["tail", "export"])
def test_a_damaged_line_is_no_defect_of_ours(log: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    log.write_text("".join([lines[0], "{half\n", lines[2]]), encoding="utf-8")
    capsys.readouterr()
    assert run(["audit", command]) == 69
    assert "aegis audit verify" in capsys.readouterr().err
    assert run(["audit", "verify"]) == 1


def test_the_tail_and_the_export_hold_the_records(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["audit", "tail", "--lines", "2", "-o", "jsonl"]) == 0
    assert [json.loads(line)["sequence"] for line in capsys.readouterr().out.splitlines()] == [2, 3]
    assert run(["audit", "export", "-o", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["kind"], len(result["items"])) == ("AuditList", 3)
    assert all(item["hash"] for item in result["items"])
    assert run(["audit", "tail"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("3 ")


def test_the_mode_is_kept_with_its_story(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["mode", "set", "hardstop", "--reason", "fire"]) == 0
    capsys.readouterr()
    assert run(["mode", "show", "-o", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["kind"], result["mode"], result["reason"]) == ("Mode", "hardstop", "fire")
    assert result["by"]
