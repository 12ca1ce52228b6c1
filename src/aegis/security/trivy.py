"""Scanning an image with Trivy, from Python.

```python
result = await TrivyScanner().scan_image("registry.example/shop:1", fail_on_csv="CRITICAL")
if not result["passed"]:
    print(result["status"], result["reason"], result["vulnerabilities"])
```

It opens the default wiring itself: the settings of this user.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from aegis.errors import UsageError
from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.scan import Coverage, Image, ScanResult, ScanStatus
from aegis.model.security import SecurityFinding, Severity, count, distinct
from aegis.security.desk import Desk
from aegis.security.scanners.trivy import PLUGIN
from aegis.security.trivytool.findings import END_OF_LIFE, NAME, vulnerabilities
from aegis.security.trivytool.proof import listed
from aegis.security.trivytool.report import Unusable, read_report

__all__ = ["TrivyScanResult", "TrivyScanner"]

_SEVERITIES: Final = "HIGH,CRITICAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrivyScanResult:
    """What Trivy says of an image, held against severities.

    Attributes:
        image: its reference.
        status: how the scan ended.
        reason: why it did not end well; empty where it did.
        findings: every vulnerability, one a fault.
        severities: those that are counted and shown; an unknown one always is.
        fail_on: those that fail an image; an unknown one always does.
        coverage: what was looked at.
        details: what else Trivy told.
    """

    image: str
    status: ScanStatus
    reason: str = ""
    findings: tuple[SecurityFinding, ...] = ()
    severities: frozenset[Severity] = frozenset({Severity.HIGH, Severity.CRITICAL})
    fail_on: frozenset[Severity] = frozenset({Severity.HIGH, Severity.CRITICAL})
    coverage: Coverage = field(default_factory=Coverage)
    details: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_trivy_json(
        cls,
        report: bytes | str | Mapping[str, Any],
        *,
        image: str = "",
        severity_csv: str | None = None,
        fail_on_csv: str | None = None,
    ) -> TrivyScanResult:
        """What a report says that somebody else had Trivy write. Nothing proves here with which database.

        Args:
            report: Trivy's JSON (`--format json`), as text or read already.
            image: its reference; empty: as the report calls it.
            severity_csv: what is counted and shown, as `HIGH,CRITICAL`, which is the default.
            fail_on_csv: what fails; the same as `severity_csv` where it is not given.

        Returns:
            The result; `status` is `error` for what is no report, and `partial` for one that lists no package.

        Raises:
            UsageError: if a word is no severity.
        """
        shown = _severities(severity_csv or _SEVERITIES)
        fail_on = _severities(fail_on_csv) if fail_on_csv else shown
        data = report.encode() if isinstance(report, str) else report
        try:
            parsed = read_report(data if isinstance(data, bytes) else json.dumps(data).encode())
        except (Unusable, TypeError, ValueError) as error:
            why = f"trivy gave no answer that can be used: {error}"
            return cls(image=image, status=ScanStatus.ERROR, reason=why, severities=shown, fail_on=fail_on)
        coverage, name = listed(parsed).coverage(), image or parsed.name
        found = distinct(vulnerabilities(parsed, ObjectRef(api_version="", kind="Image", name=name)))
        status = ScanStatus.FINDINGS if found else ScanStatus.CLEAN
        missing = ", ".join(coverage.missing)
        return cls(
            image=name,
            status=ScanStatus.PARTIAL if missing else status,
            reason=f"trivy did not look at {missing}" if missing else "",
            findings=found,
            severities=shown,
            fail_on=fail_on,
            coverage=coverage,
        )

    @property
    def shown(self) -> tuple[SecurityFinding, ...]:
        """The vulnerabilities that are counted, the worst first."""
        return tuple(sorted(self._of(self.severities), key=lambda item: -item.severity))

    @property
    def failing(self) -> tuple[SecurityFinding, ...]:
        """Those for which the image fails."""
        return tuple(self._of(self.fail_on))

    @property
    def passed(self) -> bool:
        """Whether all of the image was looked at and nothing fails it."""
        return self.status.complete and not self.failing

    def to_dict(self) -> JsonObject:
        """With the keys that scripts know."""
        shown = ScanStatus.CLEAN if self.passed else ScanStatus.FINDINGS
        reason = self.reason
        if self.status.complete and not self.passed:
            reason = f"{len(self.failing)} vulnerabilities fail the image"
        return {
            "image": self.image,
            "tool": NAME,
            "passed": self.passed,
            "skipped": self.status is ScanStatus.SKIPPED,
            "status": (shown if self.status.complete else self.status).word,
            "reason": reason,
            "vulnerabilities": len(self.shown),
            "severity_counts": count(self.findings),
            "failed_count": len(self.failing),
            "findings": [item.to_dict() for item in self.shown],
            "fail_on": [item.name for item in sorted(self.fail_on, reverse=True)],
            "severities": [item.name for item in sorted(self.severities, reverse=True)],
            "end_of_life": any(item.rule_id == END_OF_LIFE for item in self.findings),
            "coverage": self.coverage.to_dict(),
            "details": dict(self.details),
        }

    def _of(self, severities: frozenset[Severity]) -> list[SecurityFinding]:
        return [item for item in self.findings if item.severity in severities or item.severity is Severity.UNKNOWN]


class TrivyScanner:
    """Trivy over images."""

    def __init__(self, trivy_path: str | Path | None = None, *, desk: Desk | None = None) -> None:
        """Set with what it works.

        Args:
            trivy_path: the program; None: as configured, or on PATH.
            desk: what to work with; None: the settings of this user (`security.trivy_…`).
        """
        self._path = Path(trivy_path) if trivy_path else None
        self._desk = desk

    async def scan_image(
        self,
        image: str,
        *,
        timeout_seconds: float | None = None,
        severity_csv: str | None = None,
        fail_on_csv: str | None = None,
    ) -> JsonObject:
        """Look for vulnerable packages in an image of a registry. Nothing that Trivy does is raised.

        Args:
            image: as a pod names it.
            timeout_seconds: how long one run may take; None: `security.trivy_timeout_seconds`.
            severity_csv: what is counted and shown, as `HIGH,CRITICAL`; None: `security.trivy_severity`.
            fail_on_csv: what fails the image; None: the same as is shown.

        Returns:
            `image`, `tool`, `passed` (true only where all of it was looked at and nothing fails it), `skipped`, `status`
            (`passed`, `failed`, `skipped`, `errored`), `reason`, `vulnerabilities` (how many are shown),
            `severity_counts` (of all), `failed_count`, `findings`, `fail_on`, `severities`, `end_of_life`, `coverage` and
            `details`. A vulnerability of unknown severity is always shown, and always fails.

        Raises:
            UsageError: if a word is no severity, or the settings cannot be read.
        """
        desk, configured, off = self._work()
        shown = _severities(severity_csv or configured)
        blank = TrivyScanResult(
            image=image,
            status=ScanStatus.SKIPPED,
            reason=off,
            severities=shown,
            fail_on=_severities(fail_on_csv) if fail_on_csv else shown,
        )
        if off:
            return blank.to_dict()
        if timeout_seconds is not None:
            timeouts = {**desk.rules.timeouts, NAME: float(timeout_seconds)}
            desk = replace(desk, rules=replace(desk.rules, timeouts=timeouts))
        return _of(blank, await PLUGIN.scan(Image(reference=image), desk)).to_dict()

    def _work(self) -> tuple[Desk, str, str]:
        """With what to work, the severities that are shown, and why not to."""
        desk, shown, off = (self._desk, _SEVERITIES, "") if self._desk else _configured()
        if self._path is not None:
            programs = {**desk.rules.programs, NAME: self._path}
            desk = replace(desk, rules=replace(desk.rules, programs=programs))
        return desk, shown, off


def _of(blank: TrivyScanResult, result: ScanResult) -> TrivyScanResult:
    return replace(
        blank,
        status=result.status,
        reason=result.reason,
        findings=distinct(result.findings),
        coverage=result.coverage,
        details={**result.details, "trivy": result.tool.to_dict()},
    )


def _configured() -> tuple[Desk, str, str]:
    """What this user's settings give: a desk, the severities that are shown, and why it is off."""
    from aegis.settings import load
    from aegis.wiring.scanning import scan_desk

    loaded = load()
    security = loaded.settings.security
    off = "" if security.trivy_enabled else "switched off: security.trivy_enabled"
    return scan_desk(loaded), ",".join(security.trivy_severity), off


def _severities(words: str) -> frozenset[Severity]:
    """The severities that a list names, separated by commas.

    Raises:
        UsageError: if a word is none.
    """
    names = [word.strip().upper() for word in words.split(",") if word.strip()]
    for name in names:
        if name not in Severity.__members__:
            raise UsageError(f"{name!r} is no severity", hint=f"Use {', '.join(Severity.__members__)}.")
    return frozenset(Severity[name] for name in names)
