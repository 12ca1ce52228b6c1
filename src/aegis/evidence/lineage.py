"""The trees that `kube-lineage` prints: which objects belong to which."""

from __future__ import annotations

import re
from typing import Any, Final

from aegis.evidence.tables import event, pod_state, table_rows
from aegis.model.refs import JsonObject

_NODE: Final = re.compile(r"^(?P<glyphs>[\s│├└─]*)(?P<kind>[A-Z][A-Za-z]+)/(?P<name>[a-z0-9][\w.:-]*)$")
_API_VERSIONS: Final = {"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1",
                        "Job": "batch/v1", "CronJob": "batch/v1", "NetworkPolicy": "networking.k8s.io/v1"}  # fmt: skip
_BELONGING: Final = frozenset({"ReplicaSet", "Pod", "Job", "NetworkPolicy"})
_CLUSTER_SCOPED: Final = frozenset({"Node", "ClusterRole", "ClusterRoleBinding", "PersistentVolume", "StorageClass"})


def is_lineage(text: str) -> bool:
    """Whether a text is such a tree."""
    return re.search(r"^(?:\S+\s+)?[ │├└─]*(?:├──|└──) [A-Z][A-Za-z]+/", text, re.MULTILINE) is not None


def lineage(text: str, *, upwards: bool) -> tuple[list[JsonObject], list[JsonObject]]:
    """(objects, events) of a tree; downwards a child belongs to what stands above it.

    Args:
        text: the tree.
        upwards: whether it shows what the first object depends on rather than what depends on it.
    """
    _, rows = table_rows(text)
    objects: list[JsonObject] = []
    events: list[JsonObject] = []
    above: list[tuple[int, str, str]] = []
    for row in rows:
        match = _NODE.match(row.get("NAME", ""))
        if match is None:
            continue
        depth, kind, name = len(match["glyphs"]), match["kind"], match["name"]
        while above and above[-1][0] >= depth:
            above.pop()
        parent = above[-1][1:] if above else None
        if kind == "Event" and parent:
            reason, _, message = row.get("STATUS", "").partition(": ")
            about = {"kind": parent[0], "name": parent[1], "namespace": row.get("NAMESPACE", "")}
            events.append(event("Normal", reason, message, age=row.get("AGE", ""), about=about))
        elif kind != "Event":
            objects.append(_sketch(kind, name, row, None if upwards else parent))
            above.append((depth, kind, name))
    return objects, events


def _sketch(kind: str, name: str, row: dict[str, str], parent: tuple[str, str] | None) -> JsonObject:
    metadata: dict[str, Any] = {"name": name}
    if row.get("NAMESPACE") and kind not in _CLUSTER_SCOPED:
        metadata["namespace"] = row["NAMESPACE"]
    if parent is not None and kind in _BELONGING:
        metadata["ownerReferences"] = [{"kind": parent[0], "name": parent[1], "controller": kind != "NetworkPolicy"}]
    obj: JsonObject = {"apiVersion": _API_VERSIONS.get(kind, "v1"), "kind": kind, "metadata": metadata}
    return obj | (pod_state(row) if kind == "Pod" else {})
