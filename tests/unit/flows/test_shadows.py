"""Shadows on their own: what is stored before each effect, so that whoever dies leaves nothing that is not known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aegis.errors import PermissionDenied, Refused, Unavailable
from aegis.flows import shadows
from aegis.flows.shadows import ShadowTools
from aegis.model.changes import Fix, Risk
from aegis.model.refs import ObjectRef
from aegis.model.shadow import Home, Seen, ShadowSession, Stage, Verification, Wanted
from aegis.model.verdict import Decision, Verdict
from aegis.stores.audit import FileAuditLog
from aegis.stores.locks import target_lock
from aegis.stores.shadows import FileShadowStore

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
HOME = Home(name="aegis-shadow-x-s", uid="u1")
NO_CHANGE = Fix(id="none", summary="as it is", change_set=None, risk=Risk.LOW)
ACCEPTED = Verdict(decision=Decision.ACCEPT, reason="Accepted", score_low=1, score_high=1, gates=())


class Provider:
    """Makes nothing, and notes what it was asked for."""

    name = "namespace"

    def __init__(self) -> None:
        self.seen = Seen(there=True, ready={WEB: 1})
        self.fails: BaseException | None = None
        self.removed: list[tuple[str, frozenset[str]]] = []
        self.until: list[datetime] = []

    async def create(self, session: ShadowSession, keep: Callable[[ShadowSession], ShadowSession]) -> ShadowSession:
        if self.fails and not isinstance(self.fails, Unavailable):
            raise self.fails
        session = keep(replace(session, home=HOME))
        if self.fails:
            raise self.fails
        return replace(session, stage=Stage.STANDING, workloads=(Wanted(ref=WEB, pods=1),))

    async def keep_until(self, _session: ShadowSession, moment: datetime) -> None:
        self.until.append(moment)

    async def look(self, _session: ShadowSession) -> Seen:
        return self.seen

    async def verify(self, _session: ShadowSession, _fix: Fix, *, seconds: float | None) -> Verification:
        assert seconds in {None, 300.0}
        if self.fails:
            raise self.fails
        return Verification(verdict=ACCEPTED)

    async def remove(self, session: ShadowSession, uids: Collection[str]) -> None:
        self.removed.append((session.home.uid if session.home else "", frozenset(uids)))


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def tools(tmp_path: Path, provider: Provider) -> ShadowTools:
    return ShadowTools(
        cluster_uid="c",
        provider=provider,
        store=FileShadowStore(tmp_path / "shadows", cluster_uid="c"),
        audit=FileAuditLog(tmp_path / "audit", anchor=tmp_path / "anchor" / "head"),
        locks=tmp_path / "locks",
        now=lambda: NOW,
    )


async def made(tools: ShadowTools, **fields: object) -> ShadowSession:
    session = await shadows.create(tools, WEB, timedelta(hours=1))
    return tools.store.save(replace(session, **fields)) if fields else session  # type: ignore[arg-type]


async def created(tools: ShadowTools, uid: str, incident: str, *, name: str = "aegis-shadow-x-s") -> None:
    """As the actuator writes that it made a namespace."""
    await tools.audit.append(
        actor="me", action="create", outcome="done", incident=incident, subject=f"Namespace/{name}",
        detail={"uid": uid, "purpose": "shadow"},
    )  # fmt: skip


async def test_it_stands_as_long_as_was_asked_and_two_hours_at_most(tools: ShadowTools, provider: Provider) -> None:
    session = await made(tools)
    assert (session.stage, session.expires_at) == (Stage.STANDING, NOW + timedelta(hours=1))
    assert provider.until == [session.expires_at], "the cluster is told, too"
    assert tools.store.load(session.id) == session
    assert (await shadows.create(tools, WEB, timedelta(hours=9))).expires_at == NOW + timedelta(hours=2)


async def test_of_a_creation_that_made_nothing_nothing_is_kept(tools: ShadowTools, provider: Provider) -> None:
    provider.fails = Refused("no")
    with pytest.raises(Refused):
        await made(tools)
    assert tools.store.list() == []


async def test_a_creation_that_failed_half_way_is_kept_until_it_is_surely_gone(
    tools: ShadowTools, provider: Provider
) -> None:
    provider.fails = Unavailable("the cluster is gone")
    with pytest.raises(Unavailable):
        await made(tools)
    [session] = tools.store.list()
    assert (session.stage, session.home, session.message) == (Stage.FAILED, HOME, "the cluster is gone")
    await created(tools, "u1", session.id)
    await shadows.mend(tools)
    assert provider.removed == [("u1", frozenset({"u1"}))]
    assert tools.store.list() == []


async def test_a_verification_is_noted_and_leaves_it_standing(tools: ShadowTools, provider: Provider) -> None:
    session = await made(tools)
    found = await shadows.verify(tools, session, NO_CHANGE, 300.0)
    assert found.verdict is ACCEPTED
    kept = tools.store.load(session.id)
    assert (kept.stage, kept.decision) == (Stage.STANDING, Decision.ACCEPT)
    provider.fails = Unavailable("gone")
    with pytest.raises(Unavailable):
        await shadows.verify(tools, session, NO_CHANGE, None)
    assert tools.store.load(session.id).stage is Stage.STANDING


@pytest.mark.parametrize("seen", [Seen(there=False)])
async def test_what_does_not_stand_is_not_verified(tools: ShadowTools, provider: Provider, seen: Seen) -> None:
    session = await made(tools)
    provider.seen = seen
    with pytest.raises(Refused, match="Lost"):
        await shadows.verify(tools, session, NO_CHANGE, None)


async def test_only_what_was_recorded_as_made_for_it_is_removed(tools: ShadowTools, provider: Provider) -> None:
    session = await made(tools)
    await created(tools, "u2", session.id)
    await created(tools, "u9", "another")
    await tools.audit.append(
        actor="me",
        action="create",
        outcome="intended",
        incident=session.id,
        subject="Namespace/x",
        detail={"uid": "u3", "purpose": "shadow"},
    )
    await tools.audit.append(
        actor="me",
        action="create",
        outcome="done",
        incident=session.id,
        subject="Pod/x",
        detail={"uid": "u4", "purpose": "shadow"},
    )
    await shadows.delete(tools, session)
    assert provider.removed == [("u1", frozenset({"u2"}))]
    assert tools.store.list() == []
    assert shadows.recorded_namespaces(tools.audit) == {"u2", "u9"}


@pytest.mark.parametrize(
    ("error", "stage"),
    [
        (PermissionDenied("no"), Stage.STANDING),
        (Refused("frozen"), Stage.STANDING),
        (Unavailable("slow"), Stage.DELETING),
    ],
)
async def test_who_may_not_remove_it_leaves_it_standing(
    tools: ShadowTools, provider: Provider, error: Exception, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next command, of somebody who may, would do what was denied."""
    session = await made(tools)

    async def remove(*_: object) -> None:
        raise error

    monkeypatch.setattr(provider, "remove", remove)
    with pytest.raises(type(error)):
        await shadows.delete(tools, session)
    assert tools.store.load(session.id).stage is stage


