import pytest
from contract_client import Client, config_map, config_maps, deployment, deployments, labelled


async def test_namespace_active(api: Client, namespace: str) -> None:
    assert (await api.get(f"/api/v1/namespaces/{namespace}"))["status"]["phase"] == "Active"


async def test_create_in_missing_ns(api: Client) -> None:
    assert (await api.post(config_maps("nope-zzz"), config_map(), expect=404))["reason"] == "NotFound"


async def test_create_meta(api: Client, namespace: str) -> None:
    metadata = (await api.post(deployments(namespace), deployment(replicas=0)))["metadata"]
    assert metadata["uid"]
    assert int(metadata["resourceVersion"]) > 0
    assert metadata["creationTimestamp"].endswith("Z")
    assert metadata["generation"] == 1
    assert metadata["namespace"] == namespace


async def test_generate_name(api: Client, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x-"}}
    name = (await api.post(config_maps(namespace), body))["metadata"]["name"]
    assert name.startswith("x-")
    assert len(name) > len("x-")


async def test_already_exists(api: Client, namespace: str) -> None:
    await api.post(config_maps(namespace), config_map())
    assert (await api.post(config_maps(namespace), config_map(), expect=409))["reason"] == "AlreadyExists"


async def test_invalid_name(api: Client, namespace: str) -> None:
    assert (await api.post(config_maps(namespace), config_map("Bad_Name"), expect=422))["reason"] == "Invalid"


async def test_not_found_status(api: Client, namespace: str) -> None:
    status = await api.get(config_maps(namespace) + "/zz", expect=404)
    assert status["kind"] == "Status"
    assert status["reason"] == "NotFound"
    assert status["details"]["name"] == "zz"
    assert status["details"]["kind"] == "configmaps"


async def test_list_shape(api: Client, namespace: str) -> None:
    await api.post(config_maps(namespace), config_map())
    listed = await api.get(config_maps(namespace))
    assert listed["kind"] == "ConfigMapList"
    assert listed["apiVersion"] == "v1"
    assert int(listed["metadata"]["resourceVersion"]) > 0


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("t=a", {"c0"}),
        ("t!=a", {"c1", "c2"}),
        ("t in (a,b)", {"c0", "c1"}),
        ("!t", {"c2"}),
        ("t", {"c0", "c1"}),
    ],
)
async def test_label_selectors(api: Client, namespace: str, selector: str, names: set[str]) -> None:
    await api.post(config_maps(namespace), labelled("c0", t="a"))
    await api.post(config_maps(namespace), labelled("c1", t="b"))
    await api.post(config_maps(namespace), labelled("c2"))
    listed = await api.get(config_maps(namespace), labelSelector=selector)
    found = {o["metadata"]["name"] for o in listed["items"]}
    assert found - {"kube-root-ca.crt", "openshift-service-ca.crt"} == names


async def test_field_selector(api: Client, namespace: str) -> None:
    for name in ("a", "b"):
        await api.post(config_maps(namespace), config_map(name))
    listed = await api.get(config_maps(namespace), fieldSelector="metadata.name=b")
    assert [o["metadata"]["name"] for o in listed["items"]] == ["b"]
    await api.get(config_maps(namespace), fieldSelector="data.x=1", expect=400)


async def test_pagination(api: Client, namespace: str) -> None:
    for number in range(5):
        await api.post(config_maps(namespace), config_map(f"p{number}"))
    page = await api.get(config_maps(namespace), limit=2)
    assert len(page["items"]) == 2
    assert page["metadata"]["continue"]
    seen = {o["metadata"]["name"] for o in page["items"]}
    while token := page["metadata"].get("continue"):
        page = await api.get(config_maps(namespace), limit=2, **{"continue": token})
        names = {o["metadata"]["name"] for o in page["items"]}
        assert not names & seen
        seen |= names
    assert seen >= {f"p{number}" for number in range(5)}


async def test_pages_are_of_one_revision(api: Client, namespace: str) -> None:
    for number in range(4):
        await api.post(config_maps(namespace), config_map(f"p{number}"))
    page = await api.get(config_maps(namespace), limit=2, labelSelector="!none")
    await api.post(config_maps(namespace), config_map("p9"))
    token = page["metadata"]["continue"]
    rest = await api.get(config_maps(namespace), limit=50, labelSelector="!none", **{"continue": token})
    assert "p9" not in {o["metadata"]["name"] for o in rest["items"]}
    assert rest["metadata"]["resourceVersion"] == page["metadata"]["resourceVersion"]


async def test_put_conflict(api: Client, namespace: str) -> None:
    first = await api.post(config_maps(namespace), config_map(x=1))
    second = await api.merge(config_maps(namespace) + "/a", {"data": {"x": "2"}})
    assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    first["data"]["x"] = "3"
    assert (await api.put(config_maps(namespace) + "/a", first, expect=409))["reason"] == "Conflict"
    second["data"]["x"] = "4"
    assert (await api.put(config_maps(namespace) + "/a", second))["data"]["x"] == "4"


async def test_generation(api: Client, namespace: str) -> None:
    await api.post(deployments(namespace), deployment(replicas=0))
    path = deployments(namespace) + "/web"
    generation = (await api.get(path))["metadata"]["generation"]
    relabelled = await api.merge(path, {"metadata": {"labels": {"z": "1"}}})
    assert relabelled["metadata"]["generation"] == generation
    changed = await api.merge(path, {"spec": {"minReadySeconds": 3}})
    assert changed["metadata"]["generation"] == generation + 1


async def test_immutable_meta(api: Client, namespace: str) -> None:
    uid = (await api.post(config_maps(namespace), config_map()))["metadata"]["uid"]
    await api.merge(config_maps(namespace) + "/a", {"metadata": {"uid": "zzz"}}, expect=422)
    assert (await api.get(config_maps(namespace) + "/a"))["metadata"]["uid"] == uid


async def test_table(api: Client, namespace: str) -> None:
    await api.post(config_maps(namespace), config_map())
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    shown = await api.call("GET", config_maps(namespace), headers=accept)
    assert shown["kind"] == "Table"
    assert shown["rows"]
