"""What `aegis doctor` says of Falco."""

from __future__ import annotations

from typing import Any

import pytest
from falco_logs import FalcoLogs, falco_pod

from aegis.errors import PermissionDenied
from aegis.interfaces.cli.doctor import falco
from aegis.interfaces.cli.doctor_finding import Finding
from aegis.ports import Access
from aegis.settings.schema import Security, Settings


class Cluster(FalcoLogs):
    """Two nodes, and what one may do."""

    permitted = True

    async def list(self, api_version: str, kind: str, **query: Any) -> list[dict[str, Any]]:
        if kind == "Node":
            return [{"metadata": {"name": name}} for name in ("node-1", "node-2")]
        return await FalcoLogs.list(self, api_version, kind, **query)

    async def allowed(self, access: Access) -> bool:
        assert (access.verb, access.resource, access.namespace) == ("get", "pods/log", "falco")
        return self.permitted


async def examine(cluster: Cluster, **security: Any) -> Finding:
    return await falco(cluster, Settings(security=Security(**security)))  # type: ignore[arg-type]  # a part of the port


def both(**more: Any) -> Cluster:
    return Cluster(pods=[falco_pod("a", node="node-1"), falco_pod("b", node="node-2", **more)])


async def test_every_node_is_watched() -> None:
    finding = await examine(both())
    assert (finding.status, finding.remedy) == ("ok", "")
    assert finding.detail == "2 pods in falco (app.kubernetes.io/name=falco), watching 2 of 2 nodes"


@pytest.mark.parametrize("pods", [both(ready=None).pods, both().pods[:1]], ids=["not ready", "not there"])
async def test_a_node_that_nobody_watches(pods: list[dict[str, Any]]) -> None:
    finding = await examine(Cluster(pods=pods))
    assert (finding.status, finding.detail.split(", ")[-1]) == ("warning", "watching 1 of 2 nodes")
    assert "node-2" in finding.remedy


async def test_without_falco() -> None:
    finding = await examine(Cluster())
    assert finding.status == "warning"
    assert finding.detail.startswith("not found")


async def test_switched_off() -> None:
    assert (await examine(both(), falco_enabled=False)).status == "warning"


async def test_where_its_logs_may_not_be_read() -> None:
    cluster = both()
    cluster.permitted = False
    finding = await examine(cluster)
    assert finding.status == "warning"
    assert "pods/log in falco" in finding.detail


async def test_where_pods_may_not_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionDenied("not permitted: list pods")

    monkeypatch.setattr(Cluster, "list", refuse)
    finding = await examine(both())
    assert (finding.status, finding.detail) == ("warning", "not permitted: list pods")
    assert "security.falco_namespace" in finding.remedy
