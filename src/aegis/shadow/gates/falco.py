"""Does the running candidate set off Falco, where the workload as it is does not?

The last gate: over all that happened since the arms were made. A canary on each of their nodes comes after everything else,
so where Falco has told of it, what came before has been told too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from aegis.errors import AegisError, PermissionDenied, Unavailable
from aegis.evidence.attribution import ELSEWHERE, SHORTEST_ID, UNKNOWN, containers_of
from aegis.evidence.falco import AlertLog, Found, Seen, Sentry, find_falco
from aegis.model.scan import Runtime
from aegis.model.verdict import GateResult, Outcome
from aegis.shadow.alerts import GATE, Parties, Post, coverage, judge_alerts, shown
from aegis.shadow.case import Stage, Trial
from aegis.shadow.deeds import looks_of
from aegis.shadow.probe import Place, run_script
from aegis.shadow.scanner_gate import noted, switched_off
from aegis.shadow.scanning import Looks

_CANDIDATE = "c"
_DEADLINE = 120.0
_MOST_NODES, _MOST_A_NODE = 20, 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0
_SETTLED = 1.5
"""Real seconds for what Falco says a moment later: that it dropped events it tells once a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Canary:
    """One that was let out.

    Attributes:
        node: where.
        provoked: before it did anything.
        containers: the ids by which its alert is known.
        fault: why it did nothing; empty where it did.
    """

    node: str
    provoked: datetime
    containers: frozenset[str] = frozenset()
    fault: str = ""

    def is_told_of(self, seen: Seen) -> bool:
        told = seen.alert.text("container.id")
        if seen.node != self.node or len(told) < SHORTEST_ID:
            return False
        return any(one.startswith(told) for one in self.containers)


class Falco:
    """Falco's alerts of the arms, read from the logs of its own pods."""

    name = GATE
    required = True
    stage = Stage.AFTER
    order = 100
    weight = 0

    async def judge(self, trial: Trial) -> GateResult:
        """PASSED where the watch is proved and nothing new was seen, FAILED where something was; SKIPPED without Falco."""
        if not trial.tools.limits.falco.enabled:
            return noted(trial, switched_off(self.name), Looks())
        gate, looks = await self._asked(trial)
        return noted(trial, gate, looks)

    async def _asked(self, trial: Trial) -> tuple[GateResult, Looks]:
        try:
            return await self._judged(trial)
        except* PermissionDenied as errors:
            reason = f"{_first(errors).message}: set security.falco_namespace, or allow it"
        except* AegisError as errors:
            reason = _first(errors).message
        gate = GateResult(gate=self.name, outcome=Outcome.ERRORED, required=True, reason=reason, inconclusive=True)
        return gate, Looks()

    async def _judged(self, trial: Trial) -> tuple[GateResult, Looks]:
        tools = trial.tools
        found = await find_falco(tools.reader, tools.limits.falco.place)
        if not found.sentries:
            return _skipped(
                "no Falco was found in the cluster: nothing is said of what the fixed workload does at run time"
            )
        rolls = {arm: place.roll for arm, place in trial.places.items()}
        nodes = {node for roll in rolls.values() for node in roll.nodes()}
        if not nodes:
            return _skipped("no pod of either arm ran, so there was nothing to watch")
        if len(nodes) > _MOST_NODES:
            raise Unavailable(f"the arms ran on {len(nodes)} nodes: more than {_MOST_NODES} canaries are not let out")
        for node in nodes:
            if len(found.on(node)) > _MOST_A_NODE:
                raise Unavailable(
                    f"{len(found.on(node))} pods of {node} are called Falco: set security.falco_namespace"
                )
        tools.progress("asking Falco what the arms did", nodes=len(nodes))
        watch = _Watch(
            trial=trial,
            parties=Parties(rolls=rolls, namespaces={place.namespace: arm for arm, place in trial.places.items()}),
            since=min(roll.opened for roll in rolls.values()),
        )
        return await watch.judged(found, nodes)


