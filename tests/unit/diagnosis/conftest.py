"""Small worlds for the diagnosis: a workload with its revisions and pods, written down in a few lines of YAML.

```
template: the pod spec of the current revision            good: that of the one before (still ready, unless `good_gone`)
pod:      {waiting, ended, running, restarts, ready, init: {...}, unschedulable: message, phase}
events:   [[reason, message, about?], ...]                logs: text (of the run before)   alerts: documents
objects:  further objects, whole                          listed: kinds that were listed in full
target:   Kind/name                                       expect: see test_rules.py
```
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from aegis.diagnosis.engine import diagnose
from aegis.evidence.alerts import read_alert
from aegis.evidence.ledger import Ledger
from aegis.model.diagnosis import Diagnosis
from aegis.model.evidence import Evidence
from aegis.model.refs import ObjectRef

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMESPACE = "shop"
_VERSIONS = {"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "Job": "batch/v1"}
_COMPONENTS = {"FailedScheduling": "default-scheduler", "FailedCreate": "replicaset-controller", "ScalingReplicaSet": "deployment-controller",
               "ProvisioningFailed": "persistentvolume-controller", "FailedBinding": "persistentvolume-controller"}  # fmt: skip


class World:
    """Evidence in the making."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.ledger = Ledger()
        if "template" in case:
            self._workload()
        for obj in case.get("objects", ()):
            self.ledger.object(_completed(obj))
        for event in case.get("events", ()):
            self._event(*event)
        for document in case.get("alerts", ()):
            alert = read_alert(document)
            payload = {"name": alert.name, "text": alert.text, "container": alert.container}
            self.ledger.alert(alert.subject or _ref("Namespace", NAMESPACE), alert.name, payload)
        if case.get("logs"):
            self.ledger.log(_ref("Pod", self.pod_name), self.container, case["logs"], previous=True)
        listed = [
            {"kind": kind, "namespace": "" if kind in {"Node", "StorageClass", "IngressClass"} else NAMESPACE}
            for kind in case.get("listed", ())
        ]
        self.ledger.note(_ref("Namespace", NAMESPACE), "listed", {"listed": listed})

    pod_name = "web-2-aaaaa"

    @property
    def container(self) -> str:
        return str(self.case.get("container") or self.case["template"]["containers"][0]["name"])

    def evidence(self) -> tuple[Evidence, ...]:
        return self.ledger.evidence()

    @property
    def target(self) -> ObjectRef | None:
        if self.case.get("target") == "none":
            return None
        kind, _, name = self.case.get("target", "Deployment/web").partition("/")
        return _ref(kind, name)

    def diagnose(self, evidence: tuple[Evidence, ...] | None = None) -> Diagnosis:
        return diagnose(self.evidence() if evidence is None else evidence, self.target, now=NOW)

    def _workload(self) -> None:
        case = self.case
        ready = 1 if "good" in case and not case.get("good_gone") else 0
        self.ledger.object({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": _meta("web", uid="uid-web", generation=2, created="2026-03-01T10:00:00Z", labels={"app": "web"}),
            "spec": {
                "replicas": case.get("replicas", 1),
                "selector": {"matchLabels": {"app": "web"}},
                "template": _template(case["template"]),
            },
            "status": {
                "observedGeneration": 2,
                "replicas": 1,
                "readyReplicas": ready,
                "conditions": case.get("conditions", [_condition("Available", "True" if ready else "False", "2026-03-01T11:05:00Z")]),
            },
        })  # fmt: skip
        if "good" in case:
            self._revision(1, case["good"], ready=ready)
        if not case.get("no_replica_set"):
            self._revision(2, case["template"], ready=0)
        if case.get("pod") is not None:
            self.ledger.object(self._pod(self.pod_name, 2, case["template"], case["pod"]))

    def _revision(self, number: int, spec: dict[str, Any], *, ready: int) -> None:
        name = f"web-{number}"
        self.ledger.object({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": _meta(
                name,
                uid=f"uid-{name}",
                created=f"2026-03-01T1{number - 1}:00:00Z",
                labels={"app": "web", "pod-template-hash": str(number)},
                annotations={"deployment.kubernetes.io/revision": str(number)},
                owner=("Deployment", "web"),
            ),
            "spec": {"replicas": 1, "template": _template(spec, number)},
            "status": {"replicas": ready, "readyReplicas": ready},
        })  # fmt: skip
        if ready:
            self.ledger.object(self._pod(f"web-{number}-ok", number, spec, {"running": True, "ready": True}))

    def _pod(self, name: str, revision: int, spec: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
        status: dict[str, Any] = {"phase": state.get("phase", "Running"), "conditions": []}
        if "unschedulable" in state:
            status["phase"] = "Pending"
            status["conditions"].append({
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": state["unschedulable"],
            })
        else:
            spec = {"nodeName": "node-1", **spec}
            status["conditions"].append({"type": "PodScheduled", "status": "True"})
            status["conditions"].append({"type": "Ready", "status": "True" if state.get("ready") else "False"})
            status["containerStatuses"] = [_status(c["name"], state) for c in spec["containers"]]
            if "init" in state:
                status["initContainerStatuses"] = [_status(c["name"], state["init"]) for c in spec["initContainers"]]
                for container in status["containerStatuses"]:
                    container["state"] = {"waiting": {"reason": "PodInitializing"}}
        owner = ("ReplicaSet", f"web-{revision}")
        labels = {"app": "web", "pod-template-hash": str(revision)}
        metadata = _meta(name, uid=f"uid-{name}", created="2026-03-01T11:00:00Z", labels=labels, owner=owner)
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}

    def _event(self, reason: str, message: str, about: str = f"Pod/{pod_name}") -> None:
        kind, _, name = about.partition("/")
        self.ledger.event({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name}.{reason}", "namespace": NAMESPACE},
            "involvedObject": {"kind": kind, "name": name, "namespace": NAMESPACE},
            "type": "Normal" if reason in {"Killing", "ScalingReplicaSet"} else "Warning",
            "reason": reason,
            "message": message,
            "source": {"component": _COMPONENTS.get(reason, "kubelet")},
            "lastTimestamp": "2026-03-01T11:58:00Z",
        })  # fmt: skip


