"""`aegis local` where nothing runs, and what its registry holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegis.errors import Unavailable
from aegis.interfaces.cli.main import run
from aegis.localcluster import daemon
from aegis.localcluster.options import ClusterOptions


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["local", "status", "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["running"] is False
    assert run(["local", "down"]) == 0
    assert "No local cluster" in capsys.readouterr().out


@pytest.mark.parametrize("option", [("--nodes", "0"), ("--time-scale", "0"), ("--time-scale", "100000")])
def test_a_cluster_that_cannot_be_is_a_usage_error(option: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["local", "up", *option]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("options", "falco"), [((), True), (("--no-falco",), False)])
def test_falco_is_there_unless_it_is_not_wanted(
    options: tuple[str, ...], *, falco: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ClusterOptions] = []

    def up(wanted: ClusterOptions, **_: object) -> None:
        asked.append(wanted)
        raise Unavailable("not here")

    monkeypatch.setattr(daemon, "up", up)
    assert run(["local", "up", *options]) == Unavailable.exit_status
    assert [wanted.falco for wanted in asked] == [falco]


def test_the_registry_holds_what_the_contract_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["local", "images", "-o", "json"]) == 0
    held = {item["image"].removeprefix("docker.io/library/") for item in json.loads(capsys.readouterr().out)["items"]}
    assert {"python:3.12-slim", "busybox:1.36", "nginx:1.27"} <= held
