"""A pod's status as the API shows it, worked out from its containers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.kubelet.pods.lifecycle import Phase, is_sidecar
from aegis.localcluster.kubelet.pods.state import Container, Running, State, Terminated, Waiting
from aegis.localcluster.kubelet.times import timestamp

OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """What is known of a pod beside its containers.

    Attributes:
        phase: its phase.
        initialized: whether its init containers are done.
        sandbox: whether it has a sandbox with a network.
        host_ip: its node's address.
        pod_ip: its own; empty before it has one.
        started_at: when the kubelet first saw it.
        reason: why it failed as a whole, as `DeadlineExceeded`.
        message: the same in words.
    """

    phase: Phase
    initialized: bool
    sandbox: bool
    host_ip: str
    pod_ip: str
    started_at: float
    reason: str = ""
    message: str = ""


def pod_status(pod: Object, known: Mapping[str, Container], facts: PodFacts, now: float) -> dict[str, Any]:
    """The whole status; conditions that belong to others stay as they are in `pod`."""
    spec, old = pod["spec"], pod.get("status") or {}
    status: dict[str, Any] = {
        "phase": facts.phase,
        "conditions": _conditions(pod, known, facts, now),
        "hostIP": facts.host_ip,
        "hostIPs": [{"ip": facts.host_ip}],
        "startTime": timestamp(facts.started_at),
        "qosClass": old.get("qosClass") or qos_class(spec),
    }
    generation = pod["metadata"].get("generation")
    if generation is not None:
        status["observedGeneration"] = generation
    if facts.pod_ip:
        status["podIP"], status["podIPs"] = facts.pod_ip, [{"ip": facts.pod_ip}]
    if facts.reason:
        status["reason"], status["message"] = facts.reason, facts.message
    for group, field in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
        containers = spec.get(group) or ()
        if containers:
            status[field] = [_container(one, known[one["name"]], init=group == "initContainers") for one in containers]
    for kept in ("nominatedNodeName", "resourceClaimStatuses", "resize"):
        if kept in old:
            status[kept] = old[kept]
    return status


def qos_class(spec: Mapping[str, Any]) -> str:
    """`Guaranteed`, `Burstable` or `BestEffort`."""
    guaranteed, any_given = True, False
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        for name in ("cpu", "memory"):
            any_given = any_given or name in requests or name in limits
            guaranteed = guaranteed and name in limits and requests.get(name, limits[name]) == limits[name]
    if not any_given:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _container(spec: Mapping[str, Any], container: Container, *, init: bool) -> dict[str, Any]:
    done = isinstance(container.state, Terminated) and container.state.exit_code == 0
    status = {
        "name": spec["name"],
        "image": spec["image"],
        "imageID": container.image_id,
        "state": _state(container.state),
        "lastState": _state(container.last) if container.last else {},
        "restartCount": container.restarts,
        "ready": done if init and not is_sidecar(spec) else container.ready,
        "started": container.passed_startup and isinstance(container.state, Running),
    }
    if container.container_id:
        status["containerID"] = container.container_id
    return status


def _state(state: State) -> dict[str, Any]:
    if isinstance(state, Waiting):
        return {"waiting": {"reason": state.reason} | ({"message": state.message} if state.message else {})}
    if isinstance(state, Running):
        return {"running": {"startedAt": timestamp(state.started_at)}}
    ended: dict[str, Any] = {
        "exitCode": state.exit_code,
        "reason": state.reason,
        "startedAt": timestamp(state.started_at),
        "finishedAt": timestamp(state.finished_at),
    }
    if state.message:
        ended["message"] = state.message
    if state.container_id:
        ended["containerID"] = state.container_id
    return {"terminated": ended}


def _conditions(pod: Object, known: Mapping[str, Container], facts: PodFacts, now: float) -> list[dict[str, Any]]:
    old = {one["type"]: one for one in (pod.get("status") or {}).get("conditions") or ()}
    made = {
        "PodReadyToStartContainers": _plain(holds=facts.sandbox),
        "Initialized": _initialized(pod["spec"], known, facts),
        "Ready": _ready(pod, known, facts, old),
        "ContainersReady": _containers_ready(pod["spec"], known, facts),
    }
    result = []
    for kind in OWN_CONDITIONS:
        condition = {"type": kind, "lastProbeTime": None, **made[kind]}
        same = old.get(kind, {}).get("status") == condition["status"]
        since = old[kind].get("lastTransitionTime") if same else None
        result.append({**condition, "lastTransitionTime": since or timestamp(now)})
    return result + [one for kind, one in old.items() if kind not in OWN_CONDITIONS]


def _plain(*, holds: bool) -> dict[str, Any]:
    return {"status": "True" if holds else "False"}


def _unready(what: str, names: Sequence[str], reason: str) -> dict[str, Any]:
    return {"status": "False", "reason": reason, "message": f"containers with {what} status: [{' '.join(names)}]"}


def _initialized(spec: Mapping[str, Any], known: Mapping[str, Container], facts: PodFacts) -> dict[str, Any]:
    if facts.phase == "Succeeded":
        return {"status": "True", "reason": "PodCompleted"}
    if facts.initialized:
        return {"status": "True"}
    unfinished = [
        init["name"]
        for init in spec.get("initContainers") or ()
        if not (known[init["name"]].passed_startup if is_sidecar(init) else _done(known[init["name"]]))
    ]
    return _unready("incomplete", unfinished, "ContainersNotInitialized")


def _done(container: Container) -> bool:
    return isinstance(container.state, Terminated) and container.state.exit_code == 0


def _containers_ready(spec: Mapping[str, Any], known: Mapping[str, Container], facts: PodFacts) -> dict[str, Any]:
    if facts.phase == "Succeeded":
        return {"status": "False", "reason": "PodCompleted"}
    if facts.phase == "Failed":
        return {"status": "False", "reason": "PodFailed"}
    sidecars = [init for init in spec.get("initContainers") or () if is_sidecar(init)]
    unready = [one["name"] for one in (*sidecars, *spec["containers"]) if not known[one["name"]].ready]
    return _unready("unready", unready, "ContainersNotReady") if unready else {"status": "True"}


def _ready(pod: Object, known: Mapping[str, Container], facts: PodFacts, old: Mapping[str, Any]) -> dict[str, Any]:
    ready = _containers_ready(pod["spec"], known, facts)
    if ready["status"] == "False":
        return ready
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    missing = [gate for gate in gates if old.get(gate, {}).get("status") != "True"]
    if missing:
        words = ", ".join(
            f'corresponding condition of pod readiness gate "{gate}" '
            + ("does not exist." if gate not in old else "is not True.")
            for gate in missing
        )
        return {"status": "False", "reason": "ReadinessGatesNotReady", "message": words}
    return ready
