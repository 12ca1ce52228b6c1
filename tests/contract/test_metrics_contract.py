"""What pods and nodes use: metrics.k8s.io, as kubectl top and an autoscaler read it."""

from typing import Any

from contract_client import Client, pods, until

GROUP = "/apis/metrics.k8s.io/v1beta1"


def busy_pod(name: str = "busy") -> dict[str, Any]:
    container = {"name": "c", "image": "busybox:1.36", "command": ["sh", "-c", "while true; do :; done"]}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def nanocores(text: str) -> int:
    scale = {"n": 1, "u": 1_000, "m": 1_000_000}
    return int(text[:-1]) * scale[text[-1]] if text[-1] in scale else int(text) * 10**9


async def test_discovery(api: Client) -> None:
    groups = {g["name"]: g for g in (await api.get("/apis"))["groups"]}
    assert groups["metrics.k8s.io"]["preferredVersion"]["version"] == "v1beta1"
    listed = {r["name"]: r for r in (await api.get(GROUP))["resources"]}
    assert {n: (r["kind"], r["namespaced"]) for n, r in listed.items()} == {
        "nodes": ("NodeMetrics", False),
        "pods": ("PodMetrics", True),
    }
    assert set(listed["pods"]["verbs"]) == {"get", "list"}


async def test_a_pod_that_computes_is_seen_to(api: Client, namespace: str) -> None:
    await api.post(pods(namespace), busy_pod())
    collection = f"{GROUP}/namespaces/{namespace}/pods"

    async def measured() -> Any:
        return await api.get(f"{collection}/busy")

    found = await until(measured, seconds=60)
    assert (found["kind"], found["apiVersion"]) == ("PodMetrics", "metrics.k8s.io/v1beta1")
    assert found["metadata"]["labels"] == {"app": "busy"}
    assert found["timestamp"]
    assert found["window"].endswith("s")
    (container,) = found["containers"]
    assert container["name"] == "c"
    assert nanocores(container["usage"]["cpu"]) > 50_000_000
    assert container["usage"]["memory"] != "0"
    listed = await api.get(collection, labelSelector="app=busy")
    assert (listed["kind"], [i["metadata"]["name"] for i in listed["items"]]) == ("PodMetricsList", ["busy"])
    assert (await api.get(collection, labelSelector="app=other"))["items"] == []
    await api.get(f"{collection}/nobody", expect=404)
    await api.delete(f"{pods(namespace)}/busy")


async def test_every_node_is_measured(api: Client) -> None:
    names = {n["metadata"]["name"] for n in (await api.get("/api/v1/nodes"))["items"]}

    async def measured() -> Any:
        found = (await api.get(f"{GROUP}/nodes"))["items"]
        assert {n["metadata"]["name"] for n in found} == names
        return found

    for node in await until(measured, seconds=60):
        assert set(node["usage"]) >= {"cpu", "memory"}


async def test_metrics_are_only_read(api: Client, namespace: str) -> None:
    await api.post(f"{GROUP}/namespaces/{namespace}/pods", {"metadata": {"name": "x"}}, expect=405)
    await api.delete(f"{GROUP}/namespaces/{namespace}/pods/x", expect=405)
