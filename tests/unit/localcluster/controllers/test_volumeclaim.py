"""Claims: bound, waiting, or lost."""

from __future__ import annotations

from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.scheduler import Scheduler
from aegis.localcluster.controllers.volume import VolumeController
from aegis.localcluster.controllers.volumeclaim import VolumeClaimController
from aegis.localcluster.storage import DEFAULT_CLASS, PROVISIONER

CLAIMS, VOLUMES, CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"


def claim(name: str, **spec: Any) -> Object:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": wanted}


def immediate(cluster: Any, name: str = "now", provisioner: str = PROVISIONER, **more: Any) -> None:
    made = {"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": "Immediate", **more}
    cluster.api.create(CLASSES, made, manager="test")


def phase(cluster: Any, name: str) -> str:
    found: str = cluster.api.get(CLAIMS, "default", name)["status"]["phase"]
    return found


async def test_a_claim_is_bound_until_it_is_gone(cluster: Any) -> None:
    immediate(cluster)
    async with cluster.running(VolumeClaimController, VolumeController):
        cluster.api.create(CLAIMS, claim("plain", storageClassName="now"), manager="test")
        await cluster.expect(lambda: phase(cluster, "plain") == "Bound")
        bound = cluster.api.get(CLAIMS, "default", "plain")
        (volume,) = cluster.api.list(VOLUMES)
        assert bound["spec"]["volumeName"] == volume["metadata"]["name"]
        assert bound["status"]["capacity"] == {"storage": "1Gi"}
        assert cluster.messages("ProvisioningSucceeded")
        cluster.api.delete(CLAIMS, "default", "plain")
        await cluster.expect(lambda: not cluster.api.list(VOLUMES))


async def test_a_volume_that_is_retained_stays_released(cluster: Any) -> None:
    immediate(cluster, reclaimPolicy="Retain")
    async with cluster.running(VolumeClaimController, VolumeController):
        cluster.api.create(CLAIMS, claim("plain", storageClassName="now"), manager="test")
        await cluster.expect(lambda: phase(cluster, "plain") == "Bound")
        cluster.api.delete(CLAIMS, "default", "plain")
        await cluster.expect(lambda: cluster.api.list(VOLUMES)[0]["status"]["phase"] == "Released")
        cluster.api.create(CLAIMS, claim("plain", storageClassName="now"), manager="test")
        await cluster.expect(lambda: len(cluster.api.list(VOLUMES)) == 2)


async def test_a_claim_of_the_default_class_waits_for_a_pod_with_a_node(cluster: Any, make_pod: Any) -> None:
    async with cluster.running(VolumeClaimController, VolumeController, Scheduler):
        made = cluster.api.create(CLAIMS, claim("data"), manager="test")
        assert made["spec"]["storageClassName"] == DEFAULT_CLASS
        await cluster.expect(lambda: cluster.messages("WaitForFirstConsumer"))
        volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
        cluster.api.create("pods", make_pod("user", volumes=volumes), manager="test")
        await cluster.expect(lambda: cluster.messages("WaitForPodScheduled"))
        assert phase(cluster, "data") == "Pending"
        cluster.node()
        await cluster.expect(lambda: cluster.pods()[0]["spec"].get("nodeName") == "n1")
        assert phase(cluster, "data") == "Bound"


async def test_a_claim_in_use_is_held(cluster: Any, make_pod: Any) -> None:
    immediate(cluster)
    async with cluster.running(VolumeClaimController, VolumeController):
        cluster.api.create(CLAIMS, claim("data", storageClassName="now"), manager="test")
        volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
        cluster.api.create("pods", make_pod("user", volumes=volumes), manager="test")
        cluster.api.delete(CLAIMS, "default", "data")
        await cluster.quiet()
        assert cluster.api.get(CLAIMS, "default", "data")["metadata"]["deletionTimestamp"]
        cluster.api.delete("pods", "default", "user", grace_seconds=0)
        await cluster.expect(lambda: cluster.api.get(CLAIMS, "default", "data") is None)


