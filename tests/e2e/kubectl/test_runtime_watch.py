"""The falco pods of a local cluster, as kubectl shows them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.kubectl.conftest import SCALE, Kubectl

from aegis.localcluster import daemon
from aegis.localcluster.options import ClusterOptions

BAD = "import subprocess, time; subprocess.run(['sh', '-c', 'cat /etc/shadow']); time.sleep(60)"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    state = tmp_path_factory.mktemp("watched") / "state"
    try:
        info = daemon.up(ClusterOptions(state=state, time_scale=SCALE, falco=True))
        if info.isolation != "namespaces":
            pytest.skip("plain processes are not watched")
        yield info.kubeconfig
    finally:
        daemon.down(state)


@pytest.fixture
def falco(binary: str, watched: Path, tmp_path: Path) -> Kubectl:
    kubectl = Kubectl(binary, watched, tmp_path, "falco")
    kubectl("rollout", "status", "daemonset/falco", "--timeout=30s")
    return kubectl


def lines(falco: Kubectl) -> list[str]:
    return falco("logs", "-l", "app.kubernetes.io/name=falco", "-c", "falco", "--tail=-1").splitlines()


def alerts(falco: Kubectl, pod: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in lines(falco) if line.startswith("{")]
    return [alert for alert in found if alert["output_fields"].get("k8s.pod.name") == pod]


def test_one_pod_a_node_from_the_start_on(falco: Kubectl) -> None:
    pods = falco.pods("app.kubernetes.io/name=falco,app.kubernetes.io/instance=falco")
    nodes = {node["metadata"]["name"] for node in falco.json("nodes")["items"]}
    assert {pod["spec"]["nodeName"] for pod in pods} == nodes
    assert len(pods) == len(nodes)
    assert "Opening 'syscall' source" in falco("logs", "daemonset/falco")


def test_what_a_pod_does_is_in_the_log_of_its_node(falco: Kubectl) -> None:
    bad = f"bad-{uuid.uuid4().hex[:6]}"
    falco("run", bad, "-n", "default", "--image=python:3.12-slim", "--command", "--", "python", "-c", BAD)
    shell, read = falco.expect(lambda: len(told := alerts(falco, bad)) > 1 and told)
    assert (shell["rule"], read["rule"]) == ("Run shell untrusted", "Read sensitive file untrusted")
    node = falco("get", "pod", bad, "-n", "default", "-o", "jsonpath={.spec.nodeName}")
    assert {shell["hostname"], read["hostname"]} == {node}
    falco("exec", bad, "-n", "default", "--", "sh", "-c", "echo nothing to tell; :")
    falco("exec", bad, "-n", "default", "--", "python", "-c", "import os; os.system('echo this')")
    told = falco.expect(lambda: len(told := alerts(falco, bad)) > 2 and told)
    assert [alert["output_fields"]["proc.cmdline"] for alert in told[2:]] == ["sh -c echo this"]
    falco("delete", "pod", bad, "-n", "default", "--now")


def test_lines_of_text_where_they_are_asked_for(falco: Kubectl) -> None:
    falco("set", "env", "daemonset/falco", "FALCO_JSON_OUTPUT=false")
    falco("rollout", "status", "daemonset/falco", "--timeout=60s")
    try:
        falco("run", "text", "-n", "default", "--image=python:3.12-slim", "--command", "--", "python", "-c", BAD)
        falco.expect(lambda: any("k8s_pod_name=text" in line and line[2] == ":" for line in lines(falco)))
    finally:
        falco("set", "env", "daemonset/falco", "FALCO_JSON_OUTPUT=true")
        falco("delete", "pod", "text", "-n", "default", "--now")
