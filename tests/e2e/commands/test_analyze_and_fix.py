"""`analyze` of many objects, and `fix` of what GitOps owns, as somebody types them."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(240)]

EXAMPLE = Path(__file__).parents[3] / "examples" / "incidents" / "memory-limit" / "01-broken.yaml"
PLACE = "demo-memory-limit"
OWNED = "owned"
MARK = {"argocd.argoproj.io/tracking-id": f"reports:apps/Deployment:{OWNED}/worker"}
APPLICATION = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "reports", "namespace": "argocd"},
    "spec": {"source": {"repoURL": "https://git.example/reports", "path": "overlays/prod"}},
}


def definition(group: str, kind: str, version: str) -> dict[str, Any]:
    """A CustomResourceDefinition that takes anything."""
    plural = f"{kind.lower()}s"
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": anything}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


@pytest.fixture(scope="module")
def broken(user: Any) -> Any:
    """A Deployment whose every pod fails, and one that is well."""
    user.has("memory-limit")
    well = {"image": "nginx:1.27", "name": "web", "ports": [{"containerPort": 80}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [well]}}
    web = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    user.applies(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "well"}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "well", "labels": {"tier": "front"}},
            "spec": web,
        },
    )
    user.sees(lambda: user.problems("-A") == [(PLACE, "oom_limit")])
    return user


def test_two_pods_and_a_service_of_one_deployment_are_one_problem(broken: Any) -> None:
    listed = broken.gets("analyze", "-n", PLACE, status=1)
    assert (listed["apiVersion"], listed["kind"]) == ("aegis.io/v1", "DiagnosisList")
    [item] = listed["items"]
    assert (item["kind"], item["target"]["name"], item["root_cause"]["kind"]) == ("Diagnosis", "report", "Deployment")


def test_a_namespace_that_is_well_has_an_empty_list(broken: Any) -> None:
    assert broken.gets("analyze", "-n", "well") == {"apiVersion": "aegis.io/v1", "kind": "DiagnosisList", "items": []}


@pytest.mark.parametrize(
    ("words", "status", "targets"),
    [
        (["deploy/web", "-n", "well"], 0, None),
        (["deployment.apps", "web", "-n", "well"], 0, None),
        (["deploy", "-A"], 1, ["report"]),
        (["deploy", "-n", "well"], 0, []),
        (["-A", "-l", "app=report"], 1, ["report"]),
        (["po", "-A", "-l", "app in (report,web)"], 1, ["report"]),
        (["-A", "-l", "tier=front"], 0, []),
        (["deploy/report", "svc/report", "-n", PLACE], 1, ["report", "report"]),
        (["-f", str(EXAMPLE)], 1, ["report", "report"]),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, list) and value and "-" in "".join(value) else "",
)
def test_targets_as_kubectl_takes_them(broken: Any, words: list[str], status: int, targets: list[str] | None) -> None:
    result = broken.gets("analyze", *words, status=status)
    if targets is None:
        assert (result["kind"], result["verdict"]) == ("Diagnosis", "healthy")
    else:
        assert [one["target"]["name"] for one in result["items"]] == targets


def test_targets_from_stdin(broken: Any) -> None:
    [deployment] = [
        obj for obj in yaml.safe_load_all(EXAMPLE.read_text(encoding="utf-8")) if obj["kind"] == "Deployment"
    ]
    result = broken.gets("analyze", "-f", "-", status=1, given=json.dumps(deployment))
    assert (result["kind"], result["cause"]) == ("Diagnosis", "oom_limit")


def test_who_may_not_look_is_not_told_that_all_is_well(broken: Any) -> None:
    status, out, said = broken.types("analyze", "-A", "--as", "stranger")
    assert (status, out) == (77, "")
    assert "list" in said
    assert "stranger" in said
    assert broken.types("analyze", "deploy/web", "-n", "well", "--as", "stranger")[0] == 77
    shown = broken.gets("doctor", "--as", "stranger", "-n", "well", status=1)["items"]
    assert any("as stranger" in one["detail"] for one in shown if one["check"] == "cluster")


def test_a_role_in_one_namespace_is_enough_to_analyze_it(broken: Any) -> None:
    role = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}
    group = "rbac.authorization.k8s.io"
    metadata = {"name": "viewer", "namespace": PLACE}
    broken.applies(
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": [role]},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "viewer"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "viewer"}],
        },
    )
    assert broken.gets("analyze", "-n", PLACE, "--as", "viewer", status=1)["items"][0]["cause"] == "oom_limit"
    assert broken.types("fix", "deploy/report", "-n", PLACE, "--as", "viewer", "--yes")[0] == 77


def test_what_is_watched_is_told_when_it_comes_and_when_it_goes(broken: Any) -> None:
    def runs(image: str) -> None:
        container = {"name": "web", "image": image}
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
        spec = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        metadata = {"name": "web", "namespace": "well"}
        broken.applies({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})

    watcher = broken.begins("analyze", "-n", "well", "-w", "-o", "jsonl")
    try:
        runs("nginx:no-such")
        told = json.loads(watcher.stdout.readline())
        assert (told["kind"], told["target"]["name"]) == ("Diagnosis", "web")
        while told["cause"] != "image_not_found":
            told = json.loads(watcher.stdout.readline())
        runs("nginx:1.27")
        while told["verdict"] != "healthy":
            told = json.loads(watcher.stdout.readline())
    finally:
        watcher.send_signal(signal.SIGINT)
        watcher.communicate(timeout=30)
    assert watcher.returncode == 130


def worker(image: str) -> dict[str, Any]:
    """A Deployment of Argo CD's, which serves nobody: a trial of it needs no load."""
    container = {"name": "worker", "image": image, "command": ["sleep", "100000"]}
    template = {"metadata": {"labels": {"app": "worker"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "worker"}}, "template": template}
    metadata = {"name": "worker", "namespace": OWNED, "annotations": MARK}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def test_what_gitops_owns_is_refused_and_handed_over(user: Any, tmp_path: Path) -> None:
    """Without --emit nothing is written and it ends with 4; with it the owner's repository and path are named."""
    kind = definition("argoproj.io", "Application", "v1alpha1")
    for name in ("argocd", OWNED):
        user.applies({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    user.applies(kind)
    definitions = "apiextensions.k8s.io/v1", "CustomResourceDefinition", kind["metadata"]["name"]
    user.sees(lambda: "status" in user.reads(*definitions))
    user.applies(APPLICATION, worker("busybox:1.36"))
    user.sees(lambda: user.reads("apps/v1", "Deployment", "worker", OWNED)["status"].get("readyReplicas") == 1)
    user.applies(worker("busybox:1.3666"))
    user.sees(lambda: user.problems("-n", OWNED) == [(OWNED, "image_not_found")])
    before = user.reads("apps/v1", "Deployment", "worker", OWNED)["spec"]

    refused = user.gets("fix", "deploy/worker", "-n", OWNED, "--yes", status=4)
    assert (refused["reason"], refused["applied"]) == ("GitOpsOwned", False)

    handed = user.gets("fix", "deploy/worker", "-n", OWNED, "--emit", str(tmp_path / "out"))
    assert handed["handoff"] == {
        "owner": "Argo CD",
        "app": "reports",
        "repo": "https://git.example/reports",
        "path": "overlays/prod",
        "files": sorted(str(path) for path in (tmp_path / "out").iterdir()),
    }
    assert (handed["applied"], handed["verdict"]["decision"]) == (False, "ACCEPT")
    assert user.reads("apps/v1", "Deployment", "worker", OWNED)["spec"] == before, "production is not written"
    [patch] = (tmp_path / "out").glob("*.apply.yaml")
    assert yaml.safe_load(patch.read_text(encoding="utf-8"))["metadata"] == {"name": "worker", "namespace": OWNED}
    bundle = json.loads((tmp_path / "out" / "verification.json").read_text(encoding="utf-8"))
    assert bundle["digest"].startswith("sha256:")
    assert bundle["remediation"]["verdict"]["decision"] == "ACCEPT"
    assert bundle["remediation"]["diagnosis"]["evidence"]
    assert "https://git.example/reports" in (tmp_path / "out" / "PULL_REQUEST.md").read_text(encoding="utf-8")
