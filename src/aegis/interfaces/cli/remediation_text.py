"""`kind: Remediation` and incidents as text for people."""

from __future__ import annotations

from collections.abc import Iterable

from aegis.interfaces.cli.output import columns
from aegis.interfaces.cli.text import diagnosis_text
from aegis.model.refs import Json


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
