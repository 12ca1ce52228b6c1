"""Read a pod's failure into a `Signature`: the one function that production and the shadow are both read with.

The facts are those of the Pod API (core/v1 PodStatus): waiting reasons alternate (ErrImagePull, ImagePullBackOff) and a
crash-looping pod is Running most of the time, so the last termination tells, never `status.phase`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from aegis.model.refs import Json
from aegis.model.symptom import Manner, Signature, mask

Logs = Mapping[tuple[str, bool], Sequence[str]]
"""The lines of a container's output, by its name and whether they are of the run before the current one."""

PULL_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError"})

_TELLING = re.compile(
    r"error|exception|fatal|panic|fail|missing|not set|required|undefined|denied|refused|not found|no such|cannot|unable",
    re.IGNORECASE,
)


def signature_of(pod: Json, *, events: Iterable[Json] = (), logs: Logs | None = None) -> Signature | None:
    """How a pod fails, or None where it does not (or does not yet show it).

    A container that once crashed counts although it runs again: whether that is long past is the caller's to judge.

    Args:
        pod: the Pod.
        events: Events about it.
        logs: what its containers wrote, for the deciding line.
    """
    mine = [event for event in events if _is_about(event, pod)]
    return (
        _unschedulable(pod)
        or _waiting(pod)
        or _crash(pod, mine, logs or {})
        or _unmounted(pod, mine)
        or _not_ready(pod, mine)
    )


def container_statuses(pod: Json) -> list[Json]:
    """The statuses of the init containers and the containers, in that order."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def is_ready(pod: Json) -> bool:
    """Whether the pod's Ready condition is True."""
    return _condition(pod, "Ready").get("status") == "True"


def deciding_line(lines: Sequence[str]) -> str:
    """The line that most likely says why a program ended: the last telling one, else the last."""
    told = [line for line in lines if line.strip()]
    telling = [line for line in told[-50:] if _TELLING.search(line)]
    return (telling or told or [""])[-1]


def _unschedulable(pod: Json) -> Signature | None:
    condition = _condition(pod, "PodScheduled")
    if condition.get("status") != "False" or condition.get("reason") != "Unschedulable":
        return None
    return Signature(manner=Manner.SCHEDULING, reason="Unschedulable", line=_mask(pod, condition.get("message")))


def _waiting(pod: Json) -> Signature | None:
    for status in container_statuses(pod):
        waiting = (status.get("state") or {}).get("waiting") or {}
        reason = str(waiting.get("reason") or "")
        if reason in PULL_REASONS:
            line = str(status.get("image") or "")
            return Signature(manner=Manner.PULL, reason=reason, container=str(status.get("name")), line=line)
        if reason in CONFIG_REASONS:
            line = _mask(pod, waiting.get("message"))
            return Signature(manner=Manner.CONFIG, reason=reason, container=str(status.get("name")), line=line)
    return None


def _crash(pod: Json, events: list[Json], logs: Logs) -> Signature | None:
    for status in container_statuses(pod):
        ended = last_termination(pod, status)
        if ended is None:
            continue
        name, reason = str(status.get("name")), str(ended.get("reason") or "Error")
        code = ended.get("exitCode")
        line = "" if reason == "OOMKilled" else _mask(pod, _last_words(ended, events) or _last_output(name, logs))
        return Signature(
            manner=Manner.CRASH,
            reason=reason,
            exit_code=int(code) if code is not None else None,
            container=name,
            line=line,
        )
    return None


def last_termination(pod: Json, status: Json) -> Json | None:
    """The newest end of a container that should have gone on, or None.

    An init container that ended with 0 has done its work; so has any container of a pod that is not always restarted.
    """
    state, last = status.get("state") or {}, status.get("lastState") or {}
    ended: Json | None = state.get("terminated") or last.get("terminated")
    if ended is None:
        return None
    spec = pod.get("spec") or {}
    meant_to_end = spec.get("restartPolicy", "Always") != "Always" or _is_init(spec, status)
    if ended.get("exitCode") == 0 and meant_to_end:
        return None
    return ended


def _is_init(spec: Json, status: Json) -> bool:
    return any(container.get("name") == status.get("name") for container in spec.get("initContainers") or [])


def _last_words(ended: Json, events: list[Json]) -> str:
    """What the kubelet or the program's termination message says of the end."""
    killed = _newest(events, "Unhealthy", ("Liveness probe", "Startup probe"), by=_told_and_seen)
    if killed and ended.get("exitCode") in {137, 143}:
        return killed
    return deciding_line(str(ended.get("message") or "").splitlines())


def _last_output(container: str, logs: Logs) -> str:
    return deciding_line(logs.get((container, True)) or logs.get((container, False)) or ())


def _unmounted(pod: Json, events: list[Json]) -> Signature | None:
    creating = any(
        ((status.get("state") or {}).get("waiting") or {}).get("reason") in {"ContainerCreating", "PodInitializing"}
        for status in container_statuses(pod)
    )
    message = _newest(events, "FailedMount", ("",))
    if not creating or not message:
        return None
    return Signature(manner=Manner.CONFIG, reason="FailedMount", line=_mask(pod, message))


def _not_ready(pod: Json, events: list[Json]) -> Signature | None:
    running = any("running" in (status.get("state") or {}) for status in container_statuses(pod))
    if is_ready(pod) or not running:
        return None
    message = _newest(events, "Unhealthy", ("Readiness probe", "Startup probe"))
    if not message:
        return None
    return Signature(manner=Manner.NOT_READY, reason="Unhealthy", line=_mask(pod, message))


def _condition(pod: Json, kind: str) -> dict[str, Any]:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return next((condition for condition in conditions if condition.get("type") == kind), {})


def _is_about(event: Json, pod: Json) -> bool:
    about, metadata = event.get("involvedObject") or event.get("regarding") or {}, pod.get("metadata") or {}
    if about.get("uid") and metadata.get("uid"):
        return bool(about["uid"] == metadata["uid"])
    return about.get("kind") == "Pod" and about.get("name") == metadata.get("name")


def _newest(
    events: list[Json], reason: str, prefixes: tuple[str, ...], *, by: Callable[[Json], Any] | None = None
) -> str:
    """The message of the newest event of a reason that begins with one of the prefixes; empty where there is none."""
    matching = [
        event
        for event in events
        if event.get("reason") == reason and str(event.get("message") or event.get("note") or "").startswith(prefixes)
    ]
    if not matching:
        return ""
    newest = max(matching, key=by or _seen_at)
    return str(newest.get("message") or newest.get("note") or "")


def _told_and_seen(event: Json) -> tuple[bool, bool, str]:
    """What a program answered says more than its silence, which a container that has just started shows as well."""
    message = str(event.get("message") or event.get("note") or "")
    return ("connection refused" not in message, "statuscode" in message, _seen_at(event))


def _seen_at(event: Json) -> str:
    """RFC 3339 times in UTC order as text."""
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event.get("firstTimestamp")
        or ""
    )


def _mask(pod: Json, text: object) -> str:
    metadata = pod.get("metadata") or {}
    return mask(str(text or ""), name=str(metadata.get("name") or ""), namespace=str(metadata.get("namespace") or ""))
