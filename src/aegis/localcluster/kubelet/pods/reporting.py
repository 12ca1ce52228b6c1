"""Telling the API how a pod stands."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from aegis.localcluster.api import ClusterApi, Object
from aegis.localcluster.kubelet.pods.state import Container
from aegis.localcluster.kubelet.pods.status import PodFacts, pod_status
from aegis.localcluster.status import ApiError

_MANAGER = "kubelet"


def publish(api: ClusterApi, pod: Object, known: Mapping[str, Container], facts: PodFacts, *, now: float) -> None:
    """Store a pod's status, if it is another than the stored one and the pod is still the same."""
    metadata = pod["metadata"]
    stored = api.get("pods", metadata["namespace"], metadata["name"])
    if stored is None or stored["metadata"]["uid"] != metadata["uid"]:
        return
    status = pod_status(stored, known, facts, now)
    if status != stored.get("status"):
        fresh = {name: value for name, value in stored["metadata"].items() if name != "resourceVersion"}
        with contextlib.suppress(ApiError):
            api.update_status("pods", {**stored, "metadata": fresh, "status": status}, manager=_MANAGER)


def remove(api: ClusterApi, pod: Object) -> None:
    """Let a pod go whose containers have ended."""
    metadata = pod["metadata"]
    with contextlib.suppress(ApiError):
        api.delete("pods", metadata["namespace"], metadata["name"], uid=metadata["uid"], grace_seconds=0)
