"""What a person sees before they say yes: where, who, what changes, what was tried, what was not, what it is bound to."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from aegis.delivery.difference import content_of
from aegis.delivery.preview import ObjectPreview
from aegis.flows.tools import Question
from aegis.interfaces.cli.output import plain
from aegis.interfaces.cli.text import difference_lines
from aegis.model.changes import Fix
from aegis.model.refs import Json
from aegis.model.security import SecurityComparison, Severity
from aegis.model.verdict import GateResult, Outcome, Verdict

_COLOURS = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.SKIPPED: "yellow", Outcome.ERRORED: "red"}
_WIDTH = 120
_MOST = 10
"""Findings of a kind that are shown one by one."""


def show_panel(question: Question, links: Mapping[str, str], *, no_color: bool = False) -> None:
    """Draw it on stderr: stdout is for results."""
    console = Console(file=sys.stderr, no_color=no_color or None, highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    incident = question.incident
    parts: list[RenderableType] = [*_where(question)]
    if incident.diagnosis is not None:
        parts += [_title("Why"), _body(incident.diagnosis.explanation)]
    parts += [_title("The change"), *(_change(item) for item in question.preview.objects)]
    if incident.fix is not None:
        parts += list(_fix(incident.fix))
    if incident.verdict is not None:
        parts += list(_verdict(incident.verdict))
    if incident.security is not None:
        parts += [_title("Security, before and after"), _security(incident.security)]
    parts += [_body(f"{name}: {url}") for name, url in links.items()]
    parts += [_title("What a yes is bound to"), _body(f"{question.proposal.digest}\n{_until(question)}")]
    console.print(
        Panel(Group(*parts), title=f"Approve? {incident.id}", border_style="cyan", width=min(console.width, _WIDTH))
    )


def _where(question: Question) -> Iterator[Text | Padding]:
    cluster, scale = question.cluster, question.cluster.time_scale
    yield _title("Where")
    lines = [
        f"cluster    {cluster.context or '(in the cluster)'} at {cluster.server}, {cluster.version}",
        f"object     {question.incident.target}",
        f"approver   {question.user.name} (as the API server knows you)",
    ]
    if scale != 1:
        lines.append(f"time       the embedded cluster's delays and windows pass {scale:g} times faster than real ones")
    yield _body("\n".join(lines))


def _change(item: ObjectPreview) -> Padding:
    text = Text(f"{item.ref}\n", style="bold")
    if item.after is None:
        text.append("- the object itself\n", style="red")
    for line in [] if item.after is None else difference_lines(content_of(item.before), content_of(item.after)):
        text.append(plain(line) + "\n", style="green" if line.startswith("+") else "red")
    for taken in item.taken:
        text.append(f"! {taken.field} is taken over from {taken.manager}\n", style="yellow")
    text.rstrip()
    return Padding(text, (0, 0, 0, 2))


def _fix(fix: Fix) -> Iterator[Text | Padding]:
    yield _body(f"{fix.summary} (risk {fix.risk.value})")
    for source in fix.provenance:
        yield _body(f"{source.path} is from {source.source}")


def _verdict(verdict: Verdict) -> Iterator[Text | Table | Padding]:
    yield _title(f"Tried: {verdict.decision.value}, score {verdict.score_low:.2f} to {verdict.score_high:.2f}")
    table = Table(box=None, padding=(0, 2, 0, 2), show_edge=False)
    for head in ("gate", "outcome", "what it saw", "covered"):
        table.add_column(head, overflow="fold")
    for gate in verdict.gates:
        table.add_row(
            _gate_name(gate),
            Text(gate.outcome.value, style=_COLOURS[gate.outcome]),
            Text(plain(gate.reason)),
            Text(plain(gate.coverage)),
        )
    yield table
    if verdict.gaps:
        yield _title("Not covered")
        yield _body("\n".join(f"· {gap}" for gap in verdict.gaps))


def _gate_name(gate: GateResult) -> str:
    return gate.gate if gate.required else f"{gate.gate} (optional)"


def _security(comparison: SecurityComparison) -> Padding:
    counts = comparison.to_dict()
    ranks = sorted(Severity, reverse=True)
    severities = _table("", *(rank.name.lower() for rank in ranks))
    for name in ("before", "after"):
        severities.add_row(name, *(str(counts[name][rank.name]) for rank in ranks))
    words = f"{len(comparison.fixed)} fixed, {len(comparison.new)} new, {len(comparison.same)} as before"
    lines = Text(plain("\n".join([words, *_findings(comparison)])))
    return Padding(Group(severities, lines, *_scanners(counts["scanners"])), (0, 0, 0, 2))


def _findings(comparison: SecurityComparison) -> Iterator[str]:
    for word, found in (("new", comparison.new), ("fixed", comparison.fixed)):
        for finding in found[:_MOST]:
            yield f"{word}: {finding.severity.name} {finding.title} ({finding.source}, {finding.subject})"
        if len(found) > _MOST:
            yield f"{word}: and {len(found) - _MOST} more"


def _scanners(parts: Sequence[Json]) -> Iterator[RenderableType]:
    """Each scanner that was asked, with what and how much it looked at; below, what did not look, and why."""
    looked = [part for part in parts if part["outcome"] in {"PASSED", "FAILED"}]
    table = _table("scanner", "outcome", "fixed", "new", "same", "covered")
    for part in looked:
        table.add_row(
            part["scanner"],
            Text(part["outcome"], style=_COLOURS[Outcome(part["outcome"])]),
            *(str(part[name]) for name in ("fixed", "new", "same")),
            Text(plain(part["coverage"])),
        )
    if looked:
        yield table
    for part in parts:
        if part not in looked:
            yield Text(plain(f"{part['scanner']} did not look: {part['reason']}"), style="yellow")
        for suppressed in part["suppressed"]:
            yield Text(plain(f"waived: {suppressed}"), style="yellow")


def _table(*heads: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for head in heads:
        is_number = head in {"fixed", "new", "same"} or head.upper() in Severity.__members__
        table.add_column(head, justify="right" if is_number else "left", overflow="fold")
    return table


def _until(question: Question) -> str:
    return f"good for one use until {question.proposal.expires_at:%Y-%m-%d %H:%M:%S} UTC"


def _title(text: str) -> Text:
    return Text(f"\n{text}" if text != "Where" else text, style="bold cyan")


def _body(text: str) -> Padding:
    return Padding(Text(plain(text)), (0, 0, 0, 2))
