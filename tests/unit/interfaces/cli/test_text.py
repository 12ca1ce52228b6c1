"""What a person reads."""

from __future__ import annotations

from aegis.interfaces.cli.text import diagnosis_text, difference_lines

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


def test_a_long_value_is_shown_to_its_end() -> None:
    command = "sleep 1; " * 60 + "rm -rf /data"
    assert difference_lines({}, {"command": command})[0].endswith('rm -rf /data"')


def test_another_order_is_a_change() -> None:
    names = [{"name": "A"}, {"name": "B"}]
    assert difference_lines({"env": names}, {"env": [*reversed(names), {"name": "C"}]}) == [
        '+ env[C]: {"name":"C"}',
        "- env in the order A, B",
        "+ env in the order B, A",
    ]


def test_true_is_not_one() -> None:
    assert difference_lines({"a": 1}, {"a": True}) == ["- a: 1", "+ a: true"]


def test_equal_is_silent() -> None:
    assert difference_lines(BEFORE, BEFORE) == []


def test_a_healthy_answer_is_short() -> None:
    target = {"kind": "Deployment", "name": "web", "namespace": "shop"}
    result = {"target": target, "verdict": "healthy", "cause": None, "root_cause": None, "explanation": "All is well."}
    assert diagnosis_text(result) == "Deployment/web in shop: healthy\n\n  All is well."
