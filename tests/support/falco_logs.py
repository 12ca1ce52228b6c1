"""Pods of Falco with logs as a kubelet serves them: stamped lines, from whole seconds on, cut off at a limit."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aegis.errors import NotFound
from aegis.evidence.falco import FalcoPlace, Found, find_falco
from aegis.model.refs import JsonObject
from aegis.ports import LogQuery

BEGAN = datetime(2024, 11, 21, 12, 0, 0, tzinfo=UTC)
"""When the window of a test begins."""

CHART = {"app.kubernetes.io/name": "falco"}


def at(seconds: float) -> datetime:
    """A moment of the window."""
    return BEGAN + timedelta(seconds=seconds)


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def alert_line(seconds: float = 1.0, **more: Any) -> str:
    """One alert as Falco's JSON; fields are given with underscores for dots: `k8s_ns_name`."""
    names = {"ns": "k8s.ns.name", "container": "container.id", "process": "proc.name", "exe": "proc.exepath"}
    fields = {name: more.pop(short, None) for short, name in names.items()}
    document: dict[str, Any] = {
        "hostname": "node-1",
        "output": "o",
        "output_fields": fields,
        "priority": "Warning",
        "rule": "Read sensitive file untrusted",
        "source": "syscall",
        "tags": [],
        "time": stamp(at(seconds)),
    }
    return json.dumps(document | more)


def falco_pod(name: str = "falco-1", node: str = "node-1", namespace: str = "falco", **more: Any) -> JsonObject:
    """A pod of Falco that has been ready since long before the window; `ready`, `started`, `restarts` say otherwise."""
    ready, started = more.get("ready", at(-600)), more.get("started", at(-600))
    state = {"running": {"startedAt": started.strftime("%Y-%m-%dT%H:%M:%SZ")}} if started else {"waiting": {}}
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    if ready:
        condition["lastTransitionTime"] = ready.strftime("%Y-%m-%dT%H:%M:%SZ")
    containers = more.get("containers", ["falco", "falcoctl"])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": more.get("uid", f"uid-{namespace}-{name}"),
            "labels": more.get("labels", CHART),
            **({"deletionTimestamp": stamp(at(5))} if more.get("leaving") else {}),
        },
        "spec": {"nodeName": node, "containers": [{"name": one} for one in containers]},
        "status": {
            "phase": more.get("phase", "Running"),
            "conditions": [condition],
            "containerStatuses": [
                {"name": containers[0], "state": state, "restartCount": more.get("restarts", 0)} if containers else {}
            ],
        },
    }


@dataclass(slots=True)
class FalcoLogs:
    """The part of a cluster that is read: pods, and the logs of those of Falco.

    Attributes:
        pods: by namespace and name.
        lines: of each Falco pod, `(moment, line)`.
        previous: of the run before.
        errors: what a pod's log answers instead.
        asked: every query.
        most: bytes that one answer holds at most.
    """

    pods: list[JsonObject] = field(default_factory=list)
    lines: dict[str, list[tuple[datetime, str]]] = field(default_factory=dict)
    previous: dict[str, list[tuple[datetime, str]]] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)
    asked: list[LogQuery] = field(default_factory=list)
    most: int = 1 << 30

    def put(self, pod: JsonObject, *lines: str, head: datetime | None = None) -> None:
        """A pod whose log begins, as Falco's does, when it starts."""
        name = pod["metadata"]["name"]
        self.pods.append(pod)
        first = head or at(-599)
        self.lines[name] = [(first, f"{first:%c}: Falco version: 0.44.1 (x86_64)")]
        for line in lines:
            self.write(name, line)

    def write(self, name: str, line: str, seconds: float = 2.0) -> None:
        """Write a line at a moment of the window."""
        self.lines[name].append((at(seconds), line))

    async def list(
        self, api_version: str, kind: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[JsonObject]:
        key, _, value = labels.partition("=")
        return [
            pod
            for pod in self.pods
            if namespace in {"", pod["metadata"]["namespace"]}
            and (not labels or pod["metadata"]["labels"].get(key) == value)
            and (not fields or pod["spec"]["nodeName"] == fields.partition("=")[2])
        ]

    async def logs(self, namespace: str, pod: str, query: LogQuery) -> str:
        self.asked.append(query)
        if pod in self.errors:
            raise self.errors[pod]
        held = self.previous if query.previous else self.lines
        if pod not in held:
            raise NotFound(f"previous terminated container in pod {pod} not found")
        since = query.since.replace(microsecond=0) if query.since else None
        text = "".join(f"{stamp(moment)} {line}\n" for moment, line in held[pod] if since is None or moment >= since)
        return text.encode()[: min(query.limit_bytes, self.most)].decode("utf-8", "replace")

    async def find(self, namespace: str = "", labels: str = "") -> Found:
        return await find_falco(self, FalcoPlace(namespace=namespace, labels=labels))  # type: ignore[arg-type]  # a part of the port
