"""The gates as plug-ins: every file is found, and those that are not there say so."""

from typing import Any

import pytest

from aegis.model.verdict import Outcome
from aegis.plugins import discover
from aegis.shadow.case import Stage, StagedGate
from aegis.shadow.judge import HEALTH, REPRODUCTION, ROLLOUT

GATES: dict[str, Any] = {gate.name: gate for gate in discover("aegis.shadow.gates", StagedGate)}

COMPARED = {"errors", "latency", "memory", "logs"}


def test_all_gates_are_there() -> None:
    present = {name for name, gate in GATES.items() if gate.stage is not Stage.ABSENT}
    assert present == {ROLLOUT, REPRODUCTION, HEALTH, "smoke", "podsecurity", "falco", "exploit", *COMPARED}


def test_the_keys_carry_the_weights() -> None:
    weights = {name: gate.weight for name, gate in GATES.items() if gate.weight}
    assert weights == {HEALTH: 30, REPRODUCTION: 20, "smoke": 15, "errors": 15, "latency": 10, "memory": 5, "logs": 5}


@pytest.mark.parametrize("name", ["kubesec", "semgrep", "trivy", "zap"])
async def test_what_is_not_part_of_it_says_so_and_is_not_passed(name: str) -> None:
    gate = GATES[name]
    result = await gate.judge(None)
    assert (gate.stage, result.outcome, result.required) == (Stage.ABSENT, Outcome.SKIPPED, False)
    assert result.reason.startswith("not part of this release")
