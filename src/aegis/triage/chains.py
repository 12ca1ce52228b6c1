"""Attacks: different signs of one in one workload within minutes.

No baseline is asked here: what a team vouches for cannot hide the steps of an attack beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from aegis.falco.alert import Alert
from aegis.falco.priority import Priority
from aegis.triage.knowledge import ATTACK_TOOLS, GRAVE, HABITS, family_of
from aegis.triage.workloads import container_of, identity_of, is_in_place, workload_of

WINDOW_NS: Final = 600 * 1_000_000_000
"""Ten minutes: how far apart the steps of one attack may lie."""
_MANY: Final = 3
_FEW: Final = 2

Activity = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """One attack.

    Attributes:
        id: 12 hexadecimal digits.
        place: the workload.
        rules: its different signs, in the order in which they were first seen.
        numbers: the alerts, by their place in the history.
        containers: where it took place: those that show more than one sign, or a grave one; all if none does.
    """

    id: str
    place: str
    rules: tuple[str, ...]
    numbers: tuple[int, ...]
    containers: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """What belongs to attacks.

    Attributes:
        chains: the attacks.
        of: of each alert that is a step of one, which.
        apart: habits that only an attacked container shows: steps too.
        contested: habits that other containers show as well, in a container that was attacked: no proof of anything.
    """

    chains: tuple[Chain, ...] = ()
    of: Mapping[int, Chain] = field(default_factory=dict)
    apart: Mapping[int, str] = field(default_factory=dict)
    contested: frozenset[int] = frozenset()


def correlated(history: Sequence[Alert]) -> Correlation:
    """Look for attacks in a history."""
    places: dict[tuple[str, ...], list[int]] = {}
    for number, alert in enumerate(history):
        if not alert.is_internal and not is_habit(alert):
            places.setdefault(workload_of(alert).place, []).append(number)
    chains = tuple(chain for place in places.values() for chain in _chains(history, place))
    attacked = {container: chain for chain in chains for container in chain.containers}
    of = {number: chain for chain in chains for number in chain.numbers}
    normal = _normal(history, attacked)
    apart: dict[int, str] = {}
    contested = set()
    for number, alert in enumerate(history):
        chain = attacked.get(container_of(alert))
        if chain is None or alert.is_internal or number in of or not is_habit(alert):
            continue
        if _activity(alert) in normal:
            contested.add(number)
        else:
            apart[number], of[number] = chain.id, chain
    return Correlation(chains=chains, of=of, apart=apart, contested=frozenset(contested))


def is_habit(alert: Alert) -> bool:
    """Whether an alert is by itself no sign of an attack: of a rule known for it, by a program in its place."""
    if alert.from_text or alert.rule not in HABITS or not is_in_place(alert) or is_interactive(alert):
        return False
    return not attack_tools(alert)


def is_grave(alert: Alert) -> bool:
    """Whether no ordinary workload does this."""
    return alert.rule in GRAVE


def is_interactive(alert: Alert) -> bool:
    """Whether a person sat at a terminal. Text may say so, never that nobody did."""
    return alert.text("proc.tty") not in {"", "0"}


def attack_tools(alert: Alert) -> tuple[str, ...]:
    """The words of a command line that name tools of attackers."""
    words = alert.text("proc.cmdline").lower().replace("=", " ").split()
    return tuple(sorted(ATTACK_TOOLS.intersection(words[1:])))


def _normal(history: Sequence[Alert], attacked: Mapping[tuple[str, ...], Chain]) -> set[Activity]:
    """What containers without an attack do."""
    return {
        _activity(alert)
        for alert in history
        if not alert.is_internal and is_habit(alert) and container_of(alert) not in attacked
    }


def _activity(alert: Alert) -> Activity:
    place = workload_of(alert)
    return (family_of(alert.rule), *place.place, place.image, identity_of(alert), alert.text("proc.cmdline"))


def _chains(history: Sequence[Alert], numbers: Sequence[int]) -> Iterator[Chain]:
    """The attacks within one workload: stretches without a pause, in which some window holds signs enough."""
    timeless = [number for number in numbers if history[number].time_ns is None]
    timed = sorted((number for number in numbers if history[number].time_ns is not None), key=lambda n: _at(history, n))
    free = _Signs()
    for number in timeless:
        free.add(history[number])
    for stretch in list(_stretches(history, timed)) or [[]]:
        if _holds_attack(history, stretch, free):
            yield _chain(history, [*stretch, *timeless])  # what has no time may belong to any


def _stretches(history: Sequence[Alert], timed: Sequence[int]) -> Iterator[list[int]]:
    current = list(timed[:1])
    for before, after in pairwise(timed):
        if _at(history, after) - _at(history, before) > WINDOW_NS:
            yield current
            current = []
        current.append(after)
    if current:
        yield current


class _Signs:
    """The different signs among some alerts, and whether one of them weighs more."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._heavy = 0

    def add(self, alert: Alert) -> None:
        self._counts[_sign(alert)] += 1
        self._heavy += _is_heavy(alert)

    def remove(self, alert: Alert) -> None:
        name = _sign(alert)
        self._counts[name] -= 1
        if not self._counts[name]:
            del self._counts[name]
        self._heavy -= _is_heavy(alert)

    def are_an_attack(self, others: _Signs) -> bool:
        """Whether these, and others that may belong to them, are one."""
        count = len(self._counts.keys() | others._counts.keys())
        return count >= _MANY or (count >= _FEW and bool(self._heavy or others._heavy))


def _is_heavy(alert: Alert) -> bool:
    return is_grave(alert) or alert.priority.at_least(Priority.CRITICAL)


def _holds_attack(history: Sequence[Alert], stretch: Sequence[int], free: _Signs) -> bool:
    """Whether ten minutes of a stretch hold signs enough."""
    window, begin = _Signs(), 0
    for number in stretch:
        window.add(history[number])
        while _at(history, number) - _at(history, stretch[begin]) > WINDOW_NS:
            window.remove(history[stretch[begin]])
            begin += 1
        if window.are_an_attack(free):
            return True
    return not stretch and window.are_an_attack(free)


def _sign(alert: Alert) -> str:
    return family_of(alert.rule) if alert.rule else alert.message[:80]


def _chain(history: Sequence[Alert], numbers: Sequence[int]) -> Chain:
    place = workload_of(history[numbers[0]])
    told = [*place.place, *sorted({_sign(history[number]) for number in numbers}), _at(history, numbers[0])]
    return Chain(
        id=hashlib.sha256(json.dumps(told).encode("utf-8", "surrogatepass")).hexdigest()[:12],
        place=str(place),
        rules=tuple(dict.fromkeys(history[number].rule or history[number].message[:80] for number in numbers)),
        numbers=tuple(sorted(numbers)),
        containers=_attacked(history, numbers),
    )


def _attacked(history: Sequence[Alert], numbers: Iterable[int]) -> tuple[tuple[str, ...], ...]:
    signs: dict[tuple[str, ...], set[str]] = {}
    grave = set()
    for number in numbers:
        container = container_of(history[number])
        signs.setdefault(container, set()).add(_sign(history[number]))
        if is_grave(history[number]):
            grave.add(container)
    found = {container for container, names in signs.items() if len(names) > 1} | grave
    return tuple(sorted(found or signs))


def _at(history: Sequence[Alert], number: int) -> int:
    return history[number].time_ns or 0
