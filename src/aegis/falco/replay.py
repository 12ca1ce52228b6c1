"""What rules would have made of alerts that were told: which would be silent, which would stay, which nobody can say.

An alert tells only some of the fields that its rule looks at. Yet it tells that its rule held: so whatever of the
condition was there when the alert was written (the *baseline*) is known to have held, and only what is new has to be
decided by the fields. Without a baseline what the rule demands is taken to have held, and what it leaves out (its
exceptions and every `and not`) is decided. What fields contradict is never assumed, and what cannot be decided is
unknown, with the fields that would have decided it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from aegis.falco.alert import Alert
from aegis.falco.derived import told
from aegis.falco.evaluate import ANCESTRAL
from aegis.falco.known import ALWAYS, consequences, known
from aegis.falco.rules import CompiledRule, Ruleset
from aegis.falco.tree import And, Condition, Not, columns_of, conjuncts, fields_in
from aegis.falco.yaml_text import scalar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from aegis.falco.vectorised import Table

    Rows = NDArray[np.intp]

_ANCESTORS = 7
"""How far up the default rules look."""

Matching = Literal["first", "all"]
"""Falco's `rule_matching`: whether an event is told by the first rule that matches, or by every one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmasked:
    """A rule that fires on events that were told by another one until then.

    Attributes:
        rule: the one that becomes silent.
        by: the one that fires instead.
        certain: the alerts for which it does, by their place in the history.
        possible: those for which it may.
    """

    rule: str
    by: str
    certain: tuple[int, ...]
    possible: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What became of each alert of a history; all numbers are places in it, from 0.

    Attributes:
        alerts: how many there were.
        suppressed: would not have been told.
        kept: would have been told all the same.
        unknown: cannot be said.
        without_rule: those of the unknown ones whose rule is in no file.
        unmasked: which other rules then fire.
        missing: for each rule the fields that were not told and would have decided, and for how many alerts.
        altered: fields whose value was shortened or is no text, so that nothing can be decided by it, and how often.
        seconds: how long it took.
    """

    alerts: int
    suppressed: tuple[int, ...]
    kept: tuple[int, ...]
    unknown: tuple[int, ...]
    without_rule: tuple[int, ...] = ()
    unmasked: tuple[Unmasked, ...] = ()
    missing: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    altered: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def missing_fields(self) -> list[str]:
        """Every field that would have decided something, the one that would have decided most first."""
        counts: Counter[str] = Counter()
        for fields in self.missing.values():
            counts.update(fields)
        return [name for name, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0]))]

    @property
    def unmasked_alerts(self) -> tuple[int, ...]:
        """The suppressed alerts for which another rule certainly fires."""
        return tuple(sorted({number for one in self.unmasked for number in one.certain}))

    @property
    def perhaps_unmasked(self) -> tuple[int, ...]:
        """The suppressed alerts for which another rule may fire, and none certainly does."""
        possible = {number for one in self.unmasked for number in one.possible}
        return tuple(sorted(possible - set(self.unmasked_alerts)))


def append_output(found: Replay) -> str:
    """The part of falco.yaml that makes the next history decide what this one left unknown; empty where nothing would.

    Source: Falco's `append_output` (since 0.39): `extra_fields` stand in an alert's `output_fields` only.
    """
    lines = []
    for rule, counts in sorted(found.missing.items()):
        names = [name for field in counts if field not in found.altered for name in _outputs(field)]
        if names:
            lines += ["  - match:", f"      rule: {scalar(rule)}", "    extra_fields:"]
            lines += [f"      - {scalar(name)}" for name in names]
    return "\n".join(["append_output:", *lines, ""]) if lines else ""


def _outputs(name: str) -> list[str]:
    return [f"{name}[{number}]" for number in range(1, _ANCESTORS + 1)] if name in ANCESTRAL else [name]


def replay(
    rules: Ruleset,
    alerts: Sequence[Alert],
    *,
    baseline: Ruleset | None = None,
    is_certain: bool = True,
    matching: Matching = "first",
) -> Replay:
    """Play a history of alerts through rules.

    Args:
        rules: the rules that are to be proved.
        alerts: the history; what was parsed from text names no rule and stays unknown.
        baseline: the rules that wrote the history.
        is_certain: whether the baseline is known to have written it; else it is only what helps where fields are
            missing, and fields that contradict it win.
        matching: Falco's `rule_matching`.
    """
    begin = time.perf_counter()
    history = _History(rules, baseline, alerts)
    by_rule: dict[str, list[int]] = {}
    for number, alert in enumerate(alerts):
        by_rule.setdefault(alert.rule, []).append(number)
    verdicts = [
        _Verdicts(history, name, numbers, is_certain=is_certain).all(matching) for name, numbers in by_rule.items()
    ]
    return Replay(
        alerts=len(alerts),
        suppressed=_sorted(verdict.suppressed for verdict in verdicts),
        kept=_sorted(verdict.kept for verdict in verdicts),
        unknown=_sorted(verdict.unknown for verdict in verdicts),
        without_rule=_sorted(verdict.without_rule for verdict in verdicts),
        unmasked=tuple(one for verdict in verdicts for one in verdict.unmasked),
        missing={name: v.missing for name, v in zip(by_rule, verdicts, strict=True) if v.missing},
        altered=dict(history.altered),
        seconds=time.perf_counter() - begin,
    )


def _sorted(parts: Iterator[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(sorted(number for part in parts for number in part))


class _History:
    """The alerts as columns, and the rules by name."""

    def __init__(self, rules: Ruleset, baseline: Ruleset | None, alerts: Sequence[Alert]) -> None:
        from aegis.falco.vectorised import encoded

        self.rules = {one.rule.name: one for one in rules.rules}
        self.before = {one.rule.name: one for one in baseline.rules} if baseline is not None else {}
        self.altered: Counter[str] = Counter()
        wanted = {name for one in self.rules.values() for name in _names(one.condition)}
        wanted |= {name for one in self.before.values() for name in _names(one.condition)}
        self.table: Table = encoded(self._fields(alerts, frozenset(wanted)))

    def _fields(self, alerts: Sequence[Alert], wanted: frozenset[str]) -> Iterator[Mapping[str, Any]]:
        for alert in alerts:
            fields, altered = told(alert, wanted)
            self.altered.update(altered)
            yield fields


def _names(condition: Condition) -> Iterator[str]:
    for one in fields_in(condition):
        yield from columns_of(one)


@dataclass(slots=True)
class _Verdict:
    suppressed: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()
    without_rule: tuple[int, ...] = ()
    unmasked: list[Unmasked] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)


class _Verdicts:
    """The alerts of one rule."""

    def __init__(self, history: _History, name: str, numbers: list[int], *, is_certain: bool) -> None:
        self._history, self._name, self._numbers = history, name, numbers
        self._is_certain = is_certain
        self._now, self._before = history.rules.get(name), history.before.get(name)

    def all(self, matching: Matching) -> _Verdict:
        import numpy as np

        rows = np.array(self._numbers, dtype=np.intp)
        if self._now is None and self._before is None:
            numbers = tuple(self._numbers)
            return _Verdict(unknown=numbers, without_rule=numbers)
        if self._now is None or not self._now.rule.enabled:
            verdict = _Verdict(suppressed=tuple(self._numbers))
        else:
            verdict = self._decided(self._now, rows)
        if matching == "first" and verdict.suppressed:
            verdict.unmasked = list(self._unmasked(np.array(verdict.suppressed, dtype=np.intp)))
        return verdict

    def _decided(self, now: CompiledRule, rows: Rows) -> _Verdict:
        from aegis.falco.vectorised import FALSE, TRUE, UNKNOWN, truths

        verdict, found = _Verdict(), {FALSE: [rows[:0]], UNKNOWN: [rows[:0]], TRUE: [rows[:0]]}
        for part, condition in self._parts(now.condition, rows):
            if isinstance(condition, bool):
                found[TRUE if condition else FALSE].append(part)
                continue
            truth = truths(condition, self._history.table, absent_is_unknown=True, rows=part)
            for value, places in found.items():
                places.append(part[truth == value])
            self._blame(condition, part[truth == UNKNOWN], verdict.missing)
        verdict.suppressed, verdict.unknown, verdict.kept = (
            tuple(number for places in found[value] for number in places.tolist()) for value in (FALSE, UNKNOWN, TRUE)
        )
        return verdict

    def _parts(self, now: Condition, rows: Rows) -> Iterator[tuple[Rows, Condition | bool]]:
        """The alerts, and what of the condition is left to decide for them."""
        from aegis.falco.vectorised import FALSE, truths

        if self._before is not None:
            contradicted = self._contradicted(self._before.condition, rows)
            yield rows[~contradicted], known(now, ALWAYS | consequences(self._before.condition))
            rows = rows[contradicted]
        demands = [one for one in conjuncts(now) if not isinstance(one, Not)]
        if not demands or not len(rows):
            yield rows, known(now, ALWAYS)
            return
        demanded = And(tuple(demands)) if len(demands) > 1 else demands[0]
        refuted = truths(demanded, self._history.table, absent_is_unknown=True, rows=rows) == FALSE
        yield rows[refuted], False
        yield rows[~refuted], known(now, ALWAYS | dict.fromkeys(demands, True))

    def _contradicted(self, before: Condition, rows: Rows) -> NDArray[np.bool_]:
        import numpy as np

        from aegis.falco.vectorised import FALSE, truths

        found: NDArray[np.bool_] = truths(before, self._history.table, absent_is_unknown=True, rows=rows) == FALSE
        return np.zeros_like(found) if self._is_certain else found

    def _blame(self, condition: Condition, rows: Rows, missing: dict[str, int]) -> None:
        from aegis.falco.vectorised import undecided

        for check, count in undecided(condition, self._history.table, rows):
            for one in fields_in(check):
                missing[str(one)] = max(missing.get(str(one), 0), count)

    # Who fires instead.

    def _unmasked(self, rows: Rows) -> Iterator[Unmasked]:
        import numpy as np

        from aegis.falco.vectorised import TRUE, UNKNOWN, truths

        held = self._before or self._now
        if held is None:
            return
        facts = consequences(held.condition) if self._before else _demanded(held.condition)
        for other in self._later():
            left = known(other.condition, ALWAYS | facts)
            if left is False:
                continue
            truth = (
                np.full(len(rows), TRUE, dtype=np.uint8)
                if left is True
                else truths(left, self._history.table, absent_is_unknown=True, rows=rows)
            )
            certain, possible = (tuple(rows[truth == value].tolist()) for value in (TRUE, UNKNOWN))
            if certain or possible:
                yield Unmasked(rule=self._name, by=other.rule.name, certain=certain, possible=possible)
            rows = rows[truth != TRUE]
            if not len(rows):
                return

    def _later(self) -> Iterator[CompiledRule]:
        """The rules that Falco asks after this one: the earlier ones did not match, or they would have fired."""
        names = list(self._history.rules) if self._now else list(self._history.before)
        for name in names[names.index(self._name) + 1 :]:
            other = self._history.rules.get(name)
            if other is not None and other.rule.enabled:
                yield other


def _demanded(condition: Condition) -> dict[Condition, bool]:
    facts: dict[Condition, bool] = {}
    for one in conjuncts(condition):
        if not isinstance(one, Not):
            facts.update(consequences(one))
    return facts
