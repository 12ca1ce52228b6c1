"""What was tried is what is applied, seen from outside: by a proxy that records what AEGIS really sends."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from checkout import NAMESPACE, broken_checkout, run
from recording_proxy import Recording, Request, recording_proxy

DEPLOYMENT = "/apis/apps/v1/namespaces/{}/deployments/checkout"


def without_precondition(request: Request) -> Any:
    """The body but for the precondition, which is the cluster's own version of the object."""
    body = request.json()
    if isinstance(body, dict):
        body["metadata"].pop("resourceVersion", None)
        body["metadata"].pop("uid", None)
    return body


def writes_to(recording: Recording, path: str) -> list[Request]:
    return [request for request in recording.writes() if request.path == path]


@pytest.mark.namespaces
async def test_shadow_and_production_are_written_alike_but_for_the_namespace_and_each_after_its_intention(
    tmp_path: Path,
) -> None:
    async with broken_checkout(tmp_path / "cluster") as cluster:
        async with recording_proxy(cluster.kubeconfig) as recording:
            common = ("--kubeconfig", str(recording.kubeconfig), "-o", "json")
            done = await run("fix", "deploy/checkout", "-n", NAMESPACE, "--yes", *common, state=tmp_path / "state")
            assert done.returncode == 0, done.stderr[-3000:]
            report = json.loads(done.stdout)
        records = [
            json.loads(line)
            for path in (tmp_path / "state").rglob("*.jsonl")
            for line in path.read_text(encoding="utf-8").splitlines()
        ]
        left = [ns["metadata"]["name"] for ns in cluster.api.list("namespaces")]

    assert (report["kind"], report["phase"], report["applied"]) == ("Remediation", "Resolved", True)
    assert not [name for name in left if name.startswith("aegis-shadow-")]

    (production,) = writes_to(recording, DEPLOYMENT.format(NAMESPACE))
    shadows = [
        request
        for request in recording.writes()
        if request.path.endswith("/deployments/checkout")
        and isinstance(request.json(), dict)
        and request is not production
    ]
    assert len(shadows) == 1
    assert shadows[0].path.split("/")[5].startswith("aegis-shadow-")
    assert without_precondition(shadows[0]) == without_precondition(production)
    assert shadows[0].query["fieldManager"] == production.query["fieldManager"]

    in_production = [request for request in recording.writes() if f"/namespaces/{NAMESPACE}/" in request.path]
    leases = [request for request in in_production if "/coordination.k8s.io/v1/" in request.path]
    touched = [request for request in in_production if request not in leases]
    assert touched == [production], "production was touched by nothing but the fix, and the Leases that keep others off"

    intended = [datetime.fromisoformat(record["at"]) for record in records if record["outcome"] == "intended"]
    for index, request in enumerate(recording.writes(), start=1):
        assert sum(at <= request.at for at in intended) >= index, f"{request.method} {request.path} was not announced"
