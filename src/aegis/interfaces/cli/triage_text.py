"""A triage as text for people: what needs somebody now, then what does not, and what to do about that."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from aegis.model.refs import JsonObject

_WIDTH = 110
_MOST_STEPS = 24
_LINES = 3
_HEADS = {
    "real": "REAL: a workload does what it has no business doing",
    "unsure": "UNSURE: counts as real until somebody says otherwise",
    "benign-true-positive": "BENIGN: it happened, and it is legitimate",
}


def report_text(result: JsonObject) -> str:
    """`kind: TriageReport` for a person."""
    counts, source = result["counts"], result["source"]
    verdicts = f"{counts['real']} real, {counts['unsure']} unsure, {counts['benign']} benign"
    lines = [
        f"{source['alerts']} alerts read from {source['name']}; {counts['alerts']} in {counts['groups']} groups: {verdicts}.",
        *(f"Not read whole: {note}" for note in source["notes"]),
        *_hidden(result["not_shown"]),
    ]
    for attack in result["attacks"]:
        lines += ["", *_attack(attack)]
    for verdict, head in _HEADS.items():
        groups = [one for one in result["groups"] if one["classification"] == verdict]
        if verdict == "real":
            groups = [one for one in groups if one["attack"] is None]
        if groups:
            lines += ["", head]
        for one in groups:
            lines += ["", *_group(one)]
        if groups and verdict == "unsure":
            lines += [
                "",
                "  Whoever can explain one of these says so in a baseline (--baseline FILE); until then it counts as real.",
            ]
    return "\n".join([*lines, *_together(result["together"])])


def _together(whole: JsonObject | None) -> Iterator[str]:
    if whole is None or not (whole["values_diff"] or whole["withdrawn"]):
        return
    yield ""
    yield f"ALL TOGETHER, of {', '.join(whole['rules'])}"
    if whole["withdrawn"]:
        yield from _wrapped(f"not proposed: {whole['withdrawn']}", "  ")
        return
    if whole["proof"]:
        yield from _wrapped(f"proof: {_proof(whole['proof'])}", "  ")
    yield textwrap.indent(whole["values_diff"].rstrip("\n"), "  ")


def _hidden(counts: JsonObject) -> Iterator[str]:
    if any(counts.values()):
        told = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
        yield f"Groups that were not asked for: {told} (`--priority debug` shows all)."


def _attack(attack: JsonObject) -> Iterator[str]:
    yield f"ATTACK {attack['id']} on {attack['workload']}: {attack['alerts']} alerts, {_moment(attack['first'])} to {_moment(attack['last'])}"
    if attack["pods"]:
        yield from _wrapped(f"pods {', '.join(attack['pods'])}", "  ")
    for step in attack["steps"][:_MOST_STEPS]:
        times = f" (x{step['alerts']})" if step["alerts"] > 1 else ""
        yield f"  {_clock(step['first']):<12}  {step['priority']:<13}  {_cut(step['rule'])}{times}"
        yield f"      {_seen(step['first'])}"
    if len(attack["steps"]) > _MOST_STEPS:
        yield f"  and {len(attack['steps']) - _MOST_STEPS} signs more (-o json has them all)"
    yield "  Nothing of this is silenced. Escalate: isolate the pods, keep the evidence, look for more."


def _moment(text: str | None) -> str:
    return f"{text[:19]}Z" if text else "?"


def _clock(line: JsonObject) -> str:
    return (line["time"] or "")[11:23]


def _seen(line: JsonObject) -> str:
    """What happened, in the words of whoever was watched: as words, on one line."""
    if not line["command"]:
        return _cut(line["text"])
    parent = f"{line['parent']} > " if line["parent"] else ""
    file = f"   [{line['file']}]" if line["file"] and line["file"] not in line["command"] else ""
    return _cut(f"{parent}{line['command']}{file}")


def _group(one: JsonObject) -> Iterator[str]:
    workload = one["workload"]
    place = (
        f"{workload['namespace'] or '?'}/{workload['name'] or '?'}"
        if workload["namespace"] or workload["name"]
        else f"container {workload['container']}"
        if workload["container"]
        else f"host {workload['host']}"
    )
    image = f" ({workload['image']})" if workload["image"] else ""
    yield f"  {one['alerts']} x {', '.join(one['rules'])} [{one['priority']}]"
    yield f"      {place}{image}, process {_cut(one['process']['identity'])}, {_moment(one['first'])} to {_moment(one['last'])}"
    for reason in one["reasons"]:
        yield from _wrapped(f"- {reason}", "      ")
    for line in one["evidence"][:_LINES]:
        yield f"      {_clock(line)}  {'(of a text) ' if line['from_text'] else ''}{_seen(line)}"
    for number, mend in enumerate(one["proposals"], 1):
        yield from _mend(number, mend)
    for mend in one["withdrawn"]:
        yield from _wrapped(f"not proposed: {mend['summary']}: {mend['withdrawn']}", "      ")
        if mend["proof"]:
            yield from _wrapped(f"({_proof(mend['proof'])})", "        ")


def _mend(number: int, mend: JsonObject) -> Iterator[str]:
    yield from _wrapped(f"{number}. {mend['kind']}: {mend['summary']}", "      ")
    yield from _wrapped(f"proof: {_proof(mend['proof'])}", "         ")
    for note in mend["notes"]:
        yield from _wrapped(f"to do: {note}", "         ")
    blocks = {
        "Dockerfile": (mend["image"] or {}).get("dockerfile"),
        "manifest": (mend["image"] or {}).get("patch"),
        "rules": None if mend["values_diff"] else mend["exception_yaml"],
        "values": mend["values_diff"],
        "falco.yaml, so that the next window decides more": mend["proof"]["append_output"],
        "runbook": mend["runbook"],
        "baseline": mend["baseline_entry"],
    }
    for title, text in blocks.items():
        if text:
            yield f"         {title}:"
            yield textwrap.indent(text.rstrip("\n"), "           ")
    if mend.get("values_by_hand"):
        yield from _wrapped(f"the values have to be changed by hand: {mend['values_by_hand']}", "         ")


def _proof(proof: dict[str, Any]) -> str:
    how = (
        f"replay of {proof['alerts']} alerts"
        if proof["method"] == "replay"
        else "no rule changes, the activity itself ends"
    )
    verb = "silenced" if proof["method"] == "replay" else "end"
    told = f"{proof['suppressed_benign']} benign {verb}, {proof['suppressed_suspicious']} suspicious, {proof['unknown']} unknown"
    parts = [f"{how}: {told}"]
    if proof["method"] == "replay" and proof["untouched"]:
        parts.append(f"nothing changes for the {proof['untouched']} of other rules")
    for one in proof["unmasked_by"]:
        how_many = f"fires for {one['certain']}" if one["certain"] else f"may fire for {one['possible']}"
        parts.append(f"then {one['by']!r} {how_many}")
    if proof["missing_fields"]:
        parts.append(f"fields that would decide: {', '.join(proof['missing_fields'])}")
    return "; ".join(parts)


def _wrapped(text: str, margin: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=margin,
        subsequent_indent=f"{margin}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
