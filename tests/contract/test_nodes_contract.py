"""Nodes: what they say of themselves, and how pods come to them, whichever number there are."""

from typing import Any

from contract_client import Client, pods, until


def daemon_set(name: str = "agent") -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": sleeping()}},
    }


def sleeping(**spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "busybox:1.36", "command": ["sleep", "3600"]}
    return {"terminationGracePeriodSeconds": 0, "containers": [container], **spec}


def spread(name: str, replicas: int, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": sleeping(**spec)},
        },
    }


async def workers(api: Client) -> list[str]:
    """The nodes that take ordinary pods."""
    found = (await api.get("/api/v1/nodes"))["items"]
    return sorted(n["metadata"]["name"] for n in found if not (n.get("spec") or {}).get("taints"))


async def placed(api: Client, namespace: str, app: str, count: int) -> list[str]:
    """The nodes of an app's pods, once so many have one."""

    async def found() -> list[str]:
        items = (await api.get(pods(namespace), labelSelector=f"app={app}"))["items"]
        nodes = [p["spec"]["nodeName"] for p in items if p["spec"].get("nodeName")]
        assert len(nodes) == count
        return sorted(nodes)

    return await until(found)


async def test_every_node_is_ready_and_renews_its_lease(api: Client) -> None:
    for node in (await api.get("/api/v1/nodes"))["items"]:
        name = node["metadata"]["name"]
        conditions = {c["type"]: c["status"] for c in node["status"]["conditions"]}
        assert conditions["Ready"] == "True"
        assert conditions["MemoryPressure"] == conditions["DiskPressure"] == conditions["PIDPressure"] == "False"
        lease = await api.get(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}")
        assert lease["spec"]["holderIdentity"] == name
        assert lease["spec"]["renewTime"]


async def test_a_daemon_set_has_one_pod_a_node(api: Client, namespace: str) -> None:
    nodes = await workers(api)
    await api.post(f"/apis/apps/v1/namespaces/{namespace}/daemonsets", daemon_set())
    assert await placed(api, namespace, "agent", len(nodes)) == nodes


async def test_pods_that_are_to_be_apart_are(api: Client, namespace: str) -> None:
    nodes = await workers(api)
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "apart"}}}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    collection = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    await api.post(collection, spread("apart", len(nodes) + 1, affinity=affinity))
    assert await placed(api, namespace, "apart", len(nodes)) == nodes


async def test_pods_that_are_to_be_spread_are(api: Client, namespace: str) -> None:
    nodes = await workers(api)
    constraint = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "even"}},
    }
    collection = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    await api.post(collection, spread("even", 2 * len(nodes), topologySpreadConstraints=[constraint]))
    assert await placed(api, namespace, "even", 2 * len(nodes)) == sorted([*nodes, *nodes])


async def test_a_cordon_is_a_taint_and_an_eviction_taint_empties_a_node(api: Client, namespace: str) -> None:
    made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"n-{namespace}"}, "spec": {}}
    node = await api.post("/api/v1/nodes", {**made, "spec": {"unschedulable": True}})
    path = f"/api/v1/nodes/{node['metadata']['name']}"
    try:

        async def tainted() -> bool:
            taints = (await api.get(path))["spec"].get("taints") or []
            return any(t["key"] == "node.kubernetes.io/unschedulable" and t["effect"] == "NoSchedule" for t in taints)

        await until(tainted)
        for name, tolerations in (("goes", []), ("stays", [{"operator": "Exists"}])):
            spec = sleeping(nodeName=node["metadata"]["name"], tolerations=tolerations)
            metadata = {"name": name, "finalizers": ["example.com/hold"]}
            body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
            await api.post(pods(namespace), body)
        current = (await api.get(path))["spec"].get("taints") or []
        evict = {"key": "example.com/out", "effect": "NoExecute"}
        await api.merge(path, {"spec": {"unschedulable": None, "taints": [*current, evict]}})

        async def going() -> list[dict[str, Any]]:
            found = await api.get(f"{pods(namespace)}/goes")
            assert found["metadata"].get("deletionTimestamp")
            return [c for c in found["status"]["conditions"] if c["type"] == "DisruptionTarget"]

        (target,) = await until(going)
        assert target["reason"] == "DeletionByTaintManager"
        assert not (await api.get(f"{pods(namespace)}/stays"))["metadata"].get("deletionTimestamp")
    finally:
        for name in ("goes", "stays"):
            await api.merge(f"{pods(namespace)}/{name}", {"metadata": {"finalizers": None}}, expect="any")
            await api.delete(f"{pods(namespace)}/{name}", {"gracePeriodSeconds": 0}, expect="any")
        await api.delete(path)
