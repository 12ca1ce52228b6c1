"""`kind: DiagnosisList` for somebody who was woken by it: first what is wrong, then why, then what to type."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from aegis.interfaces.cli.output import columns
from aegis.model.refs import Json

_WIDTH = 100
_MOST_TOLD = 12
_HEAD = ("namespace", "object", "cause", "verdict", "must change")


def problems_text(items: Sequence[Json]) -> str:
    """A row each, then of each why it is so and what would mend it."""
    table = columns(_HEAD, map(_row, items), empty="Nothing is wrong, as far as can be seen.")
    parts = [table, *map(_told, [one for one in items if one["verdict"] != "healthy"][:_MOST_TOLD])]
    if len(items) > _MOST_TOLD:
        parts.append(f"and {len(items) - _MOST_TOLD} more: see -o json, or one object at a time.")
    return "\n\n".join(parts)


def problem_line(item: Json) -> str:
    """One line of a watch."""
    where = (item["target"] or {}).get("namespace") or "-"
    if item["verdict"] == "healthy":
        return f"{where}  {name_of(item['target'])}  healthy"
    fix = next((one["summary"] for one in item["fixes"]), "")
    root = f"  {name_of(item['root_cause'])} must change" if item["root_cause"] else ""
    return f"{where}  {name_of(item['target'])}  {item['cause'] or 'unexplained'} ({item['verdict']}){root}  {fix}".rstrip()


def name_of(ref: Json | None) -> str:
    """`Kind/name`."""
    return f"{ref['kind']}/{ref['name']}" if ref else ""


def _row(item: Json) -> tuple[str, ...]:
    target, root = item["target"] or {}, item["root_cause"]
    itself = root is not None and name_of(root) == name_of(item["target"])
    cause = item["cause"] or ("-" if item["verdict"] == "healthy" else "unexplained")
    return (target.get("namespace", ""), name_of(target), cause, item["verdict"], "itself" if itself else name_of(root))


def _told(item: Json) -> str:
    target = item["target"] or {}
    where = target.get("namespace") or ""
    lines = [f"{name_of(target)}{' in ' + where if where else ''}:"]
    lines += textwrap.wrap(item["explanation"], _WIDTH, initial_indent="  ", subsequent_indent="  ")
    for fix in item["fixes"][:1]:
        needs = ", a person must decide" if fix["needs"] else ""
        lines += _indented(f"mend: {fix['summary']} (risk {fix['risk']}{needs})")
    verb = "fix" if any(not fix["needs"] for fix in item["fixes"]) else "analyze"
    options = f" -n {where}" if where else ""
    lines.append(f"  type: aegis {verb} {str(target.get('kind', '')).lower()}/{target.get('name')}{options}")
    return "\n".join(lines)


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="        ")
