"""What an exception is scoped to: the fewest fields that leave every other alert of the rule alone.

Namespace, image repository and program always, and then whatever tells the chosen alerts from the others. Alerts that
are the same in every field that outlives a restart are one activity: no exception tells them apart, so they are taken
together, and said so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aegis.falco.alert import Alert
from aegis.falco.collection import is_left_side
from aegis.falco.derived import REPLACEMENT, SHORTENED, told_field

NAMESPACE: Final = "k8s.ns.name"
IMAGE: Final = "container.image.repository"
PROGRAM: Final = ("proc.exepath", "proc.name")
"""What tells one program from another: the first of them that every chosen alert tells."""
_NARROWER: Final = (
    "proc.name", "proc.pname", "fd.name", "proc.cmdline", "proc.pcmdline", "proc.pexepath", "container.name",
    "user.name", "fd.sip", "fd.sport", "fd.rip", "fd.rport", "container.image.tag", "proc.cwd", "evt.arg.flags",
)  # fmt: skip
"""What is added first where the alerts that are to stay look the same."""
_FLEETING: Final = re.compile(
    r"evt\.(time|rawtime|num|args|latency|cpu|wait_latency|deltatime|reltime|res|rawres|arg\.fd)\b.*|evt\.hostname"
    r"|container\.(id|full_id|start_ts|duration|ip|cni\.json)|k8s\.pod\.(name|uid|id|full_sandbox_id|sandbox_id|ip|cni\.json)"
    r"|proc\.(a?p?v?pid|vp?pgid|sid|.*\.ts|.*duration.*|.*ino.*)(\[.*\])?|thread\..*|fd\.(num|ino|dev|[cl]port|uid|containername)"
)
"""What is another at each start, or says nothing of who acts."""
_LONGEST: Final = 255
"""Bytes of a constant (libsinsp)."""
_MOST_VALUES: Final = 64


class Refused(Exception):
    """No exception, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoped:
    """What is compared.

    Attributes:
        fields: which fields.
        values: for each alternative the value of each field.
        numbers: the alerts that are covered, by their place in the history.
        notes: what differs from what was asked for.
    """

    fields: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    notes: tuple[str, ...] = ()


def scoped(history: Sequence[Alert], chosen: set[int], more: Sequence[str], *, leave_out: bool) -> Scoped:
    """The scope of an exception for some alerts of one rule.

    Args:
        history: all alerts.
        chosen: those that are to be silent.
        more: fields that are compared in any case.
        leave_out: whether alerts that cannot be scoped stay told, instead of refusing all.

    Raises:
        Refused: there is none.
    """
    program = next((name for name in PROGRAM if _all_tell(history, chosen, name)), PROGRAM[0])
    fields = list(dict.fromkeys([NAMESPACE, IMAGE, program, *more]))
    numbers, notes = sorted(chosen), []
    if leave_out:
        numbers = [number for number in numbers if not _why_not(history[number], fields)]
        if len(numbers) < len(chosen):
            reason = next(filter(None, (_why_not(history[number], fields) for number in sorted(chosen))))
            notes.append(f"{len(chosen) - len(numbers)} of {len(chosen)} alerts stay: {reason}")
    if not numbers:
        raise Refused(notes[0] if notes else "no alert of the rule was chosen")
    for number in numbers:
        if reason := _why_not(history[number], fields):
            raise Refused(reason)
    same = _narrowed(history, numbers, fields)
    if same:
        notes.append(f"{len(same)} more alerts are of the same activity: nothing that lasts tells them apart")
    rows = tuple(sorted({_row(history[number], fields) for number in numbers}))
    if len(rows) > _MOST_VALUES:
        raise Refused(f"{len(rows)} different activities are too many for one exception: choose fewer alerts")
    return Scoped(fields=tuple(fields), values=rows, numbers=tuple(sorted([*numbers, *same])), notes=tuple(notes))


def why_unsafe(value: object) -> str:
    """Why no exception may compare with a value of an alert; empty where it may."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        return "it is no text"
    text = str(value)
    reasons = {
        "it is empty": not text,
        "it tells no value": text in {"<NA>", "N/A"},
        "it holds U+FFFD: Falco compared other bytes": REPLACEMENT in text,
        "its end was cut off": text.endswith(SHORTENED),
        "it holds a line break or another control character": any(unicodedata.category(one) == "Cc" for one in text),
        "it is no UTF-8": any(unicodedata.category(one) == "Cs" for one in text),
        f"it is longer than {_LONGEST} bytes": len(text.encode("utf-8", "replace")) > _LONGEST,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _why_not(alert: Alert, fields: Iterable[str]) -> str:
    """Why an alert cannot be scoped by some fields; empty where it can."""
    for name in fields:
        value = told_field(alert.fields, name)
        if value is None:
            return f"an alert does not tell {name}: the exception would not be scoped by it"
        if reason := why_unsafe(value):
            return f"the value of {name} cannot be compared with: {reason}"
    return ""


def _narrowed(history: Sequence[Alert], numbers: list[int], fields: list[str]) -> list[int]:
    """Add fields until the other alerts of the rule differ; those that differ in none are returned."""
    rule = history[numbers[0]].rule
    left = [number for number, alert in enumerate(history) if alert.rule == rule and number not in set(numbers)]
    lasting = {name for number in numbers for name in history[number].fields if not _FLEETING.fullmatch(name)}
    candidates = [name for name in dict.fromkeys([*_NARROWER, *sorted(lasting)]) if is_left_side(name)]
    while left := _same(history, numbers, left, fields):
        counts = {
            name: len(_same(history, numbers, left, [*fields, name]))
            for name in candidates
            if name not in fields and not any(_why_not(history[number], [name]) for number in numbers)
        }
        best = min(counts, key=lambda one: counts[one], default=None)
        if best is None or counts[best] == len(left):
            break
        fields.append(best)
    return left


def _all_tell(history: Sequence[Alert], numbers: Iterable[int], name: str) -> bool:
    return all(told_field(history[number].fields, name) is not None for number in numbers)


def _row(alert: Alert, fields: Iterable[str]) -> tuple[Any, ...]:
    return tuple(str(told_field(alert.fields, name)) for name in fields)


def _same(history: Sequence[Alert], numbers: list[int], others: list[int], fields: Sequence[str]) -> list[int]:
    rows = {_row(history[number], fields) for number in numbers}
    return [number for number in others if _row(history[number], fields) in rows]
