"""What a person reads."""

from __future__ import annotations

from aegis.interfaces.cli.text import diagnoses_text, diagnosis_text, difference_lines

BEFORE = {
    "spec": {"replicas": 2, "containers": [{"name": "web", "image": "a:1", "env": [{"name": "A", "value": "1"}]}]}
}


def test_a_change_is_told_by_names_not_by_positions() -> None:
    containers = [{"name": "web", "image": "a:2", "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]}]
    assert difference_lines(BEFORE, {"spec": {"replicas": 2, "containers": containers}}) == [
        '- spec.containers[web].image: "a:1"',
        '+ spec.containers[web].image: "a:2"',
        '+ spec.containers[web].env[B]: {"name":"B","value":"2"}',
    ]


def test_what_goes_and_what_comes() -> None:
    assert difference_lines({"a": None, "b": [1]}, {"b": [1, 2], "c": False}) == [
        "- a: null",
        "- b: [1]",
        "+ b: [1,2]",
        "+ c: false",
    ]


def test_equal_is_silent() -> None:
    assert difference_lines(BEFORE, BEFORE) == []


def test_a_healthy_answer_is_short() -> None:
    target = {"kind": "Deployment", "name": "web", "namespace": "shop"}
    result = {"target": target, "verdict": "healthy", "cause": None, "root_cause": None, "explanation": "All is well."}
    assert diagnosis_text(result) == "Deployment/web in shop: healthy\n\n  All is well."


def test_no_problem_at_all() -> None:
    assert "Nothing is wrong" in diagnoses_text([])
