"""`aegis doctor` where there is no cluster: everything else is still said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegis.interfaces.cli.main import run


def test_each_finding_has_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert run(["mode", "set", "observe", "--reason", "test"]) == 0
    capsys.readouterr()
    assert run(["doctor", "-o", "json"]) == 1
    result = json.loads(capsys.readouterr().out)
    found = {item["check"]: item for item in result["items"]}
    assert result["kind"] == "Doctor"
    assert (found["python"]["status"], found["audit log"]["status"]) == ("ok", "ok")
    assert found["mode"]["status"] == "warning"
    assert found["cluster"]["status"] == "missing"
    assert all(item["remedy"] for item in result["items"] if item["status"] != "ok")
    assert run(["doctor"]) == 1
    assert "What to do:" in capsys.readouterr().out
