"""AEGIS, connected to one cluster: every part is made here, and given what it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from aegis.errors import PermissionDenied, UsageError
from aegis.flows.tools import Approver, Fence, Tools, no_checkpoint, utc_now
from aegis.model.diagnosis import Diagnosis
from aegis.model.evidence import Evidence
from aegis.model.incident import Incident, Phase
from aegis.model.refs import Json, ObjectRef
from aegis.model.security import SecurityComparison
from aegis.model.verdict import Verdict
from aegis.ports import (
    Actuator,
    AuditLog,
    Cluster,
    ClusterReader,
    EvidenceRequest,
    IncidentStore,
    Progress,
    Purpose,
    User,
)
from aegis.wiring.places import Places, audit_log, automation_mode, places_of
from aegis.wiring.policies import actuator_rules, delivery_policy, trial_limits
from aegis.wiring.scanning import scan_desk, security_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from aegis.delivery.lease import Claim
    from aegis.flows.shadows import ShadowTools
    from aegis.security.desk import Desk
    from aegis.settings import LoadedSettings, Settings
    from aegis.shadow.tools import TrialTools


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """AEGIS, connected to one cluster.

    Attributes:
        settings: what is configured.
        places: where the state lies.
        cluster: which cluster.
        user: as whom.
        reader: reads it.
        actuator: the only door that writes it.
        audit: the log.
        incidents: those of this cluster.
        namespace: the one that is meant where none is named.
        desk: what scanners work with.
    """

    settings: Settings
    places: Places
    cluster: Cluster
    user: User
    reader: ClusterReader
    actuator: Actuator
    audit: AuditLog
    incidents: IncidentStore
    namespace: str
    desk: Desk

    async def investigate(self, target: ObjectRef) -> tuple[tuple[Evidence, ...], Diagnosis]:
        """The evidence about one object, and what it says.

        Raises:
            Unavailable: if it looks well, and what could fail could not be read.
            PermissionDenied: if that may not be read.
        """
        from aegis.diagnosis.engine import diagnose
        from aegis.flows.survey import require_seen

        evidence = await self._collect(EvidenceRequest(target=target, namespaces=(target.namespace,)))
        found = diagnose(evidence, target, now=utc_now(), time_scale=self.cluster.time_scale)
        require_seen(evidence, [found])
        return evidence, found

    async def sweep(self, shadow_id: str = "") -> bool:
        """Remove shadows that a dead process left: of incidents that are over, and the named one.

        Returns when they are gone; whether there were any.
        """
        gone = await self.tidy(shadow_id)
        for name in gone:
            await self._until_gone(name)
        return bool(gone)

    async def tidy(self, shadow_id: str = "") -> list[str]:
        """The same, without waiting until they are gone; which namespaces they were."""
        from aegis.shadow.namespace import SELECTOR, sweep

        if not await self.reader.list("v1", "Namespace", labels=SELECTOR):
            return []
        await self._mend_shadows()
        known = {}
        for incident in await self.incidents.list():
            trying = incident.phase is Phase.ANALYZING and incident.shadow_id != shadow_id
            known[incident.id] = incident.shadow_id if trying else ""
        return await sweep(self.reader, self.actuator, known)

    async def _mend_shadows(self) -> None:
        """What a dead process left of shadows that stand on their own."""
        from aegis.flows.shadows import mend

        if self.places.shadows.is_dir() and self.settings.shadow.provider == "namespace":
            await mend(self.shadow_tools(_silence))

    async def try_fix(self, incident: Incident, progress: Progress) -> tuple[Verdict, SecurityComparison | None]:
        """Red, then green, in a shadow."""
        from aegis.shadow.trial import TrialRequest, run_trial

        assert incident.fix is not None  # noqa: S101 - the flow tries nothing before a fix is chosen
        request = TrialRequest(
            incident=incident.id,
            shadow_id=incident.shadow_id,
            target=incident.target,
            fix=incident.fix,
            diagnosis=incident.diagnosis,
        )
        result = await run_trial(request, self._trial_tools(progress))
        return result.verdict, result.security

    def shadow_tools(self, progress: Progress) -> ShadowTools:
        """What is needed for shadows that stand on their own.

        Raises:
            UsageError: if the provider of the settings is not there yet.
        """
        from aegis.flows.shadows import ShadowTools
        from aegis.shadow.standing import NamespaceProvider
        from aegis.stores.shadows import FileShadowStore

        if self.settings.shadow.provider != "namespace":
            raise UsageError(
                f"shadows by {self.settings.shadow.provider} are not there yet",
                hint="Set shadow.provider to namespace.",
            )
        return ShadowTools(
            cluster_uid=self.cluster.uid,
            provider=NamespaceProvider(tools=self._trial_tools(progress)),
            store=FileShadowStore(self.places.shadows, cluster_uid=self.cluster.uid),
            audit=self.audit,
            locks=self.places.locks,
        )

    async def own_shadows(self) -> frozenset[str]:
        """The names of the namespaces that this installation made for shadows: known by their uids, not by their labels."""
        from aegis.actuator import SHADOW_PREFIX
        from aegis.flows.shadows import recorded_namespaces

        try:
            listed = await self.reader.list("v1", "Namespace")
        except PermissionDenied:
            return frozenset()
        found = {
            str(one["metadata"].get("uid")): name
            for one in listed
            if (name := str(one["metadata"]["name"])).startswith(SHADOW_PREFIX)
        }
        if not found:
            return frozenset()
        return frozenset(found[uid] for uid in recorded_namespaces(self.audit) & found.keys())

    def _trial_tools(self, progress: Progress) -> TrialTools:
        from aegis.diagnosis.lastgood import last_good
        from aegis.shadow.tools import TrialTools

        return TrialTools(
            reader=self.reader,
            actuator=self.actuator,
            progress=progress,
            cluster=self.cluster,
            limits=replace(trial_limits(self.settings), security=security_rules(self.settings, self.desk)),
            last_good=last_good,
        )

    def tools(
        self,
        *,
        approver: Approver,
        progress: Progress,
        emit: Path | None = None,
        fix_id: str = "",
        dry_run: bool = False,
        checkpoint: Callable[[str], None] = no_checkpoint,
    ) -> Tools:
        """What one remediation acts with."""

        async def try_fix(incident: Incident) -> tuple[Verdict, SecurityComparison | None]:
            return await self.try_fix(incident, progress)

        return Tools(
            cluster=self.cluster,
            user=self.user,
            reader=self.reader,
            actuator=self.actuator,
            audit=self.audit,
            incidents=self.incidents,
            investigate=self.investigate,
            try_fix=try_fix,
            sweep=self.sweep,
            approver=approver,
            progress=progress,
            policy=delivery_policy(self.settings),
            emit=emit,
            fix_id=fix_id,
            dry_run=dry_run,
            sole=lambda incident: self.sole(incident, progress),
            in_flight=lambda namespace, incident: self.in_flight(namespace, incident, progress),
            checkpoint=checkpoint,
        )

    @asynccontextmanager
    async def sole(self, incident: Incident, progress: Progress) -> AsyncIterator[Fence]:
        """One remediation of a target at a time, across machines; whoever holds the target's lock may call this.

        Raises:
            Refused: if another one is at work on it.
        """
        from aegis.delivery.lease import forget_the_dead, held, lease_of

        owner = await self.reader.find(incident.target)
        claim = self._claim(lease_of(incident.target), str(incident.target), incident.id, owner)
        async with held(self.reader, self.actuator, claim, waiting=progress) as lease:
            await forget_the_dead(self.reader, self.actuator, incident.target.namespace, claim.purpose)
            yield lease.confirm

    @asynccontextmanager
    async def in_flight(self, namespace: str, incident: str, progress: Progress) -> AsyncIterator[None]:
        """One change at a time in a namespace, across machines: the next waits as long as its approval may."""
        from aegis.delivery.lease import held, lease_of_changes
        from aegis.stores.locks import target_lock

        ref = ObjectRef(api_version="v1", kind="Namespace", name=namespace)
        wait = delivery_policy(self.settings).approval.total_seconds()
        claim = self._claim(lease_of_changes(namespace), str(ref), incident)
        async with (
            target_lock(self.places.locks, self.cluster.uid, ref, wait=wait, waiting=progress),
            held(self.reader, self.actuator, claim, wait=wait, waiting=progress),
        ):
            yield

    def _claim(self, ref: ObjectRef, about: str, incident: str, owner: Json | None = None) -> Claim:
        from os import getpid

        from aegis.delivery.lease import Claim
        from aegis.stores.locks import lock_domain

        return Claim(
            ref=ref,
            about=about,
            holder=f"{lock_domain(self.places.locks)}/{getpid()}",
            purpose=Purpose(kind="lease", incident=incident),
            owner=owner,
        )

    async def _collect(self, request: EvidenceRequest) -> tuple[Evidence, ...]:
        from aegis.evidence.kubernetes import KubernetesEvidence

        return tuple(await KubernetesEvidence(self.reader).collect(request))

    async def _until_gone(self, namespace: str) -> None:
        from asyncio import sleep

        ref = ObjectRef(api_version="v1", kind="Namespace", name=namespace)
        for _ in range(600):
            if await self.reader.find(ref) is None:
                return
            await sleep(0.1)


@asynccontextmanager
async def connected(loaded: LoadedSettings, *, as_user: str = "", only_read: bool = False) -> AsyncIterator[System]:
    """The whole system, connected to the cluster that is configured.

    Args:
        loaded: the settings.
        as_user: impersonate.
        only_read: nothing will be kept or written, so that it need not be known which cluster this is.

    Raises:
        UsageError: if the configuration cannot be used.
        Unavailable: if there is none, or it does not answer.
        PermissionDenied: if the caller may not know which cluster this is.
    """
    from aegis.actuator import ClusterActuator
    from aegis.drivers.kubernetes import connect
    from aegis.stores.incidents import SqliteIncidentStore

    places = places_of(loaded)
    async with connect(loaded.kube_options(as_user=as_user)) as driver:
        cluster, user, audit = await driver.cluster(), await driver.whoami(), audit_log(places)
        if not (cluster.uid or only_read):
            raise PermissionDenied(
                f"not permitted: {user.name} may not get namespaces kube-system, by whose uid this cluster is known",
                hint="Ask for a role that allows get on namespaces.",
            )
        actuator = ClusterActuator(
            reader=driver,
            writer=driver,
            audit=audit,
            mode=automation_mode(places),
            rules=actuator_rules(loaded, cluster),
            actor=user,
        )
        yield System(
            settings=loaded.settings,
            places=places,
            cluster=cluster,
            user=user,
            reader=driver,
            actuator=actuator,
            audit=audit,
            incidents=SqliteIncidentStore(places.incidents, cluster_uid=cluster.uid),
            namespace=driver.endpoint.namespace or "default",
            desk=scan_desk(loaded, places, reader=driver, actuator=actuator),
        )


def _silence(_message: str, /, **_facts: object) -> None:
    """Nobody is told."""
