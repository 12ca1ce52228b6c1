"""What the alerts of a group have in common: how often, how regularly, from which image, started by what, going where."""

from __future__ import annotations

import ipaddress
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from aegis.falco.alert import Alert
from aegis.falco.derived import told_field
from aegis.triage.chains import attack_tools, is_interactive
from aegis.triage.grouping import Group, pods
from aegis.triage.knowledge import METADATA_ADDRESSES, OFFICIAL, SERVERS
from aegis.triage.workloads import container_of, is_in_place, is_scheduled

_RUN_NS: Final = 60 * 1_000_000_000
"""Alerts less than a minute apart are of one run."""
_REGULAR: Final = 0.1
"""How far the pauses between runs may differ from their median."""
_FEWEST_PAUSES: Final = 3
_FEW: Final = 3
"""Alerts in unharmed containers that make a habit of what happens in several runs or containers."""
_MANY: Final = 10
"""Those that do so alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What alerts have in common.

    Attributes:
        count: how many alerts.
        clean: how many of them no attacked container told.
        runs: how many times it happened: alerts less than a minute apart are one.
        containers: in how many containers.
        period_seconds: the time between two runs, if it is always about the same; None if it is not, or not known.
        first_ns: the first event; None where no time is told.
        last_ns: the last one.
        is_scheduled: whether all pods have names as a CronJob gives them.
        images: each image with its tag.
        digest: of the image, if all alerts tell the same.
        is_official: whether the image is one that its makers publish.
        parents: what started the process, the most frequent first.
        servers: the servers among the process's ancestors.
        is_interactive: whether one of them was started at a terminal.
        destinations: the addresses that were contacted.
        out_of_place: programs that do not stand where programs stand.
        tools: tools of attackers that command lines name.
        from_text: how many were parsed from lines of text.
    """

    count: int
    clean: int
    runs: int
    containers: int
    period_seconds: float | None
    first_ns: int | None
    last_ns: int | None
    is_scheduled: bool
    images: tuple[str, ...]
    digest: str
    is_official: bool
    parents: tuple[str, ...]
    servers: tuple[str, ...]
    is_interactive: bool
    destinations: tuple[str, ...]
    out_of_place: tuple[str, ...]
    tools: tuple[str, ...]
    from_text: int

    @property
    def is_recurring(self) -> bool:
        """Whether it happens again and again."""
        again = self.runs > 1 or self.containers > 1
        many = self.clean >= _MANY or (self.clean >= _FEW and again)
        return self.clean > 0 and (self.is_scheduled or many)

    @property
    def metadata(self) -> tuple[str, ...]:
        """The addresses among the destinations where clouds give out credentials."""
        return tuple(one for one in self.destinations if one in METADATA_ADDRESSES)


def traits_of(history: Sequence[Alert], group: Group, clean: Sequence[int]) -> Traits:
    """What the alerts of a group have in common.

    Args:
        history: all alerts.
        group: which of them.
        clean: those of the group that no attacked container told.
    """
    alerts = [history[number] for number in group.numbers]
    times = sorted(one.time_ns for one in alerts if one.time_ns is not None)
    starts = _starts(times)
    names = pods(history, group.numbers)
    digests = {one.text("container.image.digest") for one in alerts}
    return Traits(
        count=len(alerts),
        clean=len(clean),
        runs=len(starts) or 1,
        containers=len({container_of(one) for one in alerts}),
        period_seconds=_period(starts),
        first_ns=times[0] if times else None,
        last_ns=times[-1] if times else None,
        is_scheduled=bool(names) and all(map(is_scheduled, names)),
        images=tuple(sorted({_image(one) for one in alerts} - {""})),
        digest=digests.pop() if len(digests) == 1 else "",
        is_official=group.workload.image.startswith(OFFICIAL),
        parents=tuple(name for name, _ in Counter(filter(None, map(_parent, alerts))).most_common(5)),
        servers=tuple(sorted({name for one in alerts for name in _ancestors(one)} & SERVERS)),
        is_interactive=any(map(is_interactive, alerts)),
        destinations=tuple(sorted({found for one in alerts if (found := _destination(one))})),
        out_of_place=tuple(sorted({_path(one) for one in alerts if _path(one) and not is_in_place(one)})),
        tools=tuple(sorted({tool for one in alerts for tool in attack_tools(one)})),
        from_text=sum(one.from_text for one in alerts),
    )


def _starts(times: Sequence[int]) -> list[int]:
    return [*times[:1], *(after for before, after in pairwise(times) if after - before > _RUN_NS)]


def _period(starts: Sequence[int]) -> float | None:
    pauses = [(after - before) / 1e9 for before, after in pairwise(starts)]
    if len(pauses) < _FEWEST_PAUSES:
        return None
    middle = statistics.median(pauses)
    return middle if all(abs(pause - middle) <= _REGULAR * middle for pause in pauses) else None


def _image(alert: Alert) -> str:
    repository, tag = alert.text("container.image.repository"), alert.text("container.image.tag")
    return f"{repository}:{tag}" if repository and tag else repository


def _path(alert: Alert) -> str:
    return alert.text("proc.exepath")


def _parent(alert: Alert) -> str:
    return str(told_field(alert.fields, "proc.pname") or "")


def _ancestors(alert: Alert) -> set[str]:
    return {
        str(value)
        for name, value in alert.fields.items()
        if value and (name == "proc.pname" or name.startswith("proc.aname["))
    }


def _destination(alert: Alert) -> str:
    """The address that was contacted, if it is told as one."""
    found = told_field(alert.fields, "fd.sip") or told_field(alert.fields, "fd.rip")
    if found is None:
        end = alert.text("fd.name").rpartition("->")[2]
        found = end.rpartition(":")[0].strip("[]") if end.count(":") else ""
    try:
        return str(ipaddress.ip_address(str(found)))
    except ValueError:
        return ""
