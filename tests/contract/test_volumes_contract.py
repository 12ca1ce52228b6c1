"""Claims and volumes: what is bound to what, what has to wait, and what outlives a pod.

Needs a default storage class, as every ordinary cluster has one.
"""

from typing import Any

from contract_client import Client, pods, until


def claims(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"


def claim(name: str = "data", **spec: Any) -> dict[str, Any]:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": wanted}


def user(name: str, script: str, claimed: str = "data") -> dict[str, Any]:
    """A pod that runs a script with a claim at /data, and ends."""
    mounts = [{"name": "data", "mountPath": "/data"}]
    container = {"name": "c", "image": "busybox:1.36", "command": ["sh", "-c", script], "volumeMounts": mounts}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claimed}}]
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container], "volumes": volumes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def ended(api: Client, namespace: str, name: str) -> str:
    """The phase of a pod that has ended."""

    async def phase() -> str:
        found = (await api.get(f"{pods(namespace)}/{name}")).get("status", {}).get("phase")
        return found if found in {"Succeeded", "Failed"} else ""

    return await until(phase, seconds=60)


async def default_class(api: Client) -> dict[str, Any]:
    found = (await api.get("/apis/storage.k8s.io/v1/storageclasses"))["items"]
    marked = "storageclass.kubernetes.io/is-default-class"
    (one,) = [c for c in found if (c["metadata"].get("annotations") or {}).get(marked) == "true"]
    return dict(one)


async def reasons(api: Client, namespace: str, name: str) -> dict[str, str]:
    """The events of a claim: reason and message."""
    selector = f"involvedObject.name={name},involvedObject.kind=PersistentVolumeClaim"
    items = (await api.get(f"/api/v1/namespaces/{namespace}/events", fieldSelector=selector))["items"]
    return {e["reason"]: e["message"] for e in items}


async def test_what_is_written_outlives_the_pod(api: Client, namespace: str) -> None:
    made = await api.post(claims(namespace), claim())
    assert made["spec"]["storageClassName"] == (await default_class(api))["metadata"]["name"]
    assert made["spec"]["volumeMode"] == "Filesystem"
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    await api.post(pods(namespace), user("writer", "echo kept > /data/file"))
    assert await ended(api, namespace, "writer") == "Succeeded"
    await api.delete(f"{pods(namespace)}/writer")
    await api.post(pods(namespace), user("reader", "test $(cat /data/file) = kept"))
    assert await ended(api, namespace, "reader") == "Succeeded"
    bound = await api.get(f"{claims(namespace)}/data")
    assert bound["status"]["phase"] == "Bound"
    assert bound["status"]["accessModes"] == ["ReadWriteOnce"]
    assert bound["status"]["capacity"]["storage"] == "16Mi"
    assert bound["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] == "yes"
    volume = await api.get(f"/api/v1/persistentvolumes/{bound['spec']['volumeName']}")
    assert volume["status"]["phase"] == "Bound"
    assert (volume["spec"]["claimRef"]["name"], volume["spec"]["claimRef"]["uid"]) == ("data", bound["metadata"]["uid"])
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    await api.delete(f"{pods(namespace)}/reader")
    await api.delete(f"{claims(namespace)}/data")

    async def gone() -> bool:
        return await api.status_of(f"/api/v1/persistentvolumes/{bound['spec']['volumeName']}") == 404

    await until(gone, seconds=60)


async def test_a_claim_in_use_is_not_deleted(api: Client, namespace: str) -> None:
    await api.post(claims(namespace), claim())
    await api.post(pods(namespace), user("user", "sleep 3600"))

    async def bound() -> bool:
        return bool((await api.get(f"{claims(namespace)}/data"))["status"]["phase"] == "Bound")

    await until(bound, seconds=60)
    await api.delete(f"{claims(namespace)}/data")
    held = await api.get(f"{claims(namespace)}/data")
    assert held["metadata"]["deletionTimestamp"]
    await api.delete(f"{pods(namespace)}/user")

    async def gone() -> bool:
        return await api.status_of(f"{claims(namespace)}/data") == 404

    await until(gone, seconds=60)


async def test_a_claim_of_an_unknown_class_waits(api: Client, namespace: str) -> None:
    await api.post(claims(namespace), claim(storageClassName="no-such-class"))

    async def told() -> str:
        return (await reasons(api, namespace, "data")).get("ProvisioningFailed", "")

    assert await until(told, seconds=60) == 'storageclass.storage.k8s.io "no-such-class" not found'
    assert (await api.get(f"{claims(namespace)}/data"))["status"]["phase"] == "Pending"


async def test_a_claim_of_no_class_waits_for_a_volume(api: Client, namespace: str) -> None:
    await api.post(claims(namespace), claim(storageClassName=""))

    async def told() -> str:
        return (await reasons(api, namespace, "data")).get("FailedBinding", "")

    words = "no persistent volumes available for this claim and no storage class is set"
    assert await until(told, seconds=60) == words


async def test_a_class_binds_at_once_or_for_the_first_pod(api: Client, namespace: str) -> None:
    default = await default_class(api)
    classes = "/apis/storage.k8s.io/v1/storageclasses"
    for mode in ("Immediate", "WaitForFirstConsumer"):
        name = f"{namespace}-{mode.lower()}"
        made = {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name},
            "provisioner": default["provisioner"],
            "volumeBindingMode": mode,
        }
        await api.post(classes, made)
        await api.post(claims(namespace), claim(mode.lower(), storageClassName=name))
    try:

        async def waits() -> str:
            return (await reasons(api, namespace, "waitforfirstconsumer")).get("WaitForFirstConsumer", "")

        assert await until(waits, seconds=60) == "waiting for first consumer to be created before binding"
        assert (await api.get(f"{claims(namespace)}/waitforfirstconsumer"))["status"]["phase"] == "Pending"
        await api.post(pods(namespace), user("first", "true", "waitforfirstconsumer"))
        assert await ended(api, namespace, "first") == "Succeeded"
    finally:
        for mode in ("immediate", "waitforfirstconsumer"):
            await api.delete(f"{classes}/{namespace}-{mode}")


