"""What a pod's containers should do next: the kubelet's decisions, as a pure function of what is known.

Source: the behaviour described in the Kubernetes documentation of the pod lifecycle, init and sidecar containers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aegis.localcluster.api import Object
from aegis.localcluster.kubelet.pods.state import Container, Running, Terminated

Phase = Literal["Pending", "Running", "Succeeded", "Failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do now.

    Attributes:
        start: containers to start, in order; those that failed before only once their back-off has passed.
        stop: containers that have nothing left to run for.
        phase: the pod's phase.
        initialized: whether every init container has done its part.
    """

    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    phase: Phase = "Pending"
    initialized: bool = True


def is_sidecar(container: Mapping[str, Any]) -> bool:
    """Whether an init container keeps running beside the others."""
    return container.get("restartPolicy") == "Always"


def plan(pod: Object, known: Mapping[str, Container]) -> Plan:
    """Decide from a pod's spec and its containers as they stand."""
    spec = pod["spec"]
    policy = spec.get("restartPolicy", "Always")
    inits: Sequence[Mapping[str, Any]] = spec.get("initContainers") or ()
    mains: Sequence[Mapping[str, Any]] = spec["containers"]
    sidecars = [init["name"] for init in inits if is_sidecar(init)]
    if not _begun(mains, known):
        waiting = _next_init(inits, known, policy)
        if isinstance(waiting, Plan):
            return waiting
        if waiting is not None:
            return Plan(start=(waiting,), initialized=False)
    states = {main["name"]: known[main["name"]] for main in mains}
    if all(_over(container, policy) for container in states.values()):
        return _finished(states, sidecars, known)
    start = [name for name, container in states.items() if _startable(container, policy)]
    begun = any(container.ended or isinstance(container.state, Running) for container in states.values())
    return Plan(
        start=(*[name for name in sidecars if _startable(known[name], "Always")], *start),
        phase="Running" if begun else "Pending",
    )


def _begun(mains: Sequence[Mapping[str, Any]], known: Mapping[str, Container]) -> bool:
    return any(known[main["name"]].ended or isinstance(known[main["name"]].state, Running) for main in mains)


def _next_init(inits: Sequence[Mapping[str, Any]], known: Mapping[str, Container], policy: str) -> str | Plan | None:
    """The init container to start; a plan to wait or give up; None when all have done their part."""
    for init in inits:
        container = known[init["name"]]
        if is_sidecar(init):
            if container.passed_startup and isinstance(container.state, Running):
                continue
            return Plan(initialized=False) if isinstance(container.state, Running) else str(init["name"])
        if isinstance(container.state, Running):
            return Plan(initialized=False)
        if container.ended is None:
            return str(init["name"])
        if container.ended.exit_code == 0:
            continue
        if policy == "Never":
            return Plan(phase="Failed", initialized=False, stop=_running(inits, known))
        return str(init["name"])
    return None


def _running(containers: Sequence[Mapping[str, Any]], known: Mapping[str, Container]) -> tuple[str, ...]:
    return tuple(str(one["name"]) for one in containers if isinstance(known[one["name"]].state, Running))


def _over(container: Container, policy: str) -> bool:
    if isinstance(container.state, Running) or container.ended is None:
        return False
    return policy == "Never" or (policy == "OnFailure" and container.ended.exit_code == 0)


def _startable(container: Container, policy: str) -> bool:
    return not isinstance(container.state, Running) and not _over(container, policy)


def _finished(states: Mapping[str, Container], sidecars: Sequence[str], known: Mapping[str, Container]) -> Plan:
    ends = [container.ended for container in states.values() if isinstance(container.ended, Terminated)]
    phase: Phase = "Succeeded" if all(end.exit_code == 0 for end in ends) else "Failed"
    return Plan(phase=phase, stop=tuple(name for name in sidecars if isinstance(known[name].state, Running)))
