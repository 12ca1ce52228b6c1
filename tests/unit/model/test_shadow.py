"""How a shadow stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aegis.model.refs import ObjectRef
from aegis.model.shadow import Home, Seen, ShadowPhase, ShadowSession, Stage, Wanted, phase_of, session_to_dict

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
SESSION = ShadowSession(
    id="1a2b3c4d",
    provider="namespace",
    cluster_uid="c",
    target=WEB,
    created_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    stage=Stage.STANDING,
    home=Home(name="aegis-shadow-1a2b3c4d-s", uid="u1"),
    workloads=(Wanted(ref=WEB, pods=2),),
)
READY, HALF, GONE = Seen(there=True, ready={WEB: 2}), Seen(there=True, ready={WEB: 1}), Seen(there=False)


@pytest.mark.parametrize(
    ("stage", "seen", "minutes", "phase"),
    [
        (Stage.STANDING, READY, 1, ShadowPhase.READY),
        (Stage.STANDING, HALF, 1, ShadowPhase.STARTING),
        (Stage.STANDING, GONE, 1, ShadowPhase.LOST),
        (Stage.STANDING, READY, 61, ShadowPhase.EXPIRED),
        (Stage.STANDING, GONE, 61, ShadowPhase.EXPIRED),
        (Stage.CREATING, GONE, 1, ShadowPhase.CREATING),
        (Stage.VERIFYING, READY, 1, ShadowPhase.VERIFYING),
        (Stage.VERIFYING, GONE, 1, ShadowPhase.LOST),
        (Stage.DELETING, READY, 1, ShadowPhase.DELETING),
        (Stage.FAILED, GONE, 1, ShadowPhase.FAILED),
    ],
)
def test_what_is_stored_and_what_is_seen_say_how_it_stands(
    stage: Stage, seen: Seen, minutes: int, phase: ShadowPhase
) -> None:
    now = NOW + timedelta(minutes=minutes)
    assert phase_of(replace(SESSION, stage=stage), seen, now) is phase


def test_a_phase_from_which_nothing_becomes_ready() -> None:
    over = {ShadowPhase.DELETING, ShadowPhase.EXPIRED, ShadowPhase.LOST, ShadowPhase.FAILED}
    assert {phase for phase in ShadowPhase if phase.over} == over


def test_the_document_says_all_of_it() -> None:
    shown = session_to_dict(SESSION, HALF, NOW)
    assert (shown["kind"], shown["phase"], shown["uid"]) == ("ShadowSession", "Starting", "u1")
    assert shown["workloads"] == [{"kind": "Deployment", "name": "web", "ready": 1, "wanted": 2}]
    assert shown["expires_at"] == "2026-03-04T13:00:00Z"
    assert session_to_dict(replace(SESSION, home=None), GONE, NOW)["namespace"] is None
