"""The columns of pods: above all the one word that says how a pod is, as kubectl users read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aegis.localcluster.apiserver.tables.columns import AGE, NAME, NONE, Column, condition, since

Json = Mapping[str, Any]


def ready(pod: Json) -> str:
    """`1/2`: containers that are ready, of those that should be."""
    sidecars = _sidecars(pod)
    statuses = [s for s in _statuses(pod, "init") if s["name"] in sidecars] + _statuses(pod)
    total = len(pod["spec"].get("containers") or ()) + len(sidecars)
    return f"{sum(1 for s in statuses if s.get('ready') and 'running' in (s.get('state') or {}))}/{total}"


def status(pod: Json) -> str:
    """The word of the column STATUS: a phase, or the reason that says more."""
    facts = pod.get("status") or {}
    word = facts.get("reason") or facts.get("phase") or "Unknown"
    if (condition(pod, "PodScheduled") or {}).get("reason") == "SchedulingGated":
        word = "SchedulingGated"
    initializing = _initializing(pod)
    initialized = (condition(pod, "Initialized") or {}).get("status") == "True"
    word = initializing if initializing and not initialized else _running(pod, word)
    if pod["metadata"].get("deletionTimestamp"):
        if facts.get("reason") == "NodeLost":
            return "Unknown"
        if facts.get("phase") not in {"Succeeded", "Failed"}:
            return "Terminating"
    return word


def restarts(pod: Json) -> str:
    """How often containers were restarted, and how long ago the last one ended."""
    statuses = [*_statuses(pod, "init"), *_statuses(pod)]
    if not _initializing(pod):
        sidecars = _sidecars(pod)
        statuses = [s for s in statuses if s in _statuses(pod) or s["name"] in sidecars]
    count = sum(s.get("restartCount") or 0 for s in statuses)
    ended = [
        moment for s in statuses if (moment := ((s.get("lastState") or {}).get("terminated") or {}).get("finishedAt"))
    ]
    if not count or not ended:
        return str(count)
    return f"{count} ({since(max(ended, key=datetime.fromisoformat))} ago)"


def containers(spec: Json) -> str:
    """The names of a pod's containers."""
    return ",".join(c["name"] for c in spec.get("containers") or ())


def images(spec: Json) -> str:
    """The images of a pod's containers."""
    return ",".join(c.get("image") or "" for c in spec.get("containers") or ())


def _initializing(pod: Json) -> str:
    """What keeps the init containers from having ended well; empty where nothing does."""
    statuses, sidecars = _statuses(pod, "init"), _sidecars(pod)
    total = len(pod["spec"].get("initContainers") or ())
    for index, one in enumerate(statuses):
        state = one.get("state") or {}
        ended, waits = state.get("terminated"), state.get("waiting")
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if one["name"] in sidecars and one.get("started"):
            continue
        if ended is not None:
            return f"Init:{_end(ended)}"
        if waits is not None and waits.get("reason") not in {None, "", "PodInitializing"}:
            return f"Init:{waits['reason']}"
        return f"Init:{index}/{total}"
    return ""


def _running(pod: Json, word: str) -> str:
    any_runs = False
    for one in reversed(_statuses(pod)):
        state = one.get("state") or {}
        ended, waits = state.get("terminated"), state.get("waiting")
        if waits is not None and waits.get("reason"):
            word = waits["reason"]
        elif ended is not None:
            word = _end(ended)
        elif one.get("ready") and "running" in state:
            any_runs = True
    if word == "Completed" and any_runs:
        return "Running" if (condition(pod, "Ready") or {}).get("status") == "True" else "NotReady"
    return word


def _end(ended: Json) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _statuses(pod: Json, kind: str = "") -> list[Json]:
    field = "initContainerStatuses" if kind else "containerStatuses"
    return list((pod.get("status") or {}).get(field) or ())


def _sidecars(pod: Json) -> frozenset[str]:
    inits = pod["spec"].get("initContainers") or ()
    return frozenset(c["name"] for c in inits if c.get("restartPolicy") == "Always")


def _gates(pod: Json) -> str:
    gates: Sequence[Json] = pod["spec"].get("readinessGates") or ()
    met = sum(1 for g in gates if (condition(pod, g["conditionType"]) or {}).get("status") == "True")
    return f"{met}/{len(gates)}" if gates else NONE


PODS = (
    NAME,
    Column("Ready", ready),
    Column("Status", status),
    Column("Restarts", restarts),
    AGE,
    Column("IP", lambda o: (o.get("status") or {}).get("podIP") or NONE, priority=1),
    Column("Node", lambda o: o["spec"].get("nodeName") or NONE, priority=1),
    Column("Nominated Node", lambda o: (o.get("status") or {}).get("nominatedNodeName") or NONE, priority=1),
    Column("Readiness Gates", _gates, priority=1),
)
