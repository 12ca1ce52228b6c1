"""Many alerts, few groups: one for each activity of each workload, which keeps every alert and the gravest priority."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aegis.falco.alert import Alert
from aegis.falco.priority import Priority
from aegis.triage.knowledge import family_of
from aegis.triage.workloads import Workload, identity_of, workload_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The alerts of one activity.

    Attributes:
        id: 12 hexadecimal digits, the same at each triage.
        family: what the rules have in common; the rule's own name where it stands alone.
        rules: whose alerts these are.
        workload: whose.
        process: the program, or the package manager.
        priority: the gravest of all.
        numbers: every alert, by its place in the history.
        chain: the attack that these alerts were set apart for; empty for an ordinary group.
    """

    id: str
    family: str
    rules: tuple[str, ...]
    workload: Workload
    process: str
    priority: Priority
    numbers: tuple[int, ...]
    chain: str = ""


def grouped(history: Sequence[Alert], apart: Mapping[int, str]) -> tuple[Group, ...]:
    """Every alert in exactly one group; the gravest first, then the largest.

    Args:
        history: the alerts; what Falco says of itself belongs to no group.
        apart: alerts that are part of an attack, and of which, though others of their kind are a habit.
    """
    members: dict[tuple[str, Workload, str, str], list[int]] = {}
    for number, alert in enumerate(history):
        if not alert.is_internal:
            key = (_family(alert), workload_of(alert), identity_of(alert), apart.get(number, ""))
            members.setdefault(key, []).append(number)
    groups = [
        Group(
            id=_id(key),
            family=key[0],
            rules=tuple(sorted({history[number].rule for number in numbers})),
            workload=key[1],
            process=key[2],
            priority=min(history[number].priority for number in numbers),
            numbers=tuple(numbers),
            chain=key[3],
        )
        for key, numbers in members.items()
    ]
    return tuple(sorted(groups, key=lambda one: (one.priority, -len(one.numbers), one.family, one.id)))


def pods(history: Sequence[Alert], numbers: Iterable[int]) -> tuple[str, ...]:
    """The pods of some alerts, sorted."""
    return tuple(sorted({pod for number in numbers if (pod := history[number].text("k8s.pod.name"))}))


def _family(alert: Alert) -> str:
    return family_of(alert.rule) if alert.rule else f"text: {alert.message[:80]}"


def _id(key: tuple[str, Workload, str, str]) -> str:
    family, workload, process, chain = key
    told = [family, *workload.place, workload.image, process, chain]
    return hashlib.sha256(json.dumps(told).encode("utf-8", "surrogatepass")).hexdigest()[:12]
