"""The API server's own Service."""

from __future__ import annotations

from typing import Any

from aegis.localcluster.controllers.ownservice import OwnServiceController

SLICES = "endpointslices.discovery.k8s.io"


async def test_it_is_made_and_made_again(cluster: Any) -> None:
    def there() -> bool:
        return all(cluster.api.get(r, "default", "kubernetes") for r in ("services", "endpoints", SLICES))

    async with cluster.running(OwnServiceController):
        await cluster.expect(there)
        assert cluster.api.get("services", "default", "kubernetes")["spec"]["clusterIP"] == "10.96.0.1"
        for resource in ("services", SLICES):
            cluster.api.delete(resource, "default", "kubernetes")
        assert not there()
        await cluster.expect(there)
