"""What nobody acts on is said aloud."""

from __future__ import annotations

from typing import Any

from aegis.localcluster.controllers.unattended import UnattendedController


async def test_an_ingress_is_warned_of_once(cluster: Any) -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    ingress = {"metadata": {"name": "b", "namespace": "default"}, "spec": {"defaultBackend": backend}}
    async with cluster.running(UnattendedController):
        cluster.api.create("ingresses.networking.k8s.io", ingress, manager="test")
        await cluster.expect(lambda: cluster.messages("NotImplemented"))
        labelled = {"metadata": {"labels": {"a": "b"}}}
        cluster.api.patch("ingresses.networking.k8s.io", "default", "b", labelled, manager="test")
        await cluster.quiet()
        (event,) = cluster.api.list("events", "default")
        assert (event["type"], event["involvedObject"]["kind"]) == ("Warning", "Ingress")
