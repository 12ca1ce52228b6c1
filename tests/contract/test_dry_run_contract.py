from contract_client import Client, config_map, config_maps, deployment, deployments


async def test_dry_run(api: Client, namespace: str) -> None:
    collection, path = config_maps(namespace), config_maps(namespace) + "/a"
    assert (await api.post(collection, config_map(x=1), dryRun="All"))["metadata"]["uid"]
    await api.get(path, expect=404)
    await api.post(collection, config_map(x=1))
    assert (await api.merge(path, {"data": {"x": "2"}}, dryRun="All"))["data"]["x"] == "2"
    assert (await api.get(path))["data"]["x"] == "1"
    await api.delete(path, dryRun="All")
    assert (await api.get(path))["data"]["x"] == "1"


async def test_dry_run_validates(api: Client, namespace: str) -> None:
    invalid = deployment()
    invalid["spec"]["selector"]["matchLabels"] = {"no": "match"}
    assert (await api.post(deployments(namespace), invalid, dryRun="All", expect=422))["reason"] == "Invalid"
