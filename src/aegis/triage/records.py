"""What stays of a triage: a line for the runbook, and the entry by which the baseline knows it the next time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from aegis.falco.alert import Alert
from aegis.falco.scoping import why_unsafe
from aegis.falco.yaml_text import scalar
from aegis.triage.classify import Judged
from aegis.triage.tuning import Mend

_MAGIC: Final = re.compile(r"([*?[])")
_DONE: Final = {
    "image-bake": "built into the image",
    "exception": "scoped exception",
    "suppression": "rule switched off",
}


def runbook_line(judged: Judged, mend: Mend, today: date) -> str:
    """One line of Markdown, in which the alert's words cannot be anything but words."""
    group = judged.group
    because = judged.entry.because if judged.entry is not None else "benign"
    until = f" until {mend.expires.isoformat()}" if mend.expires is not None and mend.is_silencing else ""
    owner = f"; {_plain(mend.owner)}" if mend.owner else ""
    rules = ", ".join(map(_plain, group.rules))
    return (
        f"- {today.isoformat()} **{rules}** in `{_plain(str(group.workload))}` ({_plain(group.process)}): {_plain(because)}. "
        f"{_DONE[mend.kind].capitalize()}{until}{owner}; group {group.id}, {len(group.numbers)} alerts."
    )


def baseline_entry(history: Sequence[Alert], judged: Judged, mend: Mend) -> str:
    """The entries that know this group, one for each rule; empty where a value of it cannot be a pattern."""
    workload = judged.group.workload
    text = []
    for rule in judged.group.rules:
        alerts = [history[number] for number in judged.group.numbers if history[number].rule == rule]
        processes = {one.text("proc.name") for one in alerts}
        values = [rule, workload.namespace, workload.name, workload.image, *processes]
        if any(why_unsafe(value) for value in values):
            return ""
        text += [
            f"- rule: {scalar(rule)}",
            f"  because: {scalar(judged.entry.because if judged.entry is not None else 'benign')}",
            f"  namespaces: {_globs([workload.namespace])}",
            f"  workloads: {_globs([workload.name])}",
            f"  images: {_globs([workload.image])}",
            f"  processes: {_globs(processes)}",
            f"  mend: {'image-bake' if mend.kind == 'image-bake' else 'exception'}",
            *([f"  owner: {scalar(mend.owner)}"] if mend.owner else []),
            *([f"  expires: {mend.expires.isoformat()}"] if mend.expires is not None else []),
        ]
    return "\n".join([*text, ""])


def _globs(values: Iterable[str]) -> str:
    """Exactly these values, as patterns."""
    exact = [_MAGIC.sub(r"[\1]", value) for value in sorted(values)]
    return f"[{', '.join(map(scalar, exact))}]"


def _plain(text: str) -> str:
    """On one line, without what Markdown or a terminal reads."""
    kept = "".join(char if char.isprintable() and char not in "`*_<>[]|\\#" else " " for char in text)
    return " ".join(kept.split())[:200]
