"""What security demands of a fix: it may not be worse than what it replaces, and questions may not stay open. Pure.

| What a scanner said | Outcome | The work |
|---|---|---|
| all looked at; nothing new, nothing worse, nothing at the ceiling | PASSED | goes on |
| a finding for which the policy objects | FAILED | stops |
| time is up, an error, or not all was looked at | ERRORED | stops, but a gap where the tool is named in `fail_open` |
| candidate and baseline seen by two tools, or two databases | ERRORED | the same |
| the tool is not there | SKIPPED | stops where it is required, else a gap |
| there is nothing in it to look at (an image without layers) | SKIPPED | a gap |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aegis.model.report import ScannerOutcome, ScannerVerdict
from aegis.model.scan import ScanResult, ScanStatus, Tool
from aegis.model.security import SecurityComparison, SecurityFinding, Severity, distinct

_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityPolicy:
    """The rule.

    Attributes:
        ceiling: no finding so severe may be there afterwards, whether new or old; None: only new ones count.
        fail_on: the lowest severity that counts where there is nothing to compare with.
        required: tools that must be there wherever they apply.
        fail_open: tools whose failure is a gap, and does not stop the work.
    """

    ceiling: Severity | None = None
    fail_on: Severity = Severity.HIGH
    required: frozenset[str] = frozenset({"podsecurity", "trivy"})
    fail_open: frozenset[str] = frozenset()

    def objections(self, comparison: SecurityComparison) -> tuple[SecurityFinding, ...]:
        """The findings for which a change is refused: new ones, ones that became worse, and those at the ceiling or above.

        A finding of unknown severity is never held to be harmless.
        """
        above = [item for item in comparison.after if self.ceiling is not None and reaches(item, self.ceiling)]
        return distinct((*comparison.new, *comparison.worse, *above))

    def objections_alone(self, findings: Iterable[SecurityFinding]) -> tuple[SecurityFinding, ...]:
        """The findings that count where there is nothing to compare with."""
        line = self.fail_on if self.ceiling is None else min(self.fail_on, self.ceiling)
        return distinct(item for item in findings if reaches(item, line))

    def judge(
        self,
        scanner: str,
        after: Sequence[ScanResult],
        *,
        before: Sequence[ScanResult] = (),
        objections: Sequence[SecurityFinding] = (),
    ) -> ScannerVerdict:
        """What follows from one scanner's results.

        Args:
            scanner: its name.
            after: what it said of the candidate; none: there was nothing that it looks at.
            before: what it said of the baseline.
            objections: those of all scanners; its own count.
        """
        own = tuple(item for item in objections if item.source == scanner)
        required = scanner in self.required
        if own:
            return ScannerVerdict(
                scanner=scanner,
                outcome=ScannerOutcome.FAILED,
                reason=_told(own),
                required=required,
                blocks=True,
                objections=own,
            )
        trouble = _trouble(after, before)
        if trouble:
            is_open = scanner in self.fail_open
            return ScannerVerdict(
                scanner=scanner,
                outcome=ScannerOutcome.ERRORED,
                reason=trouble,
                required=required,
                blocks=not is_open,
                gap=is_open,
            )
        return self._of_the_rest(scanner, after)

    def _of_the_rest(self, scanner: str, after: Sequence[ScanResult]) -> ScannerVerdict:
        required = scanner in self.required
        skipped = [result for result in after if result.status is ScanStatus.SKIPPED]
        if after and not skipped:
            return ScannerVerdict(scanner=scanner, outcome=ScannerOutcome.PASSED, required=required)
        stops = required and any(result.tool.absent for result in skipped)
        return ScannerVerdict(
            scanner=scanner,
            outcome=ScannerOutcome.SKIPPED,
            reason=_reasons(skipped) or "there is nothing that it looks at",
            required=required,
            blocks=stops,
            gap=bool(skipped) and not stops,
        )

    def judge_all(
        self, after: Mapping[str, Sequence[ScanResult]], *, before: Mapping[str, Sequence[ScanResult]] | None = None
    ) -> dict[str, ScannerVerdict]:
        """What follows from all of them; `before` None: there is nothing to compare with."""
        found = tuple(item for results in after.values() for one in results for item in one.findings)
        if before is None:
            objections = self.objections_alone(found)
        else:
            known = tuple(item for results in before.values() for one in results for item in one.findings)
            objections = self.objections(SecurityComparison(before=known, after=found))
        return {
            name: self.judge(name, results, before=(before or {}).get(name, ()), objections=objections)
            for name, results in after.items()
        }


def comparable(before: Tool, after: Tool) -> str:
    """Why what two tools said cannot be compared; empty where they are one tool with one database.

    A tool that needs its database for images only names none where it looked at manifests.
    """
    for what, was, now in (
        ("version", before.version, after.version),
        ("program", before.digest, after.digest),
        ("database", before.database or after.database, after.database or before.database),
    ):
        if was != now:
            return f"baseline and candidate were looked at with another {what}: {was or 'none'} and {now or 'none'}"
    return ""


def reaches(item: SecurityFinding, severity: Severity) -> bool:
    """Whether a finding is so severe; one of unknown severity always is."""
    return item.severity is Severity.UNKNOWN or item.severity >= severity


def _trouble(after: Sequence[ScanResult], before: Sequence[ScanResult]) -> str:
    """Why the question stayed open; empty where it did not, or was never asked."""
    results = (*after, *(before if after else ()))
    broken = [result for result in results if not result.status.complete and result.status is not ScanStatus.SKIPPED]
    if broken:
        return _reasons(broken) or broken[0].status.value
    pairs = ((was.tool, now.tool) for was in before for now in after if was.status.complete and now.status.complete)
    return next(filter(None, (comparable(was, now) for was, now in pairs)), "")


def _reasons(results: Iterable[ScanResult]) -> str:
    said = (result.reason or result.tool.absent for result in results)
    return "; ".join(dict.fromkeys(filter(None, said)))[:_REASON]


def _told(objections: Sequence[SecurityFinding]) -> str:
    shown = sorted(objections, key=lambda item: -item.severity)[:3]
    more = f" and {len(objections) - len(shown)} more" if len(objections) > len(shown) else ""
    return "; ".join(f"{item.severity.name} {item.title or item.rule_id} ({item.subject})" for item in shown) + more
