from contract_client import Client


async def test_version(api: Client) -> None:
    assert (await api.get("/version"))["major"]
    assert (await api.get("/version/"))["gitVersion"].startswith("v")


async def test_discovery_core(api: Client) -> None:
    listed = await api.get("/api/v1")
    assert listed["groupVersion"] == "v1"
    assert listed["kind"] == "APIResourceList"
    resources = {r["name"]: r for r in listed["resources"]}
    assert resources["pods"]["namespaced"]
    assert not resources["namespaces"]["namespaced"]
    assert "po" in resources["pods"]["shortNames"]
    assert "pods/log" in resources
    assert "shortNames" not in resources["namespaces/status"]


async def test_discovery_groups(api: Client) -> None:
    groups = {g["name"] for g in (await api.get("/apis"))["groups"]}
    assert groups >= {
        "apps",
        "networking.k8s.io",
        "rbac.authorization.k8s.io",
        "apiextensions.k8s.io",
        "authorization.k8s.io",
    }


async def test_openapi_v3(api: Client) -> None:
    assert "apis/apps/v1" in (await api.get("/openapi/v3"))["paths"]


async def test_unknown_resource_404(api: Client) -> None:
    await api.get("/apis/nope.dev/v1/foos", expect=404)


async def test_readyz(api: Client) -> None:
    assert await api.get("/readyz") == "ok"
