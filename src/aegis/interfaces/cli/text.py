"""Diagnoses, remediations and diffs as text for people. No colours of its own: the panel adds them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aegis.delivery.difference import same
from aegis.model.refs import Json

_WIDTH = 100
_MOST_LINES = 6


def diagnosis_text(result: Json) -> str:
    """`kind: Diagnosis` for a person."""
    lines = [_headline(result)]
    if result.get("explanation"):
        lines += ["", *_wrapped(result["explanation"], "  ")]
    lines += _section("From the symptom to the root", (_hop(hop) for hop in result.get("chain") or []))
    lines += _section("Evidence", _evidence(result.get("evidence") or []))
    lines += _section("Ruled out", (f"{one['cause']}: {one['why_not']}" for one in result.get("alternatives") or []))
    lines += _section("Fixes", _fixes(result.get("fixes") or []))
    for other in result.get("also") or []:
        lines += ["", "Also:", textwrap.indent(diagnosis_text(other), "  ")]
    return "\n".join(lines)


def difference_lines(before: Any, after: Any, path: str = "") -> list[str]:
    """What changes, as lines that begin with `-` or `+`; list items that have names are told by them.

    All of it, since a person says yes to it: values are whole, and names in another order are a change.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return _between(before, after, lambda key: f"{path}.{key}" if path else key)
    named = _by_name(before), _by_name(after)
    if named[0] is not None and named[1] is not None:
        return [*_between(named[0], named[1], lambda key: f"{path}[{key}]"), *_order(named[0], named[1], path)]
    if before is not _ABSENT and after is not _ABSENT and same(before, after):
        return []
    lines = [] if before is _ABSENT else [f"- {path}: {_whole(before)}"]
    return lines if after is _ABSENT else [*lines, f"+ {path}: {_whole(after)}"]


_ABSENT = object()


def _between(before: Mapping[str, Any], after: Mapping[str, Any], place: Callable[[str], str]) -> list[str]:
    keys = dict.fromkeys([*before, *after])
    return [
        line for key in keys for line in difference_lines(before.get(key, _ABSENT), after.get(key, _ABSENT), place(key))
    ]


def _order(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> list[str]:
    """The names in both, where they stand in another order: variables and init containers depend on it."""
    orders = [name for name in before if name in after], [name for name in after if name in before]
    if orders[0] == orders[1]:
        return []
    return [f"{sign} {path} in the order {', '.join(names)}" for sign, names in zip("-+", orders, strict=True)]


def _by_name(value: Any) -> dict[str, Any] | None:
    """The items of a list by their names; None where they have none, or share one."""
    if not isinstance(value, list) or not all(isinstance(item, Mapping) and item.get("name") for item in value):
        return None
    named = {str(item["name"]): item for item in value}
    return named if len(named) == len(value) else None


def _headline(result: Json) -> str:
    target = _name(result["target"])
    where = (result["target"] or {}).get("namespace")
    place = f" in {where}" if where else ""
    match result["verdict"]:
        case "healthy":
            return f"{target}{place}: healthy"
        case "inconclusive":
            return f"{target}{place}: inconclusive"
        case verdict:
            root = f", root cause {_name(result['root_cause'])}" if result["root_cause"] else ""
            return f"{target}{place}: {result['cause']} ({verdict}){root}"


def _hop(hop: Json) -> str:
    return f"{hop['kind']}/{hop['name']}: {hop['because']}"


def _evidence(items: Iterable[Json]) -> Iterable[str]:
    for item in items:
        yield f"{item['id']} {item['source']} {item['subject']}: {item['summary']}"
        for line in item["lines"][:_MOST_LINES]:
            yield f"    | {line}"


def _fixes(fixes: Iterable[Json]) -> Iterable[str]:
    for fix in fixes:
        needs = ", a person must decide" if fix["needs"] else ""
        yield f"{fix['id']} (risk {fix['risk']}{needs}): {fix['summary']}"
        for source in fix["provenance"]:
            yield f"    {source['path']} = {_value(source['value'])}, from {source['from']}"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    body = [wrapped for line in lines for wrapped in _wrapped(line, "  ")]
    return ["", f"{title}:", *body] if body else []


def _wrapped(text: str, indent: str) -> list[str]:
    lead = indent + " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(
        text.strip(), _WIDTH, initial_indent=lead, subsequent_indent=lead + "  ", break_long_words=False
    ) or [""]


def _name(ref: Json | None) -> str:
    return f"{ref['kind']}/{ref['name']}" if ref else ""


def _whole(value: Any) -> str:
    from aegis.model.canonical import canonical_json

    return canonical_json(value).decode(errors="replace")


def _value(value: Any) -> str:
    text = _whole(value)
    return text if len(text) <= 2 * _WIDTH else text[: 2 * _WIDTH] + "…"
