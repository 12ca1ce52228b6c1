"""What an incident's state means outside."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from aegis.flows.decide import Reason
from aegis.flows.outcome import exit_status, remediation_to_dict
from aegis.model.incident import Incident, Phase
from aegis.model.refs import ObjectRef

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")


def incident(phase: Phase, reason: str = "") -> Incident:
    return Incident(
        id="inc-1", cluster_uid="c", target=WEB, opened_at=datetime(2026, 3, 4, tzinfo=UTC), phase=phase, reason=reason
    )


@pytest.mark.parametrize(
    ("phase", "reason", "status"),
    [
        (Phase.RESOLVED, "", 0),
        (Phase.RESOLVED, Reason.HANDED_OFF, 0),
        (Phase.FAILED, Reason.ROLLED_BACK, 1),
        (Phase.FAILED, Reason.NOT_RESOLVED, 1),
        (Phase.FAILED, "NotReproduced", 3),
        (Phase.FAILED, "Infrastructure", 3),
        (Phase.FAILED, Reason.NEEDS_HUMAN, 3),
        (Phase.FAILED, Reason.DRIFTED, 4),
        (Phase.FAILED, Reason.GITOPS_OWNED, 4),
        (Phase.FAILED, Reason.REFUSED, 4),
        (Phase.REJECTED, "", 4),
        (Phase.TIMEOUT, "", 4),
        (Phase.AWAITING_APPROVAL, "", 4),
        (Phase.ANALYZING, "", 3),
    ],
)
def test_exit_statuses(phase: Phase, reason: str, status: int) -> None:
    assert exit_status(incident(phase, reason)) == status


def test_every_key_of_the_contract_is_there_from_the_start() -> None:
    document = json.loads(json.dumps(remediation_to_dict(incident(Phase.DETECTED))))
    keys = [
        "incident",
        "phase",
        "reason",
        "diagnosis",
        "fix",
        "verdict",
        "security",
        "approval",
        "applied",
        "rolled_back",
        "handoff",
        "audit",
    ]
    assert set(keys) <= document.keys()
    assert (document["apiVersion"], document["kind"]) == ("aegis.io/v1", "Remediation")
    assert document["audit"] == {"first": 0, "last": 0}
