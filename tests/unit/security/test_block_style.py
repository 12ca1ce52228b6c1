"""One line a scalar, plain where that is safe, numbers where a tool could find an order."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from aegis.security.block_style import lines
from aegis.security.strict_yaml import of_value


def text(value: Any) -> str:
    return "\n".join(line for line, _ in lines(of_value(value)))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("nginx", "nginx"),
        ("registry/shop/web", "registry/shop/web"),
        ("", '""'),
        ("no", '"no"'),
        ("Null", '"Null"'),
        ("y", '"y"'),
        ("1", '"1"'),
        ("a: b", '"a: b"'),
        ("a\nb", '"a\\nb"'),
        ("é", '"é"'),
        ("#", '"\\x23"'),
        ("\x85\u2028\ufeff", '"\\x85\\u2028\\ufeff"'),
        ("trivy", "trivy"),
        ("trivy:ignore", '"\\x74rivy:ignore"'),
        ("kics-scan disable", '"\\x6bics-scan disable"'),
        ("nosemgrep", '"\\x6eosemgrep"'),
        ("checkov:skip=1", '"\\x63heckov:skip=1"'),
        (1, "1"),
        (1.5, "1.5"),
        (True, "true"),
        (None, "null"),
        ({}, "{}"),
        ([], "[]"),
    ],
)
def test_scalars(value: Any, written: str) -> None:
    assert text({"key": value}) == f"key: {written}"
    assert yaml.safe_load(f"key: {written}") == {"key": value}


def test_nesting() -> None:
    value = {"a": [{"b": 1, "c": [2]}, [[3], {}], []], "d": {"e": {}}}
    assert text(value).splitlines() == [
        "a:",
        "  - b: 1",
        "    c:",
        "      - 2",
        "  - - - 3",
        "    - {}",
        "  - []",
        "d:",
        "  e: {}",
    ]
    assert yaml.safe_load(text(value)) == value
