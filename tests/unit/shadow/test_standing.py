"""A shadow that stands on its own: what is made in which order, what is never made, and what is removed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aegis.errors import NotFound, Refused, Unavailable
from aegis.model.changes import Fix, Risk
from aegis.model.refs import ObjectRef
from aegis.model.shadow import Home, ShadowSession, Stage, Wanted
from aegis.model.verdict import Decision, Outcome
from aegis.shadow.case import TrialRequest
from aegis.shadow.namespace import Shadow, arms, namespace_object
from aegis.shadow.standing import NamespaceProvider
from aegis.shadow.survey import Production
from aegis.shadow.tools import TrialTools
from aegis.shadow.trial import rules_for

Json = dict[str, Any]

NOW = datetime.now(UTC)
WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
SESSION = ShadowSession(
    id="1a2b", provider="namespace", cluster_uid="c", target=WEB, created_at=NOW, expires_at=NOW + timedelta(minutes=10)
)
HOME = "aegis-shadow-1a2b-s"
NO_CHANGE = Fix(id="none", summary="as it is", change_set=None, risk=Risk.LOW)


def deployment(replicas: int = 2, **pod: Any) -> Json:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "i"}], **pod}}
    body = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    metadata = {"name": "web", "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": body}


@pytest.fixture
def cluster(fake: Any, make_well: Callable[..., None]) -> Any:
    """Where isolation holds, and every pod runs well."""

    def log(pod: Json) -> str:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        if name != "aegis-reach":
            return ""
        plan = json.loads(fake.objects["ConfigMap", namespace, name]["data"]["plan.json"])
        return json.dumps({**dict.fromkeys(plan["control"], True), **dict.fromkeys(plan["forbidden"], False)})

    fake.behaviour, fake.log = make_well, log
    fake.put(deployment())
    return fake


@pytest.fixture
def provider(cluster: Any, tools: TrialTools) -> NamespaceProvider:
    assert tools.reader is cluster
    return NamespaceProvider(tools=tools)


@pytest.fixture
def kept() -> list[ShadowSession]:
    return []


async def create(provider: NamespaceProvider, kept: list[ShadowSession]) -> ShadowSession:
    def keep(session: ShadowSession) -> ShadowSession:
        kept.append(session)
        return session

    return await provider.create(SESSION, keep)


async def test_it_is_proved_before_it_is_copied_and_known_before_it_is_proved(
    cluster: Any, provider: NamespaceProvider, kept: list[ShadowSession]
) -> None:
    made = await create(provider, kept)
    uid = cluster.objects["Namespace", "", HOME]["metadata"]["uid"]
    assert [one.home for one in kept] == [Home(name=HOME, uid=uid)]
    kinds = [(verb, kind, name) for verb, kind, _, name in cluster.calls]
    assert kinds[0] == ("create", "Namespace", HOME)
    proved, copied = kinds.index(("create", "Pod", "aegis-reach")), kinds.index(("create", "Deployment", "web"))
    fences = [index for index, (_, kind, _) in enumerate(kinds) if kind == "NetworkPolicy"]
    assert max(fences) < proved < copied
    assert (made.stage, made.workloads) == (Stage.STANDING, (Wanted(ref=replace(WEB, namespace="shop"), pods=2),))
    assert made.isolation is not None
    assert made.isolation.outcome is Outcome.PASSED
    seen = await provider.look(made)
    assert (seen.there, list(seen.ready.values()), len(seen.pods)) == (True, [2], 2)


async def test_a_leak_leaves_nothing(cluster: Any, provider: NamespaceProvider, kept: list[ShadowSession]) -> None:
    honest = cluster.log

    def leak(pod: Json) -> str:
        text = honest(pod)
        return text and json.dumps({**json.loads(text), "kubernetes.default.svc:443": True})

    cluster.log = leak
    made = await create(provider, kept)
    assert (made.stage, made.home) == (Stage.FAILED, None)
    assert "could not be proved" in made.message
    assert not [call for call in cluster.calls if call[1] == "Deployment"]
    assert ("Namespace", "", HOME) not in cluster.objects


async def test_an_interruption_while_the_namespace_is_made_leaves_nothing(
    cluster: Any, provider: NamespaceProvider, kept: list[ShadowSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is on its way when somebody interrupts: what it makes is known, and removed."""
    on_its_way, real = asyncio.Event(), cluster.create

    async def slow(obj: Json, purpose: Any) -> Json:
        on_its_way.set()
        await asyncio.sleep(0.01)
        made: Json = await real(obj, purpose)
        return made

    monkeypatch.setattr(cluster, "create", slow)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(create(provider, kept))
        await on_its_way.wait()
        task.cancel()
    assert task.cancelled()
    assert ("create", "Namespace", "", HOME) in cluster.calls
    assert ("Namespace", "", HOME) not in cluster.objects


