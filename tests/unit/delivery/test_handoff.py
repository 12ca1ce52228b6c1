"""What the owner of an object is given."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from aegis.delivery.handoff import Owner, emit
from aegis.errors import UsageError
from aegis.model.changes import Apply, ChangeSet, Fix, JsonPatch, Provenance, Risk
from aegis.model.incident import Incident
from aegis.model.refs import ObjectRef
from aegis.model.verdict import Decision, GateResult, Outcome, Verdict

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
SVC = ObjectRef(api_version="v1", kind="Service", name="web", namespace="shop")
CHANGES = (
    Apply(target=WEB, patch={"spec": {"replicas": 2}}),
    JsonPatch(target=SVC, patch=({"op": "replace", "path": "/spec/selector/app", "value": "web"},)),
)
SET = ChangeSet(target=WEB, target_uid="u", base_generation=1, spec_hash="h", changes=CHANGES)
INCIDENT = Incident(
    id="inc-1",
    cluster_uid="c",
    target=WEB,
    opened_at=datetime(2026, 3, 4, tzinfo=UTC),
    fix=Fix(
        id="f",
        summary="Two pods again",
        change_set=SET,
        risk=Risk.LOW,
        provenance=(Provenance(path="spec.replicas", value=2, source="revision 3"),),
    ),
    verdict=Verdict(
        decision=Decision.ACCEPT,
        reason="Accepted",
        score_low=1,
        score_high=1,
        gates=(GateResult(gate="smoke", outcome=Outcome.PASSED, required=True, coverage="a | b"),),
        gaps=("no load",),
    ),
)
OWNER = Owner(owner="Argo CD", app="shop", repo="https://git.example/shop", path="web")


def test_the_files_say_what_to_change_why_and_where(tmp_path: Path) -> None:
    handoff = emit(tmp_path / "out", INCIDENT, OWNER, {"kind": "Remediation"})
    assert [Path(name).name for name in handoff.files] == [
        "01-deployment-web.apply.yaml",
        "02-service-web.json-patch.yaml",
        "PULL_REQUEST.md",
        "verification.json",
    ]
    assert (handoff.owner, handoff.app, handoff.repo, handoff.path) == (
        "Argo CD",
        "shop",
        "https://git.example/shop",
        "web",
    )
    applied = yaml.safe_load((tmp_path / "out" / "01-deployment-web.apply.yaml").read_text())
    assert applied == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 2},
    }
    patch = yaml.safe_load((tmp_path / "out" / "02-service-web.json-patch.yaml").read_text())
    assert patch == [{"op": "replace", "path": "/spec/selector/app", "value": "web"}]
    bundle = json.loads((tmp_path / "out" / "verification.json").read_text())
    assert (bundle["kind"], bundle["digest"]) == ("VerificationBundle", SET.digest)
    text = (tmp_path / "out" / "PULL_REQUEST.md").read_text()
    assert all(words in text for words in ("# Two pods again", "no load", "revision 3", "https://git.example/shop"))
    assert "a \\| b" in text, "a gate's words do not break the table"


def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        emit(tmp_path / "file", INCIDENT, OWNER, {})


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("../../etc/x", "01-deployment--..-etc-x.json-patch.yaml"),
        ("a/b", "01-deployment-a-b.json-patch.yaml"),
        ("x" * 300, f"01-deployment-{'x' * 100}.json-patch.yaml"),
    ],
)
def test_a_hostile_name_stays_in_the_folder(tmp_path: Path, name: str, file: str) -> None:
    change = JsonPatch(target=replace(WEB, name=name), patch=({"op": "remove", "path": "/spec/paused"},))
    assert INCIDENT.fix is not None
    incident = replace(INCIDENT, fix=replace(INCIDENT.fix, change_set=replace(SET, changes=(change,))))
    handoff = emit(tmp_path / "out", incident, OWNER, {})
    assert Path(handoff.files[0]).name == file
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        (Owner(), "Nobody but the cluster itself"),
        (OWNER, "kustomization.yaml"),
        (Owner(owner="Helm", app="web"), "helm upgrade"),
        (Owner(owner="Shop/main"), "Change what it is made from"),
    ],
)
def test_the_words_say_how_it_gets_to_its_owner(tmp_path: Path, owner: Owner, words: str) -> None:
    emit(tmp_path, INCIDENT, owner, {})
    assert words in (tmp_path / "PULL_REQUEST.md").read_text(encoding="utf-8")
