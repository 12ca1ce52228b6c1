"""What `aegis scan` looked at, what came of it, and what that means for whoever waits for a yes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from aegis import __version__
from aegis.model.report import SecurityReport
from aegis.model.scan import ScanResult, ScanStatus
from aegis.model.security import SecurityFinding, Severity
from aegis.security.policy import comparable, reaches


class Family(StrEnum):
    """What kind of thing was looked at."""

    MANIFEST = "manifest"
    IMAGE = "image"
    SOURCE = "source"
    URL = "url"
    RUNTIME = "runtime"


class Verdict(StrEnum):
    """How a scan ends. What did not run has not passed."""

    PASSED = "passed"
    GAPS = "passed with gaps"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    UNAVAILABLE = "unavailable"

    @property
    def exit_status(self) -> int:
        """With which the command ends."""
        return _STATUSES[self]


_STATUSES = {
    Verdict.PASSED: 0,
    Verdict.GAPS: 0,
    Verdict.FAILED: 1,
    Verdict.INCONCLUSIVE: 3,
    Verdict.UNAVAILABLE: 69,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One scan, with everything that its reports tell.

    Attributes:
        family: what kind of thing was looked at.
        subjects: what, as it was named.
        report: what all scanners say.
        fail_on: the lowest severity that fails it; an unknown one always does.
        baseline: what it is compared with; empty: nothing.
        ceiling: a finding so severe fails it in any case, even where it is not new.
        within: the folder of the repository in which it was begun, relative to the repository's; viewers take paths from
            there. Empty: the repository's own, or none.
        unread: what was found and could not be taken for a manifest, in words.
        before: what scanners said of the baseline.
        must: scanners that were asked for by name: without one of them there is no answer.
        fail_open: scanners whose failure leaves a gap instead of an open question.
        started: when it began.
        ended: when it was over.
        version: of this program.
    """

    family: Family
    subjects: tuple[str, ...]
    report: SecurityReport
    fail_on: Severity
    started: datetime
    ended: datetime
    baseline: str = ""
    ceiling: Severity | None = None
    within: str = ""
    unread: tuple[str, ...] = ()
    before: tuple[ScanResult, ...] = ()
    must: frozenset[str] = frozenset()
    fail_open: frozenset[str] = frozenset()
    version: str = __version__
    _risen: frozenset[str] = field(init=False, repr=False, compare=False)
    """Fingerprints of what is new or worse against the baseline, as far as the baseline was looked at."""

    def __post_init__(self) -> None:
        comparison = self.report.comparison
        risen = (*comparison.new, *comparison.worse) if comparison else ()
        blind = {result.scanner for result in self.before if not result.status.complete}
        marks = frozenset(item.fingerprint for item in risen if item.source not in blind)
        object.__setattr__(self, "_risen", marks)

    @property
    def results(self) -> tuple[ScanResult, ...]:
        """Every scanner's results, in the order in which they were asked."""
        return tuple(result for results in self.report.scanner_results.values() for result in results)

    @property
    def failing(self) -> tuple[SecurityFinding, ...]:
        """The findings for which the answer is no."""
        return tuple(item for item in self.report.findings if self.fails(item))

    def fails(self, item: SecurityFinding) -> bool:
        """Whether the answer is no for this finding: severe enough, and, against a baseline, new or worse.

        A finding of unknown severity is never held to be harmless.
        """
        if self.ceiling is not None and reaches(item, self.ceiling):
            return True
        counts = self.report.comparison is None or item.fingerprint in self._risen
        return counts and reaches(item, self.fail_on)

    @property
    def verdict(self) -> Verdict:
        """Findings before open questions, open questions before gaps."""
        if self.failing:
            return Verdict.FAILED
        states = {name: self.state(name) for name in self.report.scanner_results}
        if any(state is State.FAILED and name not in self.fail_open for name, state in states.items()):
            return Verdict.INCONCLUSIVE
        if any(states.get(name) is State.ABSENT for name in self.must):
            return Verdict.UNAVAILABLE
        if State.LOOKED not in states.values():
            absent = bool(states) and all(state is State.ABSENT for state in states.values())
            return Verdict.UNAVAILABLE if absent else Verdict.INCONCLUSIVE
        if any(states.get(name) is not State.LOOKED for name in self.must):
            return Verdict.INCONCLUSIVE
        return Verdict.PASSED if set(states.values()) == {State.LOOKED} and not self.unread else Verdict.GAPS

    @property
    def gaps(self) -> tuple[str, ...]:
        """What was not looked at, and why: one line a scanner and reason."""
        told = [f"{one.scanner}: {why(one)}" for one in self.results if not one.status.complete]
        told += [f"{one.scanner} on the baseline: {why(one)}" for one in self.before if not one.status.complete]
        told += [f"{name}: {self.mismatch(name)}" for name in self.report.scanner_results if self.mismatch(name)]
        return tuple(dict.fromkeys((*told, *(f"not looked at as a manifest: {one}" for one in self.unread))))

    def state(self, name: str) -> State:
        """What all results of a scanner amount to, those of the baseline too: an answer needs both."""
        before = [result for result in self.before if result.scanner == name]
        state = state_of((*self.report.scanner_results.get(name, ()), *before))
        return State.FAILED if state is State.LOOKED and self.mismatch(name) else state

    def mismatch(self, name: str) -> str:
        """Why what a scanner said of the two sides cannot be compared; empty where it can."""
        before = [result.tool for result in self.before if result.scanner == name]
        after = [result.tool for result in self.report.scanner_results.get(name, ())]
        return next(filter(None, (comparable(was, now) for was in before for now in after)), "")


class State(StrEnum):
    """What a scanner's results amount to."""

    LOOKED = "looked"
    SKIPPED = "skipped"
    ABSENT = "absent"
    FAILED = "failed"


def state_of(results: Sequence[ScanResult]) -> State:
    """All results of one scanner together: the worst of them counts."""
    statuses = {result.status for result in results}
    if statuses - {ScanStatus.SKIPPED, ScanStatus.CLEAN, ScanStatus.FINDINGS}:
        return State.FAILED
    if ScanStatus.SKIPPED not in statuses and statuses:
        return State.LOOKED
    absent = [result for result in results if result.status is ScanStatus.SKIPPED and result.tool.absent]
    return State.ABSENT if absent else State.SKIPPED


def why(result: ScanResult) -> str:
    """Why a scanner did not look at everything, in words."""
    if result.status is ScanStatus.SKIPPED:
        return result.reason or result.tool.absent or "skipped"
    missing = result.coverage.missing
    unseen = f"not looked at: {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}" if missing else ""  # noqa: PLR2004
    return "; ".join(filter(None, (result.reason, unseen))) or result.status.value
