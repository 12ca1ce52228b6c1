"""Every kind has its columns, and no object breaks them."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.localcluster.apiserver.registry import BUILTIN, CustomType, Resource
from aegis.localcluster.apiserver.tables import table
from aegis.localcluster.apiserver.tables.lookup import columns_of

META = {"name": "x", "namespace": "d", "creationTimestamp": "2026-01-01T00:00:00Z"}
LEAST: dict[str, dict[str, Any]] = {
    "CronJob": {"spec": {"schedule": "* * * * *"}},
    "RoleBinding": {"roleRef": {"kind": "Role", "name": "r"}},
    "ClusterRoleBinding": {"roleRef": {"kind": "ClusterRole", "name": "r"}},
}


def cells(resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
    shown = table(resource, [obj], {}, "None")
    names = [c["name"] for c in shown["columnDefinitions"]]
    (row,) = shown["rows"]
    return dict(zip(names, row["cells"], strict=True))


def named(name: str) -> Resource:
    return next(r for r in BUILTIN if r.full_name == name)


@pytest.mark.parametrize("resource", BUILTIN, ids=lambda r: r.full_name)
def test_an_almost_empty_object_of_every_kind(resource: Resource) -> None:
    shown = cells(resource, {"metadata": META, "spec": {}, **LEAST.get(resource.kind, {})})
    assert shown["Name"] == "x"


def test_deployments() -> None:
    spec = {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "a"}},
        "template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.27"}, {"name": "d", "image": "x"}]}},
    }
    facts = {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1}
    shown = cells(named("deployments.apps"), {"metadata": META, "spec": spec, "status": facts})
    assert (shown["Ready"], shown["Up-to-date"], shown["Available"]) == ("2/3", 3, 1)
    assert (shown["Containers"], shown["Images"], shown["Selector"]) == ("c,d", "nginx:1.27,x", "app=a")


def test_services_and_their_endpoints() -> None:
    spec = {"type": "NodePort", "clusterIP": "10.96.0.9", "ports": [{"port": 80, "nodePort": 30001}]}
    shown = cells(named("services"), {"metadata": META, "spec": spec})
    assert (shown["Port(s)"], shown["External-IP"], shown["Selector"]) == ("80:30001/TCP", "<none>", "<none>")
    addresses = [{"ip": f"10.0.0.{n}"} for n in range(5)]
    endpoints = {"metadata": META, "subsets": [{"addresses": addresses, "ports": [{"port": 80}]}]}
    assert cells(named("endpoints"), endpoints)["Endpoints"] == "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."


def test_nodes_and_quotas() -> None:
    node = {
        "metadata": {**META, "labels": {"node-role.kubernetes.io/worker": ""}},
        "spec": {"unschedulable": True},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    shown = cells(named("nodes"), node)
    assert (shown["Status"], shown["Roles"]) == ("Ready,SchedulingDisabled", "worker")
    quota = {"metadata": META, "status": {"hard": {"pods": "2", "limits.cpu": "1"}, "used": {"pods": "1"}}}
    shown = cells(named("resourcequotas"), quota)
    assert (shown["Request"], shown["Limit"]) == ("pods: 1/2", "limits.cpu: 0/1")


def test_jobs() -> None:
    facts = {
        "succeeded": 1,
        "startTime": "2026-01-01T00:00:00Z",
        "completionTime": "2026-01-01T00:00:09Z",
        "conditions": [{"type": "Complete", "status": "True"}],
    }
    shown = cells(named("jobs.batch"), {"metadata": META, "spec": {"completions": 1}, "status": facts})
    assert (shown["Status"], shown["Completions"], shown["Duration"]) == ("Complete", "1/1", "9s")


def test_custom_columns() -> None:
    wanted = (
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Owner", "type": "string", "jsonPath": ".metadata.labels.acme\\.dev/owner", "priority": 1},
        {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "First", "type": "integer", "jsonPath": ".spec.sizes[0]"},
        {"name": "Odd", "type": "string", "jsonPath": "..[?("},
    )
    resource = Resource(
        group="acme.dev", version="v1", plural="ws", kind="W", custom=CustomType(schema={}, columns=wanted)
    )
    obj = {
        "metadata": {**META, "labels": {"acme.dev/owner": "me"}},
        "spec": {"sizes": [7]},
        "status": {"phase": "Up", "conditions": [{"type": "X", "status": "0"}, {"type": "Ready", "status": "True"}]},
    }
    shown = cells(resource, obj)
    assert shown["Since"] is not None
    del shown["Since"]
    assert shown == {"Name": "x", "Phase": "Up", "Ready": "True", "Owner": "me", "First": 7, "Odd": None}
    bare = Resource(group="acme.dev", version="v1", plural="ws", kind="W", custom=CustomType(schema={}))
    assert [c.name for c in columns_of(bare)] == ["Name", "Age"]
