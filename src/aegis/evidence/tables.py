"""The tables that kubectl prints: by their header, and rows without one by their shape."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from aegis.model.refs import JsonObject

AGE: Final = "aegis.io/age-seconds"
"""How long ago an event was, where the text gives no time but an age."""

_HEADER_WORD: Final = re.compile(r"\S+(?: \S+)*")
_AGE_PART: Final = re.compile(r"(\d+)([smhdy])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "y": 31_536_000}
_POD_ROW: Final = re.compile(
    r"^(?:(?P<namespace>[a-z0-9-]+)\s{2,})?(?P<name>[a-z0-9][a-z0-9.-]*)\s+(?P<ready>\d+/\d+)\s+(?P<status>[A-Za-z][\w:/.-]*)"
    r"\s+(?P<restarts>\d+(?: \([^)]*\))?)\s+(?P<age>\S+)(?:\s+(?P<ip>\S+)\s+(?P<node>\S+))?"
)
_HEADERS: Final = (
    ({"READY", "STATUS", "RESTARTS"}, "Pod", "v1"),
    ({"UP-TO-DATE", "AVAILABLE", "READY"}, "Deployment", "apps/v1"),
    ({"DESIRED", "CURRENT", "READY", "UP-TO-DATE"}, "DaemonSet", "apps/v1"),
    ({"DESIRED", "CURRENT", "READY"}, "ReplicaSet", "apps/v1"),
    ({"STATUS", "ROLES", "VERSION"}, "Node", "v1"),
    ({"STATUS", "VOLUME", "ACCESS MODES"}, "PersistentVolumeClaim", "v1"),
    ({"CLUSTER-IP", "PORT(S)"}, "Service", "v1"),
)
_WAITING: Final = frozenset({
    "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError", "CreateContainerError",
    "InvalidImageName", "ErrImageNeverPull", "RunContainerError", "ContainerCreating", "PodInitializing",
})  # fmt: skip


def table_rows(text: str) -> tuple[list[str], list[dict[str, str]]]:
    """(the columns, the rows by column) of a table; no columns where the first line is no header."""
    lines = [line.rstrip() for line in text.expandtabs(8).splitlines() if line.strip()]
    if not lines or not _is_header(lines[0]):
        return [], []
    marks = [(match.group(), match.start()) for match in _columns(lines[0])]
    rows = []
    for line in lines[1:]:
        ends = [start for _, start in marks[1:]] + [None]
        cells = {name: line[start:end].strip() for (name, start), end in zip(marks, ends, strict=True)}
        rows.append(cells)
    return [name for name, _ in marks], rows


def table_objects(text: str, hint: str) -> list[JsonObject]:
    """The objects of a table, as far as it tells: by its header, else by the kind that the file's name says."""
    columns, rows = table_rows(text)
    if columns:
        kind = next(((k, v) for marks, k, v in _HEADERS if marks <= set(columns)), None)
        if kind is None or "NAME" not in columns:
            return []
        return [obj for row in rows if (obj := _of_row(kind[0], kind[1], row))]
    if "pod" in hint.lower() or "all" in hint.lower():
        matches = (_POD_ROW.match(line.strip()) for line in text.splitlines())
        rows = [{k.upper(): v or "" for k, v in match.groupdict().items()} for match in matches if match]
        return [obj for row in rows if (obj := _of_row("Pod", "v1", row))]
    return []


def table_events(text: str) -> list[JsonObject]:
    """The Events of a `kubectl get events` table."""
    columns, rows = table_rows(text)
    if not {"TYPE", "REASON", "OBJECT", "MESSAGE"} <= set(columns):
        return []
    found = []
    for row in rows:
        kind, _, name = row["OBJECT"].partition("/")
        about = {"kind": kind_named(kind), "name": name, "namespace": row.get("NAMESPACE", "")}
        found.append(event(row["TYPE"], row["REASON"], row["MESSAGE"], age=row.get("LAST SEEN", ""), about=about))
    return found


