"""Shadows that stand on their own, each in a namespace: the one `ShadowProvider` of this release.

Such a shadow is made as an arm of a trial is (namespace, fences, the proof that they hold, and only then copies), but it
has no rival arm and stays. How long is written on its namespace: while it is being made, only for some minutes at a time,
so that one whose maker died is swept soon; once it stands, until its time is over.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from aegis.drivers.shielding import shielded
from aegis.errors import AegisError, Conflict, NotFound, Refused, Unavailable
from aegis.model.changes import Fix, JsonPatch
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.shadow import Home, PodState, Seen, ShadowSession, Stage, Verification, Wanted
from aegis.model.signature import container_statuses, is_ready
from aegis.model.verdict import GateResult
from aegis.shadow import isolation
from aegis.shadow.case import TrialRequest
from aegis.shadow.clone import CloneOptions, Plan, plan
from aegis.shadow.namespace import (
    ARM,
    CREATED_BY,
    EXPIRES,
    INCIDENT,
    SELECTOR,
    SHADOW,
    WORKLOAD,
    Remains,
    Shadow,
    namespace_object,
    rivals,
    workload_label,
)
from aegis.shadow.probe import Place
from aegis.shadow.stage import copies, fence_off, furnish, release, started
from aegis.shadow.survey import Production, survey
from aegis.shadow.synthetic import Faker
from aegis.shadow.tools import TrialTools
from aegis.shadow.trial import run_trial
from aegis.shadow.workloads import SCALED, owned_by, replicas

ARM_NAME = "s"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_MOST_PODS_SHOWN = 100
_NEVER_COPIED = "autoscalers, disruption budgets, ingresses, webhooks and network policies of production are not copied"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceProvider:
    """Shadows in namespaces of the cluster itself.

    Attributes:
        tools: the doors, and how much a shadow may take.
    """

    tools: TrialTools

    @property
    def name(self) -> str:
        """As the setting `shadow.provider` calls it."""
        return "namespace"

    async def create(self, session: ShadowSession, keep: Callable[[ShadowSession], ShadowSession]) -> ShadowSession:
        """See `aegis.ports.ShadowProvider`."""
        production = await survey(self.tools, session.target, (), None)
        prepared = _prepare(session.target, self.tools, production)
        self.tools.progress("making the shadow", namespace=_shadow(session).namespace(ARM_NAME))
        known = [session]

        async def claim() -> None:
            known.append(keep(replace(session, home=await self._claim(session))))

        try:
            await shielded(claim())  # so that what is made is known, even if somebody interrupts just then
            return await self._furnished(known[-1], production, prepared)
        except BaseException:
            await shielded(self._remove_quietly(known[-1]))
            raise

    async def keep_until(self, session: ShadowSession, moment: datetime) -> None:
        """See `aegis.ports.ShadowProvider`."""
        if session.home is None:
            return
        path = "/metadata/annotations/" + EXPIRES.replace("/", "~1")
        operations = (
            {"op": "test", "path": "/metadata/uid", "value": session.home.uid},
            {"op": "add", "path": path, "value": moment.astimezone(UTC).isoformat().replace("+00:00", "Z")},
        )
        change = JsonPatch(target=_namespace_ref(session.home.name), patch=operations)
        await self.tools.actuator.change(change, _shadow(session).purpose((ARM_NAME,)))

    async def look(self, session: ShadowSession) -> Seen:
        """See `aegis.ports.ShadowProvider`."""
        if session.home is None or not await self._is_there(session.home):
            return Seen(there=False)
        pods = await self.tools.reader.list("v1", "Pod", namespace=session.home.name)
        mine = {one.ref: [pod for pod in pods if _of(pod, one)] for one in session.workloads}
        ready = {ref: sum(map(_is_good, found)) for ref, found in mine.items()}
        shown = [_pod_state(pod) for found in mine.values() for pod in found]
        return Seen(there=True, ready=ready, pods=tuple(shown[:_MOST_PODS_SHOWN]))

    async def verify(self, session: ShadowSession, fix: Fix, *, seconds: float | None) -> Verification:
        """See `aegis.ports.ShadowProvider`."""
        request = TrialRequest(
            incident=session.id,
            shadow_id=session.id,
            target=session.target,
            fix=fix,
            reproduce=False,
            seconds=seconds,
        )
        result = await run_trial(request, self.tools)
        return Verification(verdict=result.verdict, security=result.security, report=result.report)

    async def remove(self, session: ShadowSession, uids: Collection[str]) -> None:
        """See `aegis.ports.ShadowProvider`.

        Raises:
            Remains: if it is not gone in time.
        """
        known = {*uids, *([session.home.uid] if session.home else [])}
        ours = [home for home in await self._labelled(session) if home.uid in known]
        for home in ours:
            purpose = replace(_shadow(session).purpose(()), scope=(home.name,))
            with suppress(Conflict, NotFound):
                await self.tools.actuator.delete(_namespace_ref(home.name), purpose, uid=home.uid)
        await self._until_gone(ours)

    async def _claim(self, session: ShadowSession) -> Home:
        """Make the namespace, which takes a slot.

        Raises:
            Unavailable: if all are taken.
        """
        shadow = _shadow(session)
        purpose = shadow.purpose((ARM_NAME,))
        made = await self.tools.actuator.create(_namespace(shadow), purpose)
        home = Home(name=shadow.namespace(ARM_NAME), uid=str(made["metadata"]["uid"]))
        others = rivals(made, await self.tools.reader.list("v1", "Namespace", labels=SELECTOR))
        if len(others) < self.tools.limits.shadows:
            return home
        await self.tools.actuator.delete(_namespace_ref(home.name), purpose, uid=home.uid)
        raise Unavailable(
            f"all {len(others)} shadows of the cluster are taken",
            hint="See `aegis shadow list`, delete one, or raise shadow.max_concurrent.",
        )

    async def _furnished(self, session: ShadowSession, production: Production, prepared: Plan) -> ShadowSession:
        """Cut off, proved, copied and started; where nothing is proved, gone again."""
        proof = await self._isolated(session, production)
        if proof.inconclusive:
            await self._remove_quietly(session)
            why = f"that it is cut off could not be proved: {proof.reason}"
            return replace(session, stage=Stage.FAILED, home=None, isolation=proof, message=why)
        place = self._place(session)
        self.tools.progress("copying the workload", objects=len(prepared.objects))
        await furnish(place, prepared, production.limit_ranges)
        await release(place, prepared, prepared.dependencies)
        await release(place, prepared, prepared.subjects)
        running = [*prepared.dependencies, *prepared.subjects]
        return replace(
            session,
            stage=Stage.STANDING,
            isolation=proof,
            workloads=tuple(Wanted(ref=ref, pods=prepared.trials[ref]) for ref in running),
            gaps=(_NEVER_COPIED, *prepared.ledger.entries, *self.tools.cluster.gaps),
        )

    async def _isolated(self, session: ShadowSession, production: Production) -> GateResult:
        place = self._place(session)
        self.tools.progress("proving that it is cut off")
        await fence_off(place, production.limit_ranges)
        return await isolation.prove([place], isolation.production_addresses(production.known, production.pods))

    def _place(self, session: ShadowSession) -> Place:
        shadow = _shadow(session)
        purpose = shadow.purpose((ARM_NAME,))
        return Place(tools=self.tools, purpose=purpose, arm=ARM_NAME, namespace=shadow.namespace(ARM_NAME))

    async def _labelled(self, session: ShadowSession) -> list[Home]:
        """The namespaces that say that they are this shadow's; whether they are, their uids tell."""
        selector = f"{CREATED_BY}=aegis,{INCIDENT}={session.id},{SHADOW}={session.id}"
        found = await self.tools.reader.list("v1", "Namespace", labels=selector)
        return [Home(name=one["metadata"]["name"], uid=str(one["metadata"]["uid"])) for one in found]

    async def _is_there(self, home: Home) -> bool:
        found = await self.tools.reader.find(_namespace_ref(home.name))
        metadata = (found or {}).get("metadata") or {}
        return metadata.get("uid") == home.uid and not metadata.get("deletionTimestamp")

    async def _until_gone(self, homes: Iterable[Home]) -> None:
        """Wait.

        Raises:
            Remains: if something is still there after the limit.
        """
        left, waited, pause = list(homes), 0.0, _FIRST_PAUSE
        while left := [home for home in left if await self._has_uid(home)]:
            if waited >= self.tools.limits.deletion_seconds:
                names = ", ".join(home.name for home in left)
                raise Remains(
                    f"not gone after {waited:.0f} s: {names}",
                    hint="Look for finalizers in it; `aegis shadow delete` goes on with it.",
                )
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(_LONGEST_PAUSE, pause * 1.5)

    async def _has_uid(self, home: Home) -> bool:
        found = await self.tools.reader.find(_namespace_ref(home.name))
        return found is not None and found["metadata"]["uid"] == home.uid

    async def _remove_quietly(self, session: ShadowSession) -> None:
        """Take down what was begun; what stays is swept, since it says itself that it is wanted for minutes only."""
        with suppress(AegisError):
            await self.remove(session, ())


