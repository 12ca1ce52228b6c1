"""The failure modes that are known: every file of `aegis.diagnosis.rules`."""

from __future__ import annotations

from aegis.diagnosis.case import DiagnosisRule
from aegis.plugins import discover


def rules() -> tuple[DiagnosisRule, ...]:
    """All rules, by the name of their file."""
    return discover("aegis.diagnosis.rules", DiagnosisRule)
