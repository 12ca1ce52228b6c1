"""Falco's alerts of the arms as findings, so that they stand beside those of the other scanners. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from aegis.evidence.attribution import ELSEWHERE, UNKNOWN
from aegis.falco.priority import Priority
from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.scan import Coverage, Runtime, ScanResult, ScanStatus, Tool
from aegis.model.security import Category, SecurityFinding
from aegis.model.verdict import GateResult, Outcome
from aegis.security.sight import SEVERITIES
from aegis.shadow.alerts import GATE, OURS, Deed, Shown
from aegis.shadow.scanning import Look, Looks

_STATUS: Final = {Outcome.SKIPPED: ScanStatus.SKIPPED, Outcome.ERRORED: ScanStatus.ERROR}
_COUNTED: Final = {
    Priority.EMERGENCY: "critical",
    Priority.ALERT: "critical",
    Priority.CRITICAL: "critical",
    Priority.ERROR: "error",
    Priority.WARNING: "warning",
}


def looks_of(
    did: Shown, gate: GateResult, threshold: Priority, *, target: ObjectRef, window: Runtime, candidate: str = "c"
) -> Looks:
    """What each side did that counts.

    Args:
        did: what each party did.
        gate: what was made of it.
        threshold: the lowest priority that counts.
        target: the workload that is tried: both sides' deeds are its own.
        window: in which they were watched.
        candidate: the arm with the fix; all others are the workload as it is, or was.
    """
    mine = _grave(did.get(candidate, Counter()), threshold)
    usual: Counter[Deed] = Counter()
    for party, deeds in did.items():
        if party not in {candidate, OURS, ELSEWHERE, UNKNOWN}:
            usual |= _grave(deeds, threshold)
    return Looks(
        before=(_look(usual, gate, target, window),) if usual else (), after=(_look(mine, gate, target, window),)
    )


def _look(deeds: Counter[Deed], gate: GateResult, target: ObjectRef, window: Runtime) -> Look:
    found = ScanStatus.FINDINGS if deeds else ScanStatus.CLEAN
    result = ScanResult(
        scanner=GATE,
        status=_STATUS.get(gate.outcome, found),
        findings=tuple(finding_of(deed, count, target) for deed, count in sorted(deeds.items(), key=_gravest)),
        coverage=Coverage(notes=(gate.coverage,) if gate.coverage else ()),
        tool=Tool(name=GATE),
        reason=gate.reason if gate.outcome is not Outcome.PASSED else "",
        details={"alert_count": deeds.total(), "summary": _summary(deeds.elements()), "alerts": list(map(str, deeds))},
    )
    return Look(subject=window, result=result)


def finding_of(deed: Deed, count: int, target: ObjectRef) -> SecurityFinding:
    """A deed as a finding, the same for both sides where they did the same."""
    return SecurityFinding(
        source=GATE,
        rule_id=deed.rule[:200],
        severity=SEVERITIES[deed.priority],
        title=str(deed),
        description=f"seen {count} times" if count > 1 else "seen once",
        subject=target,
        location=f"{deed.container}: {deed.parent} > {deed.process}",
        category=Category.RUNTIME,
    )


def _gravest(item: tuple[Deed, int]) -> tuple[Priority, str]:
    return item[0].priority, str(item[0])


def _grave(deeds: Counter[Deed], threshold: Priority) -> Counter[Deed]:
    return Counter({deed: count for deed, count in deeds.items() if deed.priority.at_least(threshold)})


def _summary(deeds: Iterable[Deed]) -> JsonObject:
    summary = {"critical": 0, "error": 0, "warning": 0, "other": 0}
    for deed in deeds:
        summary[_COUNTED.get(deed.priority, "other")] += 1
    return summary
