"""Shadows for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aegis.interfaces.cli.shadow_text import deleted_text, line_of, list_text, session_text, verification_text


def shadow(**fields: Any) -> dict[str, Any]:
    pod = {"name": "web-1", "phase": "Running", "ready": False, "restarts": 3, "reason": "CrashLoopBackOff"}
    return {
        "id": "1a2b3c4d",
        "phase": "Starting",
        "message": "",
        "target": {"kind": "Deployment", "name": "web", "namespace": "shop"},
        "namespace": "aegis-shadow-1a2b3c4d-s",
        "expires_at": (datetime.now(UTC) + timedelta(minutes=61)).isoformat(),
        "isolation": {"outcome": "PASSED", "coverage": "8 addresses", "reason": ""},
        "workloads": [{"kind": "Deployment", "name": "web", "ready": 1, "wanted": 2}],
        "pods": [pod],
        "gaps": ["no autoscaler"],
        "decision": "ACCEPT",
        **fields,
    }


def test_a_row_each() -> None:
    head, row = list_text([shadow()]).splitlines()
    assert head.split() == ["SHADOW", "NAMESPACE", "OBJECT", "PHASE", "READY", "TIME", "LEFT", "LIVES", "IN"]
    assert row.split() == ["1a2b3c4d", "shop", "Deployment/web", "Starting", "1/2", "61m", "aegis-shadow-1a2b3c4d-s"]
    assert list_text([]) == "There are no shadows."


def test_all_of_one() -> None:
    text = session_text(shadow(message="it was interrupted"))
    for words in (
        "it was interrupted",
        "61m left",
        "PASSED: 8 addresses",
        "1 of 2 ready",
        "CrashLoopBackOff",
        "ACCEPT",
    ):
        assert words in text
    empty = shadow(namespace=None, isolation=None, workloads=[], pods=[], gaps=[], decision=None, phase="Failed")
    assert session_text(empty) == "shadow/1a2b3c4d of Deployment/web in shop: Failed"


@pytest.mark.parametrize(("seconds", "words"), [(-5, " no time "), (59.5, r" 5\ds "), (7000, " 117m ")])
def test_the_time_that_is_left(seconds: float, words: str) -> None:
    expires = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    assert re.search(words, list_text([shadow(expires_at=expires)]))


def test_one_line_of_a_watch_and_of_a_deletion() -> None:
    assert line_of(shadow(message="why")) == "1a2b3c4d  Deployment/web  Starting  1/2 ready  why"
    assert deleted_text([shadow()]) == "shadow/1a2b3c4d deleted"
    assert deleted_text([]) == "There are no shadows."


def test_a_verification_says_no_regression() -> None:
    verdict = {"decision": "ACCEPT", "score": [1.0, 1.0], "gates": [], "gaps": ["no load"]}
    text = verification_text({
        "shadow": "1a2b",
        "target": shadow()["target"],
        "result": "no regression",
        "reason": "Accepted",
        "verdict": verdict,
    })
    assert text.splitlines()[0] == "shadow/1a2b of Deployment/web in shop: no regression (Accepted)"
    assert "not covered: no load" in text
