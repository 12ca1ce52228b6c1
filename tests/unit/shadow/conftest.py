"""A cluster in memory, as the ports see one: enough to try the order of a trial and how it cleans up."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from aegis.errors import Conflict, NotFound, Refused
from aegis.model.changes import Change, Delete, Evict, JsonPatch, body_of
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.ports import Access, Cluster, LogQuery, ObjectEvent, Purpose, User
from aegis.shadow.tools import SecurityRules, TrialLimits, TrialTools

Key = tuple[str, str, str]


class FakeCluster:
    """Both ports over one dictionary. Pods are what `behaviour` makes of them; `log` is what they write.

    Attributes:
        calls: every write, in order: verb, kind, namespace, name.
        uids: the preconditions of all deletions.
        stuck: namespaces that never go.
    """

    def __init__(self) -> None:
        self.objects: dict[Key, JsonObject] = {}
        self.calls: list[tuple[str, str, str, str]] = []
        self.uids: list[str] = []
        self.stuck: set[str] = set()
        self.behaviour: Callable[[JsonObject], None] = run_well
        self.log: Callable[[JsonObject], str] = lambda _: ""
        self.clock = 0
        self._watchers: list[asyncio.Queue[ObjectEvent]] = []

    # what production holds

    def put(self, *objects: JsonObject) -> None:
        for obj in objects:
            self._store(obj)

    def _store(self, obj: JsonObject) -> JsonObject:
        self.clock += 1
        metadata = obj.setdefault("metadata", {})
        metadata.setdefault("uid", f"uid-{self.clock}")
        metadata.setdefault("creationTimestamp", f"2026-01-01T00:00:{self.clock % 60:02d}Z")
        key = (obj["kind"], metadata.get("namespace") or "", metadata["name"])
        kind = "MODIFIED" if key in self.objects else "ADDED"
        self.objects[key] = obj
        self._tell(kind, obj)
        return obj

    def _tell(self, kind: Any, obj: JsonObject) -> None:
        for queue in self._watchers:
            queue.put_nowait(ObjectEvent(type=kind, object=copy.deepcopy(obj)))

    # ClusterReader

    async def cluster(self) -> Cluster:
        return Cluster(uid="c", server="https://127.0.0.1:1", context="fake", version="v1.36.0", time_scale=600.0)

    async def find(self, ref: ObjectRef) -> JsonObject | None:
        found = self.objects.get((ref.kind, ref.namespace, ref.name))
        return copy.deepcopy(found)

    async def whoami(self) -> User:
        return User(name="tester")

    async def allowed(self, access: Access) -> bool:
        return True

    async def resolve(self, kind: str) -> ObjectRef:
        raise NotFound(kind)

    async def get(self, ref: ObjectRef) -> JsonObject:
        found = await self.find(ref)
        if found is None:
            raise NotFound(str(ref))
        return found

    async def list(
        self, api_version: str, kind: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[JsonObject]:
        return [
            copy.deepcopy(obj)
            for (its_kind, its_namespace, _), obj in self.objects.items()
            if its_kind == kind and namespace in {"", its_namespace} and _has(obj, labels)
        ]

    async def watch(
        self, api_version: str, kind: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> AsyncIterator[ObjectEvent]:
        queue: asyncio.Queue[ObjectEvent] = asyncio.Queue()
        for obj in await self.list(api_version, kind, namespace=namespace, labels=labels):
            queue.put_nowait(ObjectEvent(type="ADDED", object=obj))
        self._watchers.append(queue)
        try:
            while True:
                event = await queue.get()
                metadata = event.object["metadata"]
                named = fields in {"", f"metadata.name={metadata['name']}"}
                if event.object["kind"] == kind and namespace in {"", metadata.get("namespace")} and named:
                    yield event
        finally:
            self._watchers.remove(queue)

    async def logs(self, namespace: str, pod: str, query: LogQuery) -> str:
        return self.log(await self.get(ObjectRef(api_version="v1", kind="Pod", name=pod, namespace=namespace)))

    # Actuator

    async def create(self, obj: Json, purpose: Purpose) -> JsonObject:
        made = copy.deepcopy(dict(obj))
        ref = ObjectRef.of(made)
        self._within(ref, purpose)
        self.calls.append(("create", ref.kind, ref.namespace, ref.name))
        if (ref.kind, ref.namespace, ref.name) in self.objects:
            raise Conflict(f"{ref} is there already")
        self._store(made)
        if ref.kind == "Namespace":
            account = {"kind": "ServiceAccount", "metadata": {"name": "default", "namespace": ref.name}}
            self._store({"apiVersion": "v1", **account})
        if ref.kind == "Pod":
            self.behaviour(made)
            self._store(made)
        return copy.deepcopy(made)

    async def change(
        self,
        change: Change,
        purpose: Purpose,
        *,
        resource_version: str = "",
        force: bool = False,
        dry_run: bool = False,
    ) -> JsonObject | None:
        ref = change.target
        self._within(ref, purpose)
        self.calls.append(("change", ref.kind, ref.namespace, ref.name))
        obj = await self.get(ref)
        if isinstance(change, JsonPatch):
            for operation in change.patch:
                _patch(obj, operation["path"].strip("/").split("/"), operation["value"])
        elif not isinstance(change, Delete | Evict):
            _merge(obj, body_of(change))
        self._store(obj)
        if ref.kind == "Deployment":
            self._roll_out(obj)
        return obj

    async def delete(self, ref: ObjectRef, purpose: Purpose, *, uid: str = "", resource_version: str = "") -> None:
        self._within(ref, purpose)
        self.calls.append(("delete", ref.kind, ref.namespace, ref.name))
        self.uids.append(uid)
        await asyncio.sleep(0)
        if ref.name in self.stuck:
            return
        for key in [key for key in self.objects if key == (ref.kind, ref.namespace, ref.name) or key[1] == ref.name]:
            self._tell("DELETED", self.objects.pop(key))

    def _within(self, ref: ObjectRef, purpose: Purpose) -> None:
        if (ref.name if ref.kind == "Namespace" else ref.namespace) not in purpose.scope:
            raise Refused(f"{ref} is outside {purpose.scope}")

    def _roll_out(self, deployment: JsonObject) -> None:
        """What a Deployment's controller does, in one step."""
        name, namespace = deployment["metadata"]["name"], deployment["metadata"]["namespace"]
        wanted = deployment["spec"]["replicas"]
        for number in range(wanted):
            pod = copy.deepcopy(deployment["spec"]["template"])
            owner = [{"kind": "ReplicaSet", "name": f"{name}-abc"}]
            pod["metadata"] |= {"name": f"{name}-abc-{number}", "namespace": namespace, "ownerReferences": owner}
            pod |= {"apiVersion": "v1", "kind": "Pod"}
            self.behaviour(pod)
            self._store(pod)
        deployment["status"] = {"updatedReplicas": wanted, "availableReplicas": wanted, "readyReplicas": wanted}
        self._store(deployment)


