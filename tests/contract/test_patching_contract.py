from contract_client import JSON_PATCH, Client, config_map, config_maps, deployment, deployments


async def test_noop_patch_keeps_rv(api: Client, namespace: str) -> None:
    created = await api.post(config_maps(namespace), config_map(x=1))
    patched = await api.merge(config_maps(namespace) + "/a", {"data": {"x": "1"}})
    assert patched["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_merge_patch_rv_conflict(api: Client, namespace: str) -> None:
    await api.post(config_maps(namespace), config_map())
    patch = {"metadata": {"resourceVersion": "1"}, "data": {"y": "1"}}
    assert (await api.merge(config_maps(namespace) + "/a", patch, expect=409))["reason"] == "Conflict"


async def test_merge_null_removes(api: Client, namespace: str) -> None:
    await api.post(config_maps(namespace), config_map(x=1, y=2))
    assert (await api.merge(config_maps(namespace) + "/a", {"data": {"x": None}}))["data"] == {"y": "2"}


async def test_json_patch(api: Client, namespace: str) -> None:
    path = config_maps(namespace) + "/a"
    await api.post(config_maps(namespace), config_map(x=1))
    patched = await api.json_patch(path, [{"op": "replace", "path": "/data/x", "value": "9"}])
    assert patched["data"]["x"] == "9"
    failing = [{"op": "test", "path": "/data/x", "value": "nope"}, {"op": "remove", "path": "/data/x"}]
    await api.json_patch(path, failing, expect=422)
    assert (await api.get(path))["data"]["x"] == "9"


async def test_unsupported_media(api: Client, namespace: str) -> None:
    await api.post(config_maps(namespace), config_map())
    await api.call("PATCH", config_maps(namespace) + "/a", {}, content_type="application/json", expect=415)


async def test_strategic_containers(api: Client, namespace: str) -> None:
    await api.post(deployments(namespace), deployment(replicas=0))
    container = {"name": "c", "image": "nginx:2", "env": [{"name": "B", "value": "9"}]}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    patched = await api.strategic(deployments(namespace) + "/web", patch)
    containers = {c["name"]: c for c in patched["spec"]["template"]["spec"]["containers"]}
    assert containers["c"]["image"] == "nginx:2"
    assert containers["d"]["image"] == "busybox:1.36"
    assert {e["name"]: e["value"] for e in containers["c"]["env"]} == {"A": "1", "B": "9"}


async def test_strategic_delete_directive(api: Client, namespace: str) -> None:
    await api.post(deployments(namespace), deployment(replicas=0))
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "d", "$patch": "delete"}]}}}}
    patched = await api.strategic(deployments(namespace) + "/web", patch)
    assert [c["name"] for c in patched["spec"]["template"]["spec"]["containers"]] == ["c"]


async def test_json_patch_on_a_stale_revision(api: Client, namespace: str) -> None:
    await api.post(config_maps(namespace), config_map(x=1))
    stale = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "1"},
        {"op": "add", "path": "/data/y", "value": "1"},
    ]
    status = await api.patch(JSON_PATCH, config_maps(namespace) + "/a", stale, expect=409)
    assert status["reason"] == "Conflict"