async def test_it_takes_a_slot_and_gives_it_back(
    cluster: Any, provider: NamespaceProvider, kept: list[ShadowSession]
) -> None:
    for name in ("x1", "x2", "x3"):
        older = Shadow(id=name, incident=f"inc-{name}", target=WEB, expires_at=NOW)
        obj = namespace_object(older, "r")
        obj["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
        cluster.put(obj)
    with pytest.raises(Unavailable, match="all 3 shadows"):
        await create(provider, kept)
    assert ("Namespace", "", HOME) not in cluster.objects


async def test_it_stands_in_the_way_of_no_trial_of_the_same_workload(
    cluster: Any, provider: NamespaceProvider, tools: TrialTools, kept: list[ShadowSession]
) -> None:
    await create(provider, kept)
    trial = Shadow(id="t1", incident="inc-1", target=WEB, expires_at=NOW + timedelta(hours=1))
    async with arms(trial, ["r"], tools):
        assert ("Namespace", "", "aegis-shadow-t1-r") in cluster.objects


@pytest.mark.parametrize(
    ("obj", "error", "said"),
    [
        (deployment(hostNetwork=True), Refused, "hostNetwork"),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": "shop"}},
            NotFound,
            "not there",
        ),
    ],
)
async def test_what_cannot_be_copied_makes_nothing(
    fake: Any, tools: TrialTools, kept: list[ShadowSession], obj: Json, error: type[Exception], said: str
) -> None:
    fake.put(obj)
    with pytest.raises(error, match=said):
        await create(NamespaceProvider(tools=tools), kept)
    assert fake.calls == []


@pytest.mark.parametrize(("replicas", "pods"), [(0, 1), (1, 1), (3, 3), (50, 5)])
async def test_as_many_pods_as_production_asks_for_up_to_a_trials(
    cluster: Any, provider: NamespaceProvider, kept: list[ShadowSession], replicas: int, pods: int
) -> None:
    cluster.put(deployment(replicas))
    assert [one.pods for one in (await create(provider, kept)).workloads] == [pods]


async def test_only_what_has_a_recorded_uid_is_removed(
    cluster: Any, provider: NamespaceProvider, kept: list[ShadowSession]
) -> None:
    made = await create(provider, kept)
    arm = namespace_object(Shadow(id="1a2b", incident="1a2b", target=WEB, expires_at=NOW), "r")
    foreign = namespace_object(Shadow(id="1a2b", incident="1a2b", target=WEB, expires_at=NOW), "c")
    cluster.put(arm, foreign)
    await provider.remove(made, {arm["metadata"]["uid"]})
    left = {name for kind, _, name in cluster.objects if kind == "Namespace"}
    assert left == {"aegis-shadow-1a2b-c"}, "it carries our labels, and nobody recorded that it is ours"
    assert await provider.look(made) == replace(await provider.look(made), there=False)


async def test_a_namespace_that_does_not_go_is_said(
    cluster: Any, provider: NamespaceProvider, kept: list[ShadowSession]
) -> None:
    made = await create(provider, kept)
    cluster.stuck.add(HOME)
    quick = NamespaceProvider(
        tools=replace(provider.tools, limits=replace(provider.tools.limits, deletion_seconds=0.01))
    )
    with pytest.raises(Unavailable, match=HOME):
        await quick.remove(made, ())


async def test_a_namespace_of_that_name_that_somebody_else_made_is_not_it(
    cluster: Any, provider: NamespaceProvider, kept: list[ShadowSession]
) -> None:
    made = await create(provider, kept)
    cluster.objects["Namespace", "", HOME]["metadata"]["uid"] = "another"
    assert not (await provider.look(made)).there
    await provider.remove(made, ())
    assert ("Namespace", "", HOME) in cluster.objects


async def test_verifying_reproduces_nothing_and_leaves_the_shadow(
    cluster: Any, provider: NamespaceProvider, kept: list[ShadowSession]
) -> None:
    made = await create(provider, kept)
    found = await provider.verify(made, NO_CHANGE, seconds=None)
    gates = {gate.gate: gate for gate in found.verdict.gates}
    assert gates["reproduction"].outcome is Outcome.SKIPPED
    assert found.verdict.decision is Decision.ACCEPT
    assert [name for kind, _, name in cluster.objects if kind == "Namespace"] == [HOME]


async def test_a_duration_is_how_long_the_candidate_must_stay_good_and_never_shortens(cluster: Any) -> None:
    found: Any = type("Found", (), {"subjects": ()})()
    production = Production(known={}, found=found, pods=(), limit_ranges=(), signature=None, between_crashes=None)
    for seconds, expected in ((None, 120.0), (5.0, 120.0), (900.0, 900.0)):
        request = TrialRequest(incident="i", shadow_id="s", target=WEB, fix=NO_CHANGE, reproduce=False, seconds=seconds)
        assert rules_for(production, request).stable_for == expected
