"""Setting an arm up: create the copies, make the very changes of the fix in one of them, let the pods start."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from aegis.errors import Refused, Unavailable
from aegis.model.changes import Change, Delete, Evict, JsonPatch, within
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.shadow.clone import Ledger, Plan, shadow_ref
from aegis.shadow.namespace import fence
from aegis.shadow.probe import Place
from aegis.shadow.workloads import SCALED

_POLL, _ACCOUNT_POLLS = 0.1, 300
_PODS_TOUCHED = frozenset({"Pod"})


async def fence_off(place: Place, limit_ranges: Sequence[Json]) -> None:
    """Bound an arm and cut it off, before anything runs in it."""
    for obj in fence(place.namespace, pods=place.tools.limits.pods, limit_range=not limit_ranges):
        await place.create(obj)
    await _default_account(place)


async def furnish(place: Place, plan: Plan, limit_ranges: Sequence[Json]) -> None:
    """Create the copies; no pod of theirs starts yet (bare Pods come with `release`)."""
    for limit_range in limit_ranges:
        name = f"production-{limit_range['metadata']['name']}"
        await place.create(_placed({**limit_range, "metadata": {"name": name}}, place.namespace))
    for obj in plan.objects:
        if obj.get("kind") not in _PODS_TOUCHED:
            await place.create(_placed(obj, place.namespace))


async def make(place: Place, changes: Iterable[Change], ledger: Ledger) -> None:
    """Make the changes of the fix in an arm: the same values, another namespace.

    Raises:
        Invalid: if the server refuses them.
        Conflict: if a precondition of theirs does not hold in a shadow.
        Refused: if they would change what cuts the arm off.
    """
    for change in changes:
        local = await _local(place, change, ledger)
        if local is not None:
            await place.tools.actuator.change(local, place.purpose, force=True)


def of_bare_pods(changes: Iterable[Change], plan: Plan) -> dict[ObjectRef, list[Change]]:
    """The changes of bare Pods, for each of their copies: they can only be made once the Pods are there."""
    found: dict[ObjectRef, list[Change]] = {}
    for change in changes:
        if change.target.kind == "Pod" and change.target in plan.trials:
            names = copies(change.target.name, plan.trials[change.target])
            found.setdefault(change.target, []).extend(
                replace(change, target=replace(change.target, name=name)) for name in names
            )
    return found


def started(ref: ObjectRef) -> ObjectRef:
    """What runs for a workload: for a CronJob, a Job of its template."""
    if ref.kind != "CronJob":
        return ref
    return ObjectRef(api_version="batch/v1", kind="Job", name=f"{ref.name}-trial", namespace=ref.namespace)


async def release(place: Place, plan: Plan, refs: Iterable[ObjectRef]) -> None:
    """Let the pods of these workloads start."""
    pods = {ObjectRef.of(obj).name: obj for obj in plan.objects if obj.get("kind") == "Pod"}
    for ref in refs:
        count = plan.trials[ref]
        if ref.kind in SCALED and not plan.keeps_replicas:
            await _scale(place, ref, count)
        elif ref.kind == "Job":
            await _replace(place, ref, "/spec/suspend", value=False)
        elif ref.kind == "CronJob":
            await _run_once(place, ref)
        elif ref.kind == "Pod":
            for name in copies(ref.name, count):
                obj = pods[ref.name]
                await place.create(_placed({**obj, "metadata": {**obj["metadata"], "name": name}}, place.namespace))


def copies(name: str, count: int) -> list[str]:
    """The names of a bare Pod and its copies."""
    return [name, *(f"{name}-t{number}" for number in range(2, count + 1))]


async def _local(place: Place, change: Change, ledger: Ledger) -> Change | None:
    """A change in the arm: a DaemonSet is a Deployment there, and what is deleted has another uid.

    Raises:
        Refused: for a NetworkPolicy: policies add up, so one more would open what isolation was proved for.
    """
    if change.target.kind == "NetworkPolicy":
        raise Refused(f"{change.target} would open the shadow, which its own policies cut off")
    local = within(change, place.namespace)
    local = replace(local, target=shadow_ref(local.target))
    if isinstance(local, Evict):
        ledger.note(f"the eviction of {change.target} is not tried: the pods of a shadow have other names")
        return None
    if isinstance(local, Delete):
        there = await place.tools.reader.find(local.target)
        if there is None:
            return None
        return replace(local, uid=str(there["metadata"]["uid"]))
    return local


async def _run_once(place: Place, ref: ObjectRef) -> None:
    """A Job of a CronJob's template, as it is in the arm now.

    Raises:
        NotFound: if the CronJob is not there.
    """
    cron_job = await place.tools.reader.get(ref.within(place.namespace))
    template = (cron_job.get("spec") or {}).get("jobTemplate") or {}
    job = started(ref)
    metadata = {**(template.get("metadata") or {}), "name": job.name}
    body = {"apiVersion": job.api_version, "kind": job.kind, "metadata": metadata, "spec": template.get("spec") or {}}
    await place.create(_placed(body, place.namespace))


async def _scale(place: Place, ref: ObjectRef, count: int) -> None:
    await _replace(place, ref, "/spec/replicas", value=count)


async def _replace(place: Place, ref: ObjectRef, path: str, *, value: object) -> None:
    operation = {"op": "replace", "path": path, "value": value}
    await place.tools.actuator.change(JsonPatch(target=ref.within(place.namespace), patch=(operation,)), place.purpose)


async def _default_account(place: Place) -> None:
    """A pod needs its namespace's default ServiceAccount, which a controller makes a moment later.

    Raises:
        Unavailable: if none comes.
    """
    ref = ObjectRef(api_version="v1", kind="ServiceAccount", name="default", namespace=place.namespace)
    for _ in range(_ACCOUNT_POLLS):
        if await place.tools.reader.find(ref) is not None:
            return
        await asyncio.sleep(_POLL)
    raise Unavailable(f"no default ServiceAccount comes into {place.namespace}: is the controller manager running?")


def _placed(obj: Json, namespace: str) -> JsonObject:
    return {**obj, "metadata": {**(obj.get("metadata") or {}), "namespace": namespace}}
