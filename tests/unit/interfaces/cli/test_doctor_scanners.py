"""What the doctor says of scanners."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aegis.interfaces.cli.doctor_scanners import scanners, told
from aegis.model.scan import Tool
from aegis.settings import load

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tool", "status", "detail", "remedy"),
    [
        (Tool(name="semgrep", version="1.182.0"), "ok", "1.182.0", ""),
        (Tool(name="zap"), "ok", "its program is here; more is known once it runs", ""),
        (
            Tool(name="trivy", version="0.74", database=NOW - timedelta(days=3)),
            "ok",
            "0.74, its database is 3 days old",
            "",
        ),
        (
            Tool(name="trivy", version="0.74", database=NOW - timedelta(days=30)),
            "warning",
            "0.74, its database is 30 days old",
            "Renew it (trivy image --download-db-only), or say how old it may be: security.trivy_database_days.",
        ),
        (
            Tool(name="trivy", version="0.74"),
            "warning",
            "0.74, without a database: images cannot be scanned",
            "trivy image --download-db-only, or name a server: security.trivy_server.",
        ),
        (Tool(name="kubesec", absent="not here. Install it."), "warning", "not here", "Install it."),
        (Tool(name="kubesec", absent="not here: install it"), "warning", "not here", "install it"),
    ],
)
def test_one_scanner(tool: Tool, status: str, detail: str, remedy: str) -> None:
    found = told(tool, enabled=True, now=NOW, days=14)
    assert (found.check, found.status, found.detail, found.remedy) == (f"scanner: {tool.name}", status, detail, remedy)


def test_switched_off() -> None:
    found = told(Tool(name="zap"), enabled=False, now=NOW, days=14)
    assert (found.status, found.detail, found.remedy) == ("warning", "switched off", "AEGIS_SECURITY__ZAP_ENABLED=true")


async def test_a_bare_machine_has_pod_security_and_a_remedy_for_the_rest(tmp_path: Path) -> None:
    bare = {
        f"AEGIS_SECURITY__{name}_PATH": str(tmp_path / "none") for name in ("TRIVY", "KUBESEC", "SEMGREP", "DOCKER")
    }
    found = {one.check.removeprefix("scanner: "): one for one in await scanners(load(None, {}, environ=bare))}
    assert set(found) == {"podsecurity", "kubesec", "semgrep", "trivy", "zap"}
    assert found.pop("podsecurity").status == "ok"
    assert all(one.status == "warning" and one.remedy for one in found.values())
