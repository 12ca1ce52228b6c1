"""Whole trials on the local cluster: red, then green, with the real judge at the real thresholds."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aegis.errors import Refused
from aegis.model.refs import ObjectRef
from aegis.model.verdict import Decision, Outcome, Verdict
from aegis.shadow.namespace import Shadow, namespace_object, sweep
from aegis.shadow.trial import run_trial

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(120)]

MANIFESTS = Path(__file__).parent / "manifests"


def outcomes(verdict: Verdict) -> dict[str, Outcome]:
    return {gate.gate: gate.outcome for gate in verdict.gates if gate.required}


PASSED = dict.fromkeys(["isolation", "podsecurity", "health", "reproduction", "rollout", "smoke"], Outcome.PASSED)


async def test_a_crash_is_reproduced_and_mended(world: Any, refs: Any) -> None:
    await world.incident("missing-env")
    await world.until(world.restarted("demo-missing-env"))
    target = refs.deployment("checkout", "demo-missing-env")
    result = await world.try_fix(target, refs.container(target, env=[{"name": "PAYMENT_CURRENCY", "value": "EUR"}]))
    assert (result.verdict.decision, result.verdict.reason) == (Decision.ACCEPT, "Accepted")
    assert outcomes(result.verdict) == PASSED
    assert result.verdict.score_high == 1.0
    assert result.verdict.score_low >= 0.9, "all but the memory, of which so short a watch may have too few readings"
    lines = {signature.line for signature, _ in result.signatures["r"]}
    assert lines - {""} == {"KeyError: 'PAYMENT_CURRENCY'"}, "a log that was not yet there has no line"
    assert result.signatures["c"] == ()
    assert result.security is not None
    assert result.security.new == ()
    assert await world.shadows() == []
    assert any("falco" in gap for gap in result.verdict.gaps)


async def test_an_image_that_does_not_exist(world: Any, refs: Any) -> None:
    await world.incident("image-tag")
    target = refs.deployment("storefront", "demo-image-tag")

    async def failing() -> bool:
        pods = await world.driver.list("v1", "Pod", namespace="demo-image-tag")
        states = [one for pod in pods for one in (pod.get("status") or {}).get("containerStatuses") or []]
        return any("ImagePull" in str(one["state"]) for one in states)

    await world.until(failing)
    result = await world.try_fix(target, refs.container(target, image="nginx:1.27"))
    assert result.verdict.decision is Decision.ACCEPT
    assert outcomes(result.verdict) == PASSED


async def test_a_service_that_selects_nothing(world: Any, refs: Any) -> None:
    await world.incident("service-selector")
    await world.until(world.ready("demo-service-selector"))
    target = refs.service("catalog", "demo-service-selector")
    change = refs.patched(target, {"op": "replace", "path": "/spec/selector", "value": {"app": "catalog"}})
    result = await world.try_fix(target, change)
    assert result.verdict.decision is Decision.ACCEPT
    assert outcomes(result.verdict) == PASSED


async def test_a_fix_that_only_puts_the_crash_off(world: Any, refs: Any) -> None:
    await world.incident("useless-fix")
    await world.until(world.restarted("demo-useless-fix"))
    target = refs.deployment("worker", "demo-useless-fix")
    result = await world.try_fix(target, refs.container(target, env=[{"name": "BUFFER", "value": "100"}]))
    assert (result.verdict.decision, result.verdict.reason) == (Decision.REJECT, "GateRejected")
    assert outcomes(result.verdict)["reproduction"] is Outcome.FAILED
    assert await world.shadows() == []


async def test_a_fault_that_does_not_show_in_the_shadow(world: Any, refs: Any) -> None:
    await world.incident("not-reproduced")
    await world.until(world.restarted("demo-not-reproduced"))
    target = refs.deployment("ledger", "demo-not-reproduced")
    result = await world.try_fix(target, refs.container(target, env=[{"name": "LICENCE_SERVER", "value": "x"}]))
    assert (result.verdict.decision, result.verdict.reason) == (Decision.INCONCLUSIVE, "NotReproduced")


async def test_a_fix_that_weakens_security_never_runs(world: Any, refs: Any) -> None:
    await world.incident("missing-env")
    await world.until(world.restarted("demo-missing-env"))
    target = refs.deployment("checkout", "demo-missing-env")
    fix = refs.container(
        target,
        env=[{"name": "PAYMENT_CURRENCY", "value": "EUR"}],
        securityContext={"allowPrivilegeEscalation": True},
    )
    worse = refs.patched(
        target, {"op": "add", "path": "/spec/template/spec/containers/0/securityContext/capabilities", "value": {}}
    )
    result = await world.try_fix(target, fix, worse)
    assert result.verdict.decision is Decision.REJECT
    assert outcomes(result.verdict)["podsecurity"] is Outcome.FAILED
    assert result.security is not None
    assert {finding.rule_id for finding in result.security.new} == {
        "pss-restricted-drop-capabilities",
        "pss-restricted-privilege-escalation",
    }
    assert not any("starting both arms" in line for line in world.said)


async def test_secrets_are_made_up_and_dependencies_come_along(world: Any, refs: Any) -> None:
    await world.apply(MANIFESTS / "shop.yaml")
    await world.until(world.restarted("demo-shop"))
    target = refs.deployment("web", "demo-shop")
    result = await world.try_fix(target, refs.container(target, env=[{"name": "MODE", "value": "live"}]))
    assert result.verdict.decision is Decision.ACCEPT, result.verdict.to_dict()
    assert "Secret db holds made-up values of the same shape" in result.ledger
    assert "Secret db holds made-up values of the same shape" in result.verdict.gaps


async def test_two_trials_of_one_workload_are_refused_and_a_dead_one_is_swept(world: Any, refs: Any) -> None:
    await world.incident("missing-env")
    await world.until(world.restarted("demo-missing-env"))
    target = refs.deployment("checkout", "demo-missing-env")
    change = refs.container(target, env=[{"name": "PAYMENT_CURRENCY", "value": "EUR"}])

    async def while_the_other_runs() -> None:
        async def begun() -> bool:
            return "aegis-shadow-t1-c" in await world.shadows()

        await world.until(begun)
        with pytest.raises(Refused, match="being tried already"):
            await world.try_fix(target, change, shadow_id="t2")

    first = asyncio.ensure_future(run_trial(refs.request(target, change), world.tools))
    await while_the_other_runs()
    left = await world.shadows()
    assert {"aegis-shadow-t1-r", "aegis-shadow-t1-c"} <= set(left), "the second one took only its own away"
    assert not any(name.startswith("aegis-shadow-t2") for name in left)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    assert await world.shadows() == [], "a trial that is cancelled cleans up"


async def test_what_a_killed_process_left_is_swept(world: Any) -> None:
    target = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
    now = datetime.now(UTC)
    for name, incident, expires in (
        ("expired", "inc-a", now - timedelta(seconds=1)),
        ("over", "inc-b", now + timedelta(hours=1)),
        ("running", "inc-c", now + timedelta(hours=1)),
        ("another-installations", "inc-d", now + timedelta(hours=1)),
    ):
        shadow = Shadow(id=name, incident=incident, target=target, expires_at=expires)
        await world.tools.actuator.create(namespace_object(shadow, "r"), shadow.purpose(["r"]))
    known = {"inc-b": "", "inc-c": "running"}
    gone = await sweep(world.driver, world.tools.actuator, known)
    assert sorted(gone) == ["aegis-shadow-expired-r", "aegis-shadow-over-r"]
