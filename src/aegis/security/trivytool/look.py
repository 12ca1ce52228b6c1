"""What came of looking at something with trivy."""

from __future__ import annotations

from dataclasses import dataclass, field

from aegis.model.refs import JsonObject
from aegis.model.scan import Coverage
from aegis.model.security import SecurityFinding


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look that came to its end.

    Attributes:
        digests: of the reports, as `sha256:…`.
        findings: what is in them.
        coverage: what had to be looked at, and was.
        details: what else is worth telling.
    """

    digests: tuple[str, ...]
    findings: tuple[SecurityFinding, ...]
    coverage: Coverage
    details: JsonObject = field(default_factory=dict)
