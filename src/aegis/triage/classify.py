"""Benign, real, or unsure, with the reasons for and against. Unsure counts as real.

What an alert says is never obeyed: its words are compared and counted, and a word of it can make a group worse, never
better than what its typed fields and a baseline say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from aegis.falco.alert import Alert
from aegis.falco.derived import is_altered
from aegis.triage.baseline import Entry, vouching
from aegis.triage.chains import Chain, Correlation, is_grave
from aegis.triage.grouping import Group, grouped
from aegis.triage.traits import Traits, traits_of

Verdict = Literal["benign-true-positive", "real", "unsure"]

_DAY: Final = 86400.0
_SCOPE: Final = ("k8s.ns.name", "container.image.repository", "proc.exepath", "proc.name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A group and what it means.

    Attributes:
        group: the alerts.
        traits: what they have in common.
        verdict: what they mean.
        reasons: why, the weightiest first.
        chain: the attack that they are a step of; None if there is none.
        contested: those of its alerts that an attacked container told, though others tell the like.
        entry: what the baseline says of it; None if it says nothing of all of them.
    """

    group: Group
    traits: Traits
    verdict: Verdict
    reasons: tuple[str, ...]
    chain: Chain | None = None
    contested: tuple[int, ...] = ()
    entry: Entry | None = None

    @property
    def is_escalated(self) -> bool:
        """Whether somebody has to look at it now."""
        return self.verdict != "benign-true-positive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What groups are judged by.

    Attributes:
        history: all alerts.
        found: the attacks among them.
        entries: the baseline.
        today: the day, for what expires.
    """

    history: Sequence[Alert]
    found: Correlation
    entries: Sequence[Entry]
    today: date


def judged(context: Context) -> tuple[Judged, ...]:
    """Every group of a history with its verdict, in the order of `grouped`."""
    return tuple(_judge(context, group) for group in grouped(context.history, context.found.apart))


def _judge(context: Context, group: Group) -> Judged:
    history, found = context.history, context.found
    contested = tuple(number for number in group.numbers if number in found.contested)
    clean = [number for number in group.numbers if number not in found.contested]
    traits = traits_of(history, group, clean)
    chain = next((found.of[number] for number in group.numbers if number in found.of), None)
    entry = _entry(context, group)
    verdict: Verdict
    if against := list(_signs(history, group, chain)):
        verdict, reasons = "real", against
    elif doubts := [*_untrusted(history, group, traits), *_doubts(traits, entry)]:
        verdict, reasons = "unsure", doubts
    else:
        assert entry is not None  # noqa: S101 - else there is a doubt
        verdict, reasons = "benign-true-positive", [f"known: {entry.because} (baseline of {entry.origin})"]
    reasons += _circumstances(traits, len(contested))
    return Judged(
        group=group,
        traits=traits,
        verdict=verdict,
        reasons=tuple(reasons),
        chain=chain,
        contested=contested,
        entry=entry,
    )


def _entry(context: Context, group: Group) -> Entry | None:
    """What vouches for every alert of the group; the last found is told."""
    found: Entry | None = None
    for number in group.numbers:
        found = vouching(context.entries, context.history[number], context.today)
        if found is None:
            return None
    return found


def _signs(history: Sequence[Alert], group: Group, chain: Chain | None) -> Iterator[str]:
    """What makes it real, whatever a baseline says."""
    if chain is not None:
        others = [rule for rule in chain.rules if rule not in group.rules]
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""  # noqa: PLR2004 - three are told
        told = f", with {', '.join(others[:3])}{more}" if others else ""
        yield f"a step of attack {chain.id} on {chain.place}{told}"
    if any(is_grave(history[number]) for number in group.numbers):
        yield "no ordinary workload does this"


def _untrusted(history: Sequence[Alert], group: Group, traits: Traits) -> Iterator[str]:
    """What is not told, or not told by one who can be believed."""
    if traits.from_text:
        yield f"{traits.from_text} of its alerts were lines of text: their fields may be the words of who was watched"
    if not group.workload.is_known:
        yield "no namespace, workload and image is told: nobody can vouch for it"
    if any(is_altered(history[number].fields.get(name)) for number in group.numbers for name in _SCOPE):
        yield "what was told of it was shortened, or is no text"


def _doubts(traits: Traits, entry: Entry | None) -> Iterator[str]:
    """What keeps it from being benign."""
    out_of_place = bool(traits.out_of_place) and not (entry is not None and entry.executables)
    doubts = {
        "no baseline knows it as ordinary": entry is None,
        "a person sat at a terminal": traits.is_interactive,
        f"its command lines name {', '.join(traits.tools)}": bool(traits.tools),
        f"a server started it: {', '.join(traits.servers)}; a stranger may have asked for it": bool(traits.servers),
        f"it runs from where programs do not stand: {', '.join(traits.out_of_place[:1])}": out_of_place,
        "only attacked containers told it": traits.clean == 0,
        "it was seen once, so it is no habit": entry is not None and entry.recurring and not traits.is_recurring,
        f"it asks {', '.join(traits.metadata)}, which gives out the node's credentials": bool(traits.metadata)
        and entry is None,
    }
    return (text for text, holds in doubts.items() if holds)


def _circumstances(traits: Traits, contested: int) -> Iterator[str]:
    if traits.is_recurring or traits.count > 1:
        pods = f" in {traits.containers} containers" if traits.containers > 1 else ""
        yield f"{traits.count} alerts in {traits.runs} run{'s' if traits.runs > 1 else ''}{pods}"
    if traits.period_seconds:
        yield f"regular, every {_span(traits.period_seconds)}"
    if traits.is_scheduled:
        yield "its pods have the names that a CronJob gives"
    if contested:
        yield (
            f"{contested} of its alerts come from attacked containers: others do the same, so it is no step of the attack, "
            "and no proof of anything either"
        )


def _span(seconds: float) -> str:
    for size, unit in ((_DAY, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
