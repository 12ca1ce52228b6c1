from typing import Any

from contract_client import Client, config_map, config_maps, deployment, deployments, pods, until


async def test_networkpolicy(api: Client, namespace: str) -> None:
    collection = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
    await api.post(collection, policy("np", "10.0.0.0/8"))
    await api.post(collection, policy("bad", "nonsense"), expect=422)


def policy(name: str, cidr: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": cidr}}]}]},
    }


async def test_events(api: Client, namespace: str) -> None:
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "e-"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": namespace},
        "reason": "R",
        "message": "m",
        "type": "Normal",
    }
    collection = f"/api/v1/namespaces/{namespace}/events"
    await api.post(collection, event)
    assert (await api.get(collection, fieldSelector="involvedObject.name=p"))["items"]
    shown = (await api.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"))["items"]
    assert [e["regarding"]["name"] for e in shown if e.get("note") == "m"] == ["p"]


async def test_eviction(api: Client, namespace: str) -> None:
    await api.post(deployments(namespace), deployment(replicas=1))

    async def found() -> list[Any]:
        listed: list[Any] = (await api.get(pods(namespace)))["items"]
        return listed

    name = (await until(found))[0]["metadata"]["name"]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
    }
    await api.post(f"{pods(namespace)}/{name}/eviction", eviction)


async def test_quota(api: Client, namespace: str) -> None:
    collection = f"/api/v1/namespaces/{namespace}/resourcequotas"
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q"},
        "spec": {"hard": {"configmaps": "2"}},
    }
    await api.post(collection, quota)

    async def counted() -> bool:
        return bool((await api.get(collection + "/q")).get("status", {}).get("hard"))

    await until(counted)
    answers = [await api.post(config_maps(namespace), config_map(f"q{n}"), expect="any") for n in range(4)]
    assert 403 in [a.get("code") for a in answers]
