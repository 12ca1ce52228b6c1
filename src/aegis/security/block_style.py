"""Writing a value as YAML in which no tool finds more than the value: block style, one line a scalar. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from aegis.security.strict_yaml import Node

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*\Z")
_NOT_PLAIN = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_ORDERS = re.compile(
    r"""(?: trivy | tfsec | cfsec | kics | checkov | bridgecrew | kube-linter | kube-score | datree | semgrep )
        (?= (?:-scan)? [:\s=/-]* (?: ignore | skip | disable ) )
      | no(?=sem|sec\b)""",
    re.VERBOSE | re.IGNORECASE,
)
"""What a scanner that looks at lines takes for an order to look away, wherever it stands."""
_UNSAFE = re.compile("[^\x20-\x22\x24-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What is written as a number: a `#`, since no line may look like a comment, and what YAML does not print."""


def lines(node: Node, indent: str = "", head: str = "") -> Iterator[tuple[str, int]]:
    """The lines of a value in block style, each with the line that it comes from; `head` begins the first."""
    if isinstance(node.value, dict) and node.value:
        for number, (key, child) in enumerate(node.value.items()):
            start = head if head and not number else indent
            yield from _entry(f"{start}{_scalar(key)}:", child, indent)
    elif isinstance(node.value, list) and node.value:
        for number, child in enumerate(node.value):
            start = head if head and not number else indent
            yield from _item(f"{start}- ", child, indent)
    else:
        yield f"{head or indent}{_leaf(node)}", node.line


def _entry(head: str, child: Node, indent: str) -> Iterator[tuple[str, int]]:
    if isinstance(child.value, dict | list) and child.value:
        yield head, child.line
        yield from lines(child, indent + "  ")
    else:
        yield f"{head} {_leaf(child)}", child.line


def _item(head: str, child: Node, indent: str) -> Iterator[tuple[str, int]]:
    yield from lines(child, indent + "  ", head)


def _leaf(node: Node) -> str:
    if isinstance(node.value, dict):
        return "{}"
    if isinstance(node.value, list):
        return "[]"
    return _scalar(node.value)


def _scalar(value: Any) -> str:
    if isinstance(value, float):  # a reader of YAML 1.1 takes `1e+16` for a text: it wants the point
        whole, mark, power = json.dumps(value).partition("e")
        return whole + (".0" if mark and "." not in whole else "") + mark + power
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.match(value) and value.lower() not in _NOT_PLAIN and not _ORDERS.search(value):
        return value
    return _quoted(value)


def _quoted(value: str) -> str:
    """In double quotes on one line, without a `#` and without words that scanners obey: as numbers they mean the same."""
    text = json.dumps(value, ensure_ascii=False)
    return _ORDERS.sub(lambda found: _number(found[0][0]) + found[0][1:], _UNSAFE.sub(lambda it: _number(it[0]), text))


def _number(letter: str) -> str:
    return f"\\x{ord(letter):02x}" if letter < "\u0100" else f"\\u{ord(letter):04x}"
