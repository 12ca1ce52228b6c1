"""What nobody acts on is said aloud."""

from __future__ import annotations

from typing import Any

from aegis.localcluster.controllers.unattended import UnattendedController


async def test_a_disruption_budget_is_warned_of_once(cluster: Any) -> None:
    budget = {"metadata": {"name": "b", "namespace": "default"}, "spec": {"minAvailable": 1}}
    async with cluster.running(UnattendedController):
        cluster.api.create("poddisruptionbudgets.policy", budget, manager="test")
        await cluster.expect(lambda: cluster.messages("NotImplemented"))
        labelled = {"metadata": {"labels": {"a": "b"}}}
        cluster.api.patch("poddisruptionbudgets.policy", "default", "b", labelled, manager="test")
        await cluster.quiet()
        (event,) = cluster.api.list("events", "default")
        assert (event["type"], event["involvedObject"]["kind"]) == ("Warning", "PodDisruptionBudget")
