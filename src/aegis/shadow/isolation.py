"""Proof that an arm is cut off, before anything of production is copied into it: some networks ignore policies.

A probe inside each arm must reach a listener of the same arm (else it proves nothing) and must not reach the API server,
production, the cloud's metadata or the internet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aegis.errors import AegisError, PermissionDenied
from aegis.kube.pod_template import containers, pod_spec_of
from aegis.model.refs import Json, ObjectRef
from aegis.model.verdict import GateResult, Outcome
from aegis.shadow.probe import LISTENER_PORT, PROBE, Place, config_map, probe_pod, run_script, wait_for_pod
from aegis.shadow.tools import TrialTools

GATE = "isolation"

_METADATA = "169.254.169.254:80"
_API = "kubernetes.default.svc:443"
PODS = _LISTENER, _PROBE = "aegis-listener", "aegis-reach"
"""The pods that prove it, gone before the workload is copied."""
_TIMEOUT = 1.0
_PATIENCE = 15.0
_DEADLINE = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What a probe in one arm found.

    Attributes:
        arm: which.
        control: whether the listener answered.
        leaks: forbidden addresses that were reached.
        tried: how many forbidden addresses were tried.
    """

    arm: str
    control: bool
    leaks: tuple[str, ...]
    tried: int


def production_addresses(known: Mapping[ObjectRef, Json | None], pods: Iterable[Json]) -> list[str]:
    """Addresses of production that an arm must not reach: Services and pods of the target's namespace, a few of each."""
    services = [
        f"{spec['clusterIP']}:{port['port']}"
        for ref, obj in known.items()
        if ref.kind == "Service" and obj is not None and (spec := obj.get("spec") or {})
        for port in (spec.get("ports") or [])[:1]
        if spec.get("clusterIP") not in {None, "", "None"} and port.get("protocol", "TCP") == "TCP"
    ]
    direct = [
        f"{status['podIP']}:{port['containerPort']}"
        for pod in pods
        if (status := pod.get("status") or {}).get("podIP")
        for at in containers(pod_spec_of(pod) or {})
        for port in (at.spec.get("ports") or [])[:1]
    ]
    return [*services[:3], *direct[:3]]


async def prove(places: Sequence[Place], production: Sequence[str]) -> GateResult:
    """Probe every arm, side by side; PASSED only where all of it is proved.

    Where the cluster says of itself that it does not enforce policies, nothing is proved, and that is a gap.
    """
    tools = places[0].tools
    if not tools.enforces_networks:
        return GateResult(
            gate=GATE,
            outcome=Outcome.SKIPPED,
            required=False,
            reason="this cluster does not enforce NetworkPolicies: the arms were not cut off, and no Secret was copied",
        )
    forbidden = await forbidden_addresses(tools, production)
    found, reason = [], ""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_probe(place, forbidden)) for place in places]
        found = [task.result() for task in tasks]
    except* AegisError as errors:
        reason = "; ".join(sorted({str(error) for error in errors.exceptions}))
    if reason:
        return GateResult(gate=GATE, outcome=Outcome.ERRORED, required=True, reason=reason, inconclusive=True)
    return judge(found)


async def forbidden_addresses(tools: TrialTools, production: Sequence[str]) -> list[str]:
    """What nothing in an arm may reach: the API server, the cloud's metadata, production, the internet."""
    return [_API, *await _api_address(tools), _METADATA, *production, *tools.limits.internet]


async def _api_address(tools: TrialTools) -> list[str]:
    """The API server's address within the cluster, where we may read it."""
    ref = ObjectRef(api_version="v1", kind="Service", name="kubernetes", namespace="default")
    try:
        service = await tools.reader.find(ref)
    except PermissionDenied:
        return []
    address = ((service or {}).get("spec") or {}).get("clusterIP")
    return [f"{address}:443"] if address else []


def judge(found: Sequence[Reached]) -> GateResult:
    """What the probes of all arms say together."""
    leaks = sorted({leak for reached in found for leak in reached.leaks})
    tried = sum(reached.tried for reached in found)
    reason = ""
    if not all(reached.control for reached in found):
        reason = "a pod of an arm could not reach its own listener, so nothing is proved"
    elif leaks:
        reason = f"reached from within an arm: {', '.join(leaks)}"
    return GateResult(
        gate=GATE,
        outcome=Outcome.ERRORED if reason or not found else Outcome.PASSED,
        required=True,
        reason=reason,
        measured=float(len(leaks)),
        threshold=0.0,
        unit="reached",
        coverage=f"{tried} forbidden addresses tried from {len(found)} arms, each with a positive control",
        inconclusive=bool(reason) or not found,
    )


async def _probe(place: Place, forbidden: Sequence[str]) -> Reached:
    image = place.tools.limits.probe_image
    await place.create(config_map(place.namespace, _LISTENER, "listen", {}))
    await place.start(probe_pod(place.namespace, _LISTENER, image, [str(LISTENER_PORT)], once=False))
    try:
        async with asyncio.timeout(_DEADLINE):
            running = await wait_for_pod(place, _LISTENER, phases=("Running",))
    except TimeoutError:
        return Reached(arm=place.arm, control=False, leaks=(), tried=0)
    control = f"{(running.get('status') or {}).get('podIP')}:{LISTENER_PORT}"
    plan = {"control": [control], "forbidden": list(forbidden), "timeout": _TIMEOUT, "patience": _PATIENCE}
    results = await run_script(place, name=_PROBE, script="reach", plan=plan, deadline=_DEADLINE + _PATIENCE)
    await place.delete_pod(_LISTENER)
    leaks = tuple(address for address in forbidden if results.get(address) is not False)
    return Reached(arm=place.arm, control=results.get(control) is True, leaks=leaks, tried=len(forbidden))


def is_probe(pod: Json) -> bool:
    """Whether a pod is one of ours."""
    return PROBE in ((pod.get("metadata") or {}).get("labels") or {})
