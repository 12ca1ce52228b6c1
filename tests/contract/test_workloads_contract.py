import datetime
from typing import Any

from contract_client import Client, deployment, deployments, pods, replica_sets, until


async def items(api: Client, collection: str) -> list[Any]:
    listed: list[Any] = (await api.get(collection))["items"]
    return listed


async def available(api: Client, namespace: str, replicas: int) -> None:
    """Wait until the deployment has so many available replicas."""

    async def ready() -> bool:
        status = (await api.get(deployments(namespace) + "/web")).get("status", {})
        return bool(status.get("availableReplicas") == replicas)

    await until(ready, seconds=30)


async def first(api: Client, collection: str) -> Any:
    """The first item of a collection, as soon as there is one."""

    async def found() -> list[Any]:
        return await items(api, collection)

    return (await until(found))[0]


async def test_deploy_defaulting(api: Client, namespace: str) -> None:
    body = deployment()
    del body["spec"]["replicas"]
    spec = (await api.post(deployments(namespace), body))["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"]["type"] == "RollingUpdate"
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert spec["progressDeadlineSeconds"] == 600


async def test_deploy_strict_unknown_field(api: Client, namespace: str) -> None:
    body = deployment()
    body["spec"]["replicaz"] = 1
    await api.post(deployments(namespace), body, fieldValidation="Strict", expect=400)


async def test_deploy_bad_quantity(api: Client, namespace: str) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"memory": "64Zi"}}
    assert (await api.post(deployments(namespace), body, expect="any"))["code"] in {400, 422}


async def test_deploy_controller(api: Client, namespace: str) -> None:
    await api.post(deployments(namespace), deployment())
    replica_set = await first(api, replica_sets(namespace))
    assert replica_set["metadata"]["ownerReferences"][0]["kind"] == "Deployment"
    assert "pod-template-hash" in replica_set["metadata"]["labels"]

    async def both() -> list[Any]:
        found = await items(api, pods(namespace))
        return found if len(found) == 2 else []

    assert (await until(both))[0]["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"


async def test_pods_running_and_available(api: Client, namespace: str) -> None:
    await api.post(deployments(namespace), deployment())
    await available(api, namespace, 2)
    pod = await first(api, pods(namespace))
    assert pod["status"]["phase"] == "Running"
    assert pod["spec"]["nodeName"]
    assert pod["status"]["podIP"]
    assert {c["type"]: c["status"] for c in pod["status"]["conditions"]}["Ready"] == "True"
    assert pod["status"]["containerStatuses"][0]["ready"]
    conditions = (await api.get(deployments(namespace) + "/web"))["status"]["conditions"]
    assert {c["type"]: c["status"] for c in conditions}["Available"] == "True"


async def test_rollout(api: Client, namespace: str) -> None:
    path = deployments(namespace) + "/web"
    await api.post(deployments(namespace), deployment())
    await available(api, namespace, 2)
    container = {"name": "c", "env": [{"name": "A", "value": "9"}]}
    await api.strategic(path, {"spec": {"template": {"spec": {"containers": [container]}}}})

    async def done() -> bool:
        found = await api.get(path)
        status = found["status"]
        counts = [status.get(k) for k in ("updatedReplicas", "availableReplicas", "replicas")]
        return status.get("observedGeneration") == found["metadata"]["generation"] and counts == [2, 2, 2]

    await until(done, seconds=40)
    replica_sets_now = await items(api, replica_sets(namespace))
    assert sorted(r["spec"]["replicas"] for r in replica_sets_now) == [0, 2]
    annotations = (await api.get(path))["metadata"]["annotations"]
    assert annotations["deployment.kubernetes.io/revision"] == "2"


async def test_pod_replaced(api: Client, namespace: str) -> None:
    await api.post(deployments(namespace), deployment(replicas=1))
    pod = (await first(api, pods(namespace)))["metadata"]
    await api.delete(f"{pods(namespace)}/{pod['name']}", gracePeriodSeconds=0)

    async def replaced() -> bool:
        others = [p["metadata"] for p in await items(api, pods(namespace)) if p["metadata"]["uid"] != pod["uid"]]
        return any("deletionTimestamp" not in m for m in others)

    await until(replaced)


async def test_scale_subresource(api: Client, namespace: str) -> None:
    path = deployments(namespace) + "/web"
    await api.post(deployments(namespace), deployment(replicas=1))
    scale = await api.get(path + "/scale")
    assert scale["kind"] == "Scale"
    assert scale["spec"]["replicas"] == 1
    await api.merge(path + "/scale", {"spec": {"replicas": 3}})
    assert (await api.get(path))["spec"]["replicas"] == 3

    async def three() -> bool:
        return len(await items(api, pods(namespace))) == 3

    await until(three)


async def test_deploy_delete_gc(api: Client, namespace: str) -> None:
    await api.post(deployments(namespace), deployment())

    async def two() -> bool:
        return len(await items(api, pods(namespace))) == 2

    async def none() -> bool:
        return not await items(api, pods(namespace)) and not await items(api, replica_sets(namespace))

    await until(two)
    await api.delete(deployments(namespace) + "/web", propagationPolicy="Background")
    await until(none, seconds=40)


async def test_deploy_delete_orphan(api: Client, namespace: str) -> None:
    path = deployments(namespace) + "/web"
    await api.post(deployments(namespace), deployment())
    await first(api, replica_sets(namespace))
    await api.delete(path, propagationPolicy="Orphan")

    async def gone() -> bool:
        return await api.status_of(path) == 404

    await until(gone)
    assert await items(api, replica_sets(namespace))


async def test_pod_logs(api: Client, namespace: str) -> None:
    await api.post(deployments(namespace), deployment(replicas=1))
    await available(api, namespace, 1)
    log = f"{pods(namespace)}/{(await first(api, pods(namespace)))['metadata']['name']}/log"
    assert (await api.get(log, expect=400))["reason"] == "BadRequest"

    async def last_line() -> str:
        text: str = await api.get(log, container="c", tailLines=1)
        return text.strip()

    assert len((await until(last_line)).splitlines()) == 1
    stamp = (await api.get(log, container="c", timestamps="true", tailLines=1)).split()[0]
    assert stamp.startswith("20")
    assert "T" in stamp
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    await api.get(log, container="c", sinceTime=now)
