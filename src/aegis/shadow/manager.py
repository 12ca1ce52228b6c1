"""Shadows for scripts: make one, try changes, read what came of it. Thin over the flows that the commands use.

The calls and their names are those of AEGIS's first Python interface. They open the default wiring themselves (settings of
the environment, the current cluster), which is why this module alone of its package may import what stands above it.
Nothing here writes to production: changes are made in fresh copies, and forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from aegis.errors import Refused, UsageError
from aegis.model.changes import Fix, Risk
from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.shadow import ShadowSession, Stage
from aegis.model.verdict import Decision
from aegis.shadow.results import not_begun, test_results
from aegis.shadow.shorthand import changes_of

if TYPE_CHECKING:
    from aegis.flows.shadows import ShadowTools
    from aegis.settings import LoadedSettings
    from aegis.wiring import System

_LONGEST = 1800


class ShadowStatus(StrEnum):
    """How an environment stands."""

    CREATING = "creating"
    READY = "ready"
    VERIFYING = "verifying"
    PASSED = "passed"
    """The last verification accepted the changes."""
    FAILED = "failed"
    """It did not, for whatever reason: `test_results` says why."""
    DELETED = "deleted"


@dataclass(slots=True, kw_only=True)
class ShadowEnvironment:
    """A shadow, as a script sees it.

    Attributes:
        id: names it.
        namespace: where its copies run; empty where it could not be made.
        source_namespace: where the workload of production lies.
        source_resource: its name.
        source_resource_kind: its kind.
        created_at: since when it stands; what was done to prove that it is cut off came before.
        status: how it stands.
        logs: what was done, a line each.
        test_results: of the last verification; empty before.
    """

    id: str
    namespace: str
    source_namespace: str
    source_resource: str
    source_resource_kind: str
    created_at: datetime
    status: ShadowStatus = ShadowStatus.CREATING
    logs: list[str] = field(default_factory=list)
    test_results: JsonObject = field(default_factory=dict)

    def note(self, message: str, /, **facts: object) -> None:
        """Write one line of the log."""
        told = ", ".join(f"{name}={value}" for name, value in facts.items())
        self.logs.append(f"{message} ({told})" if told else message)


class ShadowManager:
    """Makes shadows of workloads, and tries changes on them.

    Args:
        loaded: the settings; None: those of the environment and of the user's file.
    """

    def __init__(self, loaded: LoadedSettings | None = None) -> None:
        self._loaded = loaded
        self._known: dict[str, ShadowEnvironment] = {}

    async def create_shadow(
        self,
        source_namespace: str,
        source_resource: str,
        source_resource_kind: str,
        shadow_id: str | None = None,
    ) -> ShadowEnvironment:
        """Copy a workload into a namespace of its own, cut off from everything, and start it.

        Args:
            source_namespace: where it lies.
            source_resource: its name.
            source_resource_kind: its kind, as kubectl takes it.
            shadow_id: what to call the shadow, of a-z and 0-9; None: something random.

        Raises:
            NotFound: if the workload is not there.
            UsageError: if the name or the configuration cannot be used.
            Refused: if a rule forbids it.
            Unavailable: if there is no cluster, all slots are taken, or it cannot be proved that the shadow is cut off.
        """
        from aegis.flows.shadows import create

        env = ShadowEnvironment(
            id=shadow_id or "",
            namespace="",
            source_namespace=source_namespace,
            source_resource=source_resource,
            source_resource_kind=source_resource_kind,
            created_at=datetime.now(UTC),
        )
        async with self._open(env) as (system, tools):
            kind = await system.reader.resolve(source_resource_kind)
            target = ObjectRef(
                api_version=kind.api_version, kind=kind.kind, name=source_resource, namespace=source_namespace
            )
            await system.tidy()
            life = timedelta(minutes=system.settings.shadow.ttl_minutes)
            session = await create(tools, target, life, shadow_id=shadow_id or "")
        _know(env, session)
        env.created_at = datetime.now(UTC)
        self._known[env.id] = env
        return env

    async def run_verification(self, shadow_id: str, changes: Mapping[str, Any], duration: int | None = None) -> bool:
        """Try changes on fresh copies beside a shadow, through every gate of a trial.

        There is no incident to reproduce, so True says that nothing got worse, not that something was mended.

        Args:
            shadow_id: which shadow.
            changes: see `aegis.shadow.shorthand.changes_of`; empty: the workload as it is.
            duration: seconds that the candidate must stay good at least; None: what the judge asks for.

        Returns:
            Whether the verdict is ACCEPT. The environment's `status`, `logs` and `test_results` say more.

        Raises:
            NotFound: if there is no such shadow, or an object of the changes is not there.
            UsageError: if the changes are not of a known form.
            Unavailable: if the cluster does not answer.
        """
        from aegis.flows.shadows import verify

        if duration is not None and not 0 < duration <= _LONGEST:
            raise UsageError(f"duration is between 1 and {_LONGEST} seconds, not {duration}")
        env = await self.environment(shadow_id)
        env.status, env.test_results = ShadowStatus.VERIFYING, {}
        began = asyncio.get_running_loop().time()
        try:
            async with self._open(env) as (system, tools):
                session = tools.store.load(env.id)
                fix = await _fix(system, session, changes)
                env.note(f"Applied changes: {sorted(changes)}")
                found = await verify(tools, session, fix, duration)
        except Refused as error:
            env.note(f"refused: {error.message}")
            env.test_results = not_begun(error.message, at=datetime.now(UTC))
            env.status = ShadowStatus.FAILED
            return False
        except BaseException:
            env.status = ShadowStatus.FAILED
            raise
        for gate in found.verdict.gates:
            env.note(f"{gate.gate}: {gate.outcome.value}" + (f", {gate.reason}" if gate.reason else ""))
        seconds = asyncio.get_running_loop().time() - began
        env.test_results = test_results(found, seconds=seconds, at=datetime.now(UTC))
        passed = found.verdict.decision is Decision.ACCEPT
        env.status = ShadowStatus.PASSED if passed else ShadowStatus.FAILED
        env.note(f"verdict: {found.verdict.decision.value}, {found.verdict.reason}")
        return passed

    async def cleanup(self, shadow_id: str) -> None:
        """Remove a shadow, and wait until it is gone.

        Raises:
            NotFound: if there is none.
            Refused: if somebody works with it.
            Unavailable: if it does not go in time.
        """
        from aegis.flows.shadows import delete

        env = await self.environment(shadow_id)
        async with self._open(env) as (_, tools):
            await delete(tools, tools.store.load(env.id))
        env.status = ShadowStatus.DELETED
        self._known.pop(env.id, None)

    async def environment(self, shadow_id: str) -> ShadowEnvironment:
        """A shadow of this manager, or one that another process made.

        Raises:
            NotFound: if there is none.
        """
        if shadow_id in self._known:
            return self._known[shadow_id]
        async with self._open(None) as (_, tools):
            session = tools.store.load(shadow_id)
        env = ShadowEnvironment(
            id=session.id,
            namespace="",
            source_namespace=session.target.namespace,
            source_resource=session.target.name,
            source_resource_kind=session.target.kind,
            created_at=session.created_at,
        )
        _know(env, session)
        return self._known.setdefault(env.id, env)

    @asynccontextmanager
    async def _open(self, env: ShadowEnvironment | None) -> AsyncIterator[tuple[System, ShadowTools]]:
        """The system with its default wiring; what a dead process left of shadows is mended first."""
        from aegis.flows.shadows import mend
        from aegis.settings import load
        from aegis.wiring import connected

        async with connected(self._loaded or load()) as system:
            tools = system.shadow_tools(env.note if env is not None else _silence)
            await mend(tools)
            yield system, tools


def _know(env: ShadowEnvironment, session: ShadowSession) -> None:
    """What is stored of a shadow, told to whoever asked for it.

    Raises:
        Unavailable: if nothing stands, since it could not be proved that it would be cut off.
    """
    from aegis.errors import Unavailable

    env.id, env.namespace = session.id, session.home.name if session.home else ""
    if session.stage is Stage.FAILED:
        env.status = ShadowStatus.FAILED
        raise Unavailable(f"the shadow {session.id} could not be made: {session.message}")
    env.status = ShadowStatus.READY
    env.note(f"Created shadow environment: {env.namespace}")


async def _fix(system: System, session: ShadowSession, changes: Mapping[str, Any]) -> Fix:
    from aegis.flows.given import checked_fix

    live = await system.reader.get(session.target)
    made = changes_of(session.target, live, changes)
    if not made:
        return Fix(id="none", summary=f"{session.target} as it is", change_set=None, risk=Risk.LOW)
    return await checked_fix(system, made, session.target.namespace, only_tried=True)


def _silence(_message: str, /, **_facts: object) -> None:
    """Nobody is told."""
