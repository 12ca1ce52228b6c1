"""The only door that changes a cluster."""

from __future__ import annotations

from aegis.actuator.door import ClusterActuator
from aegis.actuator.freeze import FreezeWindow
from aegis.actuator.rules import PROTECTED, RERUN_PREFIX, SHADOW_PREFIX, Attempt, Rules, refusal

__all__ = [
    "PROTECTED",
    "RERUN_PREFIX",
    "SHADOW_PREFIX",
    "Attempt",
    "ClusterActuator",
    "FreezeWindow",
    "Rules",
    "refusal",
]
