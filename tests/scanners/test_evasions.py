"""The real tools on one privileged pod in every disguise, canonical as every scanner is given it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from evasions import EVASIONS, SEEN

from aegis.model.scan import Manifests, ScanStatus
from aegis.security.canonical import canonicalise, together
from aegis.security.desk import Desk, ScanRules
from aegis.security.runner import scanners

OBJECTS = together(canonicalise(EVASIONS[name], source=name) for name in SEEN)


@pytest.mark.parametrize("name", ["podsecurity", "kubesec", "semgrep", "trivy"])
async def test_it_is_found_in_every_disguise(name: str, tool: Any, tools_path: str, tmp_path: Path) -> None:
    programs = {} if name == "podsecurity" else {name: tool(name)}
    desk = Desk(rules=ScanRules(programs=programs, trivy_cache=tmp_path / "trivy"), path=tools_path)
    (scanner,) = scanners([name])
    result = await scanner.scan(Manifests(objects=OBJECTS.plain), desk)
    assert result.status is ScanStatus.FINDINGS, result.reason
    told = [
        item for item in result.findings if "privileged" in f"{item.rule_id} {item.title} {item.description}".lower()
    ]
    assert {item.subject.name for item in told} >= set(SEEN)
