"""A remediation's world with a real API server, driver, door, audit log and store; only what explains and tries is told.

There are no controllers and no pods: objects stay as they are written, so that every write is the remediation's own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aegis.actuator import ClusterActuator, Rules
from aegis.delivery.regression import WatchRules
from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.drivers.kubernetes.driver import KubernetesDriver
from aegis.flows.tools import Answer, DeliveryPolicy, Question, Tools
from aegis.localcluster.apiserver.kubeconfig import kubeconfig as kubeconfig_of
from aegis.localcluster.apiserver.kubeconfig import write_kubeconfig
from aegis.localcluster.apiserver.server import ApiServer
from aegis.model.changes import Apply, Change, ChangeSet, Fix, Risk
from aegis.model.diagnosis import Confidence, Diagnosis
from aegis.model.drift import spec_hash
from aegis.model.evidence import Evidence
from aegis.model.incident import Incident
from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.security import SecurityComparison
from aegis.model.verdict import Decision, Verdict
from aegis.ports import Purpose
from aegis.stores.audit import FileAuditLog
from aegis.stores.incidents import SqliteIncidentStore
from aegis.stores.mode import FileMode

ACCEPT = Verdict(decision=Decision.ACCEPT, reason="Accepted", score_low=1.0, score_high=1.0, gates=())
QUICK = WatchRules(window=0.4, stable=0.2, deadline=0.8)


def config_map(name: str, namespace: str) -> ObjectRef:
    return ObjectRef(api_version="v1", kind="ConfigMap", name=name, namespace=namespace)


def is_blue(obj: JsonObject) -> bool:
    return bool(obj["data"].get("colour") == "blue")


@dataclass
class Person:
    """Answers as it is told, and remembers what it was shown."""

    yes: bool | None = True
    before_answering: Callable[[], Any] | None = None
    shown: list[Question] = field(default_factory=list)

    async def ask(self, question: Question) -> Answer:
        self.shown.append(question)
        if self.before_answering is not None:
            await self.before_answering()
        return Answer(yes=self.yes, why="because")


@dataclass
class World:
    """The real parts, and what the told ones answer."""

    driver: KubernetesDriver
    folder: Path
    namespace: str
    person: Person = field(default_factory=Person)
    verdict: Verdict = ACCEPT
    told: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    swept: list[str] = field(default_factory=list)
    rules: Rules = field(default_factory=lambda: Rules(gitops_owner=lambda _: None))
    writer: Any = None
    name: str = "settings"
    mended_when: Callable[[JsonObject], bool] = field(default=is_blue)

    @property
    def target(self) -> ObjectRef:
        return config_map(self.name, self.namespace)

    @property
    def audit(self) -> FileAuditLog:
        return FileAuditLog(self.folder / "audit", anchor=self.folder / "anchor" / "head.json")

    async def make(self, name: str = "settings", **data: str) -> JsonObject:
        ref = config_map(name, self.namespace)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        return await self.driver.apply(ref, body, manager="kubectl", force=True)

    async def data(self, name: str = "settings") -> dict[str, str]:
        return dict((await self.driver.get(config_map(name, self.namespace)))["data"])

    async def fix(self, *changes: Change) -> Fix:
        made = changes or (Apply(target=self.target, patch={"data": {"colour": "blue"}}),)
        live = await self.driver.get(made[0].target)
        change_set = ChangeSet(
            target=made[0].target,
            target_uid=live["metadata"]["uid"],
            base_generation=0,
            spec_hash=spec_hash(live),
            changes=tuple(made),
        )
        return Fix(id="colour", summary="blue again", change_set=change_set, risk=Risk.LOW)

    async def investigate(self, target: ObjectRef) -> tuple[tuple[Evidence, ...], Diagnosis]:
        live = await self.driver.get(target)
        if self.mended_when(live):
            return (), Diagnosis(target=target, verdict=Confidence.HEALTHY, explanation="blue")
        fix = await self.fix()
        return (), Diagnosis(
            target=target, verdict=Confidence.CONFIRMED, cause="wrong_colour", root=target, fixes=(fix,)
        )

    async def try_fix(self, incident: Incident) -> tuple[Verdict, SecurityComparison | None]:
        self.tried.append(incident.shadow_id)
        return self.verdict, None

    async def sweep(self, shadow_id: str) -> bool:
        self.swept.append(shadow_id)
        return True

    async def tools(self, **more: Any) -> Tools:
        cluster, user = await self.driver.cluster(), await self.driver.whoami()
        actuator = ClusterActuator(
            reader=self.driver,
            writer=self.writer or self.driver,
            audit=self.audit,
            mode=FileMode(self.folder),
            rules=self.rules,
            actor=user,
        )
        tools = Tools(
            cluster=cluster,
            user=user,
            reader=self.driver,
            actuator=actuator,
            audit=self.audit,
            incidents=SqliteIncidentStore(self.folder / "incidents.sqlite", cluster_uid=cluster.uid),
            investigate=self.investigate,
            try_fix=self.try_fix,
            sweep=self.sweep,
            approver=self.person,
            progress=self.hear,
            policy=DeliveryPolicy(watch=QUICK),
        )
        return replace(tools, **more)

    def hear(self, message: str, /, **_facts: object) -> None:
        self.told.append(message)

    def real_writes(self) -> list[str]:
        """What was written to production, and not only asked about, in order."""
        return [
            f"{record.action} {record.subject.split()[0]}"
            for record in self.audit.records()
            if record.outcome == "done"
            and record.detail.get("purpose") in {"production", "undo"}
            and not record.detail.get("dryRun")
        ]


PRODUCTION = Purpose(kind="production", incident="inc-test")


@asynccontextmanager
async def api_server(folder: Path) -> AsyncIterator[Path]:
    """A real API server with nothing behind it; its administrator's kubeconfig."""
    server = ApiServer()
    url = await server.start(port=0)
    try:
        path = folder / "kubeconfig"
        write_kubeconfig(path, kubeconfig_of(url, server.authority.certificate, server.admin_certificate()))
        yield path
    finally:
        await server.stop()


@asynccontextmanager
async def world(folder: Path, kubeconfig: Path, namespace: str = "shop") -> AsyncIterator[World]:
    """A world on that server, with a namespace of its own."""
    async with connect(KubeOptions(kubeconfig=kubeconfig)) as driver:
        if await driver.find(ObjectRef(api_version="v1", kind="Namespace", name=namespace)) is None:
            await driver.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        yield World(driver=driver, folder=folder / namespace, namespace=namespace)
