"""metrics.k8s.io/v1beta1: what pods and nodes use now. Computed where it is asked for, never stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from aegis.localcluster.api import ContainerUsage, MetricsSource, PodUsage
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.http.call import Call, Reply, reply
from aegis.localcluster.apiserver.http.rendering import list_kind
from aegis.localcluster.apiserver.http.selecting import selection
from aegis.localcluster.apiserver.objects import Object, now, timestamp
from aegis.localcluster.status import ApiError

GROUP = "metrics.k8s.io"
_NANO, _KIBI = 10**9, 1024


class NotServing(ApiError):
    """503: nothing measures (yet)."""

    def __init__(self) -> None:
        super().__init__(503, "ServiceUnavailable", "the server is currently unable to handle the request")


def answer(core: Core, call: Call) -> Reply:
    """GET of the metrics of one or all.

    Raises:
        NotServing: nothing measures here.
        ApiError: 404 where nothing is known of the one asked for.
    """
    source = core.metrics()
    if source is None:
        raise NotServing
    shown = _nodes(core, source) if call.resource.kind == "NodeMetrics" else _pods(core, source, call.namespace)
    if call.name is not None:
        found = next((m for m in shown if m["metadata"]["name"] == call.name), None)
        if found is None:
            named = f"{call.namespace}/{call.name}" if call.namespace else call.name
            kind = call.resource.kind.lower()
            raise ApiError(404, "NotFound", f'{kind}.{GROUP} "{named}" not found')
        return reply(_typed(call, found))
    chosen = selection(call)
    items = [_typed(call, m) for m in shown if chosen.matches(m)]
    version = call.resource.api_version
    return reply({"kind": list_kind(call.resource), "apiVersion": version, "metadata": {}, "items": items})


def _typed(call: Call, metrics: Object) -> Object:
    return {"kind": call.resource.kind, "apiVersion": call.resource.api_version, **metrics}


def _pods(core: Core, source: MetricsSource, namespace: str | None) -> list[Object]:
    return [
        {
            **_frame(pod["metadata"], usage.at, usage.window),
            "containers": [{"name": n, "usage": _amounts([u])} for n, u in usage.containers.items()],
        }
        for pod in core.store.objects("pods", namespace)
        if (usage := source.usage(pod["metadata"]["uid"])) is not None
    ]


def _nodes(core: Core, source: MetricsSource) -> list[Object]:
    by_node: dict[str, list[PodUsage]] = {n["metadata"]["name"]: [] for n in core.store.objects("nodes")}
    for pod in core.store.objects("pods"):
        usage = source.usage(pod["metadata"]["uid"])
        if usage is not None and pod["spec"].get("nodeName") in by_node:
            by_node[pod["spec"]["nodeName"]].append(usage)
    return [_node(node["metadata"], by_node[node["metadata"]["name"]]) for node in core.store.objects("nodes")]


def _node(metadata: Mapping[str, Any], usages: list[PodUsage]) -> Object:
    latest = max(usages, key=lambda u: u.at, default=None)
    at, window = (latest.at, latest.window) if latest else (now(), 0.0)
    return {**_frame(metadata, at, window), "usage": _amounts([c for u in usages for c in u.containers.values()])}


def _frame(metadata: Mapping[str, Any], at: datetime, window: float) -> Object:
    shown = {k: metadata[k] for k in ("name", "namespace", "labels") if metadata.get(k)}
    return {
        "metadata": {**shown, "creationTimestamp": timestamp()},
        "timestamp": timestamp(at),
        "window": f"{window:.3f}s",
    }


def _amounts(used: Iterable[ContainerUsage]) -> dict[str, str]:
    every = list(used)
    cpu, memory = sum(u.cpu for u in every), sum(u.memory for u in every)
    return {"cpu": f"{round(cpu * _NANO)}n" if cpu else "0", "memory": f"{memory // _KIBI}Ki" if memory else "0"}