def _shadow(session: ShadowSession) -> Shadow:
    return Shadow(id=session.id, incident=session.id, target=session.target, expires_at=session.expires_at)


def _namespace(shadow: Shadow) -> JsonObject:
    """As an arm's; but it stands in nobody's way who tries a fix of the same workload."""
    made = namespace_object(shadow, ARM_NAME)
    labels = made["metadata"]["labels"]
    labels[WORKLOAD] = f"standing-{workload_label(shadow.target)}"
    assert labels[ARM] == ARM_NAME  # noqa: S101 - what `namespace_object` is asked for
    return made


def _prepare(target: ObjectRef, tools: TrialTools, production: Production) -> Plan:
    """What to copy: as many pods as production asks for, up to what a trial may have.

    Raises:
        Refused: if a copy would reach into a node, or there is nothing to copy.
    """
    limits = tools.limits
    most = limits.trials if tools.enforces_networks else 1
    options = CloneOptions(trials=most, copy_secrets=limits.copy_secrets if tools.enforces_networks else ())
    services = [ref.name for ref in production.found.services]
    prepared = plan(production.found, production.known, Faker(secrets.token_bytes(32), services), options)
    if not prepared.subjects:
        raise Refused(f"there is no workload behind {target} to copy", hint="Name a workload, as deploy/web.")
    asked = {
        (ref.kind, ref.name): replicas(obj)
        for ref, obj in production.known.items()
        if ref.kind in SCALED and obj is not None
    }
    trials = {ref: max(1, min(most, asked.get((ref.kind, ref.name), count))) for ref, count in prepared.trials.items()}
    return replace(prepared, trials=trials)


