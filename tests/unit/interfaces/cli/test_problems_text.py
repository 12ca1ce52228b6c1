"""`kind: DiagnosisList` for people."""

from __future__ import annotations

from typing import Any

from aegis.interfaces.cli.problems_text import problem_line, problems_text


def problem(name: str, **fields: Any) -> dict[str, Any]:
    target = {"kind": "Deployment", "name": name, "namespace": "shop"}
    fix = {"id": "f", "summary": "Set it back", "risk": "low", "needs": None}
    whole = {"target": target, "verdict": "confirmed", "cause": "oom_limit", "root_cause": target, "fixes": [fix]}
    return {**whole, "explanation": "It needs more memory.", **fields}


def test_no_problem_at_all() -> None:
    assert "Nothing is wrong" in problems_text([])


def test_what_is_wrong_why_and_what_to_type() -> None:
    other = {"kind": "Service", "name": "db", "namespace": "shop"}
    text = problems_text([problem("web"), problem("api", root_cause=other, fixes=[])])
    assert "Deployment/web   oom_limit   confirmed   itself" in text
    assert "Deployment/api   oom_limit   confirmed   Service/db" in text
    assert "mend: Set it back (risk low)" in text
    assert "type: aegis fix deployment/web -n shop" in text
    assert "type: aegis analyze deployment/api -n shop" in text, "what nobody knows a mend for cannot be fixed"


def test_a_fix_that_a_person_must_decide_on_is_not_offered_as_a_command() -> None:
    fix = {"id": "f", "summary": "Ask the owner", "risk": "high", "needs": "human"}
    text = problems_text([problem("web", fixes=[fix])])
    assert "a person must decide" in text
    assert "aegis fix" not in text


def test_a_flood_is_told_in_rows_and_only_its_first_in_full() -> None:
    text = problems_text([problem(f"web-{number}") for number in range(40)])
    assert text.count("type: ") == 12
    assert "web-39" in text
    assert "and 28 more" in text


def test_one_line_of_a_watch() -> None:
    assert problem_line(problem("web")) == (
        "shop  Deployment/web  oom_limit (confirmed)  Deployment/web must change  Set it back"
    )
    assert problem_line(problem("web", verdict="healthy")) == "shop  Deployment/web  healthy"
    gone = problem("web", verdict="inconclusive", cause=None, root_cause=None, fixes=[])
    assert problem_line(gone) == "shop  Deployment/web  unexplained (inconclusive)"
