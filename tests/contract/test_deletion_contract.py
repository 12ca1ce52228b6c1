import uuid

from contract_client import Client, config_map, config_maps, labelled, until


async def gone(api: Client, path: str) -> None:
    """Wait until an object answers 404."""

    async def missing() -> bool:
        return await api.status_of(path) == 404

    await until(missing)


async def test_finalizer(api: Client, namespace: str) -> None:
    path = config_maps(namespace) + "/f"
    body = {**config_map("f"), "metadata": {"name": "f", "finalizers": ["acme.dev/x"]}}
    await api.post(config_maps(namespace), body)
    await api.delete(path)
    assert (await api.get(path))["metadata"]["deletionTimestamp"].endswith("Z")
    await api.merge(path, {"metadata": {"finalizers": None}})
    await api.get(path, expect=404)


async def test_delete_preconditions(api: Client, namespace: str) -> None:
    await api.post(config_maps(namespace), config_map())
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "no"}}
    assert (await api.delete(config_maps(namespace) + "/a", options, expect=409))["reason"] == "Conflict"


async def test_delete_collection(api: Client, namespace: str) -> None:
    for number in range(3):
        await api.post(config_maps(namespace), labelled(f"x{number}", g="1"))
    await api.post(config_maps(namespace), labelled("other", g="2"))
    await api.delete(config_maps(namespace), labelSelector="g=1")
    assert not (await api.get(config_maps(namespace), labelSelector="g=1"))["items"]
    assert (await api.get(config_maps(namespace), labelSelector="g=2"))["items"]


async def test_ns_delete_cascades(api: Client) -> None:
    name = f"d-{uuid.uuid4().hex[:8]}"
    await api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    await api.post(config_maps(name), config_map())
    await api.delete(f"/api/v1/namespaces/{name}")
    await gone(api, f"/api/v1/namespaces/{name}")


async def test_ownerref_gc(api: Client, namespace: str) -> None:
    owner = await api.post(config_maps(namespace), config_map("owner"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    kid = {**config_map("kid"), "metadata": {"name": "kid", "ownerReferences": [reference]}}
    await api.post(config_maps(namespace), kid)
    await api.delete(config_maps(namespace) + "/owner")
    await gone(api, config_maps(namespace) + "/kid")
