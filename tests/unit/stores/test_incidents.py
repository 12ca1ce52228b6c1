from __future__ import annotations

import dataclasses
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aegis.errors import Conflict, NotFound, Refused, Unavailable
from aegis.model.changes import Apply, ChangeSet, Delete, Evict, Fix, JsonPatch, Provenance, Risk
from aegis.model.diagnosis import Alternative, Citation, Confidence, Diagnosis, Link
from aegis.model.evidence import Evidence, Tier
from aegis.model.health import Health
from aegis.model.incident import Approval, Handoff, Incident, Phase, Undo
from aegis.model.refs import ObjectRef
from aegis.model.security import SecurityComparison, SecurityFinding, Severity
from aegis.model.symptom import Manner, Signature
from aegis.model.verdict import Decision, GateResult, Outcome, Verdict
from aegis.stores.incidents import SqliteIncidentStore

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
NOW = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=UTC)


def _full() -> Incident:
    patch = JsonPatch(target=WEB, patch=({"op": "add", "path": "/spec/x", "value": [1, "a", None, {"b": True}]},))
    changes = (
        Apply(target=WEB, patch={"spec": {"replicas": 2, "list": [{"name": "a", "value": "é"}]}}),
        patch,
        Delete(target=WEB, uid="u1"),
        Evict(target=WEB, uid="u2"),
    )
    change_set = ChangeSet(target=WEB, target_uid="u", base_generation=4, spec_hash="sha256:x", changes=changes)
    fix = Fix(
        id="restore-env",
        summary="s",
        change_set=change_set,
        risk=Risk.LOW,
        provenance=(Provenance(path="a.b", value={"k": 1}, source="rs", evidence_id="e1"),),
    )
    inner = Diagnosis(target=WEB, verdict=Confidence.LIKELY, cause="dns")
    diagnosis = Diagnosis(
        target=WEB,
        verdict=Confidence.CONFIRMED,
        cause="missing_env",
        root=WEB,
        chain=(Link(ref=WEB, because="b"),),
        citations=(Citation(evidence_id="e1", lines=("l1", "l2")),),
        alternatives=(Alternative(cause="c", why_not="w"),),
        fixes=(fix, Fix(id="h", summary="t", change_set=None, risk=Risk.HIGH, needs="human")),
        signature=Signature(manner=Manner.CRASH, reason="Error", exit_code=1, container="web", line="KeyError"),
        also=(inner,),
    )
    finding = SecurityFinding(
        source="podsecurity", rule_id="r", severity=Severity.HIGH, title="t", description="d", subject=WEB
    )
    return Incident(
        id="inc-0123456789",
        cluster_uid="c1",
        target=WEB,
        opened_at=NOW,
        phase=Phase.MONITORING,
        evidence=(
            Evidence(
                id="e1",
                source="log",
                tier=Tier.LOG,
                subject=WEB,
                observed_at=NOW,
                summary="s",
                payload={"lines": ["x"]},
            ),
        ),
        diagnosis=diagnosis,
        fix=fix,
        verdict=Verdict(
            decision=Decision.ACCEPT,
            reason="Accepted",
            score_low=0.5,
            score_high=1.0,
            gates=(GateResult(gate="g", outcome=Outcome.PASSED, required=True, measured=1.5),),
        ),
        security=SecurityComparison(before=(finding,), after=()),
        approval=Approval(digest="d", by="me", at=NOW, expires_at=NOW + timedelta(minutes=15), nonce="n"),
        undo=Undo(changes=(patch,), before_hashes={"a": "b"}, after_hashes={}),
        applied_at=NOW,
        asked_at=NOW,
        baseline=Health(wanted=2, ready=1, crashes=3, settled=False),
        handoff=Handoff(owner="argo", app="a", repo="r", path="p", files=("f",)),
    )


def test_fields_of_an_incident_are_all_in_the_example() -> None:
    unset = {field.name for field in dataclasses.fields(Incident) if getattr(_full(), field.name) is None}
    assert unset == set()


async def test_everything_comes_back_equal(tmp_path: Path) -> None:
    store = SqliteIncidentStore(tmp_path / "s" / "i.db", cluster_uid="c1")
    saved = await store.save(_full())
    assert saved.version == 1
    store.close()
    again = SqliteIncidentStore(tmp_path / "s" / "i.db", cluster_uid="c1")
    loaded = await again.load(saved.id)
    assert loaded == saved
    assert loaded.fix
    assert loaded.fix.change_set
    assert saved.fix
    assert saved.fix.change_set
    assert loaded.fix.change_set.digest == saved.fix.change_set.digest
    assert [type(change) for change in loaded.fix.change_set.changes] == [Apply, JsonPatch, Delete, Evict]
    assert stat.S_IMODE((tmp_path / "s" / "i.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700
    again.close()


async def test_a_stale_save_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "i.db"
    one, two = SqliteIncidentStore(path, cluster_uid="c1"), SqliteIncidentStore(path, cluster_uid="c1")
    first = await one.save(_full())
    await two.save(dataclasses.replace(await two.load(first.id), reason="two"))
    with pytest.raises(Conflict):
        await one.save(dataclasses.replace(first, reason="one"))
    with pytest.raises(Conflict):
        await one.save(_full())
    assert (await one.load(first.id)).reason == "two"
    one.close()
    two.close()


async def test_finding_by_prefix_target_and_phase(tmp_path: Path) -> None:
    store = SqliteIncidentStore(tmp_path / "i.db", cluster_uid="c1")
    base = Incident(id="inc-aaaa", cluster_uid="c1", target=WEB, opened_at=NOW)
    await store.save(base)
    await store.save(dataclasses.replace(base, id="inc-aabb", opened_at=NOW + timedelta(1), phase=Phase.RESOLVED))
    other = dataclasses.replace(WEB, name="db")
    await store.save(dataclasses.replace(base, id="inc-cc%_", target=other))
    assert (await store.load("inc-aab")).id == "inc-aabb"
    for wrong in ("inc-aa", "inc-x", "", "inc-%"):
        with pytest.raises(NotFound):
            await store.load(wrong)
    assert [item.id for item in await store.list(target=WEB)] == ["inc-aabb", "inc-aaaa"]
    assert [item.id for item in await store.list(target=WEB, open_only=True)] == ["inc-aaaa"]
    assert len(await store.list()) == 3
    stranger = SqliteIncidentStore(tmp_path / "i.db", cluster_uid="c2")
    assert await stranger.list() == []
    with pytest.raises(Refused, match=r"inc-aaaa belongs to another cluster \(c1, not c2\)"):
        await stranger.load("inc-aaaa")
    store.close()
    stranger.close()


async def test_a_broken_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "i.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(Unavailable):
        await SqliteIncidentStore(tmp_path / "i.db", cluster_uid="c1").list()
