"""Whole trials with scanners: tools that are not there, that find something new, and that do not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_kubesec
import pytest
import trivy_of_images

from aegis.model.verdict import Decision, GateResult, Outcome
from aegis.security.desk import Desk, ScanRules
from aegis.shadow.load import LoadRules
from aegis.shadow.tools import SecurityRules

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(120)]

NAMESPACE = "demo-missing-env"
NAMES = ("kubesec", "semgrep", "trivy")
MENDED = [{"name": "PAYMENT_CURRENCY", "value": "EUR"}]

Bench = Callable[..., Any]


@pytest.fixture
async def target(world: Any, refs: Any) -> Any:
    await world.incident("missing-env")
    await world.until(world.restarted(NAMESPACE))
    return refs.deployment("checkout", NAMESPACE)


@pytest.fixture
def bench(world: Any, tmp_path: Path) -> Bench:
    """The tools of the world, with these programs and no others; images have layers, unless it is said."""

    def made(*, embedded: bool = False, seconds: float = 30.0, off: tuple[str, ...] = (), **programs: Path) -> Any:
        missing = {name: tmp_path / "nowhere" / name for name in NAMES}
        rules = ScanRules(programs={**missing, **programs}, timeouts=dict.fromkeys(NAMES, seconds))
        security = SecurityRules(desk=Desk(rules=rules), off=frozenset(off))
        world.tools = replace(
            world.limited(security=security, load=LoadRules(requests=0)),
            cluster=replace(world.tools.cluster, embedded=embedded),
        )
        return world

    return made


def gates_of(result: Any) -> dict[str, GateResult]:
    return {gate.gate: gate for gate in result.verdict.gates}


async def test_on_a_bare_machine_a_fix_is_accepted_with_gaps(bench: Bench, target: Any, refs: Any) -> None:
    result = await bench(embedded=True).try_fix(target, refs.container(target, env=MENDED))
    assert result.verdict.decision is Decision.ACCEPT, result.verdict.to_dict()
    gates = gates_of(result)
    for name in (*NAMES, "zap", "falco"):
        assert (gates[name].outcome, gates[name].required) == (Outcome.SKIPPED, False), name
        assert any(gap.startswith(f"{name}: ") for gap in result.verdict.gaps), name
    assert "no layers" in gates["trivy"].reason
    assert gates["podsecurity"].outcome is Outcome.PASSED
    told = {part.scanner: part.outcome for part in result.security.scanners}
    assert told == {"podsecurity": "PASSED", **dict.fromkeys((*NAMES, "zap", "falco"), "SKIPPED")}


async def test_a_fix_that_adds_a_privileged_container_is_refused_before_it_runs(
    bench: Bench, target: Any, refs: Any, tmp_path: Path
) -> None:
    container = {"name": "debug", "image": "busybox:1.36", "securityContext": {"privileged": True}}
    worse = refs.patched(target, {"op": "add", "path": "/spec/template/spec/containers/-", "value": container})
    world = bench(embedded=True, kubesec=fake_kubesec.install(tmp_path))
    result = await world.try_fix(target, refs.container(target, env=MENDED), worse)
    gates = gates_of(result)
    assert (result.verdict.decision, result.verdict.reason) == (Decision.REJECT, "GateRejected")
    assert gates["podsecurity"].outcome is Outcome.FAILED
    assert gates["kubesec"].outcome is Outcome.FAILED
    assert gates["kubesec"].coverage == "1 of 1 objects; kubesec 2.14.2"
    assert {finding.source for finding in result.security.new} == {"podsecurity", "kubesec"}
    assert not any("starting both arms" in line for line in world.said)


async def test_an_image_that_brings_a_new_vulnerability_is_refused(
    bench: Bench, target: Any, refs: Any, tmp_path: Path, world: Any
) -> None:
    live = await world.driver.get(target)
    image = live["spec"]["template"]["spec"]["containers"][0]["image"]
    known = {
        image: [("CVE-2026-1", "zlib1g", "HIGH")],
        "shop/checkout:9": [("CVE-2026-1", "zlib1g", "HIGH"), ("CVE-2026-2", "bash", "CRITICAL")],
    }
    trivy = trivy_of_images.install(tmp_path / "bin", known)
    trial = bench(trivy=trivy, off=("zap",))
    result = await trial.try_fix(target, refs.container(target, env=MENDED, image="shop/checkout:9"))
    gate = gates_of(result)["trivy"]
    assert (result.verdict.decision, gate.outcome, gate.measured) == (Decision.REJECT, Outcome.FAILED, 1.0)
    assert gate.coverage.startswith("1 of 1 objects, 1 of 1 images; trivy 0.74.0, database of 20")
    vulnerable = [finding.rule_id for finding in result.security.new if finding.source == "trivy"]
    assert vulnerable == ["CVE-2026-2"]
    assert [finding.rule_id for finding in result.security.same if finding.source == "trivy"] == ["CVE-2026-1"]


async def test_a_tool_that_does_not_answer_leaves_it_undecided_and_nothing_behind(
    bench: Bench, target: Any, refs: Any, tmp_path: Path, world: Any
) -> None:
    live = await world.driver.get(target)
    image = live["spec"]["template"]["spec"]["containers"][0]["image"]
    trivy = trivy_of_images.install(tmp_path / "bin", {image: trivy_of_images.HANGS})
    trial = bench(trivy=trivy, seconds=5.0, off=("zap",))
    result = await trial.try_fix(target, refs.container(target, env=MENDED))
    gate = gates_of(result)["trivy"]
    assert (result.verdict.decision, result.verdict.reason) == (Decision.INCONCLUSIVE, "Infrastructure")
    assert (gate.outcome, gate.required, gate.inconclusive) == (Outcome.ERRORED, True, True)
    assert gate.coverage.startswith("1 of 1 objects, 0 of 1 images")
    assert trivy_of_images.left_of(trivy) == []
