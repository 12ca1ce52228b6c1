"""`kind: Remediation` and incidents as text for people."""

from __future__ import annotations

from collections.abc import Iterable

from aegis.interfaces.cli.output import columns
from aegis.interfaces.cli.text import diagnosis_text
from aegis.model.refs import Json

_MOST_FINDINGS = 10


def remediation_text(result: Json) -> str:
    """The whole story, shortest first."""
    lines = [_headline(result)]
    if result.get("message"):
        lines.append(f"  {result['message']}")
    if result.get("diagnosis"):
        lines += ["", diagnosis_text(result["diagnosis"])]
    if result.get("fix"):
        lines += ["", f"Fix {result['fix']['id']} (risk {result['fix']['risk']}): {result['fix']['summary']}"]
    if result.get("verdict"):
        lines += ["", *verdict_lines(result["verdict"])]
    if result.get("security"):
        lines += ["", *security_lines(result["security"])]
    if result.get("approval"):
        lines += [
            "",
            f"Approved by {result['approval']['by']} at {result['approval']['at']}: {result['approval']['digest']}",
        ]
    if result.get("handoff"):
        lines += ["", "Handed over in:", *(f"  {name}" for name in result["handoff"]["files"])]
    return "\n".join(lines)


def incidents_text(items: Iterable[Json]) -> str:
    """`kind: IncidentList` for people."""
    rows = [
        (
            one["id"],
            one["target"]["namespace"],
            f"{one['target']['kind']}/{one['target']['name']}",
            one["phase"],
            one["reason"],
            one["cause"],
            one["opened_at"],
        )
        for one in items
    ]
    return columns(
        ("incident", "namespace", "object", "phase", "reason", "cause", "opened"), rows, empty="There are no incidents."
    )


def _headline(result: Json) -> str:
    target = f"{result['target']['kind']}/{result['target']['name']} in {result['target']['namespace']}"
    reason = f" ({result['reason']})" if result["reason"] else ""
    written = "rolled back" if result["rolled_back"] else "applied" if result["applied"] else "production not changed"
    return " · ".join(part for part in (result["incident"], target, f"{result['phase']}{reason}", written) if part)


def verdict_lines(verdict: Json) -> list[str]:
    """A verdict with every gate and gap."""
    low, high = verdict["score"]
    lines = [f"Trial: {verdict['decision']}, score {low:.2f} to {high:.2f}"]
    rows = [
        (
            gate["gate"] if gate["required"] else f"{gate['gate']} (optional)",
            gate["outcome"],
            gate["reason"],
            gate["coverage"],
        )
        for gate in verdict["gates"]
    ]
    lines += [f"  {line}" for line in columns(("gate", "outcome", "reason", "covered"), rows).splitlines()]
    return [*lines, *(f"  not covered: {gap}" for gap in verdict["gaps"])]


def security_lines(security: Json) -> list[str]:
    """Before and after, what each scanner had to do with it, and what nobody looked at."""
    counts = " · ".join(f"{name} {_counted(security[name])}" for name in ("before", "after"))
    compared = ", ".join(f"{len(security[name])} {name}" for name in ("fixed", "new", "same"))
    lines = [f"Security: {compared} ({counts})"]
    for name in ("new", "fixed"):
        found = security[name]
        lines += [f"  {name}: {one['severity']} {one['title']} ({one['source']})" for one in found[:_MOST_FINDINGS]]
        lines += [f"  {name}: and {len(found) - _MOST_FINDINGS} more"] if len(found) > _MOST_FINDINGS else []
    for part in security["scanners"]:
        lines += [f"  waived: {suppressed}" for suppressed in part["suppressed"]]
    rows = [
        (part["scanner"], part["outcome"], part["fixed"], part["new"], part["same"], part["coverage"] or part["reason"])
        for part in security["scanners"]
    ]
    table = columns(("scanner", "outcome", "fixed", "new", "same", "covered, or why not"), rows)
    return [*lines, *(f"  {line}" for line in table.splitlines() if rows)]


def _counted(severities: Json) -> str:
    found = ", ".join(f"{count} {name.lower()}" for name, count in severities.items() if count)
    return found or "none"
