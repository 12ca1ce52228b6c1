"""Commands that make, change, show and delete objects; no pod has to run for them."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.kubectl

WEB = Path(__file__).parent / "manifests" / "web.yaml"
IDLE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: idle, labels: {app: idle}}
spec:
  replicas: 0
  selector: {matchLabels: {app: idle}}
  template:
    metadata: {labels: {app: idle}}
    spec: {containers: [{name: c, image: "busybox:1.36", env: [{name: A, value: "1"}]}]}
"""


@pytest.fixture
def idle(k: Any) -> Any:
    k("apply", "-f", "-", stdin=IDLE)
    return k


def test_apply_is_created_then_unchanged_then_configured(k: Any) -> None:
    assert "deployment.apps/idle created" in k("apply", "-f", "-", stdin=IDLE)
    assert "deployment.apps/idle unchanged" in k("apply", "-f", "-", stdin=IDLE)
    assert "deployment.apps/idle configured" in k("apply", "-f", "-", stdin=IDLE.replace('"1"', '"2"'))


def test_server_side_apply_and_its_conflicts(k: Any) -> None:
    assert "serverside-applied" in k("apply", "--server-side", "-f", "-", stdin=IDLE)
    k("scale", "deployment", "idle", "--replicas=1")
    refused = k.fails("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=IDLE.replace("s: 0", "s: 3"))
    assert ".spec.replicas" in refused
    assert "conflict" in refused
    k("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-", stdin=IDLE)
    assert k.json("deploy/idle")["spec"]["replicas"] == 0


def test_diff_shows_what_apply_would_change(idle: Any) -> None:
    assert idle.run("diff", "-f", "-", stdin=IDLE).returncode == 0
    done = idle.run("diff", "-f", "-", stdin=IDLE.replace('"1"', '"2"'))
    assert done.returncode == 1
    assert '+          value: "2"' in done.stdout.replace("        -", "         ") or 'value: "2"' in done.stdout


def test_a_typo_is_refused_before_it_is_stored(k: Any) -> None:
    refused = k.fails("apply", "-f", "-", stdin=IDLE.replace("replicas", "replicaz"))
    assert "replicaz" in refused
    assert "NotFound" in k.fails("get", "deploy/idle")


def test_get_in_many_forms(idle: Any) -> None:
    assert "NAME" in idle("get", "deploy")
    assert "SELECTOR" in idle("get", "deploy", "-o", "wide")
    assert idle("get", "deploy", "-l", "app=idle", "-o", "name").strip() == "deployment.apps/idle"
    assert "No resources found" in idle.run("get", "deploy", "-l", "app=other").stderr
    assert idle("get", "deploy", "idle", "-o", "jsonpath={.spec.replicas}") == "0"
    assert "kind: Deployment" in idle("get", "deploy/idle", "-o", "yaml")
    assert "idle" in idle("get", "deploy", "--field-selector", "metadata.name=idle")
    assert "idle" in idle("get", "all")


def test_get_watch_sees_changes(idle: Any) -> None:
    process = idle.start("get", "deploy", "-w", "-o", "jsonpath={.metadata.labels.step}{'\\n'}")
    try:
        time.sleep(0.5)
        killer = threading.Timer(15, process.kill)
        killer.start()
        idle("label", "deploy", "idle", "step=one")
        assert process.stdout is not None
        assert any(line.strip() == "one" for line in process.stdout)
        killer.cancel()
    finally:
        process.kill()
        process.communicate()


def test_set_label_annotate_patch(idle: Any) -> None:
    idle("set", "image", "deployment/idle", "c=busybox:1.37")
    idle("set", "env", "deployment/idle", "A=2", "B=3")
    idle("set", "resources", "deployment/idle", "--limits=memory=64Mi")
    idle("label", "deployment/idle", "team=x")
    idle("annotate", "deployment/idle", "note=y")
    found = idle.json("deploy/idle")
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "busybox:1.37"
    assert {e["name"]: e["value"] for e in container["env"]} == {"A": "2", "B": "3"}
    assert container["resources"]["limits"] == {"memory": "64Mi"}
    assert (found["metadata"]["labels"]["team"], found["metadata"]["annotations"]["note"]) == ("x", "y")


@pytest.mark.parametrize("kind", ["strategic", "merge", "json"])
def test_patch_dry_run_writes_nothing(idle: Any, kind: str) -> None:
    patch: Any = {"spec": {"minReadySeconds": 7}}
    if kind == "json":
        patch = [{"op": "add", "path": "/spec/minReadySeconds", "value": 7}]
    shown = idle("patch", "deploy", "idle", "--type", kind, "-p", json.dumps(patch), "--dry-run=server", "-o", "json")
    assert json.loads(shown)["spec"]["minReadySeconds"] == 7
    assert "minReadySeconds" not in idle.json("deploy/idle")["spec"]
    idle("patch", "deploy", "idle", "--type", kind, "-p", json.dumps(patch))
    assert idle.json("deploy/idle")["spec"]["minReadySeconds"] == 7


def test_create_what_kubectl_sends_in_its_own_ways(k: Any) -> None:
    k("create", "configmap", "settings", "--from-literal=mode=fast")
    k("create", "secret", "generic", "keys", "--from-literal=token=hidden")
    k("create", "role", "reader", "--verb=get,list", "--resource=pods")
    k("create", "rolebinding", "readers", "--role=reader", "--serviceaccount=default:default")
    k("create", "serviceaccount", "bot")
    k("create", "quota", "limits", "--hard=pods=5")
    k("create", "deployment", "made", "--image=nginx:1.27", "--replicas=0")
    k("create", "service", "clusterip", "front", "--tcp=80:80")
    assert k.json("cm/settings")["data"] == {"mode": "fast"}
    assert k.json("secret/keys")["data"] == {"token": "aGlkZGVu"}
    assert k.json("role/reader")["rules"][0]["verbs"] == ["get", "list"]
    assert "hidden" not in k("describe", "secret", "keys")
    assert k.json("service/front")["spec"]["clusterIP"]


def test_can_i_answers_for_oneself_and_another(k: Any) -> None:
    assert k("auth", "can-i", "delete", "deployments").strip() == "yes"
    bot = f"--as=system:serviceaccount:{k.namespace}:default"
    assert k.run("auth", "can-i", "list", "pods", bot).stdout.strip() == "no"
    k("create", "role", "reader", "--verb=list", "--resource=pods")
    k("create", "rolebinding", "readers", "--role=reader", f"--serviceaccount={k.namespace}:default")
    assert k("auth", "can-i", "list", "pods", bot).strip() == "yes"
    listed = k("auth", "can-i", "--list", bot)
    assert "pods" in listed
    assert "Forbidden" in k.fails("get", "secrets", bot)


def test_explain_and_api_resources(k: Any) -> None:
    assert "replicas" in k("explain", "deployment.spec")
    listed = k("api-resources")
    assert "deployments" in listed
    assert "networkpolicies" in listed


def test_delete_cascades(idle: Any) -> None:
    idle("scale", "deploy", "idle", "--replicas=1")
    idle.expect(lambda: idle.json("rs")["items"])
    idle("delete", "deployment", "idle")
    idle.expect(lambda: not idle.json("rs")["items"] and not idle.json("pods")["items"])


def test_delete_orphan_leaves_replica_sets(idle: Any) -> None:
    idle.expect(lambda: idle.json("rs")["items"])
    # 1.20 and later spell it so
    idle("delete", "deployment", "idle", "--cascade=orphan")
    (left,) = idle.json("rs")["items"]
    assert not left["metadata"].get("ownerReferences")


def test_namespace_goes_with_its_content(k: Any) -> None:
    other = f"{k.namespace}-x"
    k("create", "namespace", other)
    k("create", "configmap", "a", "-n", other)
    k("delete", "namespace", other, "--timeout=20s")
    assert "NotFound" in k.fails("get", "namespace", other)


def test_a_custom_resource_lives_and_dies(k: Any) -> None:
    plural = f"w{k.namespace[2:]}s"
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.acme.dev"},
        "spec": {
            "group": "acme.dev",
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural[:-1], "kind": plural[:-1].capitalize()},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object"}}}},
                }
            ],
        },
    }
    k("apply", "-f", "-", stdin=json.dumps(crd))
    try:
        k("wait", "--for=condition=Established", f"crd/{plural}.acme.dev", "--timeout=10s")
        widget = {"apiVersion": "acme.dev/v1", "kind": plural[:-1].capitalize(), "metadata": {"name": "one"}}
        k("apply", "-f", "-", stdin=json.dumps({**widget, "spec": {}}))
        assert "one" in k("get", plural)
    finally:
        k("delete", "crd", f"{plural}.acme.dev", "--timeout=20s")
    assert plural not in k("api-resources", "--api-group=acme.dev")