def _of(pod: Json, wanted: Wanted) -> bool:
    ref = wanted.ref
    if ref.kind == "Pod":
        return (pod.get("metadata") or {}).get("name") in copies(ref.name, wanted.pods)
    return owned_by(pod, started(ref).kind, started(ref).name)


def _is_good(pod: Json) -> bool:
    """Ready; of a Job's pod also: ended well."""
    return is_ready(pod) or (pod.get("status") or {}).get("phase") == "Succeeded"


def _pod_state(pod: Json) -> PodState:
    status = pod.get("status") or {}
    statuses = list(container_statuses(pod))
    return PodState(
        name=str((pod.get("metadata") or {}).get("name") or ""),
        phase=str(status.get("phase") or ""),
        ready=is_ready(pod),
        restarts=sum(int(one.get("restartCount") or 0) for one in statuses),
        reason=next(filter(None, map(_reason, statuses)), ""),
    )


def _reason(status: Json) -> str:
    """Why a container does not run; else why it last ended."""
    for source in (status.get("state"), status.get("lastState")):
        for kind in ("waiting", "terminated"):
            reason = ((source or {}).get(kind) or {}).get("reason")
            if reason and reason != "Completed":
                return str(reason)
    return ""


def _namespace_ref(name: str) -> ObjectRef:
    return ObjectRef(api_version="v1", kind="Namespace", name=name)
