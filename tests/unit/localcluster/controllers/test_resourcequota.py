"""Quota status over the real store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.resourcequota import ResourceQuotaController


async def test_used_follows_what_is_there(cluster: Any, make_pod: Callable[..., Object]) -> None:
    def used() -> Any:
        return (cluster.api.get("resourcequotas", "default", "q").get("status") or {}).get("used")

    hard = {"pods": "2", "requests.cpu": "1", "configmaps": "5"}
    quota = {"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": hard}}
    async with cluster.running(ResourceQuotaController):
        cluster.api.create("resourcequotas", quota, manager="test")
        await cluster.expect(lambda: used() == {"pods": "0", "requests.cpu": "0", "configmaps": "0"})
        pod = make_pod("p", container={"resources": {"requests": {"cpu": "250m"}}})
        made = cluster.api.create("pods", pod, manager="test")
        cluster.api.create("configmaps", {"metadata": {"name": "c", "namespace": "default"}}, manager="test")
        await cluster.expect(lambda: used() == {"pods": "1", "requests.cpu": "250m", "configmaps": "1"})
        ended = {**made, "status": {"phase": "Succeeded"}}
        cluster.api.update_status("pods", ended, manager="kubelet")
        await cluster.expect(lambda: used() == {"pods": "0", "requests.cpu": "0", "configmaps": "1"})