async def test_what_cannot_be_provisioned_says_why(cluster: Any) -> None:
    immediate(cluster)
    immediate(cluster, "far", "example.com/disks")
    async with cluster.running(VolumeClaimController, VolumeController):
        for one in (
            claim("unknown", storageClassName="gone"),
            claim("none", storageClassName=""),
            claim("elsewhere", storageClassName="far"),
            claim("block", storageClassName="now", volumeMode="Block"),
        ):
            cluster.api.create(CLAIMS, one, manager="test")
        await cluster.expect(lambda: len(cluster.messages("ProvisioningFailed")) == 2)
        assert 'storageclass.storage.k8s.io "gone" not found' in cluster.messages("ProvisioningFailed")
        (why,) = cluster.messages("ExternalProvisioning")
        assert "'example.com/disks'" in why
        assert cluster.messages("FailedBinding")
        assert {c["status"]["phase"] for c in cluster.api.list(CLAIMS)} == {"Pending"}
        immediate(cluster, "gone")
        await cluster.expect(lambda: phase(cluster, "unknown") == "Bound")


async def test_a_claim_from_before_the_default_class_gets_it(cluster: Any) -> None:
    cluster.api.delete(CLASSES, None, DEFAULT_CLASS)
    async with cluster.running(VolumeClaimController, VolumeController):
        cluster.api.create(CLAIMS, claim("early"), manager="test")
        await cluster.expect(lambda: cluster.messages("FailedBinding"))
        mark = {"storageclass.kubernetes.io/is-default-class": "true"}
        late = {"metadata": {"name": "late", "annotations": mark}, "provisioner": PROVISIONER}
        cluster.api.create(CLASSES, late, manager="test")
        await cluster.expect(lambda: phase(cluster, "early") == "Bound")
        assert cluster.api.get(CLAIMS, "default", "early")["spec"]["storageClassName"] == "late"


async def test_a_claim_whose_volume_is_gone_is_lost(cluster: Any) -> None:
    immediate(cluster)
    async with cluster.running(VolumeClaimController):
        cluster.api.create(CLAIMS, claim("data", storageClassName="now"), manager="test")
        await cluster.expect(lambda: phase(cluster, "data") == "Bound")
        (volume,) = cluster.api.list(VOLUMES)
        free = {"metadata": {"finalizers": None}}
        cluster.api.patch(VOLUMES, None, volume["metadata"]["name"], free, manager="test")
        cluster.api.delete(VOLUMES, None, volume["metadata"]["name"])
        await cluster.expect(lambda: phase(cluster, "data") == "Lost")


async def test_volumes_that_people_made(cluster: Any) -> None:
    def volume(name: str, **spec: Any) -> Object:
        given = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Gi"}, "storageClassName": "own", **spec}
        return {"metadata": {"name": name}, "spec": {"hostPath": {"path": "/x"}, **given}}

    async with cluster.running(VolumeClaimController, VolumeController):
        taken = {"namespace": "default", "name": "other", "uid": "u"}
        cluster.api.create(VOLUMES, volume("taken", claimRef=taken), manager="test")
        cluster.api.create(VOLUMES, volume("free", persistentVolumeReclaimPolicy="Delete"), manager="test")
        await cluster.expect(lambda: cluster.api.get(VOLUMES, None, "free")["status"]["phase"] == "Available")
        cluster.api.create(CLAIMS, claim("a", storageClassName="own"), manager="test")
        cluster.api.create(CLAIMS, claim("b", storageClassName="own", volumeName="taken"), manager="test")
        await cluster.expect(lambda: phase(cluster, "a") == "Bound")
        await cluster.expect(lambda: cluster.messages("FailedBinding"))
        assert cluster.api.get(VOLUMES, None, "free")["spec"]["claimRef"]["name"] == "a"
        cluster.api.delete(CLAIMS, "default", "a")
        await cluster.expect(lambda: cluster.messages("VolumeFailedDelete"))
        assert cluster.api.get(VOLUMES, None, "free")["status"]["phase"] == "Failed"
