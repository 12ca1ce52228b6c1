"""Does the fixed workload's memory grow towards its limit?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aegis.kube.pod_template import containers, pod_spec_of
from aegis.kube.quantity import parse_quantity
from aegis.model.refs import Json
from aegis.model.verdict import GateResult, Outcome
from aegis.shadow.case import Stage, Trial
from aegis.shadow.comparison import MEMORY, MEMORY_WEIGHT, inapplicable, memory, unread

_RANK = {Outcome.SKIPPED: 0, Outcome.PASSED: 1, Outcome.ERRORED: 2, Outcome.FAILED: 3}


class Memory:
    """The slope of what metrics.k8s.io tells of each container; see `aegis.shadow.comparison.memory`."""

    name = MEMORY
    required = False
    stage = Stage.AFTER
    order = 4
    weight = MEMORY_WEIGHT

    async def judge(self, trial: Trial) -> GateResult:
        """The worst container's; it does not apply where the cluster measures nothing."""
        if trial.measuring is None:
            return unread(self.name, "INFRA: nothing was measured")
        readings = trial.measuring.readings
        if readings.fault:
            return unread(self.name, readings.fault)
        if not readings.series:
            return inapplicable(self.name, "the cluster serves no metrics.k8s.io of these pods")
        limits, window = _limits(trial.manifests.get("c", ())), trial.tools.real(trial.pair.watched)
        told = [(name, memory(series, limits.get(name), max(1.0, window))) for name, series in readings.series.items()]
        name, worst = max(told, key=lambda item: _RANK[item[1].outcome])
        return replace(worst, coverage=f"container {name}: {worst.coverage}" if worst.coverage else "")


def _limits(held: Sequence[Json]) -> dict[str, float]:
    """The memory limit of each container that has one, in bytes."""
    return {
        at.name: float(parse_quantity(limit))
        for obj in held
        for at in containers(pod_spec_of(obj) or {})
        if (limit := ((at.spec.get("resources") or {}).get("limits") or {}).get("memory")) is not None
    }


PLUGIN = Memory()
