"""Running one of our scripts in a pod inside an arm, since nothing outside reaches an arm and that is the point of it.

A script comes from a ConfigMap, its input beside it, its result is the last line of its log, as JSON.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from aegis.errors import NotFound, Unavailable
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.ports import LogQuery, Purpose
from aegis.shadow.roll import Roll
from aegis.shadow.tools import TrialTools

PROBE = "aegis.io/probe"
"""The label of every pod of ours: such a pod is never one of those that are tried."""

LISTENER_PORT = 8099

_TAIL = 5


def config_map(namespace: str, name: str, script: str, plan: Json) -> JsonObject:
    """A script with its input."""
    text = (files("aegis.shadow") / "scripts" / f"{script}.py").read_text(encoding="utf-8")
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {PROBE: name}},
        "data": {"script.py": text, "plan.json": json.dumps(plan)},
    }


def probe_pod(
    namespace: str, name: str, image: str, arguments: Sequence[str], *, once: bool = True, node: str = ""
) -> JsonObject:
    """A pod that runs a script, on any node or a certain one; it meets the restricted Pod Security Standard."""
    container = {
        "name": "probe",
        "image": image,
        "command": ["python", "-u", "/probe/script.py", *arguments],
        "volumeMounts": [{"name": "probe", "mountPath": "/probe", "readOnly": True}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {PROBE: name}},
        "spec": {
            "restartPolicy": "Never" if once else "Always",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            **(_on(node) if node else {}),
            "volumes": [{"name": "probe", "configMap": {"name": name}}],
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An arm, the leave to write there, and who was seen running there."""

    tools: TrialTools
    purpose: Purpose
    arm: str
    namespace: str
    roll: Roll = field(default_factory=Roll)

    async def start(self, pod: JsonObject) -> JsonObject:
        """Create a pod of ours, and note its uid: what it does is never taken for the workload's doing."""
        made = await self.create(pod)
        self.roll.own.add(str((made.get("metadata") or {}).get("uid") or ""))
        return made

    async def create(self, obj: JsonObject) -> JsonObject:
        """Create an object of a shadow."""
        return await self.tools.actuator.create(obj, self.purpose)

    async def delete_pod(self, name: str) -> None:
        """Delete a pod of ours."""
        ref = ObjectRef(api_version="v1", kind="Pod", name=name, namespace=self.namespace)
        await self.tools.actuator.delete(ref, self.purpose)


async def run_script(place: Place, *, name: str, script: str, plan: Json, deadline: float, node: str = "") -> Any:
    """Run a script to its end in an arm, and give the JSON that it printed.

    Args:
        place: where.
        name: of the pod and its ConfigMap.
        script: which of `aegis.shadow.scripts`.
        plan: its input.
        deadline: real seconds.
        node: on which node; empty: on any.

    Raises:
        Unavailable: if it does not end, or prints no JSON.
    """
    tools, namespace = place.tools, place.namespace
    await place.create(config_map(namespace, name, script, plan))
    await place.start(probe_pod(namespace, name, tools.limits.probe_image, ["/probe/plan.json"], node=node))
    try:
        async with asyncio.timeout(deadline):
            ended = await wait_for_pod(place, name, phases=("Succeeded", "Failed"))
    except TimeoutError:
        raise Unavailable(f"the probe {name} in {namespace} did not end within {deadline:.0f} s") from None
    text = await _log(tools, namespace, name)
    await place.delete_pod(name)
    try:
        return json.loads(text.strip().splitlines()[-1])
    except (IndexError, ValueError):
        phase = (ended.get("status") or {}).get("phase")
        raise Unavailable(f"the probe {name} in {namespace} ended as {phase} and said nothing usable") from None


async def wait_for_pod(place: Place, name: str, *, phases: Sequence[str]) -> Json:
    """Watch a pod until it is in one of these phases; set your own deadline.

    Raises:
        Unavailable: if the watch ends without that.
    """
    async with place.tools.watch("v1", "Pod", place.namespace, fields=f"metadata.name={name}") as events:
        async for event in events:
            place.roll.see(event.object)
            if (event.object.get("status") or {}).get("phase") in phases:
                return event.object
    raise Unavailable(f"the watch of pod {name} in {place.namespace} ended")


def _on(node: str) -> JsonObject:
    """A place on one node, where pods of the arm run already, whatever its taints."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    wanted = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": wanted}}
    return {"affinity": affinity, "tolerations": [{"operator": "Exists"}]}


async def _log(tools: TrialTools, namespace: str, pod: str) -> str:
    try:
        return await tools.reader.logs(namespace, pod, LogQuery(container="probe", tail_lines=_TAIL))
    except NotFound:
        return ""
