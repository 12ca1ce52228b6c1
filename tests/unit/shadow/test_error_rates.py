"""What is promised of the judge's errors, in the small; `bench/judge.py` is the whole of it.

The counts are seeded, so this cannot flake; each promise is asserted with the exact 95 % bound of its rate.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
from bench import judge, rivals
from bench.traces import Cell, Trace

from aegis.model.verdict import Decision
from aegis.shadow.statistics import clopper_pearson_upper


def counted(rows: Iterable[judge.Row], trials: int) -> tuple[int, int, int]:
    """How often AEGIS accepted, rejected and was asked, over all rows."""
    results = [judge.run(replace(row, share=1.0), trials, rivals=False) for row in rows]
    return sum(r.accepted for r in results), sum(r.rejected for r in results), sum(r.trials for r in results)


def useless(*, regular: bool) -> list[judge.Row]:
    return [row for row in judge.rows() if row.cell.factor == 1 and row.cell.regular is regular]


def named(*parts: str) -> list[judge.Row]:
    found = [row for row in judge.rows() if any(part in row.cell.name for part in parts)]
    assert len(found) >= len(parts)
    return found


@pytest.mark.parametrize(("regular", "trials"), [(False, 300), (True, 75)])
def test_useless_fixes_are_accepted_in_less_than_one_of_a_hundred(regular: bool, trials: int) -> None:
    accepted, _, asked = counted(useless(regular=regular), trials)
    assert asked >= 5 * trials
    assert clopper_pearson_upper(accepted, asked) <= 0.01


def test_twice_the_latency_is_accepted_in_less_than_one_of_a_hundred() -> None:
    accepted, _, asked = counted(named("twice the latency"), 100)
    assert clopper_pearson_upper(accepted, asked) <= 0.01


def test_what_is_good_is_accepted_and_in_less_than_one_of_a_hundred_rejected() -> None:
    promised = [row for row in judge.rows() if row.rejected is not None]
    good = [row for row in promised if row.at_least is not None]
    accepted, rejected, asked = counted(good, 25)
    _, more_rejected, more_asked = counted([row for row in promised if row not in good], 25)
    assert clopper_pearson_upper(asked - accepted, asked) <= 0.05
    assert clopper_pearson_upper(rejected + more_rejected, asked + more_asked) <= 0.01


def test_a_judge_that_errs_is_found_out() -> None:
    row = useless(regular=True)[0]
    result = judge.Result(row=row, trials=100, accepted=2, rejected=98, others={})
    assert result.broken() == "accepted 2 of 100"
    assert replace(result, accepted=1).broken() == ""
    good = next(row for row in judge.rows() if row.at_least)
    assert "only" in judge.Result(row=good, trials=100, accepted=94, rejected=0, others={}).broken()
    assert "rejected" in judge.Result(row=good, trials=100, accepted=97, rejected=2, others={}).broken()


def test_a_trial_is_the_same_for_every_rule_in_whatever_order_they_look() -> None:
    cell = Cell(name="any", seconds=100.0, factor=1.0)
    one, other = Trace(cell, "1"), Trace(cell, "1")
    one.answers("g", 600)
    assert [rule(one) for rule in rivals.RULES.values()] == [rule(other) for rule in reversed(rivals.RULES.values())][
        ::-1
    ]
    assert one.answers("c", 600) == other.answers("c", 600)
    assert judge.by_aegis(one) is judge.by_aegis(other) is Decision.REJECT


# ── the rules of others say what their sources say ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("success", "failure", "value", "phase"),
    [
        (lambda v: v >= 0.95, None, 0.95, "Successful"),
        (lambda v: v >= 0.95, None, 0.94, "Failed"),
        (lambda v: v >= 0.95, None, math.nan, "Failed"),
        (None, lambda v: v < 0.95, math.nan, "Successful"),
        (lambda v: v >= 0.95, lambda v: v < 0.9, 0.92, "Inconclusive"),
        (lambda v: v >= 0.95, lambda v: v < 0.9, math.nan, "Inconclusive"),
        (None, None, math.nan, "Successful"),
    ],
)
def test_a_measurement_of_argo_rollouts(
    success: rivals.Condition | None, failure: rivals.Condition | None, value: float, phase: str
) -> None:
    assert rivals.measurement(value, success, failure) == phase
    assert rivals.argo([value], success, failure) == phase


@pytest.mark.parametrize(
    ("control", "experiment", "label"),
    [
        ([], [1.0], "Nodata"),
        ([1.0], [math.nan], "Nodata"),
        ([1.0, 2.0], [2.0, 1.0], "Pass"),
        ([1.0, 1.0], [1.0], "Pass"),
        ([1.0 + n / 100 for n in range(10)], [3.0 + n / 100 for n in range(10)], "High"),
        ([1.0 + n / 100 for n in range(10)], [0.2 + n / 100 for n in range(10)], "Pass"),
        ([1.0 + n / 100 for n in range(3)], [2.0 + n / 100 for n in range(3)], "High"),
        ([0.0] * 9 + [0.1], [0.0] * 8 + [0.1, 0.1], "Pass"),
    ],
)
def test_a_metric_of_kayenta(control: list[float], experiment: list[float], label: str) -> None:
    assert rivals.classify(control, experiment) == label


def test_a_group_without_data_scores_100_at_kayenta() -> None:
    assert rivals.group_score(["Nodata"]) == 100
    assert rivals.group_score(["Error"]) == 100
    assert rivals.group_score(["Pass", "High"]) == 50
