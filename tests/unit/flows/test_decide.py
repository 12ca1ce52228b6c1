"""The stored state alone decides what comes next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aegis.delivery.regression import Aftermath
from aegis.errors import Defect
from aegis.flows.decide import Intent, Step, advance, first_after_crash, next_step
from aegis.flows.events import (
    Analyzed,
    Applied,
    Approved,
    Asked,
    Begun,
    Declined,
    Event,
    Expired,
    FixChosen,
    HalfApplied,
    HandedOff,
    RolledBack,
    ShadowReserved,
    ShadowSwept,
    Stopped,
    Tried,
    UndoPrepared,
    Watched,
)
from aegis.flows.outcome import exit_status
from aegis.model.changes import Apply, ChangeSet, Fix, Risk
from aegis.model.diagnosis import Confidence, Diagnosis
from aegis.model.health import Health
from aegis.model.incident import Approval, Handoff, Incident, Phase, Undo
from aegis.model.refs import ObjectRef
from aegis.model.verdict import Decision, GateResult, Outcome, Verdict

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
FIX = Fix(
    id="restore",
    summary="put it back",
    change_set=ChangeSet(
        target=WEB, target_uid="u", base_generation=1, spec_hash="h", changes=(Apply(target=WEB, patch={}),)
    ),
    risk=Risk.LOW,
)
NEW = Incident(id="inc-1", cluster_uid="c", target=WEB, opened_at=NOW)
SICK = Diagnosis(target=WEB, verdict=Confidence.CONFIRMED, cause="missing_env", root=WEB, fixes=(FIX,))
ACCEPT = Verdict(decision=Decision.ACCEPT, reason="Accepted", score_low=1, score_high=1, gates=())
YES = Approval(digest="d", by="ada", at=NOW, expires_at=NOW + timedelta(minutes=15), nonce="n")
UNDO = Undo(changes=(), before_hashes={}, after_hashes={})
BASELINE = Health(wanted=2, ready=1)

THE_GOOD_WAY: list[tuple[Step, Event]] = [
    (Step.BEGIN, Begun()),
    (Step.ANALYZE, Analyzed(evidence=(), diagnosis=SICK)),
    (Step.CHOOSE_FIX, FixChosen(fix=FIX)),
    (Step.RESERVE_SHADOW, ShadowReserved(shadow_id="ab12")),
    (Step.TRY, Tried(verdict=ACCEPT)),
    (Step.PREPARE_QUESTION, Asked(nonce="n", at=NOW)),
    (Step.ASK_APPROVAL, Approved(approval=YES)),
    (Step.PREPARE_UNDO, UndoPrepared(undo=UNDO, baseline=BASELINE)),
    (Step.APPLY, Applied(at=NOW)),
    (Step.WATCH, Watched(aftermath=Aftermath.RESOLVED, message="gone")),
]


def after(count: int) -> Incident:
    """The incident after the first so many events of the good way."""
    incident = NEW
    for _, event in THE_GOOD_WAY[:count]:
        incident = advance(incident, event)
    return incident


def test_the_good_way_leads_to_resolved() -> None:
    incident = NEW
    for step, event in THE_GOOD_WAY:
        assert next_step(incident) is step
        incident = advance(incident, event)
    assert (incident.phase, incident.reason, next_step(incident)) == (Phase.RESOLVED, "", None)
    assert exit_status(incident) == 0


@pytest.mark.parametrize("count", range(len(THE_GOOD_WAY) + 1))
def test_no_event_happens_out_of_its_phase(count: int) -> None:
    """Above all no approval and no application of what is over, or was not tried."""
    incident = after(count)
    fitting = THE_GOOD_WAY[count][1] if count < len(THE_GOOD_WAY) else None
    for _, event in THE_GOOD_WAY:
        if isinstance(event, Approved | UndoPrepared | Applied | Watched) and type(event) is not type(fitting):
            if incident.phase is Phase.AWAITING_APPROVAL and isinstance(event, Approved | UndoPrepared):
                continue
            with pytest.raises(Defect):
                advance(incident, event)


def test_what_is_over_stays_over() -> None:
    for event in (Begun(), Stopped(reason="Drifted", message=""), Declined(by="eve")):
        with pytest.raises(Defect):
            advance(after(10), event)


def test_a_dead_trial_is_swept_before_another_shadow_is_reserved() -> None:
    half = after(4)
    assert first_after_crash(half) is Step.SWEEP
    swept = advance(half, ShadowSwept())
    assert (swept.shadow_id, swept.attempts, next_step(swept)) == ("", 1, Step.RESERVE_SHADOW)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 6, 7, 8, 9])
def test_all_else_goes_on_as_it_was_stored(count: int) -> None:
    assert first_after_crash(after(count)) is None


def test_emit_hands_over_instead_of_asking() -> None:
    incident = after(5)
    assert next_step(incident, Intent(emit=True)) is Step.HAND_OFF
    handed = advance(incident, HandedOff(handoff=Handoff(owner="Argo CD", app="a", repo="", path="", files=())))
    assert (handed.phase, handed.reason, exit_status(handed)) == (Phase.RESOLVED, "HandedOff", 0)
    assert handed.applied_at is None


def test_worse_is_stored_before_it_is_rolled_back() -> None:
    worse = advance(after(9), Watched(aftermath=Aftermath.WORSE, message="fewer ready"))
    assert (worse.phase, worse.rolling_back, next_step(worse)) == (Phase.MONITORING, True, Step.ROLL_BACK)
    back = advance(worse, RolledBack())
    assert (back.phase, back.reason, back.rolled_back, exit_status(back)) == (Phase.FAILED, "RolledBack", True, 1)


def test_a_half_applied_set_goes_back() -> None:
    half = advance(after(8), HalfApplied(message="the second was refused", at=NOW))
    assert (next_step(half), half.applied_at) == (Step.ROLL_BACK, NOW)


@pytest.mark.parametrize(
    ("verdict", "reason", "status"),
    [
        (
            Verdict(decision=Decision.REJECT, reason="GateRejected", score_low=0, score_high=0, gates=()),
            "GateRejected",
            1,
        ),
        (
            Verdict(decision=Decision.INCONCLUSIVE, reason="NotReproduced", score_low=0, score_high=1, gates=()),
            "NotReproduced",
            3,
        ),
    ],
)
def test_only_accept_goes_on(verdict: Verdict, reason: str, status: int) -> None:
    ended = advance(after(4), Tried(verdict=verdict))
    assert (ended.phase, ended.reason, exit_status(ended)) == (Phase.FAILED, reason, status)


def test_a_rejection_says_which_gates_were_against() -> None:
    gates = (
        GateResult(gate="rollout", outcome=Outcome.PASSED, required=True, reason="fine"),
        GateResult(gate="reproduction", outcome=Outcome.FAILED, required=True, reason="crashed again"),
    )
    verdict = Verdict(decision=Decision.REJECT, reason="GateRejected", score_low=0, score_high=0, gates=gates)
    assert advance(after(4), Tried(verdict=verdict)).message == "reproduction: crashed again"


@pytest.mark.parametrize(
    ("event", "phase", "status"),
    [
        (Declined(by="ada"), Phase.REJECTED, 4),
        (Expired(message="too late"), Phase.TIMEOUT, 4),
        (Stopped(reason="Drifted", message=""), Phase.FAILED, 4),
    ],
)
def test_the_ways_not_to_apply(event: Event, phase: Phase, status: int) -> None:
    ended = advance(after(6), event)
    assert (ended.phase, exit_status(ended)) == (phase, status)


def test_an_open_question_is_not_done() -> None:
    assert exit_status(after(6)) == 4


@pytest.mark.parametrize(
    ("verdict", "phase", "status"),
    [(Confidence.HEALTHY, Phase.RESOLVED, 0), (Confidence.INCONCLUSIVE, Phase.FAILED, 3)],
)
def test_nothing_to_mend(verdict: Confidence, phase: Phase, status: int) -> None:
    event = Analyzed(evidence=(), diagnosis=Diagnosis(target=WEB, verdict=verdict))
    ended = advance(after(1), event)
    assert (ended.phase, exit_status(ended)) == (phase, status)
    given = advance(replace(after(1), given=True, fix=FIX), event)
    assert next_step(given) is Step.RESERVE_SHADOW, "a given fix is tried whatever the engine knows"


def test_a_dry_run_stops_before_production_even_where_the_yes_was_given() -> None:
    waiting = replace(NEW, phase=Phase.AWAITING_APPROVAL, diagnosis=SICK, fix=FIX, verdict=ACCEPT, nonce="n")
    assert next_step(waiting, Intent(dry_run=True)) is Step.ASK_APPROVAL
    assert next_step(replace(waiting, approval=YES), Intent(dry_run=True)) is None
