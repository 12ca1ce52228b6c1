"""What scanners find, in one shape, so that before and after compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from aegis.model.canonical import digest
from aegis.model.refs import JsonObject, ObjectRef


class Severity(IntEnum):
    """Ordered: a higher one is worse. UNKNOWN is never treated as harmless."""

    UNKNOWN = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityFinding:
    """One fault.

    Attributes:
        source: the scanner, as `podsecurity`.
        rule_id: the scanner's own id of the rule.
        severity: how bad.
        title: one line.
        description: what it means and what to do.
        subject: the object, with the container where it has one.
        location: where within the subject, without what varies (indices, versions), as `containers[web].securityContext`.
        reference: a URL or a document to read.
    """

    source: str
    rule_id: str
    severity: Severity
    title: str
    description: str
    subject: ObjectRef
    location: str = ""
    reference: str = ""

    @property
    def fingerprint(self) -> str:
        """Equal for the same fault before and after a change; the namespace is left out (a shadow has another)."""
        return digest([self.source, self.rule_id, self.subject.kind, self.subject.name, self.location])

    def to_dict(self) -> JsonObject:
        """For reports."""
        return {
            "source": self.source,
            "rule_id": self.rule_id,
            "severity": self.severity.name,
            "title": self.title,
            "description": self.description,
            "subject": str(self.subject),
            "location": self.location,
            "fingerprint": self.fingerprint,
            "reference": self.reference,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityComparison:
    """Before against after: what the change mended, brought in, and left."""

    before: tuple[SecurityFinding, ...]
    after: tuple[SecurityFinding, ...]

    @property
    def fixed(self) -> tuple[SecurityFinding, ...]:
        """Findings that are gone."""
        return _without(self.before, self.after)

    @property
    def new(self) -> tuple[SecurityFinding, ...]:
        """Findings that were not there."""
        return _without(self.after, self.before)

    @property
    def same(self) -> tuple[SecurityFinding, ...]:
        """Findings that stay."""
        keys = {finding.fingerprint for finding in self.before}
        return tuple(finding for finding in self.after if finding.fingerprint in keys)

    def to_dict(self) -> JsonObject:
        """As CONTRACT.md writes `security`: counts by severity before and after, and the findings by what became of them."""
        return {
            "before": _count(self.before),
            "after": _count(self.after),
            "fixed": [finding.to_dict() for finding in self.fixed],
            "new": [finding.to_dict() for finding in self.new],
            "same": [finding.to_dict() for finding in self.same],
        }


def _without(these: tuple[SecurityFinding, ...], those: tuple[SecurityFinding, ...]) -> tuple[SecurityFinding, ...]:
    keys = {finding.fingerprint for finding in those}
    return tuple(finding for finding in these if finding.fingerprint not in keys)


def _count(findings: Iterable[SecurityFinding]) -> JsonObject:
    counts = Counter(finding.severity for finding in findings)
    return {severity.name: counts[severity] for severity in sorted(Severity, reverse=True)}