def event(
    type_: str, reason: str, message: str, *, age: str, about: Mapping[str, str], component: str = ""
) -> JsonObject:
    """An Event as a table prints it."""
    made: JsonObject = {"apiVersion": "v1", "kind": "Event", "type": type_, "reason": reason, "message": message}
    made["involvedObject"] = dict(about)
    count = re.search(r"\(x(\d+)", age)
    made["count"] = int(count[1]) if count else 1
    if component:
        made["source"] = {"component": component}
    seconds = age_seconds(age)
    if seconds is not None:
        made[AGE] = seconds
    return made


def age_seconds(text: str) -> int | None:
    """The seconds of an age as kubectl prints it: `3m19s`, `18s (x2 over 34s)`."""
    head = text.split("(", maxsplit=1)[0].strip()
    parts = _AGE_PART.findall(head)
    if not parts or "".join(number + unit for number, unit in parts) != head:
        return None
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def kind_named(word: str) -> str:
    """A kind as tables write it (`pod`, `replicaset`) in its own spelling."""
    known = ("Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "Node", "Service",
             "PersistentVolumeClaim", "PersistentVolume", "HorizontalPodAutoscaler", "Ingress", "Namespace",
             "NetworkPolicy", "ConfigMap", "Secret", "ServiceAccount", "EndpointSlice", "Event")  # fmt: skip
    return next((kind for kind in known if kind.lower() == word.lower().split(".")[0]), word)


def _columns(header: str) -> Iterator[re.Match[str]]:
    return _HEADER_WORD.finditer(header)


def _is_header(line: str) -> bool:
    words = [match.group() for match in _columns(line)]
    return len(words) > 1 and all(word == word.upper() and re.search("[A-Z]", word) for word in words)


def _of_row(kind: str, api_version: str, row: dict[str, str]) -> JsonObject | None:
    name = row.get("NAME", "").split("/")[-1]
    if not name or not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        return None
    metadata: JsonObject = {"name": name}
    if row.get("NAMESPACE"):
        metadata["namespace"] = row["NAMESPACE"]
    labels = dict(pair.split("=", 1) for pair in row.get("LABELS", "").split(",") if "=" in pair)
    if labels:
        metadata["labels"] = labels
    obj: JsonObject = {"apiVersion": api_version, "kind": kind, "metadata": metadata}
    match kind:
        case "Pod":
            obj |= pod_state(row)
        case "Node":
            ready = row.get("STATUS", "").split(",")[0] == "Ready"
            obj["spec"] = {"unschedulable": True} if "SchedulingDisabled" in row.get("STATUS", "") else {}
            obj["status"] = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
        case "PersistentVolumeClaim":
            obj["spec"] = {"storageClassName": row.get("STORAGECLASS", "")}
            obj["status"] = {"phase": row.get("STATUS", "")}
        case _:
            pass
    return obj


def pod_state(row: Mapping[str, str]) -> JsonObject:
    """A pod's state in a word: the reason of the container that waits, or its phase."""
    word = row.get("STATUS", "").rpartition(":")[2]
    restarts = re.match(r"\d+", row.get("RESTARTS", ""))
    ready, _, total = row.get("READY", "0/0").partition("/")
    node = row.get("NODE", "")
    spec = {"nodeName": node} if node not in {"", "<none>"} else {}
    status: JsonObject = {"phase": word if word in {"Running", "Pending", "Succeeded", "Failed"} else "Pending"}
    if word == "Completed":
        status["phase"] = "Succeeded"
    status["conditions"] = [{"type": "Ready", "status": "True" if ready == total and total != "0" else "False"}]
    if word in _WAITING:
        state = {"name": "", "ready": False, "restartCount": int(restarts[0]) if restarts else 0}
        status["containerStatuses"] = [{**state, "state": {"waiting": {"reason": word}}}]
    return {"spec": spec, "status": status}
