"""The values of a trial: what is asked, what gates look at, what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from aegis.model.changes import Change, Fix
from aegis.model.diagnosis import Diagnosis
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.report import ScannerOutcome, ScannerVerdict, SecurityReport
from aegis.model.security import ScannerPart, SecurityComparison
from aegis.model.symptom import Signature
from aegis.model.verdict import Verdict
from aegis.ports import Gate
from aegis.shadow.baseline import Baseline
from aegis.shadow.clone import Plan
from aegis.shadow.judge import Pair, Rules
from aegis.shadow.measuring import Measuring
from aegis.shadow.probe import Place
from aegis.shadow.scanning import Looks, Scans
from aegis.shadow.subjects import Subjects
from aegis.shadow.survey import Production
from aegis.shadow.tools import TrialTools

ARMS = ("r", "c")
"""R, production as it is, and C, the candidate."""

GOOD = "g"
"""G, the last good revision, where it is run to compare C with."""


class Stage(IntEnum):
    """When a gate is judged."""

    STATIC = 1
    """Before a pod runs: on what the arms hold."""
    WATCH = 2
    """While the arms run; open until the judge knows."""
    AFTER = 3
    """On the running candidate, once the watch has found nothing against it."""
    ABSENT = 4
    """Not part of this trial; it says why."""


class StagedGate(Gate, Protocol):
    """A gate of a trial.

    Attributes:
        stage: when its turn is.
        order: within the stage, the lowest first.
        weight: its share of the score.
    """

    stage: Stage
    order: int
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRequest:
    """What to try.

    Attributes:
        incident: on whose behalf.
        shadow_id: stored by the caller before this is called; names the arms.
        target: what was reported, and whose failure is to be reproduced.
        fix: with its change set.
        diagnosis: how the target fails; where it does not say, production is read.
        reproduce: whether there is a failure to reproduce; without one the result says no regression, not fixed.
        seconds: nominal seconds that the candidate must stay good at least; None: what the judge asks for.
    """

    incident: str
    shadow_id: str
    target: ObjectRef
    fix: Fix
    diagnosis: Diagnosis | None = None
    reproduce: bool = True
    seconds: float | None = None

    @property
    def changes(self) -> tuple[Change, ...]:
        """What the fix changes."""
        return self.fix.change_set.changes if self.fix.change_set else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What a trial found.

    Attributes:
        verdict: the decision with every gate.
        security: the arms' findings, before (R) and after (C); None where it did not come to that.
        report: of all scanners on the candidate; None likewise.
        ledger: what in the shadow was not as in production.
        signatures: how each arm failed, and how often.
    """

    verdict: Verdict
    security: SecurityComparison | None = None
    report: SecurityReport | None = None
    ledger: tuple[str, ...] = ()
    signatures: Mapping[str, tuple[tuple[Signature, int], ...]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Trial:
    """A trial under way: what gates look at.

    Attributes:
        request: what is tried.
        tools: the doors.
        places: the arms.
        production: as it was surveyed.
        plan: what was copied.
        baseline: what C is compared with, or why with nothing.
        plans: where what was copied into an arm differs from `plan`.
        measuring: of C and of what it is compared with; None before the arms run.
        rules: the thresholds.
        pair: both arms' counts, as last seen.
        manifests: the tried and changed objects of each arm, as the server holds them.
        tried: the pods of each arm that are tried, as last seen.
        scans: what scanners say of the arms.
        subjects: what they are given of each arm, once it holds its copies.
        scanned: what each scanner's gate rests on, in the order in which they were judged.
    """

    request: TrialRequest
    tools: TrialTools
    places: Mapping[str, Place]
    production: Production
    plan: Plan
    rules: Rules
    pair: Pair
    manifests: dict[str, list[JsonObject]] = field(default_factory=dict)
    tried: dict[str, tuple[Json, ...]] = field(default_factory=dict)
    scans: Scans
    subjects: dict[str, Subjects] = field(default_factory=dict)
    scanned: dict[str, tuple[ScannerPart, Looks]] = field(default_factory=dict)
    baseline: Baseline = field(default_factory=Baseline)
    plans: dict[str, Plan] = field(default_factory=dict)
    measuring: Measuring | None = None

    def plan_of(self, arm: str) -> Plan:
        """What was copied into an arm."""
        return self.plans.get(arm, self.plan)

    @property
    def security(self) -> SecurityComparison | None:
        """All that scanners found, before (R) and after (C); None where none was asked yet."""
        if not self.scanned:
            return None
        looks = [looks for _, looks in self.scanned.values()]
        return SecurityComparison(
            before=tuple(finding for one in looks for finding in one.findings_before),
            after=tuple(finding for one in looks for finding in one.findings_after),
            scanners=tuple(part for part, _ in self.scanned.values()),
        )

    def report(self) -> SecurityReport | None:
        """All scanners' results on the candidate; None where none was asked yet."""
        compared = self.security
        if compared is None:
            return None
        results = {name: tuple(look.result for look in looks.after) for name, (_, looks) in self.scanned.items()}
        return SecurityReport(
            passed=all(part.outcome == "PASSED" for part in compared.scanners),
            findings=tuple(sorted(compared.after, key=lambda finding: -finding.severity)),
            scanner_results=results,
            timestamp=self.tools.limits.security.desk.now(),
            verdicts={
                part.scanner: ScannerVerdict(
                    scanner=part.scanner, outcome=ScannerOutcome(part.outcome), reason=part.reason
                )
                for part in compared.scanners
            },
            comparison=compared,
        )

    @property
    def running(self) -> dict[str, Place]:
        """The arms whose pods run."""
        return {arm: place for arm, place in self.places.items() if arm != GOOD or self.baseline.plan is not None}

    @property
    def good(self) -> str:
        """The arm that C is compared with: without an incident production itself is good. Empty where there is none."""
        if self.baseline.plan is not None:
            return GOOD
        return "" if self.request.reproduce else ARMS[0]
