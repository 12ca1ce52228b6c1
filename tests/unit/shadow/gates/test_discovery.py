"""The gates as plug-ins: every file is found, and those that are not there say so."""

from typing import Any

from aegis.plugins import discover
from aegis.settings.schema import SCANNERS
from aegis.shadow.case import Stage, StagedGate
from aegis.shadow.judge import HEALTH, REPRODUCTION, ROLLOUT

GATES: dict[str, Any] = {gate.name: gate for gate in discover("aegis.shadow.gates", StagedGate)}

COMPARED = {"errors", "latency", "memory", "logs"}


def test_all_gates_are_there() -> None:
    scanners = {"podsecurity", "kubesec", "semgrep", "trivy", "zap", "falco"}
    assert set(GATES) == {ROLLOUT, REPRODUCTION, HEALTH, "smoke", "exploit", *scanners, *COMPARED}
    assert scanners == set(SCANNERS), "settings know the same names"


def test_what_needs_no_pod_is_scanned_before_one_runs_and_falco_is_asked_last() -> None:
    static = sorted((gate for gate in GATES.values() if gate.stage is Stage.STATIC), key=lambda gate: gate.order)
    assert [gate.name for gate in static] == ["podsecurity", "kubesec", "semgrep", "trivy"]
    after = sorted((gate for gate in GATES.values() if gate.stage is Stage.AFTER), key=lambda gate: gate.order)
    assert [gate.name for gate in after][-2:] == ["zap", "falco"]


def test_the_keys_carry_the_weights() -> None:
    weights = {name: gate.weight for name, gate in GATES.items() if gate.weight}
    assert weights == {HEALTH: 30, REPRODUCTION: 20, "smoke": 15, "errors": 15, "latency": 10, "memory": 5, "logs": 5}
