"""Settings become rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aegis.errors import UsageError
from aegis.evidence.falco import FalcoPlace
from aegis.falco.priority import Priority
from aegis.model.refs import ObjectRef
from aegis.ports import Cluster
from aegis.settings import LoadedSettings, Settings, load
from aegis.wiring.policies import actuator_rules, delivery_policy, links, trial_limits

REAL = Cluster(uid="c", server="https://k8s.example", context="prod", version="v1.33.0")
POD = ObjectRef(api_version="v1", kind="Pod", name="web-1", namespace="shop")


def settings(tmp_path: Path, **flags: Any) -> Settings:
    given = {key.replace("__", "."): value for key, value in flags.items()}
    return load(None, given, environ={"HOME": str(tmp_path)}).settings


def test_the_approval_and_the_watch_are_as_configured(tmp_path: Path) -> None:
    policy = delivery_policy(settings(tmp_path, approval__timeout_minutes=5, monitoring__post_fix_seconds=60))
    assert policy.approval == timedelta(minutes=5)
    assert (policy.watch.window, policy.watch.stable) == (60, 60)
    assert policy.watch.deadline >= policy.watch.window


@pytest.mark.parametrize("seconds", [0.5, 60, 300, 3000, 86400])
def test_any_length_of_the_watch_can_be_met(tmp_path: Path, seconds: float) -> None:
    delivery_policy(settings(tmp_path, monitoring__post_fix_seconds=seconds))


def test_an_approval_names_the_rules_it_was_given_under(tmp_path: Path) -> None:
    usual = delivery_policy(settings(tmp_path)).version
    assert delivery_policy(settings(tmp_path)).version == usual
    assert delivery_policy(settings(tmp_path, safety__writes_per_hour=9)).version != usual
    assert delivery_policy(settings(tmp_path, security__falco_severity_threshold="ERROR")).version != usual
    assert delivery_policy(settings(tmp_path, security__falco_enabled=False)).version != usual
    assert delivery_policy(settings(tmp_path, grafana__url="http://g.example")).version == usual


def loaded(tmp_path: Path, **flags: Any) -> LoadedSettings:
    given = {key.replace("__", "."): value for key, value in flags.items()}
    return load(None, given, environ={"HOME": str(tmp_path)})


def test_the_door_s_rules_are_as_configured(tmp_path: Path) -> None:
    made = actuator_rules(loaded(tmp_path, safety__protected_namespaces="a,b", safety__writes_per_hour=7), REAL)
    assert (made.protected, made.writes_per_hour) == (frozenset({"a", "b"}), 7)
    mark = {"argocd.argoproj.io/tracking-id": "shop:x"}
    assert made.gitops_owner({"metadata": {"annotations": mark}}) == "Argo CD shop"
    assert made.gitops_owner({"metadata": {}}) is None


def test_only_the_embedded_cluster_has_no_rate_unless_one_is_set(tmp_path: Path) -> None:
    embedded = replace(REAL, embedded=True)
    assert actuator_rules(loaded(tmp_path), REAL).writes_per_hour == 3
    assert actuator_rules(loaded(tmp_path), embedded).writes_per_hour is None
    assert actuator_rules(loaded(tmp_path, safety__writes_per_hour=2), embedded).writes_per_hour == 2


def test_secrets_are_copied_only_where_that_is_wanted(tmp_path: Path) -> None:
    named = {"shadow__secrets_allowed": "shop/db"}
    assert trial_limits(settings(tmp_path, **named)).copy_secrets == ()
    assert trial_limits(settings(tmp_path, shadow__secrets="copy", **named)).copy_secrets == ("shop/db",)


@pytest.mark.parametrize(("word", "threshold"), [("info", Priority.INFORMATIONAL), ("Critical", Priority.CRITICAL)])
def test_falco_counts_as_configured(tmp_path: Path, word: str, threshold: Priority) -> None:
    usual = trial_limits(settings(tmp_path)).falco
    assert (usual.enabled, usual.threshold, usual.place) == (True, Priority.WARNING, FalcoPlace())
    given = {
        "security__falco_severity_threshold": word,
        "security__falco_namespace": "falco-system",
        "security__falco_label_selector": "app=falco",
        "security__falco_drain_seconds": 5,
        "security__falco_enabled": False,
    }
    rules = trial_limits(settings(tmp_path, **given)).falco
    assert (rules.enabled, rules.threshold, rules.drain_seconds) == (False, threshold, 5)
    assert rules.place == FalcoPlace(namespace="falco-system", labels="app=falco")


def test_links_are_there_only_where_grafana_is(tmp_path: Path) -> None:
    assert links(settings(tmp_path), POD) == {}
    found = links(settings(tmp_path, grafana__url="http://g.example/"), POD)
    assert found == {"grafana": "http://g.example/d/pod-dashboard?var-namespace=shop&var-pod=web-1"}


PROOF = """\
apiVersion: aegis.io/v1
kind: ProofOfConcept
metadata: {name: lfi}
spec: {image: "python:3.12-slim", command: [python, /proof/script], script: "x"}
"""


def test_proofs_of_concept_are_read_only_where_they_are_let_loose(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(PROOF, encoding="utf-8")
    off = trial_limits(settings(tmp_path, security__exploit_proofs=str(tmp_path / "none.yaml"))).exploit
    assert (off.enabled, off.proofs) == (False, ())
    given = {"security__exploit_sandbox_enabled": True, "security__sandbox_timeout": 7.0}
    made = trial_limits(settings(tmp_path, **given, security__exploit_proofs=str(one))).exploit
    assert (made.enabled, made.seconds, [proof.name for proof in made.proofs]) == (True, 7.0, ["lfi"])
    with pytest.raises(UsageError, match="cannot be read"):
        trial_limits(settings(tmp_path, **given, security__exploit_proofs=str(two)))
    two.write_text(PROOF, encoding="utf-8")
    with pytest.raises(UsageError, match="one name"):
        trial_limits(settings(tmp_path, **given, security__exploit_proofs=f"{one},{two}"))