def say_nothing(_message: str, /, **_facts: object) -> None:
    pass


def run_well(pod: JsonObject) -> None:
    once = pod["spec"].get("restartPolicy") == "Never"
    pod["status"] = {
        "phase": "Succeeded" if once else "Running",
        "podIP": "10.0.0.9",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [
            {"name": one["name"], "restartCount": 0, "state": {"running": {}}} for one in pod["spec"]["containers"]
        ],
    }


def crash(pod: JsonObject, times: int = 3) -> None:
    run_well(pod)
    pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    for status in pod["status"]["containerStatuses"]:
        ended = {"exitCode": 1, "reason": "Error", "containerID": f"run-{times}"}
        status |= {"restartCount": times, "lastState": {"terminated": ended}}


def _has(obj: JsonObject, labels: str) -> bool:
    held = obj["metadata"].get("labels") or {}
    wanted = [term.partition("=") for term in labels.split(",") if term]
    return all(held.get(key) == value if equals else key in held for key, equals, value in wanted)


def _patch(obj: Any, path: list[str], value: Any) -> None:
    for key in path[:-1]:
        obj = obj[key]
    obj[path[-1]] = value


def _merge(obj: JsonObject, patch: Json) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(obj.get(key), dict):
            _merge(obj[key], value)
        else:
            obj[key] = copy.deepcopy(value)


@pytest.fixture
def fake() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
async def tools(fake: FakeCluster) -> TrialTools:
    return TrialTools(
        reader=fake,
        actuator=fake,
        progress=say_nothing,
        cluster=await fake.cluster(),
        limits=TrialLimits(
            deletion_seconds=2.0, security=SecurityRules(off=frozenset({"kubesec", "semgrep", "trivy"}))
        ),
    )


@pytest.fixture
def make_crash() -> Callable[..., None]:
    return crash


@pytest.fixture
def make_well() -> Callable[..., None]:
    return run_well
