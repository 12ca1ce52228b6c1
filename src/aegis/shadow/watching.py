"""Watching the arms side by side: events in, the judge's counts out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aegis.model.refs import ObjectRef
from aegis.model.symptom import Signature
from aegis.shadow.arm import Arm
from aegis.shadow.isolation import is_probe
from aegis.shadow.judge import Pair
from aegis.shadow.probe import Place
from aegis.shadow.reading import read_signature, was_killed
from aegis.shadow.workloads import is_rolled_out


@dataclass(slots=True, kw_only=True)
class Watched:
    """Both arms while they are watched.

    Attributes:
        places: where each arm is.
        arms: what each shows.
        subjects: the workloads that are tried.
        service: the Service that is tried, where one is.
        production: how production fails.
        synthetic: whether the workloads use made-up Secrets.
        started: when the pods were let go, on the trial's clock.
        changed: set with every event.
    """

    places: Mapping[str, Place]
    arms: Mapping[str, Arm]
    subjects: Sequence[ObjectRef]
    service: ObjectRef | None
    production: Signature | None
    synthetic: bool
    started: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _rolled: dict[tuple[str, ObjectRef], bool] = field(default_factory=dict)

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Begin to watch; cancel the tasks to end it."""
        tasks = []
        for name, place in self.places.items():
            arm = self.arms[name]
            tasks += [group.create_task(self._pods(place, arm)), group.create_task(self._events(place, arm))]
            tasks += [group.create_task(self._workload(place, arm, ref)) for ref in self.subjects]
            if self.service is not None:
                tasks.append(group.create_task(self._endpoints(place, arm, self.service)))
        return tasks

    def pair(self) -> Pair:
        """Both arms as they stand now."""
        now = self._now()
        r, c = self.arms["r"], self.arms["c"]
        return Pair(elapsed=now, r=r.tally(now), c=c.tally(now), artefact=self._artefact(r, c))

    def _now(self) -> float:
        return self.places["r"].tools.now() - self.started

    def _artefact(self, r: Arm, c: Arm) -> str:
        """Why a failure of C is not the fix's, if so: not where it fails as production does."""
        if self.production is not None and any(self.production.matches(seen) for seen in c.signatures):
            return ""
        if any(mine.matches(theirs) for mine in c.signatures for theirs in r.signatures):
            return "both arms fail in a way in which production does not: of the shadow's own making"
        if c.signatures and not self.places["c"].tools.enforces_networks:
            return (
                "the fixed workload fails in another way than production, and pods of this cluster are not kept apart"
            )
        if c.signatures and self.synthetic:
            return "the fixed workload fails in another way than production, and its Secrets hold made-up values"
        return ""

    async def _pods(self, place: Place, arm: Arm) -> None:
        async with place.tools.watch("v1", "Pod", place.namespace) as events:
            async for event in events:
                place.roll.see(event.object)
                if is_probe(event.object):
                    continue
                for crash in arm.see_pod(event.type, event.object, self._now()):
                    told = None if was_killed(crash.pod) else arm.events
                    arm.explain(crash, await read_signature(place.tools.reader, crash.pod, told))
                self.changed.set()

    async def _events(self, place: Place, arm: Arm) -> None:
        async with place.tools.watch("v1", "Event", place.namespace) as events:
            async for event in events:
                arm.see_event(event.object)
                self.changed.set()

    async def _workload(self, place: Place, arm: Arm, ref: ObjectRef) -> None:
        trials = arm.trials
        fields = f"metadata.name={ref.name}"
        async with place.tools.watch(ref.api_version, ref.kind, place.namespace, fields=fields) as events:
            async for event in events:
                self._rolled[place.arm, ref] = is_rolled_out(event.object, trials)
                complete = all(self._rolled.get((place.arm, subject), False) for subject in self.subjects)
                arm.see_rollout(complete=complete, now=self._now())
                self.changed.set()

    async def _endpoints(self, place: Place, arm: Arm, service: ObjectRef) -> None:
        labels = f"kubernetes.io/service-name={service.name}"
        async with place.tools.watch("discovery.k8s.io/v1", "EndpointSlice", place.namespace, labels=labels) as events:
            async for event in events:
                arm.see_endpoints(event.type, event.object, self._now())
                self.changed.set()
