"""Scanners, their policy, and the calls that scripts make: each name is imported when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aegis.model.report import SecurityReport
    from aegis.model.security import SecurityFinding
    from aegis.security.checks import run_security_checks
    from aegis.security.falco import check_falco_alerts
    from aegis.security.kubesec import KubesecScanner
    from aegis.security.pipeline import SecurityPipeline
    from aegis.security.trivy import TrivyScanner, TrivyScanResult
    from aegis.security.zap import zap_baseline_scan

_WHERE = {
    "KubesecScanner": "aegis.security.kubesec",
    "SecurityFinding": "aegis.model.security",
    "SecurityPipeline": "aegis.security.pipeline",
    "SecurityReport": "aegis.model.report",
    "TrivyScanResult": "aegis.security.trivy",
    "TrivyScanner": "aegis.security.trivy",
    "check_falco_alerts": "aegis.security.falco",
    "run_security_checks": "aegis.security.checks",
    "zap_baseline_scan": "aegis.security.zap",
}

__all__ = [
    "KubesecScanner",
    "SecurityFinding",
    "SecurityPipeline",
    "SecurityReport",
    "TrivyScanResult",
    "TrivyScanner",
    "check_falco_alerts",
    "run_security_checks",
    "zap_baseline_scan",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