def _status(name: str, state: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "ready": bool(state.get("ready")), "restartCount": state.get("restarts", 0)}
    if "waiting" in state:
        found["state"] = {"waiting": state["waiting"]}
    elif state.get("running"):
        found["state"] = {"running": {"startedAt": "2026-03-01T11:00:05Z"}}
    if "ended" in state:
        found["lastState"] = {"terminated": {"finishedAt": "2026-03-01T11:57:00Z", **state["ended"]}}
        found["restartCount"] = state.get("restarts", 5)
    return found


def _template(spec: dict[str, Any], number: int | None = None) -> dict[str, Any]:
    labels = {"app": "web", **({"pod-template-hash": str(number)} if number else {})}
    return {"metadata": {"labels": labels}, "spec": spec}


def _meta(name: str, *, uid: str, created: str, owner: tuple[str, str] | None = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE, "uid": uid, "creationTimestamp": created, **more}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    return metadata


def _condition(kind: str, status: str, since: str) -> dict[str, str]:
    return {"type": kind, "status": status, "lastTransitionTime": since}


def _completed(obj: dict[str, Any]) -> dict[str, Any]:
    cluster_scoped = obj["kind"] in {
        "Node",
        "StorageClass",
        "IngressClass",
        "PriorityClass",
        "Namespace",
        "PersistentVolume",
    }
    metadata = {"uid": f"uid-{obj['metadata']['name']}", **obj["metadata"]}
    if not cluster_scoped:
        metadata.setdefault("namespace", NAMESPACE)
    return {"apiVersion": _VERSIONS.get(obj["kind"], "v1"), **obj, "metadata": metadata}


def _ref(kind: str, name: str) -> ObjectRef:
    namespace = "" if kind in {"Node", "Namespace"} else NAMESPACE
    return ObjectRef(api_version=_VERSIONS.get(kind, "v1"), kind=kind, name=name, namespace=namespace)


@pytest.fixture
def world() -> Callable[[dict[str, Any]], World]:
    """Makes a world of a case."""
    return World
