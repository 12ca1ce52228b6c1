"""Scans of what lives in a cluster: what its pods did, and the manifests that it holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(240)]

NAMESPACE = "watched"
_PROGRAM = "import subprocess, time; subprocess.run(['sh', '-c', 'cat /etc/shadow >/dev/null']); time.sleep(1e5)"


@pytest.fixture(scope="module")
def pod(user: Any) -> dict[str, Any]:
    """A pod whose program starts a shell that reads what it should not."""
    container = {"name": "app", "image": "python:3.12-slim", "command": ["python", "-c", _PROGRAM]}
    made = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "thief", "namespace": NAMESPACE},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    user.applies({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, made)
    user.sees(lambda: user.reads("v1", "Pod", "thief", NAMESPACE)["status"].get("phase") == "Running")
    return made


def test_what_a_pod_did_is_found(user: Any, pod: dict[str, Any]) -> None:
    def seen() -> bool:
        return bool(user.types("scan", "runtime", "-n", NAMESPACE, "--since", "10m", "-q")[0] == 1)

    user.sees(seen)
    status, out, said = user.types(
        "scan", "runtime", "-n", NAMESPACE, "--since", "10m", "--fail-on", "low", "-o", "json"
    )
    assert status == 1, said
    report = json.loads(out)
    assert (report["kind"], report["family"], report["subjects"]) == ("ScanReport", "runtime", [NAMESPACE])
    assert {"Pod/thief in watched"} == {one["subject"] for one in report["findings"]}
    assert report["scanners"][0]["scanner"] == "falco"


def test_a_namespace_in_which_nothing_happened_is_clean(user: Any, pod: dict[str, Any]) -> None:
    """Over a window that begins after Falco did: before, nobody watched, and that would be told."""
    report = user.gets("scan", "runtime", "-n", "default", "--since", "500ms")
    assert (report["verdict"], report["findings"]) == ("passed", [])
    longer = user.gets("scan", "runtime", "-n", "default", "--since", "24h", status=3)
    assert (longer["verdict"], longer["passed"], bool(longer["gaps"])) == ("inconclusive", False, True)


def test_a_namespace_that_is_not_there(user: Any, pod: dict[str, Any]) -> None:
    status, out, said = user.types("scan", "runtime", "-n", "nowhere", "--since", "1m")
    assert (status, out) == (2, "")
    assert "there is no namespace nowhere" in said


def test_who_may_not_read_falcos_words_is_told_so(user: Any, pod: dict[str, Any]) -> None:
    status, out, said = user.types("scan", "runtime", "-n", NAMESPACE, "--since", "1m", "--as", "nobody")
    assert (status, out) == (77, ""), said
    assert "pods" in said


def test_the_manifest_of_a_live_object(user: Any, pod: dict[str, Any]) -> None:
    live = json.dumps(user.reads("v1", "Pod", "thief", NAMESPACE))
    status, out, said = user.types("scan", "manifest", "-", "--scanner", "podsecurity", "-o", "json", given=live)
    assert status == 0, said
    assert {one["subject"] for one in json.loads(out)["findings"]} == {"Pod/thief in watched"}
