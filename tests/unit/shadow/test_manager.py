"""Shadows for scripts, over flows that are not run: what is told, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from aegis.errors import NotFound, Refused, Unavailable, UsageError
from aegis.flows import shadows
from aegis.model.changes import Apply
from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.shadow import Home, ShadowSession, Stage, Verification
from aegis.model.verdict import Decision, GateResult, Outcome, Verdict
from aegis.shadow.manager import ShadowManager, ShadowStatus

NOW = datetime.now(UTC)
WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
LIVE: JsonObject = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "uid": "u"},
    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "web", "image": "nginx:1"}]}}},
}  # fmt: skip


class Reader:
    async def resolve(self, _kind: str) -> ObjectRef:
        return ObjectRef(api_version="apps/v1", kind="Deployment", name="", namespace="")

    async def get(self, ref: ObjectRef) -> JsonObject:
        if ref != WEB:
            raise NotFound(str(ref))
        return LIVE

    async def list(self, *_: str, **__: str) -> list[JsonObject]:
        return []


class World:
    """What the flows would do."""

    def __init__(self) -> None:
        self.session = ShadowSession(
            id="s1", provider="namespace", cluster_uid="c", target=WEB, created_at=NOW,
            expires_at=NOW + timedelta(hours=1), stage=Stage.STANDING, home=Home(name="aegis-shadow-s1-s", uid="u"),
        )  # fmt: skip
        self.decision: Decision = Decision.ACCEPT
        self.error: Exception | None = None
        self.tried: list[Any] = []
        self.deleted: list[str] = []

    async def create(self, _tools: Any, target: ObjectRef, _life: timedelta, *, shadow_id: str = "") -> ShadowSession:
        assert target == WEB
        assert shadow_id in {"", "s1"}
        return self.session

    async def verify(self, _tools: Any, _session: Any, fix: Any, seconds: float | None) -> Verification:
        self.tried.append((fix, seconds))
        if self.error:
            raise self.error
        gates = (GateResult(gate="smoke", outcome=Outcome.PASSED, required=True),)
        verdict = Verdict(decision=self.decision, reason="x", score_low=0.9, score_high=1.0, gates=gates)
        return Verification(verdict=verdict)

    async def delete(self, _tools: Any, session: ShadowSession) -> None:
        self.deleted.append(session.id)

    def load(self, shadow_id: str) -> ShadowSession:
        if shadow_id != self.session.id:
            raise NotFound(f"there is no shadow {shadow_id}")
        return self.session


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    for name in ("create", "verify", "delete"):
        monkeypatch.setattr(shadows, name, getattr(made, name))

    async def tidy() -> None:
        pass

    @asynccontextmanager
    async def opened(_manager: Any, _env: Any) -> AsyncIterator[Any]:
        settings = SimpleNamespace(shadow=SimpleNamespace(ttl_minutes=60))
        yield SimpleNamespace(reader=Reader(), settings=settings, tidy=tidy), SimpleNamespace(store=made)

    monkeypatch.setattr(ShadowManager, "_open", opened)
    return made


async def test_from_the_beginning_to_the_end(world: World) -> None:
    manager = ShadowManager()
    env = await manager.create_shadow("shop", "web", "deploy", shadow_id="s1")
    assert (env.id, env.namespace, env.status) == ("s1", "aegis-shadow-s1-s", ShadowStatus.READY)
    assert await manager.run_verification("s1", {"replicas": 2, "image": "nginx:2"}, duration=60) is True
    [(fix, seconds)] = world.tried
    [change] = fix.change_set.changes
    assert isinstance(change, Apply)
    assert (seconds, change.patch["spec"]["replicas"]) == (60, 2)
    assert change.patch["spec"]["template"]["spec"]["containers"] == [{"name": "web", "image": "nginx:2"}]
    assert (env.status, env.test_results["passed"]) == (ShadowStatus.PASSED, True)
    assert "Applied changes: ['image', 'replicas']" in env.logs
    assert "smoke: PASSED" in env.logs
    await manager.cleanup("s1")
    assert (world.deleted, env.status) == (["s1"], ShadowStatus.DELETED)


@pytest.mark.parametrize("decision", [Decision.REJECT, Decision.INCONCLUSIVE])
async def test_only_an_acceptance_is_a_yes(world: World, decision: Decision) -> None:
    world.decision = decision
    manager = ShadowManager()
    env = await manager.environment("s1")
    assert await manager.run_verification(env.id, {}) is False
    assert (env.status, env.test_results["passed"]) == (ShadowStatus.FAILED, False)
    assert world.tried[0][0].change_set is None, "the workload as it is"


async def test_what_is_refused_is_a_no_with_the_reason(world: World) -> None:
    manager = ShadowManager()
    world.error = Refused("the shadow s1 is Expired")
    assert await manager.run_verification("s1", {"replicas": 2}) is False
    env = await manager.environment("s1")
    assert env.test_results["security"]["reason"] == "the shadow s1 is Expired"
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "x"}, "rules": []}
    assert await manager.run_verification("s1", {"manifests": role}) is False
    assert "access rights" in env.test_results["security"]["reason"]
    assert len(world.tried) == 1, "it was never tried"


async def test_what_is_wrong_is_raised_and_never_passed_over(world: World) -> None:
    manager = ShadowManager()
    with pytest.raises(NotFound):
        await manager.run_verification("s2", {})
    for changes in ({"replica": 2}, {"image": None}):
        with pytest.raises(UsageError):
            await manager.run_verification("s1", changes)
    missing = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {}}
    with pytest.raises(NotFound, match="not there"):
        await manager.run_verification("s1", {"manifests": missing})
    with pytest.raises(UsageError, match="duration"):
        await manager.run_verification("s1", {}, duration=0)
    assert (await manager.environment("s1")).status is ShadowStatus.FAILED
    assert world.tried == []


async def test_a_shadow_that_is_not_cut_off_is_none(world: World) -> None:
    world.session = ShadowSession(
        id="s1", provider="namespace", cluster_uid="c", target=WEB, created_at=NOW, expires_at=NOW,
        stage=Stage.FAILED, message="the internet answers",
    )  # fmt: skip
    with pytest.raises(Unavailable, match="the internet answers"):
        await ShadowManager().create_shadow("shop", "web", "Deployment")
