"""From a history of alerts to what they mean and what to do: group, correlate, judge, mend, prove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from aegis.falco.alert import Alert
from aegis.triage.baseline import Entry, expired
from aegis.triage.chains import correlated
from aegis.triage.classify import Context, judged
from aegis.triage.report import Asked, Findings
from aegis.triage.tuning import Mend, Tuning


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be studied, and how.

    Attributes:
        asked: which groups are wanted; the attacks are looked for in all alerts.
        entries: the baseline.
        files: the rules that wrote the history, name and text.
        values: name and text of the team's file of values.
        owner: who answers for exceptions.
        expires: when they should be gone.
        today: the day.
    """

    asked: Asked
    entries: Sequence[Entry]
    files: Sequence[tuple[str, str]] = ()
    values: tuple[str, str] | None = None
    owner: str = ""
    expires: date | None = None
    today: date


def study(history: Sequence[Alert], request: Request, progress: Callable[[str], None]) -> Findings:
    """Judge a history, and mend what is benign of what was asked for.

    Args:
        history: all alerts of the window, also those of other rules: an attack shows in several.
        request: what is wanted.
        progress: told of each step.
    """
    for entry in expired(request.entries, request.today):
        progress(f"baseline of {entry.origin}: the entry for {entry.rule!r} expired and counts for nothing")
    progress(f"looking for attacks in {len(history)} alerts")
    found = correlated(history)
    groups = judged(Context(history=history, found=found, entries=request.entries, today=request.today))
    tuning = Tuning(history=history, judged=groups, files=request.files, owner=request.owner, expires=request.expires)
    mends: dict[str, tuple[Mend, ...]] = {}
    for one in groups:
        if request.asked.wants(one) and not one.is_escalated:
            progress(f"proving what ends {', '.join(one.group.rules)} in {one.group.workload}")
            mends[one.group.id] = tuning.mends(one)
    return Findings(
        history=history,
        judged=groups,
        chains=found.chains,
        mends=mends,
        together=tuning.together(mends.values()),
        asked=request.asked,
        values=request.values,
        today=request.today,
    )
