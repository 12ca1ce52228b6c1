"""What follows from what a scanner said of both arms."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from aegis.model.refs import ObjectRef
from aegis.model.scan import Coverage, Image, Manifests, ScanResult, ScanStatus, Subject, Tool, Url
from aegis.model.security import Category, SecurityFinding, Severity
from aegis.model.verdict import Decision, GateResult, Outcome
from aegis.security.waivers import Waiver
from aegis.shadow import judge
from aegis.shadow.scanner_gate import ScannerGate, by_container, decide
from aegis.shadow.scanning import Look, Looks
from aegis.shadow.subjects import Subjects
from aegis.shadow.tools import SecurityRules

TOOL = Tool(name="trivy", version="0.74.0", database=datetime(2026, 11, 20, tzinfo=UTC))
WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
MANIFESTS = Manifests(objects=())
IMAGE = Image(reference="shop/web:2")
BARE = Image(reference="nginx:1.27", layerless="an image of the embedded registry has no layers to look into")


def found(rule: str, severity: Severity = Severity.HIGH, *, source: str = "trivy") -> SecurityFinding:
    return SecurityFinding(
        source=source, rule_id=rule, severity=severity, title=f"fault {rule}", description="", subject=WEB,
        category=Category.CONFIG,
    )  # fmt: skip


def look(*findings: SecurityFinding, of: Subject = MANIFESTS, **fields: Any) -> Look:
    status = ScanStatus.FINDINGS if findings else ScanStatus.CLEAN
    coverage = Coverage(expected=("a", "b"), scanned=("a", "b"))
    result = ScanResult(scanner="trivy", status=status, findings=findings, tool=TOOL, coverage=coverage)
    return Look(subject=of, result=replace(result, **fields))


def failed(status: ScanStatus, reason: str, of: Subject = MANIFESTS, tool: Tool = TOOL) -> Look:
    return look(of=of, status=status, reason=reason, tool=tool, coverage=Coverage(expected=("a", "b")))


def absent(of: Subject = MANIFESTS) -> Look:
    return failed(ScanStatus.SKIPPED, "trivy is not installed", of, Tool(name="trivy", absent="trivy is not installed"))


RULES = SecurityRules()


def decided(*, before: tuple[Look, ...] = (), after: tuple[Look, ...] = (), **policy: Any) -> GateResult:
    rules = replace(RULES, policy=replace(RULES.policy, **policy))
    return decide("trivy", Looks(before=before, after=after), rules)


def image(reference: str, *containers: str) -> Image:
    return Image(reference=reference, containers=tuple(f"Deployment/web containers[{name}]" for name in containers))


def vulnerable(rule: str, of: Image) -> Look:
    fault = replace(found(rule), category=Category.VULNERABILITY, purl="pkg:deb/debian/zlib1g@1")
    return look(fault, of=of)


@pytest.mark.parametrize(
    ("after", "news"),
    [
        ([vulnerable("CVE-1", image("web:2", "app")), vulnerable("CVE-1", image("log:1", "log"))], 1),
        ([look(of=image("web:2", "app")), vulnerable("CVE-1", image("log:2", "log"))], 0),
        ([look(of=image("web:1", "app")), vulnerable("CVE-1", image("log:1", "log", "wait"))], 0),
        ([look(of=image("web:1", "app")), vulnerable("CVE-1", image("other:1", "wait"))], 1),
    ],
    ids=["in another container", "in a newer image", "in one more container of the image", "in a new image"],
)
def test_what_one_container_had_is_new_in_another(after: list[Look], news: int) -> None:
    before = (look(of=image("web:1", "app")), vulnerable("CVE-1", image("log:1", "log")))
    told = by_container(Looks(before=before, after=tuple(after)))
    assert decided(before=told.before, after=told.after).measured == news


def passes(gate: GateResult) -> Decision:
    """The verdict where this is all that is open."""
    good = GateResult(gate=judge.REPRODUCTION, outcome=Outcome.PASSED, required=True)
    return judge.decide([good, gate]).decision


def test_what_was_there_before_refuses_nothing() -> None:
    gate = decided(before=(look(found("A")),), after=(look(found("A")),))
    assert (gate.outcome, gate.required, gate.measured, gate.reason) == (Outcome.PASSED, True, 0.0, "")
    assert gate.coverage == "2 of 2 objects; trivy 0.74.0, database of 2026-11-20"
    assert passes(gate) is Decision.ACCEPT


def test_one_new_finding_refuses_and_the_worst_is_named_first() -> None:
    news = [found("B", Severity.UNKNOWN), found("C", Severity.HIGH), found("D", Severity.CRITICAL)]
    gate = decided(before=(look(found("A")),), after=(look(found("A"), *news, found("E"), found("F")),))
    assert (gate.outcome, gate.measured) == (Outcome.FAILED, 5.0)
    assert gate.reason.startswith("the fix is worse than what it replaces: CRITICAL fault D (Deployment/web in shop);")
    assert gate.reason.endswith("and 2 more")
    assert passes(gate) is Decision.REJECT


@pytest.mark.parametrize(
    ("severity", "outcome"),
    [
        (Severity.LOW, Outcome.PASSED),
        (Severity.MEDIUM, Outcome.PASSED),
        (Severity.HIGH, Outcome.FAILED),
        (Severity.UNKNOWN, Outcome.FAILED),
    ],
)
def test_of_trivy_only_the_severities_that_are_set_count(severity: Severity, outcome: Outcome) -> None:
    assert decided(before=(look(),), after=(look(found("B", severity)),)).outcome is outcome


def test_of_others_every_new_finding_counts() -> None:
    looks = Looks(before=(look(),), after=(look(found("B", Severity.LOW, source="semgrep")),))
    assert decide("semgrep", looks, RULES).outcome is Outcome.FAILED


def test_where_there_is_nothing_to_compare_with_only_what_is_grave_counts() -> None:
    url = Url(url="http://web:80/", namespace="arm")
    for severity, outcome in ((Severity.MEDIUM, Outcome.PASSED), (Severity.HIGH, Outcome.FAILED)):
        looks = Looks(after=(look(found("B", severity, source="zap"), of=url),))
        gate = decide("zap", looks, RULES)
        assert (gate.outcome, gate.coverage.split(";")[0]) == (outcome, "1 of 1 services")


def test_a_ceiling_holds_for_what_was_there_before_too() -> None:
    one = (look(found("A", Severity.CRITICAL)),)
    assert decided(before=one, after=one).outcome is Outcome.PASSED
    assert decided(before=one, after=one, ceiling=Severity.CRITICAL).outcome is Outcome.FAILED


@pytest.mark.parametrize("status", [ScanStatus.ERROR, ScanStatus.TIMEOUT, ScanStatus.PARTIAL])
def test_a_tool_that_is_there_and_fails_leaves_it_undecided(status: ScanStatus) -> None:
    gate = decided(before=(look(),), after=(failed(status, "time is up"),))
    assert (gate.outcome, gate.required, gate.inconclusive, gate.reason) == (Outcome.ERRORED, True, True, "time is up")
    assert gate.coverage.startswith("0 of 2 objects")
    assert passes(gate) is Decision.INCONCLUSIVE


def test_unless_a_person_has_let_it_off_and_then_it_is_a_gap() -> None:
    gate = decided(after=(failed(ScanStatus.TIMEOUT, "time is up"),), fail_open=frozenset({"trivy"}))
    assert (gate.outcome, gate.required) == (Outcome.ERRORED, False)
    good = GateResult(gate=judge.REPRODUCTION, outcome=Outcome.PASSED, required=True)
    verdict = judge.decide([good, gate])
    assert (verdict.decision, verdict.gaps) == (Decision.ACCEPT, ("trivy: time is up",))


def test_a_new_finding_refuses_even_where_another_part_failed() -> None:
    gate = decided(before=(look(),), after=(look(found("B")), failed(ScanStatus.ERROR, "panic", IMAGE)))
    assert gate.outcome is Outcome.FAILED


def test_a_baseline_that_cannot_be_had_matters_only_where_something_was_found() -> None:
    broken = (failed(ScanStatus.ERROR, "manifest unknown", IMAGE),)
    assert decided(before=broken, after=(look(of=IMAGE),)).outcome is Outcome.PASSED
    gate = decided(before=broken, after=(look(found("B", Severity.LOW), of=IMAGE),))
    assert gate.outcome is Outcome.PASSED, "what does not count needs nothing to be held against"


@pytest.mark.parametrize("name", ["trivy", "semgrep"])
def test_a_tool_that_is_not_there_is_a_gap_unless_it_is_required(name: str) -> None:
    gate = decide(name, Looks(before=(absent(IMAGE),), after=(absent(), absent(IMAGE))), RULES)
    assert (gate.outcome, gate.reason) == (Outcome.SKIPPED, "trivy is not installed")
    required = name == "trivy"
    assert (gate.required, gate.inconclusive) == (required, required)
    assert passes(gate) is (Decision.INCONCLUSIVE if required else Decision.ACCEPT)


def test_where_no_image_has_layers_a_missing_trivy_is_a_gap_though_it_is_required() -> None:
    layerless = failed(ScanStatus.SKIPPED, BARE.layerless, BARE)
    gate = decided(before=(absent(), layerless), after=(absent(), layerless))
    assert (gate.outcome, gate.required, gate.inconclusive) == (Outcome.SKIPPED, False, False)
    assert gate.reason == f"trivy is not installed; {BARE.layerless}"
    assert passes(gate) is Decision.ACCEPT


def test_what_was_looked_at_in_part_did_not_pass() -> None:
    layerless = failed(ScanStatus.SKIPPED, BARE.layerless, BARE)
    gate = decided(before=(look(), layerless), after=(look(), layerless))
    assert (gate.outcome, gate.reason) == (Outcome.SKIPPED, BARE.layerless)
    assert gate.coverage == "2 of 2 objects, 0 of 1 images; trivy 0.74.0, database of 2026-11-20"


def test_nothing_to_look_at_is_not_passed() -> None:
    gate = decided()
    assert (gate.outcome, gate.required) == (Outcome.SKIPPED, False)
    assert gate.reason


def test_the_restricted_standard_can_be_shown_only() -> None:
    looks = Looks(before=(look(),), after=(look(found("pss-restricted-drop-capabilities", source="podsecurity")),))
    assert decide("podsecurity", looks, RULES).outcome is Outcome.FAILED
    assert decide("podsecurity", looks, replace(RULES, podsecurity_baseline_only=True)).outcome is Outcome.PASSED
    worse = Looks(before=(look(),), after=(look(found("pss-baseline-privileged", source="podsecurity")),))
    assert decide("podsecurity", worse, replace(RULES, podsecurity_baseline_only=True)).outcome is Outcome.FAILED


# ── within a trial ───────────────────────────────────────────────────────────────────────────────────────────────────


class Said:
    """Scans that are done: what a scanner says of each subject."""

    def __init__(self, **results: Look) -> None:
        self.results = results

    async def of(self, _name: str, subjects: Any) -> tuple[Look, ...]:
        return tuple(
            self.results[one.reference] if isinstance(one, Image) else look(of=one, status=ScanStatus.CLEAN)
            for one in subjects
        )


def trial_of(said: Said, images: dict[str, str], **rules: Any) -> Any:
    subjects = {arm: Subjects(manifests=MANIFESTS, images=(Image(reference=name),)) for arm, name in images.items()}
    limits = SimpleNamespace(security=replace(RULES, **rules))
    tools = SimpleNamespace(limits=limits, progress=lambda *_args, **_facts: None)
    return SimpleNamespace(tools=tools, scans=said, subjects=subjects, scanned={})


def of_image(name: str, *findings: SecurityFinding, **fields: Any) -> Look:
    return look(*findings, of=Image(reference=name), **fields)


LOST = of_image("gone", status=ScanStatus.ERROR, reason="manifest unknown")
GATE = ScannerGate(name="trivy", order=4)


async def test_where_the_broken_image_cannot_be_had_the_last_good_one_takes_its_place() -> None:
    said = Said(gone=LOST, good=of_image("good", found("A")), new=of_image("new", found("A")))
    gate = await GATE.judge(trial_of(said, {"r": "gone", "c": "new", "g": "good"}))
    assert gate.outcome is Outcome.PASSED, gate.reason
    worse = Said(gone=LOST, good=of_image("good"), new=of_image("new", found("A")))
    gate = await GATE.judge(trial_of(worse, {"r": "gone", "c": "new", "g": "good"}))
    assert gate.outcome is Outcome.FAILED


async def test_without_any_it_is_not_known_what_is_new() -> None:
    said = Said(gone=LOST, new=of_image("new", found("A", Severity.LOW), found("B")))
    for images in ({"r": "gone", "c": "new"}, {"r": "gone", "c": "new", "g": "gone"}):
        gate = await GATE.judge(trial_of(said, images))
        assert (gate.outcome, gate.inconclusive) == (Outcome.ERRORED, True), gate.reason
        assert "manifest unknown" in gate.reason


async def test_what_somebody_answers_for_counts_on_neither_side_and_is_shown() -> None:
    def waiver(rule: str, expires: datetime) -> Waiver:
        return Waiver(id=rule, ids=frozenset({rule}), owner="ana", reason="not built in", expires=expires)

    waivers = (waiver("A", datetime(2099, 1, 1, tzinfo=UTC)), waiver("C", datetime(2020, 1, 1, tzinfo=UTC)))
    said = Said(old=of_image("old", found("A")), new=of_image("new", found("A")))
    trial = trial_of(said, {"r": "old", "c": "new"}, waivers=waivers)
    assert (await GATE.judge(trial)).outcome is Outcome.PASSED
    part, looks = trial.scanned["trivy"]
    assert (looks.findings_before, looks.findings_after) == ((), ())
    assert part.suppressed == ("A in Deployment/web in shop: ana answers for it until 2098-12-31: not built in",)
    late = trial_of(
        Said(old=of_image("old"), new=of_image("new", found("C"))), {"r": "old", "c": "new"}, waivers=waivers
    )
    gate = await GATE.judge(late)
    assert gate.outcome is Outcome.FAILED
    assert "expired on 2019-12-31" in gate.coverage


async def test_what_is_switched_off_looks_at_nothing_and_says_so() -> None:
    trial = trial_of(Said(), {"r": "old", "c": "new"}, off=frozenset({"trivy"}))
    gate = await GATE.judge(trial)
    assert (gate.outcome, gate.reason) == (Outcome.SKIPPED, "switched off: security.trivy_enabled")
    assert trial.scanned["trivy"][0].reason == gate.reason


async def test_objects_that_can_be_read_in_two_ways_are_not_passed() -> None:
    trial = trial_of(Said(), {"r": "old", "c": "new"})
    trial.subjects["c"] = Subjects(manifests=MANIFESTS, images=(), fault="the key privileged stands twice")
    gate = await GATE.judge(trial)
    assert (gate.outcome, gate.inconclusive, gate.reason) == (
        Outcome.ERRORED,
        True,
        "the key privileged stands twice",
    )
