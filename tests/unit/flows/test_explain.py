"""Which fix is tried."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aegis.errors import UsageError
from aegis.flows.explain import choose
from aegis.model.changes import ChangeSet, Fix, Risk
from aegis.model.diagnosis import Confidence, Diagnosis
from aegis.model.refs import ObjectRef

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
SET = ChangeSet(target=WEB, target_uid="u", base_generation=1, spec_hash="h", changes=())
GOOD = Fix(id="good", summary="", change_set=SET, risk=Risk.LOW)
OPEN = Fix(id="open", summary="", change_set=None, risk=Risk.LOW, needs="human")
RISKY = replace(GOOD, id="risky", risk=Risk.HIGH, needs="human")


def diagnosis(*fixes: Fix) -> Diagnosis:
    return Diagnosis(target=WEB, verdict=Confidence.CONFIRMED, cause="x", root=WEB, fixes=fixes)


def test_the_best_that_needs_nobody() -> None:
    assert choose(diagnosis(OPEN, RISKY, GOOD)) is GOOD
    assert choose(diagnosis(OPEN, RISKY)) is None
    assert choose(diagnosis()) is None


def test_a_person_may_choose_one_that_needs_a_person() -> None:
    assert choose(diagnosis(GOOD, RISKY), "risky") is RISKY


@pytest.mark.parametrize(("wanted", "said"), [("open", "only a person knows"), ("other", "has no fix other")])
def test_what_cannot_be_chosen(wanted: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose(diagnosis(OPEN, GOOD), wanted)
