"""What a trial says of security, for people: before and after, who looked, and who did not."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from aegis.interfaces.cli.panel import _security
from aegis.interfaces.cli.remediation_text import security_lines
from aegis.model.refs import ObjectRef
from aegis.model.security import Category, ScannerPart, SecurityComparison, SecurityFinding, Severity

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")


def finding(rule: str, source: str = "trivy", severity: Severity = Severity.HIGH) -> SecurityFinding:
    return SecurityFinding(
        source=source, rule_id=rule, severity=severity, title=f"fault {rule}", description="", subject=WEB,
        category=Category.CONFIG,
    )  # fmt: skip


COMPARISON = SecurityComparison(
    before=(finding("old"), finding("both", "semgrep", Severity.LOW)),
    after=(finding("fresh\x1b[31m", severity=Severity.CRITICAL), finding("both", "semgrep", Severity.LOW)),
    scanners=(
        ScannerPart(
            scanner="trivy",
            outcome="FAILED",
            reason="worse",
            tool="trivy 0.74.0, database of 2026-11-20",
            coverage="1 of 1 images; trivy 0.74.0, database of 2026-11-20",
            suppressed=("CVE-1 in zlib: ana answers for it until 2026-12-31: not built in",),
        ),
        ScannerPart(scanner="semgrep", outcome="PASSED", coverage="2 of 2 objects; semgrep 1.182"),
        ScannerPart(scanner="falco", outcome="SKIPPED", reason="no Falco was found in the cluster"),
    ),
)

WORDS = (
    "fault old",
    "fault fresh",
    "1 of 1 images; trivy 0.74.0",
    "waived: CVE-1 in zlib: ana answers for it until 2026-12-31: not built in",
    "no Falco was found in the cluster",
)


def test_the_text_tells_what_became_of_what_and_who_looked() -> None:
    text = "\n".join(security_lines(COMPARISON.to_dict()))
    assert text.startswith("Security: 1 fixed, 1 new, 1 same (before 1 high, 1 low · after 1 critical, 1 low)")
    for words in WORDS:
        assert words in text
    [row] = [line for line in text.splitlines() if line.split()[:2] == ["trivy", "FAILED"]]
    assert row.split()[2:5] == ["1", "1", "0"]


def test_the_panel_tells_the_same_and_speaks_to_no_terminal() -> None:
    console = Console(file=io.StringIO(), width=160, no_color=True, highlight=False)
    console.print(_security(COMPARISON))
    text = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above
    for words in (*WORDS, "1 fixed, 1 new, 1 as before", "falco did not look"):
        assert words in text
    assert "\x1b" not in text


def test_where_no_scanner_is_known_there_is_no_table() -> None:
    bare = replace(COMPARISON, scanners=())
    assert not any("SCANNER" in line for line in security_lines(bare.to_dict()))
