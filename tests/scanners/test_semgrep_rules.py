"""Each rule of ours against the real Semgrep: what it must find, and what it must leave alone; all in one run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.model.scan import ScanResult, ScanStatus, Source
from aegis.security.desk import Desk, ScanRules
from aegis.security.scanners.semgrep import PLUGIN, rules

Json = dict[str, Any]
EXAMPLES: dict[str, dict[str, list[Any]]] = yaml.safe_load(
    Path(__file__).with_name("semgrep_examples.yaml").read_text(encoding="utf-8")
)
CASES = [
    (rule, word, number) for rule in EXAMPLES for word in EXAMPLES[rule] for number in range(len(EXAMPLES[rule][word]))
]

FAULTLESS: Json = {
    "automountServiceAccountToken": False,
    "containers": [
        {
            "name": "app",
            "image": "registry.example/app:1.2.3",
            "resources": {"limits": {"memory": "1Gi"}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "runAsNonRoot": True,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ],
}


def merged(base: Json, patch: Json) -> Json:
    out = deepcopy(base)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merged(out.get(key, {}), value) if isinstance(value, dict) else value
    return out


def pod(spec: Json | None = None, container: Json | None = None) -> Json:
    whole = merged(FAULTLESS, spec or {})
    whole["containers"] = [merged(FAULTLESS["containers"][0], container or {})]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": whole}


def rbac(kind: str, body: Json) -> Json:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": "web"}, **body}


def manifest(rule: str, example: Any) -> Json:
    if rule.startswith("shell-"):
        return pod(container={"command": ["sh", "-c"], "args": [example.replace("$TOO_LONG", "echo a " * 4000)]})
    if "object" in example:
        whole: Json = example["object"]
        return whole
    if "rules" in example:
        return rbac("ClusterRole", {"rules": example["rules"]})
    if "role" in example:
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": example["role"]}
        return rbac("ClusterRoleBinding", {"roleRef": role, "subjects": example["subjects"]})
    return pod(example.get("spec"), example.get("container"))


def file_of(rule: str, word: str, number: int) -> str:
    return f"{rule}.{word}.{number}" + (".dockerfile" if rule.startswith("docker-") else ".yaml")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], Path], tools_path: str) -> ScanResult:
    folder = tmp_path_factory.mktemp("examples")
    for rule, word, number in CASES:
        example = EXAMPLES[rule][word][number]
        text = example if rule.startswith("docker-") else json.dumps(manifest(rule, example))
        (folder / file_of(rule, word, number)).write_text(text, encoding="utf-8")
    (folder / "faultless.yaml").write_text(json.dumps(pod()), encoding="utf-8")
    desk = Desk(rules=ScanRules(programs={"semgrep": tool("semgrep")}), path=tools_path)
    return asyncio.run(PLUGIN.scan(Source(path=folder), desk))


def test_every_example_is_looked_at(result: ScanResult) -> None:
    assert result.reason == ""
    assert result.status is ScanStatus.FINDINGS
    assert result.coverage.missing == ()
    assert len(result.coverage.expected) == len(CASES) + 1


def test_a_pod_without_fault_has_none(result: ScanResult) -> None:
    assert [item.rule_id for item in result.findings if item.file == "faultless.yaml"] == []


@pytest.mark.parametrize(
    ("rule", "word", "number"), CASES, ids=[f"{rule}-{word}-{number}" for rule, word, number in CASES]
)
def test_rule(result: ScanResult, rule: str, word: str, number: int) -> None:
    found = {item.rule_id for item in result.findings if item.file == file_of(rule, word, number)}
    assert (rule in found) is (word == "bad"), EXAMPLES[rule][word][number]


@pytest.mark.parametrize("rule", sorted(rule for rule in rules().cards if not rule.startswith("aegis-canary")))
def test_every_rule_has_examples_of_both_kinds(rule: str) -> None:
    assert EXAMPLES[rule]["bad"]
    assert EXAMPLES[rule]["good"]
