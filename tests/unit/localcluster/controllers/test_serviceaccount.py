"""What every namespace is born with."""

from __future__ import annotations

from typing import Any

from aegis.localcluster.controllers.serviceaccount import ServiceAccountController


async def test_account_and_certificate_are_made_and_made_again(cluster: Any) -> None:
    def born(namespace: str) -> bool:
        account = cluster.api.get("serviceaccounts", namespace, "default")
        published = cluster.api.get("configmaps", namespace, "kube-root-ca.crt") or {}
        return account is not None and published.get("data") == {"ca.crt": "-----CA-----"}

    async with cluster.running(ServiceAccountController):
        await cluster.expect(lambda: born("default") and born("kube-system"))
        cluster.api.create("namespaces", {"metadata": {"name": "new"}}, manager="test")
        await cluster.expect(lambda: born("new"))
        cluster.api.delete("serviceaccounts", "new", "default")
        forged = {"data": {"ca.crt": "forged"}}
        cluster.api.patch("configmaps", "new", "kube-root-ca.crt", forged, manager="test")
        assert not born("new")
        await cluster.expect(lambda: born("new"))
