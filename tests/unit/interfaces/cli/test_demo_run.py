"""How an end is held against the table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aegis.interfaces.cli.demo import BUSY_TIME_SCALE, TIME_SCALE, time_scale_for
from aegis.interfaces.cli.demo_run import differences
from aegis.interfaces.cli.demo_scenario import Expected

EXPECTED = Expected(
    phase="Failed",
    reason="GateRejected",
    decision="REJECT",
    exit_status=1,
    cause="missing_env",
    root_cause="Deployment/web",
    gate="reproduction",
)
ITEM: dict[str, Any] = {
    "phase": "Failed",
    "reason": "GateRejected",
    "decision": "REJECT",
    "exit": 1,
    "cause": "missing_env",
    "root_cause": {"kind": "Deployment", "name": "web"},
    "gates": [{"gate": "reproduction", "outcome": "FAILED"}],
}


def test_as_the_table_says() -> None:
    assert differences(ITEM, EXPECTED) == []


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"phase": "Resolved"}, "phase"),
        ({"reason": ""}, "reason"),
        ({"decision": None}, "decision"),
        ({"exit": 0}, "exit"),
        ({"cause": None}, "cause"),
        ({"root_cause": None}, "root_cause"),
        ({"gates": [{"gate": "reproduction", "outcome": "PASSED"}]}, "reproduction"),
    ],
)
def test_any_difference_is_named(other: dict[str, Any], named: str) -> None:
    (found,) = differences({**ITEM, **other}, EXPECTED)
    assert named in found


def test_what_the_table_leaves_open_is_open() -> None:
    opened = replace(EXPECTED, cause=None, root_cause=None, gate=None)
    assert differences({**ITEM, "cause": None, "root_cause": None, "gates": []}, opened) == []


def test_a_busy_machine_is_given_more_real_time() -> None:
    assert [time_scale_for(load, 2) for load in (0.5, 8.0, 8.1, 40.0)] == [TIME_SCALE] * 2 + [BUSY_TIME_SCALE] * 2
