"""What Falco's alerts say of a fix: who set each one off, and what the candidate does that no other arm does. Pure.

Three answers: *dirty* where the candidate does something grave that is new, *unknown* where something may have gone unseen
or may be anybody's, *clean* only where neither is so. Nothing seen is no proof until the watch itself is proved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from aegis.evidence.attribution import ELSEWHERE, UNKNOWN, Attribution
from aegis.evidence.falco import CLOCKS, Found, Seen, Sentry
from aegis.falco.alert import Alert
from aegis.falco.priority import Priority
from aegis.model.verdict import GateResult, Outcome
from aegis.shadow.roll import Roll

GATE: Final = "falco"

CANARY: Final = "Search Private Keys or Passwords"
"""The default rule that the canary sets off."""

OURS: Final = "ours"
"""Who sets an alert off where it is a pod of AEGIS's own."""

_WIDEST: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Who is who.

    Attributes:
        rolls: who ran in each arm.
        namespaces: the arm that each namespace is.
        elsewhere: ids of containers that are known to be of other pods.
    """

    rolls: Mapping[str, Roll]
    namespaces: Mapping[str, str]
    elsewhere: frozenset[str] = frozenset()

    def whose(self, alert: Alert) -> str:
        """The arm that set an alert off, or `ours`, `elsewhere`, `unknown`."""
        known = Attribution(namespaces=self.namespaces, container=self._of_container, elsewhere=self.elsewhere)
        return known.whose(alert)

    def _of_container(self, container_id: str) -> str | None:
        for arm, roll in self.rolls.items():
            if found := roll.find(container_id):
                return OURS if found[0] in roll.own else arm
        return None

    def container(self, alert: Alert) -> str:
        """The container's name in its pod; empty where it is not known.

        Of a run too short to be seen only the alert knows it: its name, or for Docker `k8s_NAME_POD_NAMESPACE_…`.
        """
        for roll in self.rolls.values():
            if found := roll.find(alert.text("container.id")):
                return found[1]
        told = alert.text("container.name")
        return told.split("_")[1] if told.startswith("k8s_") else told


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What a process did, as far as two arms can be compared: which rule, and who.

    Attributes:
        rule: of Falco; for an alert of text, which does not hold it, its message.
        priority: of the rule.
        container: the container's name in its pod.
        process: its executable, or where that is not said its name.
        parent: the name of the process that started it.
    """

    rule: str
    priority: Priority
    container: str
    process: str
    parent: str

    def __str__(self) -> str:
        who = f" by {_shown(self.process)}" if self.process else ""
        parent = f", started by {_shown(self.parent)}" if self.parent else ""
        where = f" in container {_shown(self.container)}" if self.container else ""
        return f"{self.priority.word}: {_shown(self.rule)}{who}{parent}{where}"


Shown = Mapping[str, Counter[Deed]]
"""What each party did, and how often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """How one pod of Falco kept watch over its node.

    Attributes:
        sentry: the pod, as it was at the end.
        faults: why its log may not hold everything.
        canary: the alert of the canary on its node; None: it did not see it.
        provoked: when the canary was let out; None where none was.
    """

    sentry: Sentry
    faults: Sequence[str] = ()
    canary: Seen | None = None
    provoked: datetime | None = None

    def lapses(self, since: datetime) -> list[str]:
        """Why its silence proves nothing."""
        found = [*self.sentry.lapses(since), *self.faults]
        if self.canary is None or self.provoked is None:
            silent = f"Falco on {self.sentry.node} did not tell of the canary there (is its rule {CANARY!r} on?)"
            return found or [silent]
        if self.canary.at < self.provoked - CLOCKS:
            late = (self.provoked - self.canary.at).total_seconds()
            return [*found, f"the clock of {self.sentry.node} is {late:.0f} s late"]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What was watched.

    Attributes:
        nodes: where pods of the arms ran.
        lapses: why something may have gone unseen there; empty where nothing can have.
        falco: who watched, in words.
        seconds: the length of the window, in real seconds.
    """

    nodes: tuple[str, ...]
    lapses: tuple[str, ...]
    falco: str
    seconds: float

    def __str__(self) -> str:
        return f"{len(self.nodes)} nodes for {self.seconds:.0f} s by {self.falco}"


