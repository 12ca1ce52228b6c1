"""Measuring the candidate while it is watched: requests to it and to what it is compared with, and what memory it takes.

All of it runs beside the watch, so that it costs no time of its own where the watch is as long. Whatever fails here is no
fault of the candidate's: it leaves a component unread, which is not passed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aegis.errors import AegisError, PermissionDenied, Unavailable
from aegis.kube.quantity import parse_quantity
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.verdict import GateResult, Outcome
from aegis.shadow.comparison import ERRORS, LATENCY, LOOKS, inapplicable, unread
from aegis.shadow.load import ALONE, FIRST, SECOND, Asked, LoadRules, judged, questions, read_report, script_plan
from aegis.shadow.probe import Place, run_script
from aegis.shadow.smoke import Candidate, checks
from aegis.shadow.tools import TrialTools

_POLL = 0.1
_FASTEST = 100.0
"""Requests a real second, at most: a time scale hastens delays, not programs."""

_REAL_SECONDS = 45.0
"""A look is given so long in real time at least, for the same reason."""

_GRACE = 60.0
"""Nominal seconds that the arm to compare with may be ready later than the candidate."""

_REAL_GRACE = 10.0
_STARTING = 60.0
"""Real seconds that a pod of ours may take to start."""

_READINGS, _EVERY, _FASTEST_READING = 2000, 10.0, 0.5
_FAULTS = 5
"""After so many errors of a provider in a row it is held to be down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """An arm that is asked.

    Attributes:
        place: where.
        subjects: the workloads that are tried.
        broken: as they are in production, for what a fix no longer declares.
        pods: those that are tried, as last seen.
        available: whether they are all ready.
    """

    place: Place
    subjects: Sequence[ObjectRef]
    broken: Sequence[JsonObject]
    pods: Callable[[], Sequence[Json]]
    available: Callable[[], bool]

    async def checks(self) -> list[JsonObject]:
        """The questions that its workloads declare."""
        reader, namespace = self.place.tools.reader, self.place.namespace
        candidates = []
        for ref in self.subjects:
            fixed = await reader.find(ref.within(namespace))
            if fixed is not None:
                candidates.append(
                    Candidate(fixed=fixed, broken=next((obj for obj in self.broken if _is(obj, ref)), None))
                )
        services: list[JsonObject] = []
        if self.place.tools.enforces_networks:  # else pods are plain processes, and Services have no names there
            services = await reader.list("v1", "Service", namespace=namespace)
        return checks(candidates, services, self.pods())


def _is(obj: Json, ref: ObjectRef) -> bool:
    return (obj.get("kind"), (obj.get("metadata") or {}).get("name")) == (ref.kind, ref.name)


@dataclass(slots=True, kw_only=True)
class Readings:
    """What the pods of an arm took of memory.

    Attributes:
        series: for each container's name and pod, (real seconds, bytes).
        fault: why there are none, or no more; empty where there is no fault.
    """

    series: dict[str, dict[str, list[tuple[float, float]]]] = field(default_factory=dict)
    fault: str = ""

    def take(self, metrics: Json) -> None:
        """Take in a PodMetrics; what was measured at a moment counts once.

        Raises:
            ValueError: if it is no measurement.
        """
        name = str((metrics.get("metadata") or {}).get("name") or "")
        moment = datetime.fromisoformat(str(metrics.get("timestamp"))).timestamp()
        for container in metrics.get("containers") or []:
            amount = (container.get("usage") or {}).get("memory")
            if amount is None:
                continue
            points = self.series.setdefault(str(container.get("name")), {}).setdefault(name, [])
            if len(points) < _READINGS and all(moment != at for at, _ in points[-3:]):
                points.append((moment, float(parse_quantity(amount))))


