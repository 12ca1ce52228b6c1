"""Endpoints written by hand reach the service proxy."""

from __future__ import annotations

from typing import Any

from aegis.localcluster.controllers.garbage import GarbageCollector
from aegis.localcluster.controllers.mirroring import MirroringController

SLICES = "endpointslices.discovery.k8s.io"


def service(cluster: Any, **spec: Any) -> None:
    body = {"metadata": {"name": "db", "namespace": "default"}, "spec": {"ports": [{"port": 5432}], **spec}}
    cluster.api.create("services", body, manager="test")


def endpoints(address: str, **labels: str) -> Any:
    subset = {"addresses": [{"ip": address}], "ports": [{"port": 5432}]}
    return {"metadata": {"name": "db", "namespace": "default", "labels": labels}, "subsets": [subset]}


def addresses(cluster: Any) -> list[str]:
    found = cluster.api.list(SLICES, "default")
    return [a for s in found for e in s["endpoints"] for a in e["addresses"]]


async def test_slices_follow_the_endpoints(cluster: Any) -> None:
    async with cluster.running(MirroringController, GarbageCollector):
        service(cluster)
        cluster.api.create("endpoints", endpoints("192.0.2.1"), manager="test")
        await cluster.expect(lambda: addresses(cluster) == ["192.0.2.1"])
        (made,) = cluster.api.list(SLICES, "default")
        assert made["metadata"]["labels"]["kubernetes.io/service-name"] == "db"
        assert made["ports"] == [{"name": "", "protocol": "TCP", "port": 5432}]
        cluster.api.update("endpoints", endpoints("192.0.2.2"), manager="test")
        await cluster.expect(lambda: addresses(cluster) == ["192.0.2.2"])
        assert len(cluster.api.list(SLICES, "default")) == 1
        cluster.api.delete("endpoints", "default", "db")
        await cluster.expect(lambda: addresses(cluster) == [])


async def test_what_others_keep_is_not_mirrored(cluster: Any) -> None:
    async with cluster.running(MirroringController):
        service(cluster, selector={"app": "db"})
        cluster.api.create("endpoints", endpoints("192.0.2.1"), manager="test")
        await cluster.quiet()
        assert addresses(cluster) == []


async def test_a_label_says_no(cluster: Any) -> None:
    skip = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    async with cluster.running(MirroringController):
        service(cluster)
        cluster.api.create("endpoints", endpoints("192.0.2.1", **skip), manager="test")
        await cluster.quiet()
        assert addresses(cluster) == []
