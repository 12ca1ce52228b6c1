"""A pod of a higher priority takes the place of others, unless its class says that it does not."""

from typing import Any

from contract_client import Client, pods, until

CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
ROOM = "example.com/room"


def sleeper(name: str, node: str, **spec: Any) -> dict[str, Any]:
    amounts = {"requests": {ROOM: "1"}, "limits": {ROOM: "1"}}
    container = {"name": "c", "image": "busybox:1.36", "command": ["sleep", "3600"], "resources": amounts}
    selector = {"kubernetes.io/hostname": node}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"terminationGracePeriodSeconds": 0, "nodeSelector": selector, "containers": [container], **spec},
    }


async def test_the_more_important_pod_runs(api: Client, namespace: str) -> None:
    (node, *_) = (await api.get("/api/v1/nodes"))["items"]
    name, host = node["metadata"]["name"], node["metadata"]["labels"]["kubernetes.io/hostname"]
    await api.merge(f"/api/v1/nodes/{name}/status", {"status": {"capacity": {ROOM: "1"}, "allocatable": {ROOM: "1"}}})
    for kind, value, policy in (("low", 10, None), ("polite", 1000, "Never"), ("high", 1000, None)):
        made: dict[str, Any] = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": value}
        made["metadata"] = {"name": f"{namespace}-{kind}"}
        await api.post(CLASSES, {**made, **({"preemptionPolicy": policy} if policy else {})})

    async def runs(pod: str) -> bool:
        return bool((await api.get(f"{pods(namespace)}/{pod}"))["spec"].get("nodeName") == name)

    async def waits(pod: str) -> str:
        conditions = (await api.get(f"{pods(namespace)}/{pod}")).get("status", {}).get("conditions") or []
        return next((c["message"] for c in conditions if c.get("reason") == "Unschedulable"), "")

    try:
        await api.post(pods(namespace), sleeper("old", host, priorityClassName=f"{namespace}-low"))
        await until(lambda: runs("old"))
        await api.post(pods(namespace), sleeper("polite", host, priorityClassName=f"{namespace}-polite"))
        assert "preemption: not eligible due to preemptionPolicy=Never" in await until(lambda: waits("polite"))
        assert await runs("old")
        await api.delete(f"{pods(namespace)}/polite")
        await api.post(pods(namespace), sleeper("new", host, priorityClassName=f"{namespace}-high"))
        await until(lambda: runs("new"))
        await api.get(f"{pods(namespace)}/old", expect=404)
        events = (await api.get(f"/api/v1/namespaces/{namespace}/events"))["items"]
        assert [e["involvedObject"]["name"] for e in events if e["reason"] == "Preempted"] == ["old"]
    finally:
        for pod in ("old", "new", "polite"):
            await api.delete(f"{pods(namespace)}/{pod}", {"gracePeriodSeconds": 0}, expect="any")
        for kind in ("low", "polite", "high"):
            await api.delete(f"{CLASSES}/{namespace}-{kind}", expect="any")
        free = {"status": {"capacity": {ROOM: None}, "allocatable": {ROOM: None}}}
        await api.merge(f"/api/v1/nodes/{name}/status", free)
