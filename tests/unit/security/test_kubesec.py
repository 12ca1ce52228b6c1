"""The call that scripts make: its keys, and that only a clean manifest passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_kubesec import install

from aegis.security import KubesecScanner

GOOD = """
apiVersion: v1
kind: Pod
metadata: {name: good}
spec: {serviceAccountName: own, containers: [{name: app, image: "nginx:1"}]}
"""
BAD = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: bad, namespace: shop}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: app, securityContext: {privileged: true}}]}}}}}
"""
KEYS = {"passed", "skipped", "status", "reason", "score", "min_score", "critical_issues", "advise", "objects"}


async def test_a_good_manifest_passes(tmp_path: Path) -> None:
    told = await KubesecScanner(install(tmp_path)).scan_manifest(GOOD)
    assert set(told) == KEYS
    assert (told["passed"], told["status"], told["score"], told["critical_issues"]) == (True, "clean", 3, [])
    assert all(isinstance(line, str) for line in told["advise"])


async def test_every_document_counts_and_a_later_one_fails_it(tmp_path: Path) -> None:
    told = await KubesecScanner(install(tmp_path)).scan_manifest(f"{GOOD}--- # two\r\n{BAD}")
    assert (told["passed"], told["status"], told["score"]) == (False, "findings", -30)
    (issue,) = told["critical_issues"]
    assert (issue["object"], issue["id"], issue["points"]) == ("CronJob/bad in shop", "Privileged", -30)
    assert issue["reason"]


async def test_the_least_score_is_each_objects_own(tmp_path: Path) -> None:
    told = await KubesecScanner(install(tmp_path), min_score=4).scan_manifest(GOOD)
    assert (told["passed"], told["score"], told["min_score"]) == (False, 3, 4)


async def test_a_missing_program_does_not_pass() -> None:
    told = await KubesecScanner("/nowhere/kubesec").scan_manifest(GOOD)
    assert (told["passed"], told["skipped"], told["status"], told["score"]) == (False, True, "skipped", None)
    assert "Install Kubesec" in told["reason"]


@pytest.mark.parametrize("manifest", ["a: [", "kind: Pod\nkind: Job\n", "just text"])
async def test_what_cannot_be_read_does_not_pass(tmp_path: Path, manifest: str) -> None:
    told = await KubesecScanner(install(tmp_path)).scan_manifest(manifest)
    assert set(told) == KEYS
    assert (told["passed"], told["skipped"], told["status"]) == (False, False, "errored")
