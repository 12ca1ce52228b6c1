"""`aegis analyze --from`: recorded evidence, no cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegis.interfaces.cli.main import run

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, uid: u1, labels: {app: web}}
spec:
  containers: [{name: web, image: "nginx:1.99"}]
status:
  phase: Pending
  conditions: [{type: PodScheduled, status: "True"}, {type: Ready, status: "False"}]
  containerStatuses:
    - name: web
      image: nginx:1.99
      ready: false
      restartCount: 0
      state: {waiting: {reason: ImagePullBackOff, message: 'Back-off pulling image "nginx:1.99"'}}
---
apiVersion: v1
kind: Event
metadata: {name: e1, namespace: shop}
involvedObject: {apiVersion: v1, kind: Pod, name: web-1, namespace: shop, uid: u1}
type: Warning
reason: Failed
source: {component: kubelet}
message: 'Failed to pull image "nginx:1.99": manifest for nginx:1.99 not found: manifest unknown'
lastTimestamp: "2026-03-04T12:00:00Z"
"""


@pytest.fixture
def evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "evidence.yaml"
    path.write_text(POD, encoding="utf-8")
    return path


@pytest.mark.parametrize("target", [["po/web-1"], ["pod", "web-1"], ["Pod/web-1", "-n", "shop"], []])
def test_a_target_is_found_however_it_is_spelled(
    evidence: Path, target: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["analyze", *target, "--from", str(evidence), "-o", "json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert (result["kind"], result["cause"]) == ("Diagnosis", "image_not_found")
    assert result["root_cause"]["name"] == "web-1"
    keys = {
        "target",
        "verdict",
        "explanation",
        "chain",
        "evidence",
        "alternatives",
        "also",
        "fixes",
        "metrics",
        "links",
    }
    assert keys <= result.keys()


def test_the_text_says_the_same(evidence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", "--from", str(evidence)]) == 1
    assert "image_not_found" in capsys.readouterr().out


def test_a_name_in_two_namespaces_needs_one(evidence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evidence.write_text(
        POD + "---\n" + POD.replace("namespace: shop", "namespace: other").replace("u1", "u2"), encoding="utf-8"
    )
    assert run(["analyze", "po/web-1", "--from", str(evidence)]) == 2
    assert "other, shop" in capsys.readouterr().err


def test_an_object_that_the_evidence_does_not_hold_is_inconclusive(
    evidence: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["analyze", "deploy/nope", "--from", str(evidence)]) == 3
    assert "nope" in capsys.readouterr().out