async def test_what_a_dead_verification_left_is_removed_and_the_shadow_stays(
    tools: ShadowTools, provider: Provider
) -> None:
    session = await made(tools, stage=Stage.VERIFYING)
    await created(tools, "u1", session.id)
    await created(tools, "u5", session.id, name="aegis-shadow-x-r")
    await shadows.mend(tools)
    assert provider.removed == [("", frozenset({"u5"}))]
    assert tools.store.load(session.id).stage is Stage.STANDING


async def test_what_somebody_is_at_is_left_to_them(tools: ShadowTools, provider: Provider) -> None:
    session = await made(tools, stage=Stage.VERIFYING)
    ref = ObjectRef(api_version="aegis.io/v1", kind="ShadowSession", name=session.id)
    async with target_lock(tools.locks, "c", ref):
        await shadows.mend(tools)
        assert provider.removed == []
        with pytest.raises(Refused, match="worked on"):
            await shadows.delete(tools, session)


async def test_waiting_ends_when_it_is_ready_or_over_or_the_time_is(tools: ShadowTools, provider: Provider) -> None:
    session = await made(tools)
    assert (await shadows.wait(tools, session.id, None))[1] is provider.seen
    provider.seen = Seen(there=False)
    assert not (await shadows.wait(tools, session.id, None))[1].there
    provider.seen = Seen(there=True)
    async with asyncio.timeout(10):
        assert (await shadows.wait(tools, session.id, 0.01))[1].ready == {}


async def test_while_it_is_worked_with_the_cluster_is_told_that_it_is_wanted(
    tools: ShadowTools, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadows, "_BEAT", 0.001)
    session = await made(tools, expires_at=NOW + timedelta(minutes=1))
    told = asyncio.Event()

    async def keep(_session: ShadowSession, moment: datetime) -> None:
        provider.until.append(moment)
        told.set()

    async def slow(*_: object, **__: object) -> Verification:
        async with asyncio.timeout(10):
            await told.wait()
        return Verification(verdict=ACCEPTED)

    monkeypatch.setattr(provider, "keep_until", keep)
    monkeypatch.setattr(provider, "verify", slow)
    await shadows.verify(tools, session, NO_CHANGE, None)
    assert provider.until[-1] == NOW + timedelta(minutes=10)