async def test_a_volume_that_is_there_is_bound_and_kept(api: Client, namespace: str) -> None:
    def volume(name: str, size: str) -> dict[str, Any]:
        spec = {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": namespace,
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": f"/tmp/{namespace}-{name}", "type": "DirectoryOrCreate"},
        }
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{namespace}-{name}"},
            "spec": spec,
        }

    path = "/api/v1/persistentvolumes"
    for name, size in (("small", "8Mi"), ("fits", "20Mi"), ("large", "90Mi")):
        await api.post(path, volume(name, size))
    try:
        await api.post(claims(namespace), claim(storageClassName=namespace))

        async def bound() -> str:
            found = await api.get(f"{claims(namespace)}/data")
            return str(found["spec"].get("volumeName", "")) if found["status"]["phase"] == "Bound" else ""

        assert await until(bound, seconds=60) == f"{namespace}-fits"
        assert (await api.get(f"{claims(namespace)}/data"))["status"]["capacity"]["storage"] == "20Mi"
        assert (await api.get(f"{path}/{namespace}-large"))["status"]["phase"] == "Available"
        await api.delete(f"{claims(namespace)}/data")

        async def released() -> bool:
            return bool((await api.get(f"{path}/{namespace}-fits"))["status"]["phase"] == "Released")

        await until(released, seconds=60)
    finally:
        for name in ("small", "fits", "large"):
            await api.delete(f"{path}/{namespace}-{name}", expect="any")


async def test_a_set_may_take_its_claims_along(api: Client, namespace: str) -> None:
    labels = {"app": "db"}
    container = {"name": "c", "image": "busybox:1.36", "command": ["sleep", "3600"]}
    stateful_set = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {
            "replicas": 2,
            "serviceName": "db",
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Delete"},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim()["spec"]}],
        },
    }
    collection = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
    await api.post(collection, stateful_set)

    async def names() -> list[str]:
        return sorted(c["metadata"]["name"] for c in (await api.get(claims(namespace)))["items"])

    async def both() -> bool:
        found = (await api.get(claims(namespace)))["items"]
        return [c["status"]["phase"] for c in found] == ["Bound", "Bound"]

    await until(both, seconds=60)
    await api.merge(f"{collection}/db/scale", {"spec": {"replicas": 1}})

    async def one() -> bool:
        return await names() == ["data-db-0"]

    await until(one, seconds=60)
    await api.delete(f"{collection}/db")

    async def none() -> bool:
        return not await names()

    await until(none, seconds=60)


async def test_a_namespace_goes_with_claims_in_use(api: Client, namespace: str) -> None:
    await api.post(claims(namespace), claim())
    await api.post(pods(namespace), user("user", "sleep 3600"))

    async def bound() -> str:
        found = await api.get(f"{claims(namespace)}/data")
        return str(found["spec"].get("volumeName", "")) if found["status"]["phase"] == "Bound" else ""

    volume = await until(bound, seconds=60)
    await api.delete(f"/api/v1/namespaces/{namespace}")

    async def gone() -> bool:
        there = [f"/api/v1/namespaces/{namespace}", f"/api/v1/persistentvolumes/{volume}"]
        return [await api.status_of(path) for path in there] == [404, 404]

    await until(gone, seconds=60)
