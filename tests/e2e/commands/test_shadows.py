"""Shadows on their own, from their making to their end, as somebody types it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(240)]

KEYS = {
    "apiVersion", "kind", "id", "provider", "phase", "message", "target", "namespace", "uid", "created_at", "expires_at",
    "isolation", "workloads", "pods", "gaps", "decision",
}  # fmt: skip
NAMESPACE = "shop"


@pytest.fixture(scope="module")
def shadow(user: Any) -> Any:
    """Of a workload that is well, and serves nobody: a trial of it needs no load."""
    container = {"name": "catalog", "image": "busybox:1.36", "command": ["sleep", "100000"]}
    template = {"metadata": {"labels": {"app": "catalog"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "catalog"}}, "template": template}
    metadata = {"name": "catalog", "namespace": NAMESPACE}
    user.applies(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
    )
    user.sees(lambda: user.reads("apps/v1", "Deployment", "catalog", NAMESPACE)["status"].get("readyReplicas") == 2)
    return user.gets("shadow", "create", "deploy/catalog", "-n", NAMESPACE)


def changes(tmp_path: Path, container: dict[str, Any]) -> str:
    spec = {"template": {"spec": {"containers": [{"name": "catalog", **container}]}}}
    change = {"target": {"kind": "Deployment", "name": "catalog"}, "type": "apply", "patch": {"spec": spec}}
    path = tmp_path / "changes.yaml"
    path.write_text(json.dumps([change]), encoding="utf-8")
    return str(path)


def test_a_shadow_is_a_copy_that_is_proved_to_be_cut_off(user: Any, shadow: Any) -> None:
    assert shadow.keys() == KEYS
    assert (shadow["kind"], shadow["target"]["name"]) == ("ShadowSession", "catalog")
    assert shadow["isolation"]["outcome"] == "PASSED"
    ready = user.gets("shadow", "wait", shadow["id"][:4])
    assert (ready["phase"], ready["workloads"][0]["ready"]) == ("Ready", 2)
    assert user.reads("v1", "Namespace", shadow["namespace"])["metadata"]["uid"] == shadow["uid"]
    copied = user.reads("apps/v1", "Deployment", "catalog", shadow["namespace"])
    assert copied["spec"]["replicas"] == 2
    policies = user.reads("networking.k8s.io/v1", "NetworkPolicy", "aegis-deny-all", shadow["namespace"])
    assert policies["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_it_is_listed_and_shown(user: Any, shadow: Any) -> None:
    listed = user.gets("shadow", "list")
    assert (listed["kind"], [one["id"] for one in listed["items"]]) == ("ShadowSessionList", [shadow["id"]])
    assert user.gets("shadow", "list", "-n", "elsewhere")["items"] == []
    shown = user.gets("shadow", "status", shadow["namespace"])
    assert (shown["id"], shown["expires_at"]) == (shadow["id"], shadow["expires_at"])
    assert user.types("shadow", "status", "nonsense")[0] == 2


def test_a_harmless_change_is_no_regression(user: Any, shadow: Any, tmp_path: Path) -> None:
    path = changes(tmp_path, {"env": [{"name": "EXTRA", "value": "1"}]})
    result = user.gets("shadow", "verify", shadow["id"], "--changes", path, "--duration", "130s")
    assert (result["kind"], result["result"]) == ("ShadowVerification", "no regression")
    gates = {gate["gate"]: gate for gate in result["verdict"]["gates"]}
    assert result["verdict"]["decision"] == "ACCEPT"
    assert (gates["reproduction"]["outcome"], gates["reproduction"]["required"]) == ("SKIPPED", False)
    assert (gates["health"]["outcome"], gates["health"]["threshold"]) == ("PASSED", 130.0)
    assert user.gets("shadow", "status", shadow["id"])["decision"] == "ACCEPT"
    untouched = user.reads("apps/v1", "Deployment", "catalog", NAMESPACE)["spec"]["template"]["spec"]["containers"][0]
    assert "env" not in untouched, "production is only read"


def test_a_harmful_change_is_a_regression(user: Any, shadow: Any, tmp_path: Path) -> None:
    path = changes(tmp_path, {"command": ["false"]})
    result = user.gets("shadow", "verify", shadow["id"], "--changes", path, status=1)
    assert (result["result"], result["verdict"]["decision"]) == ("regression", "REJECT")
    assert user.gets("shadow", "status", shadow["id"])["phase"] == "Ready", "the shadow itself stays as it is"


def test_what_is_broken_in_production_is_broken_in_its_shadow_and_is_no_second_problem(user: Any) -> None:
    user.has("memory-limit")
    user.sees(lambda: user.problems("-n", "demo-memory-limit") == [("demo-memory-limit", "oom_limit")])
    broken = user.gets("shadow", "create", "deploy/report", "-n", "demo-memory-limit")
    assert user.types("shadow", "wait", broken["id"], "--timeout", "3s")[0] == 1
    assert user.gets("shadow", "status", broken["id"])["pods"], "and one sees which pods keep it from being ready"
    listed = user.gets("analyze", "-A", status=1)["items"]
    places = {one["target"]["namespace"] for one in listed}
    assert places == {"demo-memory-limit"}
    assert user.gets("analyze", "-n", broken["namespace"])["items"] == []
    user.gets("shadow", "delete", broken["id"])
    assert user.reads("v1", "Namespace", broken["namespace"]) is None


def test_a_namespace_that_only_says_it_is_a_shadow_is_reported_and_never_deleted(user: Any, shadow: Any) -> None:
    real = user.reads("v1", "Namespace", shadow["namespace"])
    labels = {key: value for key, value in real["metadata"]["labels"].items() if key.startswith("aegis.io/")}
    name = "aegis-shadow-stranger-s"
    pod = {"containers": [{"name": "web", "image": "nginx:0.0-no-such"}]}
    user.applies(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": name}, "spec": pod},
    )
    user.sees(lambda: name in {place for place, _ in user.problems("-A")})
    user.gets("shadow", "delete", "--all")
    assert user.gets("shadow", "list")["items"] == []
    assert user.reads("v1", "Namespace", shadow["namespace"]) is None
    assert user.reads("v1", "Namespace", name) is not None


def test_a_shadow_whose_maker_was_killed_is_taken_down_by_the_next_command(user: Any) -> None:
    maker = user.begins("shadow", "create", "deploy/catalog", "-n", NAMESPACE)
    assert maker.stderr is not None
    for line in maker.stderr:
        if "cut off" in line:
            break
    maker.send_signal(signal.SIGKILL)
    maker.communicate(timeout=30)
    kept = json.loads(next((user.folder / "aegis" / "shadows").glob("*.json")).read_text(encoding="utf-8"))
    assert (kept["stage"], kept["home"]["name"]) == ("Creating", f"aegis-shadow-{kept['id']}-s")
    assert user.gets("shadow", "list")["items"] == []
    assert user.reads("v1", "Namespace", kept["home"]["name"]) is None


def test_a_shadow_whose_maker_was_interrupted_is_gone_at_once(user: Any) -> None:
    maker = user.begins("shadow", "create", "deploy/catalog", "-n", NAMESPACE)
    assert maker.stderr is not None
    said = next(line for line in maker.stderr if "namespace aegis-shadow" in line)
    maker.send_signal(signal.SIGINT)
    maker.communicate(timeout=60)
    assert maker.returncode == 130
    name = said.split("namespace ")[1].rstrip(")\n")
    assert user.reads("v1", "Namespace", name) is None


def test_only_what_can_be_copied_is(user: Any) -> None:
    assert user.types("shadow", "create", "deploy/nonsense", "-n", NAMESPACE)[0] == 2
    assert user.types("shadow", "create", "ns/default")[0] in {2, 4}
    user.env["AEGIS_SHADOW__PROVIDER"] = "vcluster"
    status, _, said = user.types("shadow", "create", "deploy/catalog", "-n", NAMESPACE)
    del user.env["AEGIS_SHADOW__PROVIDER"]
    assert (status, "not there yet" in said) == (2, True)