@dataclass(slots=True, kw_only=True)
class Measuring:
    """What is measured of a trial.

    Attributes:
        tools: of the trial.
        candidate: C.
        good: what it is compared with; None: nothing.
        why_alone: why there is nothing.
        results: the components that the requests decide, once they do.
        readings: of C's memory.
    """

    tools: TrialTools
    candidate: Side
    good: Side | None
    why_alone: str
    results: dict[str, GateResult] = field(default_factory=dict)
    readings: Readings = field(default_factory=Readings)
    _load: asyncio.Task[None] | None = None

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Begin to measure; cancel the tasks to end it."""
        self._load = group.create_task(self._requests())
        return [self._load, group.create_task(self._memory())]

    async def finished(self) -> None:
        """Wait until all requests were sent; they end by themselves."""
        if self._load is not None:
            await asyncio.wait([self._load])

    async def _requests(self) -> None:
        try:
            await self._until_available()
            self.results |= await self._ask()
        except* AegisError as errors:
            reason = f"INFRA: {_first(errors).message}"
            self.results |= {name: unread(name, reason) for name in (ERRORS, LATENCY)}

    async def _until_available(self) -> None:
        """Wait for C, then a while for what it is compared with; without that it is judged alone."""
        while not self.candidate.available():  # noqa: ASYNC110 - the watch's own events say it, at many places
            await asyncio.sleep(_POLL)
        if self.good is None:
            return
        waited, grace = 0.0, max(self.tools.real(_GRACE), _REAL_GRACE)
        while not self.good.available() and waited < grace:
            await asyncio.sleep(_POLL)
            waited += _POLL
        if not self.good.available():
            self.good = None
            self.why_alone = "the last good revision did not become ready in the shadow"

    async def _ask(self) -> dict[str, GateResult]:
        rules = self.tools.limits.load
        mine = await self.candidate.checks()
        asked = questions(mine, await self.good.checks() if self.good is not None else None)
        if self.good is not None and mine and not asked:
            self.good, self.why_alone = (
                None,
                "the last good revision declares no question that the candidate declares too",
            )
            asked = questions(mine, None)
        if not asked or not rules.requests:
            reason = "the workload declares no TCP port, so there is nothing to ask"
            reason = reason if rules.requests else "switched off: verification.load_requests is 0"
            return {name: inapplicable(name, reason) for name in (ERRORS, LATENCY)}
        return await self._looks(asked, rules)

    async def _looks(self, asked: Sequence[JsonObject], rules: LoadRules) -> dict[str, GateResult]:
        """Send requests until they decide, a few times at most."""
        results: dict[str, GateResult] = {}
        totals: dict[str, dict[str, Asked]] = {}
        for look in range(1, LOOKS + 1):
            sides = [self.candidate] if self.good is None else [self.candidate, self.good]
            self.tools.progress("sending requests to the fixed workload", requests=rules.requests, arms=len(sides))
            async with asyncio.TaskGroup() as group:
                sending = {side.place.arm: group.create_task(self._send(side, asked, rules, look)) for side in sides}
            for arm, task in sending.items():
                totals[arm] = _added(totals.get(arm), task.result())
            good = totals[self.good.place.arm] if self.good is not None else None
            results = judged(totals[self.candidate.place.arm], good, asked, self.why_alone)
            if not any(result.outcome is Outcome.ERRORED for result in results.values()):
                break
        return results

    async def _send(self, side: Side, asked: Sequence[JsonObject], rules: LoadRules, look: int) -> dict[str, Asked]:
        """One arm's share.

        Raises:
            Unavailable: if the pod that sends says nothing usable.
        """
        rate = min(_FASTEST, rules.rate * self.tools.cluster.time_scale)
        duration = max(self.tools.real(rules.seconds), min(rules.seconds, _REAL_SECONDS))
        own = {check["name"]: check for check in await side.checks()}
        turns = ALONE if self.good is None else FIRST if side is self.candidate else SECOND
        plan = script_plan(
            [own.get(check["name"], check) for check in asked],
            rules,
            interval=1 / rate,
            duration=duration,
            turns=turns,
        )
        report = await run_script(
            side.place, name=f"aegis-load-{look}", script="load", plan=plan, deadline=2 * duration + _STARTING
        )
        try:
            return read_report(report, asked, rules.requests)
        except ValueError as error:
            raise Unavailable(f"the report of the requests in {side.place.namespace} is not usable: {error}") from None

    async def _memory(self) -> None:
        """Read what memory C takes, for as long as it is watched."""
        faults = 0
        while faults < _FAULTS:
            await asyncio.sleep(max(_FASTEST_READING, self.tools.real(_EVERY)))
            if not self.candidate.available():
                continue
            try:
                await self._read()
            except PermissionDenied as error:
                self.readings.fault = f"INFRA: {error.message}"
                return
            except (AegisError, ValueError) as error:
                faults, self.readings.fault = faults + 1, f"INFRA: {error}"
            else:
                faults, self.readings.fault = 0, ""

    async def _read(self) -> None:
        tried = {str((pod.get("metadata") or {}).get("name")) for pod in self.candidate.pods()}
        namespace = self.candidate.place.namespace
        for one in await self.tools.reader.list("metrics.k8s.io/v1beta1", "PodMetrics", namespace=namespace):
            if (one.get("metadata") or {}).get("name") in tried:
                self.readings.take(one)


def _added(before: Mapping[str, Asked] | None, now: Mapping[str, Asked]) -> dict[str, Asked]:
    return dict(now) if before is None else {name: before[name].plus(one) for name, one in now.items()}


def _first(errors: BaseExceptionGroup[AegisError]) -> AegisError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