@dataclass(slots=True, kw_only=True)
class _Watch:
    """One look at Falco's logs.

    Attributes:
        trial: what is tried.
        parties: who is who.
        since: the window's begin.
        logs: of Falco's pods, on the nodes of the arms.
    """

    trial: Trial
    parties: Parties
    since: datetime
    logs: dict[str, AlertLog] = field(default_factory=dict)

    async def judged(self, found: Found, nodes: set[str]) -> tuple[GateResult, Looks]:
        reader, rules = self.trial.tools.reader, self.trial.tools.limits.falco
        for sentry in found.sentries:
            if sentry.node in nodes:
                self.logs[sentry.uid] = AlertLog(reader, sentry, self.since, self._matters)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_let_out(self.trial.places[_CANDIDATE], *one)) for one in _numbered(nodes, found)
            ]
            for log in self.logs.values():
                group.create_task(log.read())
        canaries = [task.result() for task in tasks]
        await self._wait_for(canaries, rules.drain_seconds)
        seen = [one for log in self.logs.values() for one in log.alerts]
        at_last = await find_falco(reader, rules.place)
        posts = [self._post(sentry, canaries) for sentry in at_last.sentries if sentry.node in nodes]
        covered = coverage(nodes, at_last, posts, since=self.since, until=datetime.now(UTC))
        did = shown(seen, await self._knowing_the_rest(seen, nodes))
        gate = judge_alerts(did, covered, rules.threshold, candidate=_CANDIDATE)
        target = self.trial.request.target
        window = Runtime(namespace=target.namespace, since=self.since, until=datetime.now(UTC))
        return gate, looks_of(did, gate, rules.threshold, target=target, window=window, candidate=_CANDIDATE)

    def _matters(self, seen: Seen) -> bool:
        """Whether an alert is kept: the arms' and our own, and whatever else is grave and nobody's for sure."""
        party = self.parties.whose(seen.alert)
        return party != ELSEWHERE and (
            party != UNKNOWN or seen.alert.priority.at_least(self.trial.tools.limits.falco.threshold)
        )

    async def _wait_for(self, canaries: Sequence[_Canary], seconds: float) -> None:
        """Read on until each canary was told of, or the time is over; then once more, and look whether all is there."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + seconds, _FIRST_PAUSE
        while loop.time() < deadline and not all(one.fault or self._is_told_of(one) for one in canaries):
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.5)
            await self._read_on()
        await asyncio.sleep(_SETTLED)
        await self._read_on()
        async with asyncio.TaskGroup() as group:
            for log in self.logs.values():
                group.create_task(log.check_whole())

    async def _read_on(self) -> None:
        async with asyncio.TaskGroup() as group:
            for log in self.logs.values():
                group.create_task(log.read_on())

    def _is_told_of(self, canary: _Canary) -> bool:
        return any(canary.is_told_of(one) for log in self.logs.values() for one in log.alerts)

    def _post(self, sentry: Sentry, canaries: Sequence[_Canary]) -> Post:
        log = self.logs.get(sentry.uid)
        canary = next((one for one in canaries if one.node == sentry.node), None)
        told = [one for one in log.alerts if canary is not None and canary.is_told_of(one)] if log else []
        faults = log.faults if log else [f"{sentry.namespace}/{sentry.name} came meanwhile"]
        return Post(
            sentry=sentry,
            faults=[*faults, *([canary.fault] if canary and canary.fault else [])],
            canary=told[0] if told else None,
            provoked=canary.provoked if canary else None,
        )

    async def _knowing_the_rest(self, seen: Sequence[Seen], nodes: set[str]) -> Parties:
        """Who is who, with every other pod of these nodes: asked only where an alert is nobody's."""
        if not any(self.parties.whose(one.alert) == UNKNOWN for one in seen):
            return self.parties
        ids: set[str] = set()
        try:
            for node in sorted(nodes):
                pods = await self.trial.tools.reader.list("v1", "Pod", fields=f"spec.nodeName={node}")
                ids |= {container for pod in pods for container, _ in containers_of(pod)}
        except PermissionDenied:
            return self.parties
        return replace(self.parties, elsewhere=frozenset(ids))


def _numbered(nodes: set[str], found: Found) -> list[tuple[int, str]]:
    """The nodes that Falco watches; a canary elsewhere would sing to nobody."""
    return [(number, node) for number, node in enumerate(sorted(nodes), 1) if found.on(node)]


async def _let_out(place: Place, number: int, node: str) -> _Canary:
    """Let a canary out on a node, and wait until it has done its work; what keeps it from that is said in words."""
    name, provoked = f"aegis-canary-{number}", datetime.now(UTC)
    try:
        await run_script(place, name=name, script="canary", plan={}, deadline=_DEADLINE, node=node)
    except AegisError as error:
        return _Canary(node=node, provoked=provoked, fault=f"the canary on {node} did not run: {error.message}")
    mine = [one for uid, one in place.roll.residents.items() if uid in place.roll.own and one.name == name]
    containers = frozenset(container for one in mine for container in one.containers)
    fault = "" if containers else f"the canary on {node} has no container id"
    return _Canary(node=node, provoked=provoked, containers=containers, fault=fault)


def _skipped(reason: str) -> tuple[GateResult, Looks]:
    return GateResult(gate=GATE, outcome=Outcome.SKIPPED, required=False, reason=reason), Looks()


def _first(errors: BaseExceptionGroup[AegisError]) -> AegisError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


PLUGIN = Falco()
