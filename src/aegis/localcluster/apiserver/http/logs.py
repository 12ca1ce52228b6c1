"""Container output: which container, and which part of what it wrote."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from aegis.localcluster.api import LogRequest
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.http.call import Call
from aegis.localcluster.apiserver.refusals import BadRequest, NotFound, Unimplemented

_GROUPS = ("containers", "initContainers", "ephemeralContainers")
_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


def pod_logs(core: Core, call: Call) -> AsyncIterator[bytes]:
    """The lines that `GET …/pods/NAME/log` asks for.

    Raises:
        NotFound: there is no such pod.
        BadRequest: no such container, one must be chosen, it has no output yet, or the query makes no sense.
        Unimplemented: the server runs without a kubelet.
    """
    pod = core.store.get("pods", call.place.key)
    if pod is None:
        raise NotFound(call.resource, call.place.name)
    request = _request(call)
    container = chosen_container(pod, call.query.get("container", ""))
    _check_has_output(pod, container, previous=request.previous)
    source = core.log_source()
    if source is None:
        raise Unimplemented("container logs without a kubelet")
    return source.logs(pod, container, request)


def _request(call: Call) -> LogRequest:
    seconds, moment = call.number("sinceSeconds"), call.query.get("sinceTime")
    if seconds is not None and moment:
        raise BadRequest("at most one of sinceTime or sinceSeconds may be specified")
    tail, limit = call.number("tailLines"), call.number("limitBytes")
    if tail is not None and tail < 0:
        raise BadRequest("tailLines: Invalid value: must be greater than or equal to 0")
    if limit is not None and limit < 1:
        raise BadRequest("limitBytes: Invalid value: must be greater than 0")
    return LogRequest(
        previous=call.flag("previous"),
        follow=call.flag("follow"),
        timestamps=call.flag("timestamps"),
        since=_since(seconds, moment),
        tail_lines=tail,
        limit_bytes=limit,
    )


def _since(seconds: int | None, moment: str | None) -> float | None:
    if seconds is not None:
        if seconds < 1:
            raise BadRequest("sinceSeconds: Invalid value: must be greater than 0")
        return time.time() - seconds
    if not moment:
        return None
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        raise BadRequest(f"sinceTime: Invalid value: {moment!r}") from None
    if parsed.tzinfo is None:
        raise BadRequest(f"sinceTime: Invalid value: {moment!r}: has no time zone")
    return parsed.timestamp()


def chosen_container(pod: Mapping[str, Any], wanted: str) -> str:
    """The container that a request means.

    Raises:
        BadRequest: there is none of this name, or one must be chosen.
    """
    name = pod["metadata"]["name"]
    spec = pod.get("spec") or {}
    every = [c["name"] for group in _GROUPS for c in spec.get(group) or ()]
    if wanted:
        if wanted not in every:
            raise BadRequest(f"container {wanted} is not valid for pod {name}")
        return wanted
    plain = [c["name"] for c in spec.get("containers") or ()]
    if len(plain) == 1 and not spec.get("initContainers"):
        return str(plain[0])
    inits = [c["name"] for c in spec.get("initContainers") or ()]
    detail = f", choose one of: [{' '.join(plain)}]"
    if inits:
        detail += f" or one of the init containers: [{' '.join(inits)}]"
    if len(plain) == 1:
        return str(plain[0])
    raise BadRequest(f"a container name must be specified for pod {name}{detail}")


def _check_has_output(pod: Mapping[str, Any], container: str, *, previous: bool) -> None:
    status = _status(pod, container)
    name = pod["metadata"]["name"]
    waiting = ((status or {}).get("state") or {}).get("waiting")
    last = ((status or {}).get("lastState") or {}).get("terminated")
    if previous and not last:
        raise BadRequest(f'previous terminated container "{container}" in pod "{name}" not found')
    if not (pod.get("spec") or {}).get("nodeName"):
        raise BadRequest(f"pod {name} does not have a host assigned")
    if status is None or (waiting and not last):
        reason = (waiting or {}).get("reason") or "ContainerCreating"
        explained = {
            "ErrImagePull": "trying and failing to pull image",
            "ImagePullBackOff": "trying and failing to pull image",
        }.get(reason, reason)
        verb = "is" if explained != reason else "is waiting to start:"
        raise BadRequest(f'container "{container}" in pod "{name}" {verb} {explained}')


def _status(pod: Mapping[str, Any], container: str) -> Mapping[str, Any] | None:
    statuses = pod.get("status") or {}
    for group in _STATUSES:
        for status in statuses.get(group) or ():
            if status.get("name") == container:
                found: Mapping[str, Any] = status
                return found
    return None
