"""The prompt at a real (pseudo) terminal: the default is No, and high risk is never answered by an option."""

from __future__ import annotations

import asyncio
import io
import os
import pty
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from flow_world import World, api_server, world

from aegis.flows.remediation import open_incident, run
from aegis.flows.tools import Tools
from aegis.interfaces.cli.approver import TerminalApprover
from aegis.model.changes import Risk
from aegis.model.diagnosis import Diagnosis
from aegis.model.evidence import Evidence
from aegis.model.incident import Incident, Phase
from aegis.model.refs import ObjectRef


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[World]:
    async with api_server(tmp_path) as kubeconfig, world(tmp_path, kubeconfig) as made:
        await made.make(colour="red")
        yield made


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The person's side of a terminal."""
    person, program = pty.openpty()
    with os.fdopen(program, "r", encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield person
    os.close(person)


async def asked(shop: World, approver: TerminalApprover, risk: Risk = Risk.LOW) -> Incident:
    async def investigate(target: ObjectRef) -> tuple[tuple[Evidence, ...], Diagnosis]:
        evidence, found = await shop.investigate(target)
        return evidence, replace(found, fixes=tuple(replace(fix, risk=risk) for fix in found.fixes))

    tools: Tools = await shop.tools(approver=approver, investigate=investigate)
    return await run(tools, await open_incident(tools, shop.target))


@pytest.mark.parametrize(
    ("typed", "phase"),
    [
        ("y\n", Phase.RESOLVED),
        ("yes\n", Phase.RESOLVED),
        ("\n", Phase.REJECTED),
        ("no\n", Phase.REJECTED),
        ("yy\n", Phase.REJECTED),
    ],
)
async def test_only_a_clear_yes_is_one(
    shop: World, terminal: int, typed: str, phase: Phase, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.get_running_loop().call_later(0.2, os.write, terminal, typed.encode())
    incident = await asked(shop, TerminalApprover(links={"grafana": "http://grafana.example/d/x"}))
    assert incident.phase is phase
    shown = capsys.readouterr()
    assert shown.out == "", "stdout is for results"
    assert "[y/N]" in shown.err
    panel = shown.err
    for words in (
        "ConfigMap/settings",
        'data.colour: "blue"',
        "ACCEPT",
        "taken over from kubectl",
        "sha256:",
        "grafana",
    ):
        assert words in panel


async def test_yes_answers_for_low_and_medium(shop: World, capsys: pytest.CaptureFixture[str]) -> None:
    incident = await asked(shop, TerminalApprover(links={}, yes=True), Risk.MEDIUM)
    assert incident.phase is Phase.RESOLVED
    assert "Answering yes" in capsys.readouterr().err


async def test_yes_does_not_answer_for_high_risk(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    incident = await asked(shop, TerminalApprover(links={}, yes=True), Risk.HIGH)
    assert incident.phase is Phase.AWAITING_APPROVAL
    assert shop.real_writes() == []


async def test_a_pipe_is_nobody_to_ask(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    incident = await asked(shop, TerminalApprover(links={}))
    assert incident.phase is Phase.AWAITING_APPROVAL


async def test_a_dry_run_asks_nothing(shop: World, terminal: int, capsys: pytest.CaptureFixture[str]) -> None:
    incident = await asked(shop, TerminalApprover(links={}, yes=True, dry_run=True))
    assert incident.phase is Phase.AWAITING_APPROVAL
    assert "data.colour" in capsys.readouterr().err
    assert shop.real_writes() == []


async def test_a_dry_run_says_yes_to_nothing_however_quiet(shop: World) -> None:
    ended = await asked(shop, TerminalApprover(links={}, yes=True, quiet=True, dry_run=True))
    assert (ended.phase, ended.approval) == (Phase.AWAITING_APPROVAL, None)
