"""A yes counts for exactly what was shown, once, and not for long."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aegis.delivery.approval import ApprovalExpired, ApprovalVoid, Proposal, approve, check
from aegis.model.changes import Apply, ChangeSet
from aegis.model.refs import ObjectRef

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
CHANGES = ChangeSet(
    target=WEB,
    target_uid="u1",
    base_generation=2,
    spec_hash="sha256:a",
    changes=(Apply(target=WEB, patch={"spec": {"replicas": 2}}),),
)
PROPOSAL = Proposal(
    cluster_uid="c1",
    target_uid="u1",
    spec_hash="sha256:a",
    change_set=CHANGES,
    diff=({"target": WEB.to_dict(), "operations": []},),
    evidence_root="sha256:e",
    policy_version="1",
    expires_at=NOW + timedelta(minutes=15),
    nonce="n1",
)


def test_an_approval_stands_for_the_same_proposal() -> None:
    approval = approve(PROPOSAL, by="ada", at=NOW)
    check(approval, replace(PROPOSAL), now=NOW + timedelta(minutes=14))
    assert approval.by == "ada"


@pytest.mark.parametrize(
    "other",
    [
        {"cluster_uid": "c2"},
        {"target_uid": "u2"},
        {"spec_hash": "sha256:b"},
        {"change_set": replace(CHANGES, changes=(Apply(target=WEB, patch={"spec": {"replicas": 3}}),))},
        {"diff": ()},
        {"evidence_root": "sha256:f"},
        {"policy_version": "2"},
        {"expires_at": NOW + timedelta(minutes=16)},
        {"nonce": "n2"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_an_approval_is_void_for_anything_else(other: dict[str, Any]) -> None:
    approval = approve(PROPOSAL, by="ada", at=NOW)
    with pytest.raises(ApprovalVoid):
        check(approval, replace(PROPOSAL, **other), now=NOW)


def test_an_approval_expires() -> None:
    approval = approve(PROPOSAL, by="ada", at=NOW)
    with pytest.raises(ApprovalExpired):
        check(approval, PROPOSAL, now=NOW + timedelta(minutes=15))
    with pytest.raises(ApprovalExpired):
        approve(PROPOSAL, by="ada", at=NOW + timedelta(minutes=15))
