"""Diagnoses, remediations and diffs as text for people. No colours of its own: the panel adds them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

from aegis.interfaces.cli.output import columns
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


def diagnoses_text(items: Iterable[Json]) -> str:
    """`kind: DiagnosisList` for a person."""
    rows = [
        (
            (one["target"] or {}).get("namespace"),
            _name(one["target"]),
            one["verdict"],
            one["cause"],
            _name(one["root_cause"]) if one["root_cause"] else "",
            next((fix["summary"] for fix in one["fixes"]), ""),
        )
        for one in items
    ]
    return columns(
        ("namespace", "object", "verdict", "cause", "root cause", "fix"),
        rows,
        empty="Nothing is wrong, as far as can be seen.",
    )


def operations_text(operations: Iterable[Json], before: Any) -> list[str]:
    """A difference as lines that begin with `-`, `+` or a blank, each value after its path."""
    lines: list[str] = []
    for operation in operations:
        path = readable_path(operation["path"], before)
        if operation["op"] in {"remove", "replace"}:
            lines.append(f"- {path}: {_value(value_or_none(before, operation['path']))}")
        if operation["op"] in {"add", "replace"}:
            lines.append(f"+ {path}: {_value(operation['value'])}")
    return lines


def readable_path(pointer: str, document: Any) -> str:
    """`/spec/template/spec/containers/0/env` as `spec.template.spec.containers[web].env`."""
    value, text = document, ""
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901 - the unescaped token is meant from here on
        if isinstance(value, list):
            value = value[int(token)] if token.isdigit() and int(token) < len(value) else None
            name = value.get("name") if isinstance(value, dict) else None
            text += f"[{name or token}]"
        else:
            value = value.get(token) if isinstance(value, dict) else None
            text += f".{token}" if text else token
    return text


def value_or_none(document: Any, pointer: str) -> Any:
    """What stands at a JSON pointer, or None."""
    value = document
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value


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


def _value(value: Any) -> str:
    from aegis.model.canonical import canonical_json

    text = canonical_json(value).decode()
    return text if len(text) <= 2 * _WIDTH else text[: 2 * _WIDTH] + "…"
