"""A candidate beside the last good revision, on the local cluster: requests to both, and what may be said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.model.refs import ObjectRef
from aegis.model.verdict import Decision, GateResult, Outcome
from aegis.shadow.trial import TrialResult

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(180)]

MANIFESTS = Path(__file__).parent / "manifests"
NAMESPACE = "demo-regression"


async def broken(world: Any, refs: Any, usually: str) -> ObjectRef:
    """A workload that was good, answering after so many seconds, and whose new revision lacks a variable."""
    text = (MANIFESTS / "regression.yaml").read_text(encoding="utf-8")
    for obj in yaml.safe_load_all(text.replace('"DELAY", "0.01"', f'"DELAY", "{usually}"')):
        await world.driver.apply(ObjectRef.of(obj), obj, manager="kubectl")
    target: ObjectRef = refs.deployment("shop", NAMESPACE)
    await world.until(world.ready(NAMESPACE))
    change = refs.patched(target, {"op": "remove", "path": "/spec/template/spec/containers/0/env/0"})
    await world.driver.patch(target, change.patch, manager="kubectl")
    await world.until(world.restarted(NAMESPACE))
    return target


def gate(result: TrialResult, name: str) -> GateResult:
    found = [one for one in result.verdict.gates if one.gate == name]
    assert found, told(result)
    return found[0]


def told(result: TrialResult) -> str:
    """What pytest would cut short."""
    return "\n".join(f"{one.gate} {one.outcome}: {one.reason} ({one.coverage})" for one in result.verdict.gates)


async def fixed(world: Any, refs: Any, *, usually: str = "0.01", **more: str) -> TrialResult:
    target = await broken(world, refs, usually)
    env = [{"name": "CURRENCY", "value": "EUR"}, *({"name": key, "value": value} for key, value in more.items())]
    result: TrialResult = await world.try_fix(target, refs.container(target, env=env))
    assert await world.shadows() == []
    return result


async def test_a_fix_that_is_as_good_as_the_last_good_revision(world: Any, refs: Any) -> None:
    result = await fixed(world, refs, UNUSED="1")
    assert result.verdict.decision is Decision.ACCEPT, told(result)
    assert gate(result, "errors").outcome is Outcome.PASSED
    assert gate(result, "latency").outcome is Outcome.PASSED
    assert set(result.signatures) == {"r", "c", "g"}


async def test_a_fix_that_answers_half_as_fast_is_rejected(world: Any, refs: Any) -> None:
    result = await fixed(world, refs, DELAY="0.03")
    assert (result.verdict.decision, result.verdict.reason) == (Decision.REJECT, "GateRejected"), told(result)
    assert gate(result, "latency").outcome is Outcome.FAILED


@pytest.mark.long
async def test_a_fix_that_answers_exactly_half_as_fast_is_not_accepted(world: Any, refs: Any) -> None:
    result = await fixed(world, refs, usually="0.04", DELAY="0.082")
    assert (result.verdict.decision, result.verdict.reason) == (Decision.REJECT, "GateRejected"), told(result)
    assert gate(result, "latency").outcome is Outcome.FAILED


@pytest.mark.long
async def test_a_fix_that_fails_one_request_in_twenty_is_not_accepted(world: Any, refs: Any) -> None:
    result = await fixed(world, refs, FAILS="0.05")
    assert (result.verdict.decision, result.verdict.reason) == (Decision.REJECT, "GateRejected"), told(result)
    assert Outcome.FAILED in {gate(result, "errors").outcome, gate(result, "smoke").outcome}, told(result)


@pytest.mark.long
async def test_a_fix_that_fails_one_request_in_twelve_is_rejected(world: Any, refs: Any) -> None:
    result = await fixed(world, refs, FAILS="0.08")
    assert (result.verdict.decision, result.verdict.reason) == (Decision.REJECT, "GateRejected"), told(result)
    assert Outcome.FAILED in {gate(result, "errors").outcome, gate(result, "smoke").outcome}, told(result)


@pytest.mark.long
async def test_the_way_back_is_not_compared_with_itself(world: Any, refs: Any) -> None:
    result = await fixed(world, refs)
    assert result.verdict.decision is Decision.ACCEPT, told(result)
    assert gate(result, "errors").outcome is Outcome.PASSED
    assert gate(result, "latency").outcome is Outcome.SKIPPED
    assert "no comparison with a good revision: the candidate is the last good revision" in result.verdict.gaps
    assert "g" not in result.signatures
