"""All scanners behind one door: before a change is made, once it runs, and while it ran.

```python
pipeline = SecurityPipeline()                                   # as this user's settings say
report = await pipeline.check([Manifests(objects=...)])         # a SecurityReport
told = await pipeline.scan_manifests(Path("web.yaml").read_text())
if not told["passed"]:
    print(told["status"], told["reason"])
```

Phases follow each other: what can be seen in manifests and images before anything runs, then a running service, then what
its pods did. Where the policy stops the work in one of them, the next is not begun, and its scanners say why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from aegis.model.refs import Json, JsonObject
from aegis.model.report import ScannerOutcome, ScannerVerdict, SecurityReport, Suppressed
from aegis.model.scan import (
    Coverage,
    Image,
    Manifests,
    Runtime,
    ScanResult,
    ScanStatus,
    Subject,
    Tool,
    Url,
)
from aegis.model.security import SecurityComparison, SecurityFinding, Severity, distinct
from aegis.ports import ClusterReader
from aegis.security.canonical import Canonical, canonical_objects, canonicalise, together
from aegis.security.desk import Desk
from aegis.security.policy import SecurityPolicy
from aegis.security.runner import HEAVY_AT_A_TIME, Runner, scanners
from aegis.security.strict_yaml import NotCanonical
from aegis.security.waivers import Waiver, apply

if TYPE_CHECKING:
    from aegis.settings import LoadedSettings

Results = Mapping[str, tuple[ScanResult, ...]]


class Phase(StrEnum):
    """When something can be looked at."""

    PRE_DEPLOY = "pre-deploy"
    POST_DEPLOY = "post-deploy"
    RUNTIME = "runtime"

    @classmethod
    def of(cls, subject: Subject) -> Phase:
        """That of a subject."""
        match subject:
            case Url():
                return cls.POST_DEPLOY
            case Runtime():
                return cls.RUNTIME
            case _:
                return cls.PRE_DEPLOY


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """By which a pipeline works.

    Attributes:
        policy: what follows from what scanners say.
        waivers: the findings that somebody answers for.
        off: scanners that are switched off.
    """

    policy: SecurityPolicy = field(default_factory=SecurityPolicy)
    waivers: tuple[Waiver, ...] = ()
    off: frozenset[str] = frozenset()


class SecurityPipeline:
    """The scanners of this installation, and the policy for what they say."""

    def __init__(self, desk: Desk | None = None, rules: Rules | None = None) -> None:
        """Set with what it works.

        Args:
            desk: what scanners work with; None: as this user's settings say, and then the rules too where none are given.
            rules: by which it works; None: the defaults.

        Raises:
            UsageError: if the settings or the waivers cannot be read.
        """
        if desk is None:
            from aegis.settings import load

            desk, usual = configured(load())
            rules = rules or usual
        self._desk = desk
        self._turns: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None
        self._rules = rules or Rules()

    async def check(
        self,
        subjects: Sequence[Subject],
        *,
        baseline: Sequence[Subject] | None = None,
        written: Canonical | None = None,
    ) -> SecurityReport:
        """Look at everything, and at what it is to be held against.

        Args:
            subjects: the candidate.
            baseline: what is there now; None: there is nothing to compare with, so that severities alone decide.
            written: the manifests of the candidate, for files and lines of findings.
        """
        rules = self._rules
        runner = Runner(desk=self._desk, turns=self._shared_turns())
        after: dict[str, tuple[ScanResult, ...]] = {}
        before: dict[str, tuple[ScanResult, ...]] = {}
        stopped = ""
        for phase in Phase:
            asked = _those_of(phase, subjects)
            if stopped:
                after = _joined(after, self._not_begun(asked, stopped))
                continue
            old = _those_of(phase, baseline or ())
            names = self._names(asked)
            async with asyncio.TaskGroup() as group:  # both at once: what is in both is looked at once
                now = group.create_task(runner.look_at_all(names, asked))
                then = group.create_task(runner.look_at_all(names, old))
            after, before = _joined(after, now.result()), _joined(before, then.result())
            so_far = assemble(after, before if baseline is not None else None, rules, now=self._now())
            stopped = f"not begun, since {phase.value} stopped the work" if so_far.blocked else ""
        if written is not None:
            after = {name: tuple(_placed(one, written) for one in results) for name, results in after.items()}
        report = assemble(after, before if baseline is not None else None, rules, now=self._now())
        off = (f"{name}: switched off" for name in sorted(rules.off))
        return replace(report, notes=(*report.notes, *(written.notes if written else ()), *off))

    async def scan_manifests(self, manifests: str | bytes | Json | Iterable[str | bytes | Json]) -> JsonObject:
        """Look at manifests, canonical, with every scanner that reads them.

        Args:
            manifests: YAML or JSON text, an object, or several of either.

        Returns:
            `passed` (true only where all looked and none objects), `skipped`, `status` (`clean`, `findings`, `errored`,
            `skipped`, `passed with gaps`), `reason`, `blocked`, `score` and `critical_issues` and `advise` (Kubesec's),
            `findings`, `summary`, `scanners` (each one's outcome and results).
        """
        try:
            written = read_manifests(manifests)
        except NotCanonical as error:
            return {**_told(None, error.message), "score": None, "critical_issues": [], "advise": []}
        report = await self.check([Manifests(objects=written.plain)], written=written)
        kubesec = [one.details for one in report.scanner_results.get("kubesec", ())]
        scores = [details["score"] for details in kubesec if details.get("score") is not None]
        return {
            **_told(report),
            "score": min(scores, default=None),
            "critical_issues": [rule for one in kubesec for rule in _critical(one)],
            "advise": [advice for one in kubesec for advice in one.get("advise") or ()],
        }

    async def scan_images(self, images: str | Iterable[str]) -> JsonObject:
        """Look into images, each once, two at a time.

        Returns:
            What `scan_manifests` returns but Kubesec's part, and `total_scanned`, `failed_count` (those that did not come
            out clean), `vulnerabilities`, and `results` with `image`, `passed`, `status`, `vulnerabilities`, `reason`.
        """
        names = list(dict.fromkeys([images] if isinstance(images, str) else images))
        wanted = {name: Image(reference=name) for name in names}
        report = await self.check(list(wanted.values()))
        rows = [
            _row(name, one)
            for results in report.scanner_results.values()
            for name, one in zip(names, results, strict=False)
        ]
        return {
            **_told(report),
            "total_scanned": sum(row["status"] in {"clean", "findings"} for row in rows),
            "failed_count": sum(not row["passed"] for row in rows),
            "vulnerabilities": sum(row["vulnerabilities"] for row in rows),
            "results": rows,
        }

    async def check_runtime_alerts(
        self,
        namespace: str,
        *,
        core_api: object | None = None,  # noqa: ARG002 - scripts give their client; the configured cluster is asked
        since_minutes: float = 10,
        severity_threshold: str = "",
    ) -> JsonObject:
        """What Falco saw the pods of a namespace do: see `aegis.security.falco.check_falco_alerts`.

        Args:
            namespace: whose alerts.
            core_api: not used; the cluster is that of this user's settings.
            since_minutes: how far back.
            severity_threshold: the lowest priority that counts; empty: as configured.
        """
        from aegis.security.falco import check_falco_alerts

        threshold = severity_threshold or self._desk.rules.falco_threshold.name
        since = datetime.now(UTC) - timedelta(minutes=since_minutes)
        return await check_falco_alerts(namespace, since, severity_threshold=threshold)

    def _shared_turns(self) -> asyncio.Semaphore:
        """One for all checks of this pipeline, in whichever event loop a script runs them."""
        loop = asyncio.get_running_loop()
        if self._turns is None or self._turns[0] is not loop:
            self._turns = (loop, asyncio.Semaphore(HEAVY_AT_A_TIME))
        return self._turns[1]

    def _now(self) -> datetime:
        return self._desk.now()

    def _names(self, subjects: Sequence[Subject]) -> list[str]:
        able = [one.name for one in scanners() if any(map(one.accepts, subjects))]
        return [name for name in able if name not in self._rules.off]

    def _not_begun(self, subjects: Sequence[Subject], why: str) -> Results:
        return {
            name: (ScanResult(scanner=name, status=ScanStatus.SKIPPED, tool=Tool(name=name), reason=why),)
            for name in self._names(subjects)
        }


def read_manifests(given: str | bytes | Json | Iterable[str | bytes | Json]) -> Canonical:
    """Text, an object, or several of either, as one.

    Raises:
        NotCanonical: if one cannot be read in one way only.
    """
    several = [given] if isinstance(given, str | bytes | Mapping) else list(given)
    return together(canonical_objects([one]) if isinstance(one, Mapping) else canonicalise(one) for one in several)


def assemble(after: Results, before: Results | None, rules: Rules, *, now: datetime) -> SecurityReport:
    """What all scanners together say. Pure.

    Args:
        after: of the candidate, by scanner.
        before: of the baseline; None: there is none.
        rules: by which it is judged; waived findings count on neither side.
        now: when.
    """
    waived_after, suppressed, notes = _waived(after, rules.waivers, now)
    waived_before = None if before is None else _waived(before, rules.waivers, now)[0]
    verdicts = rules.policy.judge_all(waived_after, before=waived_before)
    findings = _findings(waived_after)
    outcomes = {verdict.outcome for verdict in verdicts.values()}
    return SecurityReport(
        passed=outcomes == {ScannerOutcome.PASSED},
        findings=tuple(sorted(distinct(findings), key=_gravity)),
        scanner_results=after,
        timestamp=now.astimezone(UTC),
        coverage=_coverage(after),
        suppressed=suppressed,
        verdicts=verdicts,
        comparison=None
        if waived_before is None
        else SecurityComparison(before=_findings(waived_before), after=findings),
        notes=notes,
    )


def _waived(
    results: Results, waivers: Sequence[Waiver], now: datetime
) -> tuple[Results, tuple[Suppressed, ...], tuple[str, ...]]:
    """The results without what is waived; a finding that two results share is waived in both."""
    done = apply(_findings(results), waivers, now=now)
    kept = {name: tuple(map(done.left_of, several)) for name, several in results.items()}
    return kept, done.suppressed, done.notes


def _findings(results: Results) -> tuple[SecurityFinding, ...]:
    return tuple(item for several in results.values() for one in several for item in one.findings)


def _coverage(results: Results) -> Coverage:
    def named(part: str) -> Iterator[str]:
        for name, several in results.items():
            yield from (f"{name}: {what}" for one in several for what in getattr(one.coverage, part))

    return Coverage(expected=tuple(named("expected")), scanned=tuple(named("scanned")), notes=tuple(named("notes")))


def _gravity(item: SecurityFinding) -> tuple[int, str, str, str]:
    """Of unknown severity before all others: nobody has said that they are harmless."""
    severity = Severity.CRITICAL + 1 if item.severity is Severity.UNKNOWN else item.severity
    return (-severity, item.source, item.rule_id, str(item.subject))


def _placed(result: ScanResult, written: Canonical) -> ScanResult:
    return replace(result, findings=tuple(map(written.locate, result.findings)))


def _those_of(phase: Phase, subjects: Sequence[Subject]) -> list[Subject]:
    return [subject for subject in subjects if Phase.of(subject) is phase]


def _joined(these: Results, those: Results) -> dict[str, tuple[ScanResult, ...]]:
    return {name: (*these.get(name, ()), *those.get(name, ())) for name in dict.fromkeys((*these, *those))}


# ── as scripts read it ───────────────────────────────────────────────────────────────────────────────────────────────


def _told(report: SecurityReport | None, refused: str = "") -> JsonObject:
    if report is None:
        return {
            "passed": False, "skipped": False, "status": "errored", "reason": refused, "blocked": True,
            "findings": [], "summary": {}, "scanners": {},
        }  # fmt: skip
    whole = report.to_dict()
    open_ones = [verdict for verdict in report.verdicts.values() if verdict.outcome is not ScannerOutcome.PASSED]
    return {
        "passed": report.passed,
        "skipped": all(one.outcome is ScannerOutcome.SKIPPED for one in report.verdicts.values()),
        "status": _status(report),
        "reason": "; ".join(f"{one.scanner}: {one.reason}" for one in open_ones) or None,
        "blocked": report.blocked,
        "findings": whole["findings"],
        "summary": whole["summary"],
        "scanners": whole["scanner_results"],
    }


def _status(report: SecurityReport) -> str:
    outcomes: set[ScannerOutcome] = {_of(verdict) for verdict in report.verdicts.values()}
    for outcome, word in (
        (ScannerOutcome.FAILED, "findings"),
        (ScannerOutcome.ERRORED, "errored"),
    ):
        if outcome in outcomes:
            return word
    if ScannerOutcome.PASSED not in outcomes:
        return "skipped"
    return "passed with gaps" if ScannerOutcome.SKIPPED in outcomes else "clean"


def _of(verdict: ScannerVerdict) -> ScannerOutcome:
    return ScannerOutcome.SKIPPED if verdict.gap else verdict.outcome


def _critical(details: Mapping[str, Any]) -> Iterator[JsonObject]:
    for item in details.get("objects") or ():
        yield from ({"object": item.get("object"), **rule} for rule in item.get("critical") or ())


def _row(image: str, result: ScanResult) -> JsonObject:
    return {
        "image": image,
        "passed": result.status is ScanStatus.CLEAN,
        "status": result.status.word,
        "vulnerabilities": len(distinct(result.findings)),
        "reason": result.reason or None,
    }


def configured(loaded: LoadedSettings, *, reader: ClusterReader | None = None) -> tuple[Desk, Rules]:
    """What settings give.

    Raises:
        UsageError: if the waivers cannot be read.
    """
    from aegis.security.waiver_files import load
    from aegis.wiring.scanning import scan_desk, security_policy

    security = loaded.settings.security
    off = [one.name for one in scanners() if not getattr(security, f"{one.name}_enabled", True)]
    waivers = load(security.waivers.expanduser()) if security.waivers else ()
    rules = Rules(policy=security_policy(loaded.settings), waivers=waivers, off=frozenset(off))
    return scan_desk(loaded, reader=reader), rules
