"""EndpointSlices and Endpoints of Services over the real store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.endpoints import EndpointsController
from aegis.localcluster.controllers.endpointslice import EndpointSliceController, paired, slices

Make = Callable[..., Object]
SLICES = "endpointslices.discovery.k8s.io"
BOTH = (EndpointsController, EndpointSliceController)


def service(**spec: Any) -> Object:
    base = {"selector": {"app": "a"}, "ports": [{"name": "http", "port": 80, "targetPort": "web"}]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "svc", "namespace": "default", "labels": {"team": "x"}},
        "spec": {**base, **spec},
    }


def serving(make_pod: Make, name: str, port: int = 8080) -> Object:
    return make_pod(name, labels={"app": "a"}, container={"ports": [{"name": "web", "containerPort": port}]})


def conditions(cluster: Any) -> dict[str, tuple[bool, bool, bool]]:
    found = {}
    for one in cluster.api.list(SLICES, "default"):
        for endpoint in one["endpoints"] or ():
            state = endpoint["conditions"]
            found[endpoint["targetRef"]["name"]] = (state["ready"], state["serving"], state["terminating"])
    return found


def addresses(cluster: Any, kind: str = "addresses") -> list[str]:
    endpoints = cluster.api.get("endpoints", "default", "svc")
    return [a["ip"] for s in (endpoints or {}).get("subsets") or () for a in s.get(kind) or ()]


async def test_a_pod_is_published_when_it_is_ready(cluster: Any, make_pod: Make) -> None:
    async with cluster.running(*BOTH):
        cluster.api.create("services", service(), manager="test")
        pod = cluster.api.create("pods", serving(make_pod, "p1"), manager="test")
        await cluster.expect(lambda: len(cluster.api.list(SLICES, "default")) == 1)
        assert conditions(cluster) == {}
        cluster.make_ready(pod, "10.1.0.7", ready=False)
        await cluster.expect(lambda: conditions(cluster) == {"p1": (False, False, False)})
        assert (addresses(cluster), addresses(cluster, "notReadyAddresses")) == ([], ["10.1.0.7"])
        cluster.make_ready(pod, "10.1.0.7")
        await cluster.expect(lambda: conditions(cluster) == {"p1": (True, True, False)})
        await cluster.expect(lambda: addresses(cluster) == ["10.1.0.7"])
        (found,) = cluster.api.list(SLICES, "default")
        assert found["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
        assert found["metadata"]["labels"]["kubernetes.io/service-name"] == "svc"
        assert found["metadata"]["labels"]["team"] == "x"


async def test_a_pod_on_its_way_out_serves_but_is_not_ready(cluster: Any, make_pod: Make) -> None:
    async with cluster.running(*BOTH):
        cluster.api.create("services", service(), manager="test")
        pod = cluster.api.create("pods", serving(make_pod, "p1"), manager="test")
        cluster.api.bind("default", "p1", "n1")
        cluster.make_ready(pod)
        await cluster.expect(lambda: addresses(cluster))
        cluster.api.delete("pods", "default", "p1")
        await cluster.expect(lambda: conditions(cluster) == {"p1": (False, True, True)})
        assert addresses(cluster) == []
        cluster.api.delete("pods", "default", "p1", grace_seconds=0)
        await cluster.expect(lambda: conditions(cluster) == {})


async def test_pods_that_name_another_port_get_a_slice_of_their_own(cluster: Any, make_pod: Make) -> None:
    async with cluster.running(*BOTH):
        cluster.api.create("services", service(), manager="test")
        for number, port in enumerate((8080, 9090)):
            pod = cluster.api.create("pods", serving(make_pod, f"p{number}", port), manager="test")
            cluster.make_ready(pod, f"10.1.0.{number}")
        await cluster.expect(lambda: len(conditions(cluster)) == 2)
        ports = sorted(s["ports"][0]["port"] for s in cluster.api.list(SLICES, "default"))
        assert ports == [8080, 9090]
        subsets = cluster.api.get("endpoints", "default", "svc")["subsets"]
        assert sorted(s["ports"][0]["port"] for s in subsets) == [8080, 9090]


async def test_a_service_without_selector_is_nobodys_business(cluster: Any) -> None:
    async with cluster.running(*BOTH):
        cluster.api.create("services", service(selector=None), manager="test")
        mine = {"metadata": {"name": "svc", "namespace": "default"}, "subsets": [{"addresses": [{"ip": "1.2.3.4"}]}]}
        cluster.api.create("endpoints", mine, manager="test")
        await cluster.quiet()
        assert addresses(cluster) == ["1.2.3.4"]
        assert not cluster.api.list(SLICES, "default")


async def test_unready_addresses_are_published_on_request(cluster: Any, make_pod: Make) -> None:
    async with cluster.running(*BOTH):
        cluster.api.create("services", service(publishNotReadyAddresses=True), manager="test")
        pod = cluster.api.create("pods", serving(make_pod, "p1"), manager="test")
        cluster.make_ready(pod, "10.1.0.7", ready=False)
        await cluster.expect(lambda: conditions(cluster) == {"p1": (True, True, False)})
        await cluster.expect(lambda: addresses(cluster) == ["10.1.0.7"])


async def test_endpoints_follow_their_service_away(cluster: Any) -> None:
    async with cluster.running(*BOTH):
        cluster.api.create("services", service(), manager="test")
        await cluster.expect(lambda: cluster.api.get("endpoints", "default", "svc"))
        cluster.api.delete("services", "default", "svc")
        await cluster.expect(lambda: cluster.api.get("endpoints", "default", "svc") is None)


def test_without_pods_there_is_one_empty_slice() -> None:
    (only,) = slices([])
    assert only.to_json({"metadata": {"name": "s"}}) == {"ports": None, "endpoints": None}


def test_present_slices_are_reused() -> None:
    wanted = slices([])
    present = [{"metadata": {"name": n, "namespace": "d"}, "ports": None} for n in ("a", "b")]
    pairs, surplus = paired(wanted, present)
    assert [old["metadata"]["name"] for _, old in pairs if old] == ["a"]
    assert [o["metadata"]["name"] for o in surplus] == ["b"]
