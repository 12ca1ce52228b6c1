"""How the smoke gate puts what it counted."""

import pytest

from aegis.model.verdict import Outcome
from aegis.shadow.gates.smoke import PLUGIN
from aegis.shadow.smoke import Counted


def counted(requests: int, failures: int, name: str = "Service web:80") -> Counted:
    return Counted(name=name, requests=requests, failures=failures, errors={"HTTP 500": failures} if failures else {})


@pytest.mark.parametrize(
    ("totals", "outcome", "inconclusive"),
    [
        ([counted(72, 0)], Outcome.PASSED, False),
        ([counted(72, 0), counted(72, 72, "b")], Outcome.FAILED, False),
        ([counted(144, 2)], Outcome.ERRORED, True),
        ([counted(72, 0), counted(144, 2, "b")], Outcome.ERRORED, True),
    ],
)
def test_one_bad_check_is_enough_and_too_few_requests_decide_nothing(
    totals: list[Counted], outcome: Outcome, inconclusive: bool
) -> None:
    gate = PLUGIN._say(totals)
    assert (gate.outcome, gate.inconclusive, gate.required, gate.weight) == (outcome, inconclusive, True, 15)
    if outcome is not Outcome.PASSED:
        assert "HTTP 500" in gate.reason
