"""Claims are bound, and it is said that nothing is kept."""

from __future__ import annotations

from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.volumeclaim import VolumeClaimController


def claim(name: str, **spec: Any) -> Object:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": wanted}


async def test_a_claim_is_bound_until_it_is_gone(cluster: Any) -> None:
    async with cluster.running(VolumeClaimController):
        cluster.api.create("persistentvolumeclaims", claim("plain"), manager="test")
        cluster.api.create("persistentvolumeclaims", claim("classy", storageClassName="fast"), manager="test")
        (volume,) = await cluster.expect(lambda: cluster.api.list("persistentvolumes"))
        bound = cluster.api.get("persistentvolumeclaims", "default", "plain")
        assert (bound["status"]["phase"], bound["spec"]["volumeName"]) == ("Bound", volume["metadata"]["name"])
        assert bound["status"]["capacity"] == {"storage": "1Gi"}
        await cluster.quiet()
        assert cluster.api.get("persistentvolumeclaims", "default", "classy")["status"]["phase"] == "Pending"
        assert len(cluster.messages("NotPersistent")) == 1
        cluster.api.delete("persistentvolumeclaims", "default", "plain")
        await cluster.expect(lambda: not cluster.api.list("persistentvolumes"))