def coverage(
    nodes: Iterable[str], found: Found, posts: Sequence[Post], *, since: datetime, until: datetime
) -> Coverage:
    """What the posts together saw: each node needs one that saw everything, and its canary.

    Args:
        nodes: where pods of the arms ran.
        found: Falco, as it was at the end.
        posts: how its pods kept watch.
        since: the window's begin.
        until: its end.
    """
    lapses: list[str] = []
    for node in sorted(set(nodes)):
        watched = [post.lapses(since) for post in posts if post.sentry.node == node]
        best = min(watched, key=len, default=[f"no Falco watches {node}"])
        lapses += best
    return Coverage(
        nodes=tuple(sorted(set(nodes))),
        lapses=tuple(dict.fromkeys(lapses)),
        falco=str(found),
        seconds=(until - since).total_seconds(),
    )


def shown(seen: Iterable[Seen], parties: Parties) -> dict[str, Counter[Deed]]:
    """What each party did."""
    found: dict[str, Counter[Deed]] = {}
    for one in seen:
        owner = parties.whose(one.alert)
        found.setdefault(owner, Counter())[_deed(one.alert, parties)] += 1
    return found


def judge_alerts(did: Shown, covered: Coverage, threshold: Priority, *, candidate: str = "c") -> GateResult:
    """FAILED (dirty), ERRORED (unknown) or PASSED (clean).

    Args:
        did: what each party did; the arms but the candidate are what it is held against.
        covered: what was watched.
        threshold: the lowest priority that counts.
        candidate: the arm with the fix.
    """
    grave = {party: _grave(deeds, threshold) for party, deeds in did.items()}
    usual = {
        deed for party, deeds in grave.items() if party not in {candidate, OURS, ELSEWHERE, UNKNOWN} for deed in deeds
    }
    mine = grave.get(candidate, Counter())
    new = Counter({deed: count for deed, count in mine.items() if deed not in usual})
    gate = GateResult(
        gate=GATE,
        outcome=Outcome.PASSED,
        required=True,
        measured=float(new.total()),
        threshold=0.0,
        unit="alerts",
        coverage="; ".join([str(covered), *_remarks(did.get(candidate, Counter()), mine, new, threshold)]),
    )
    if new:
        reason = f"Falco alerts of the fixed workload alone: {'; '.join(_listed(new))}"
        return replace(gate, outcome=Outcome.FAILED, reason=reason)
    lapses = [*covered.lapses, *_unattributed(grave.get(UNKNOWN, Counter()))]
    if lapses:
        reason = f"what Falco saw is not known for sure: {'; '.join(lapses[:3])}"
        return replace(gate, outcome=Outcome.ERRORED, reason=reason, measured=None, inconclusive=True)
    return gate


def _grave(deeds: Counter[Deed], threshold: Priority) -> Counter[Deed]:
    return Counter({deed: count for deed, count in deeds.items() if deed.priority.at_least(threshold)})


def _remarks(did: Counter[Deed], grave: Counter[Deed], new: Counter[Deed], threshold: Priority) -> Iterator[str]:
    if below := did.total() - grave.total():
        yield f"{below} alerts below {threshold.word}"
    if alike := grave.total() - new.total():
        yield f"{alike} alerts as without the fix"


def _listed(deeds: Counter[Deed]) -> list[str]:
    gravest = sorted(deeds, key=lambda deed: (deed.priority, -deeds[deed], deed.rule))
    more = [f"and {len(gravest) - 3} others"] if len(gravest) > 3 else []  # noqa: PLR2004 - what a line can hold
    return [*(f"{deed} ({deeds[deed]} x)" for deed in gravest[:3]), *more]


def _unattributed(deeds: Counter[Deed]) -> list[str]:
    if not deeds:
        return []
    return [f"{deeds.total()} alerts name no namespace, and no container that is known: {_listed(deeds)[0]}"]


def _deed(alert: Alert, parties: Parties) -> Deed:
    return Deed(
        rule=alert.rule or alert.message,
        priority=alert.priority,
        container=parties.container(alert),
        process=alert.text("proc.exepath") or alert.text("proc.name"),
        parent=alert.text("proc.pname"),
    )


def _shown(word: str) -> str:
    """Somebody else's word, fit for a line: nothing that a terminal would obey, and not endless."""
    plain = "".join(char if char.isprintable() else "?" for char in word)
    return plain if len(plain) <= _WIDEST else plain[: _WIDEST - 1] + "…"
