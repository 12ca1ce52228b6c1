"""What a watch tells."""

from __future__ import annotations

from typing import Any

from aegis.interfaces.cli.analyze_watch import news


def problem(name: str, cause: str | None, restarts: int = 1) -> dict[str, Any]:
    target = {"kind": "Deployment", "name": name, "namespace": "shop"}
    verdict = "confirmed" if cause else "healthy"
    words = f"it ended {restarts} times"
    return {
        "target": target,
        "verdict": verdict,
        "cause": cause,
        "root_cause": target,
        "fixes": [],
        "explanation": words,
    }


def test_each_problem_is_told_once_when_it_changes_and_when_it_goes() -> None:
    shown: dict[str, Any] = {}
    assert news(shown, [problem("web", "oom_limit")]) == [problem("web", "oom_limit")]
    assert news(shown, [problem("web", "oom_limit", restarts=2)]) == [], "a count is no news"
    assert news(shown, [problem("web", "missing_env"), problem("api", "oom_limit")]) == [
        problem("web", "missing_env"),
        problem("api", "oom_limit"),
    ]
    [gone] = news(shown, [problem("api", "oom_limit")])
    assert (gone["target"]["name"], gone["verdict"], gone["cause"], gone["fixes"]) == ("web", "healthy", None, [])
    assert news(shown, [problem("api", "oom_limit")]) == []


def test_an_object_that_is_named_is_told_when_it_becomes_well() -> None:
    shown: dict[str, Any] = {}
    news(shown, [problem("web", "oom_limit")])
    assert news(shown, [problem("web", None)]) == [problem("web", None)]
    assert news(shown, []) == [], "what was well and is no longer asked about is no news"
