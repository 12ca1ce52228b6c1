from typing import Any

import pytest

from aegis.localcluster.apiserver.schema.checking import faults_of


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string", "maxLength": 2}, "ab", "abc"),
        ({"type": "string", "minLength": 2}, "ab", "a"),
        ({"type": "string", "pattern": "^a+$"}, "aa", "b"),
        ({"type": "string", "format": "date-time"}, "2026-01-01T00:00:00Z", "tomorrow"),
        ({"type": "integer", "minimum": 1}, 1, 0),
        ({"type": "integer", "maximum": 5, "exclusiveMaximum": True}, 4, 5),
        ({"type": "integer"}, 3.0, 3.5),
        ({"type": "integer"}, 1, True),
        ({"type": "number", "multipleOf": 2}, 4, 3),
        ({"type": "boolean"}, False, 0),
        ({"type": "array", "maxItems": 1}, [1], [1, 2]),
        ({"type": "array", "x-kubernetes-list-type": "set"}, [1, 2], [1, 1]),
        (
            {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]},
            [{"k": 1}, {"k": 2}],
            [{"k": 1}, {"k": 1}],
        ),
        ({"type": "object", "required": ["a"]}, {"a": 1}, {}),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"a": "b"}, {"a": 1}),
        ({"type": "object", "maxProperties": 1}, {"a": 1}, {"a": 1, "b": 2}),
        ({"enum": ["a"]}, "a", "b"),
        ({"x-kubernetes-int-or-string": True}, "50%", 1.5),
        ({"nullable": True, "type": "string"}, None, 1),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, 2, 3),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, 1, []),
        ({"oneOf": [{"minimum": 1}, {"minimum": 5}]}, 2, 6),
        ({"not": {"enum": ["x"]}}, "y", "x"),
    ],
)
def test_values(schema: dict[str, Any], good: Any, bad: Any) -> None:
    assert faults_of(schema, good, "spec") == []
    assert faults_of(schema, bad, "spec")


def test_paths_of_faults() -> None:
    schema = {"properties": {"spec": {"properties": {"items": {"items": {"type": "string"}}}}}}
    assert [f.field for f in faults_of(schema, {"spec": {"items": ["a", 1]}})] == ["spec.items[1]"]
