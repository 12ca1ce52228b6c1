"""What all scanners together say of a change, and whether it may go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from aegis.model.refs import JsonObject
from aegis.model.scan import Coverage, ScanResult
from aegis.model.security import SecurityComparison, SecurityFinding, count, distinct


class ScannerOutcome(StrEnum):
    """What a scanner's result means for whoever waits for it."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    ERRORED = "ERRORED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerVerdict:
    """What the policy makes of one scanner's results.

    Attributes:
        scanner: its name.
        outcome: the four values; only PASSED is a yes.
        reason: one sentence; empty for PASSED.
        required: whether the work cannot end well without it.
        blocks: whether work stops here: a no, or an unanswered question that may not stay open.
        gap: whether work goes on although the question stayed open.
        objections: the findings for which it failed.
    """

    scanner: str
    outcome: ScannerOutcome
    reason: str = ""
    required: bool = False
    blocks: bool = False
    gap: bool = False
    objections: tuple[SecurityFinding, ...] = ()

    def to_dict(self) -> JsonObject:
        """For reports."""
        return {
            "outcome": self.outcome.value,
            "reason": self.reason,
            "required": self.required,
            "blocks": self.blocks,
            "gap": self.gap,
            "objections": [item.fingerprint for item in self.objections],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    """A finding that somebody answers for: shown, and it blocks nothing.

    Attributes:
        finding: what was found.
        waiver: the id of the waiver or VEX statement.
        owner: who answers for it.
        reason: why.
        expires: until when, RFC 3339 or a date; empty for a VEX statement that holds until it is replaced.
    """

    finding: SecurityFinding
    waiver: str
    owner: str
    reason: str
    expires: str = ""

    def to_dict(self) -> JsonObject:
        """For reports."""
        return {
            "finding": self.finding.to_dict(),
            "waiver": self.waiver,
            "owner": self.owner,
            "reason": self.reason,
            "expires": self.expires,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityReport:
    """All scanners' results on one thing or change.

    Attributes:
        passed: whether all of them are clean by the policy, with nothing unanswered.
        findings: what was found and not waived, the worst first.
        scanner_results: each scanner's results, in the order in which they were asked.
        timestamp: when it was put together.
        coverage: what was looked at, all scanners together.
        suppressed: what was found and waived.
        verdicts: what the policy makes of each scanner.
        comparison: against the baseline, where there is one.
        notes: what a reader must know beside it: expired waivers, gaps.
    """

    passed: bool
    findings: tuple[SecurityFinding, ...]
    scanner_results: Mapping[str, tuple[ScanResult, ...]]
    timestamp: datetime
    coverage: Coverage = field(default_factory=Coverage)
    suppressed: tuple[Suppressed, ...] = ()
    verdicts: Mapping[str, ScannerVerdict] = field(default_factory=dict)
    comparison: SecurityComparison | None = None
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> dict[str, int]:
        """How many faults of each severity."""
        return count(distinct(self.findings))

    @property
    def blocked(self) -> bool:
        """Whether the policy lets the work not go on."""
        return any(verdict.blocks for verdict in self.verdicts.values())

    @property
    def gaps(self) -> tuple[str, ...]:
        """The questions that stayed open although the work goes on."""
        return tuple(f"{name}: {verdict.reason}" for name, verdict in self.verdicts.items() if verdict.gap)

    def to_dict(self) -> JsonObject:
        """For reports: the first five keys are the oldest, and scripts read them."""
        return {
            "passed": self.passed,
            "findings": [finding.to_dict() for finding in self.findings],
            "summary": self.summary,
            "scanner_results": {name: self._scanner(name) for name in self.scanner_results},
            "timestamp": self.timestamp.isoformat(),
            "coverage": self.coverage.to_dict(),
            "suppressed": [item.to_dict() for item in self.suppressed],
            "comparison": self.comparison.to_dict() if self.comparison else None,
            "blocked": self.blocked,
            "gaps": list(self.gaps),
            "notes": list(self.notes),
        }

    def _scanner(self, name: str) -> JsonObject:
        verdict = self.verdicts.get(name)
        return {
            "passed": verdict is not None and verdict.outcome is ScannerOutcome.PASSED,
            **(verdict.to_dict() if verdict else {}),
            "results": [result.to_dict() for result in self.scanner_results[name]],
        }
