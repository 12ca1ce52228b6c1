"""Silence counts against a program only where the node was there to listen."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from aegis.localcluster.api import Pace
from aegis.localcluster.kubelet.pods import running
from aegis.localcluster.kubelet.pods.probes import Answer, Probe, Tcp
from aegis.localcluster.kubelet.pods.running import Run

PROBE = Probe(
    kind="liveness",
    action=Tcp(host="10.0.0.1", port=80),
    initial_delay=0,
    period=1,
    timeout=0.1,
    successes=1,
    failures=3,
    grace=None,
)
SILENCE = Answer(ok=False, message="i/o timeout")


@pytest.fixture
async def run() -> Run:
    made = Run.__new__(Run)
    made._host = SimpleNamespace(pace=Pace(), dial=None)  # type: ignore[assignment]
    made.end = asyncio.get_running_loop().create_future()
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each asking keeps the whole loop from running; then it is answered with silence."""
    waits: list[float] = []

    async def ask(*_: Any, **__: Any) -> Answer:
        time.sleep(waits.pop(0))  # noqa: ASYNC251 - that is what a node without time does
        return SILENCE if waits else Answer(ok=True)

    monkeypatch.setattr(running, "ask", ask)
    return waits


async def test_a_node_that_overslept_asks_again(run: Run, asked: list[float]) -> None:
    asked += [0.2, 0.2, 0.0]
    assert (await run._heard(PROBE)).ok
    assert asked == []


async def test_a_silent_program_is_silent(run: Run, asked: list[float]) -> None:
    asked += [0.0, 0.0]
    assert await run._heard(PROBE) == SILENCE
    assert asked == [0.0]


async def test_oversleeping_is_no_excuse_for_ever(run: Run, asked: list[float]) -> None:
    asked += [0.16] * 20
    assert await run._heard(PROBE) == SILENCE
    assert len(asked) == 9
