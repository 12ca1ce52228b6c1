from typing import Any

from contract_client import APPLY, Client, config_maps, deployment, deployments


def configuration(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def partial(**spec: object) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


async def test_ssa_create_update(api: Client, namespace: str) -> None:
    path = deployments(namespace) + "/web"
    created = await api.apply(path, deployment(replicas=1))
    entry = next(m for m in created["metadata"]["managedFields"] if m["manager"] == "m1")
    assert entry["operation"] == "Apply"
    assert "f:spec" in entry["fieldsV1"]
    assert (await api.apply(path, deployment(replicas=3)))["spec"]["replicas"] == 3


async def test_ssa_conflict_and_force(api: Client, namespace: str) -> None:
    path = deployments(namespace) + "/web"
    await api.apply(path, deployment(replicas=1))
    status = await api.apply(path, partial(replicas=5), manager="m2", expect=409)
    assert status["reason"] == "Conflict"
    cause = status["details"]["causes"][0]
    assert cause["reason"] == "FieldManagerConflict"
    assert cause["field"] == ".spec.replicas"
    assert (await api.apply(path, partial(replicas=5), manager="m2", force=True))["spec"]["replicas"] == 5


async def test_ssa_drop_removes(api: Client, namespace: str) -> None:
    path = config_maps(namespace) + "/a"
    await api.apply(path, configuration(x="1", y="2"))
    assert (await api.apply(path, configuration(x="1")))["data"] == {"x": "1"}


async def test_ssa_listmap(api: Client, namespace: str) -> None:
    path = deployments(namespace) + "/web"
    await api.apply(path, deployment(replicas=0))
    container = {"name": "c", "resources": {"limits": {"memory": "64Mi"}}}
    applied = await api.apply(path, partial(template={"spec": {"containers": [container]}}), manager="m2")
    containers = {c["name"]: c for c in applied["spec"]["template"]["spec"]["containers"]}
    assert containers["c"]["image"] == "nginx:1.27"
    assert containers["c"]["resources"]["limits"]["memory"] == "64Mi"
    assert "d" in containers


async def test_update_takes_ownership(api: Client, namespace: str) -> None:
    path = config_maps(namespace) + "/a"
    await api.apply(path, configuration(x="1"))
    await api.merge(path, {"data": {"x": "2"}}, fieldManager="human")
    assert "human" in (await api.apply(path, configuration(x="1"), expect=409))["message"]


async def test_ssa_refuses_undeclared_fields(api: Client, namespace: str) -> None:
    path = config_maps(namespace) + "/a"
    body = {**configuration(x="1"), "dota": {"x": "2"}}
    query: dict[str, str | int] = {"fieldManager": "m1", "fieldValidation": "Strict"}
    await api.call("PATCH", path, body, content_type=APPLY, expect=400, query=query)
    await api.get(path, expect=404)


async def test_ssa_shared_fields_stay_until_all_let_go(api: Client, namespace: str) -> None:
    path = config_maps(namespace) + "/a"
    await api.apply(path, configuration(x="1", y="1"))
    await api.apply(path, configuration(x="1"), manager="m2")
    assert (await api.apply(path, configuration(y="1")))["data"] == {"x": "1", "y": "1"}
    assert (await api.apply(path, configuration(), manager="m2"))["data"] == {"y": "1"}
