from typing import Any

from aegis.localcluster.apiserver.schema.structural import default, prune

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "mode": {"type": "string", "default": "a"},
                "inner": {"type": "object", "default": {}, "properties": {"n": {"type": "integer", "default": 1}}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "maybe": {"type": "string", "nullable": True},
                "items": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}},
            },
        }
    },
}


def test_unknown_fields_go_and_their_paths_are_told() -> None:
    obj: dict[str, Any] = {
        "metadata": {"name": "x", "anything": 1},
        "spec": {"junk": 1, "free": {"a": {"b": 1}}, "items": [{"x": "1", "y": 2}]},
        "extra": 1,
    }
    assert sorted(prune(SCHEMA, obj)) == ["extra", "spec.items[0].y", "spec.junk"]
    assert obj == {
        "metadata": {"name": "x", "anything": 1},
        "spec": {"free": {"a": {"b": 1}}, "items": [{"x": "1"}]},
    }


def test_defaults_come_from_the_outside_inwards_and_nulls_count_as_absent() -> None:
    obj: dict[str, Any] = {"spec": {"mode": None, "maybe": None}}
    default(SCHEMA, obj)
    assert obj == {"spec": {"mode": "a", "maybe": None, "inner": {"n": 1}}}
