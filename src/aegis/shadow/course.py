"""The course of one trial, from the fences to the verdict; the arms are the caller's to make and to take down."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from aegis.errors import Conflict, Invalid, NotFound, PermissionDenied, Refused
from aegis.model.changes import Change
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.scan import Manifests
from aegis.model.symptom import Manner, Signature
from aegis.model.verdict import GateResult, Outcome
from aegis.plugins import discover
from aegis.security.canonical import canonical_objects
from aegis.security.strict_yaml import NotCanonical
from aegis.shadow import capacity, fidelity, isolation, judge
from aegis.shadow.arm import Arm
from aegis.shadow.baseline import Baseline, counts
from aegis.shadow.blame import blames
from aegis.shadow.case import ARMS, GOOD, Stage, StagedGate, Trial, TrialResult
from aegis.shadow.clone import shadow_ref
from aegis.shadow.measuring import Measuring, Side
from aegis.shadow.probe import Place
from aegis.shadow.stage import copies, fence_off, furnish, make, of_bare_pods, release, started
from aegis.shadow.subjects import Subjects, subjects_of
from aegis.shadow.watching import Watched
from aegis.shadow.workloads import SCALED, owned_by, replicas

_DEPENDENCIES = 120.0
_NEVER_COVERED = (
    "autoscalers, disruption budgets, ingresses, webhooks and network policies of production are not copied",
    "no request of production's own clients reaches an arm",
)


class Course:
    """The course of one trial."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._tools = trial.tools
        self._progress = trial.tools.progress
        self._gates: list[GateResult] = []
        self._watched: Watched | None = None

    async def to_the_end(self) -> TrialResult:
        """All of it, the verdict included; only the arms stay for the caller to take down."""
        async with self._trial.scans.running():
            self._scan_ahead()
            if await self._isolated() and await self._furnished() and await self._judged(Stage.STATIC):
                await self._run()
        return await self._result()

    async def _run(self) -> None:
        watched = self._watched = self._watch()
        async with asyncio.TaskGroup() as group:
            tasks = watched.start(group)
            await self._run_pods(watched)
            measuring = self._trial.measuring = self._measuring(watched)
            tasks += measuring.start(group)
            if await self._watch_until_known(watched) and await self._judged_after(measuring):
                await self._look_again(watched)
            for task in tasks:
                task.cancel()

    def _scan_ahead(self) -> None:
        """What production runs is known already: scanners may look at its images while the arms are made."""
        self._trial.scans.begin(self._scanners(), self._subjects(self._trial.plan.objects).images)

    def _scanners(self) -> list[str]:
        off = self._tools.limits.security.off
        return [gate.name for gate in self._staged(Stage.STATIC) if gate.name not in off]

    def _subjects(self, objects: Sequence[Json]) -> Subjects:
        namespace = self._trial.request.target.namespace
        try:
            held = canonical_objects(objects).plain
        except NotCanonical as error:
            return Subjects(manifests=Manifests(objects=()), images=(), fault=error.message)
        known = {shadow_ref(ref): obj for ref, obj in self._trial.production.known.items()}
        return subjects_of(held, namespace=namespace, embedded=self._tools.cluster.embedded, copied_from=known)

    async def _judged_after(self, measuring: Measuring) -> bool:
        await measuring.finished()
        return await self._judged(Stage.AFTER)

    async def _isolated(self) -> bool:
        self._progress("proving that the arms are cut off")
        places = list(self._trial.places.values())
        async with asyncio.TaskGroup() as group:
            for place in places:
                group.create_task(fence_off(place, self._trial.production.limit_ranges))
        addresses = isolation.production_addresses(self._trial.production.known, self._trial.production.pods)
        self._gates.append(await isolation.prove(places, addresses))
        return not self._gates[-1].inconclusive

    async def _furnished(self) -> bool:
        """Copy production into both arms, and make the changes in C."""
        trial, request = self._trial, self._trial.request
        self._progress("copying the workload", objects=len(trial.plan.objects))
        async with asyncio.TaskGroup() as group:
            for arm, place in trial.places.items():
                group.create_task(furnish(place, trial.plan_of(arm), trial.production.limit_ranges))
        later = of_bare_pods(request.changes, trial.plan)
        if not await self._changed([change for change in request.changes if change.target not in later]):
            return False
        for arm, place in trial.places.items():
            trial.manifests[arm] = await self._read_back(place)
            trial.subjects[arm] = self._subjects(trial.manifests[arm])
            trial.scans.begin(self._scanners(), trial.subjects[arm].all if arm in ARMS else ())
        await self._count_anew()
        return True

    async def _count_anew(self) -> None:
        """How many pods are tried: where the fix is about their number, its number; else as many as there is room for."""
        prepared = self._trial.plan
        trials = {
            ref: await self._trials_of(ref, count) if ref in prepared.subjects and ref.kind in SCALED else count
            for ref, count in prepared.trials.items()
        }
        self._trial.plan = replace(prepared, trials=trials)
        if self._trial.baseline.plan is not None:
            self._trial.plans[GOOD] = counts(self._trial.baseline.plan, trials)
        if self._is_about_placement():
            more = {ref: capacity.rivals_needed(trials[ref], count) for ref, count in prepared.trials.items()}
            self._trial.plans["r"] = replace(prepared, trials={**trials, **more})
        if prepared.keeps_replicas and not self._trial.request.reproduce:  # as many as production has is all of R
            mine = {ref: max(1, self._replicas_in_r(ref, count)) for ref, count in trials.items()}
            self._trial.plans["r"] = replace(prepared, trials=mine)

    def _replicas_in_r(self, ref: ObjectRef, count: int) -> int:
        held = (obj for obj in self._trial.manifests["r"] if (obj["kind"], _name(obj)) == (ref.kind, ref.name))
        return next((replicas(obj) if ref.kind in SCALED else count for obj in held), count)

    def _is_about_placement(self) -> bool:
        """Whether the pods of R wait for room: they take none, so that there may be as many as are needed."""
        signature = self._trial.production.signature
        unplaced = signature is not None and signature.manner is Manner.SCHEDULING
        return unplaced and not self._trial.plan.keeps_replicas

    async def _trials_of(self, ref: ObjectRef, count: int) -> int:
        held = [
            obj
            for arm in ARMS
            for obj in self._trial.manifests[arm]
            if (obj["kind"], _name(obj)) == (ref.kind, ref.name)
        ]
        if self._trial.plan.keeps_replicas:
            return replicas(held[-1]) if held else count
        each = [capacity.requests(obj) for obj in (held[1:] if self._is_about_placement() else held)]
        if not any(amount for amounts in each for amount in amounts.values()):
            return count
        try:
            nodes = await self._tools.reader.list("v1", "Node")
            pods = await self._tools.reader.list("v1", "Pod")
        except PermissionDenied:
            return count
        free = capacity.room(nodes, pods)
        most = capacity.most_trials(free, each, count)
        good = [obj for obj in self._trial.manifests.get(GOOD, ()) if (obj["kind"], _name(obj)) == (ref.kind, ref.name)]
        if good and capacity.most_trials(free, [*each, *map(capacity.requests, good)], most) < most:
            self._trial.baseline = Baseline(absent="there is no room for pods of the last good revision")
        if most < count:
            self._trial.plan.ledger.note(
                f"{most} instead of {count} pods of {ref.name} are tried: there is no room for more"
            )
        return most

    async def _changed(self, changes: Sequence[Change]) -> bool:
        """Make changes in C; where the server will not have them, that is what the rollout gate says."""
        gate = GateResult(gate=judge.ROLLOUT, outcome=Outcome.FAILED, required=True)
        try:
            await make(self._trial.places["c"], changes, self._trial.plan.ledger)
        except Invalid as error:
            self._gates.append(replace(gate, reason=f"the API server refuses the change: {error.message}"))
        except (Conflict, NotFound, Refused) as error:
            reason = f"the change does not apply in a shadow: {error.message}"
            self._gates.append(replace(gate, outcome=Outcome.ERRORED, inconclusive=True, reason=reason))
        else:
            return True
        return False

    async def _read_back(self, place: Place) -> list[JsonObject]:
        """The tried and the changed objects, as the server holds them now."""
        changed = [change.target for change in self._trial.request.changes]
        refs = dict.fromkeys([*self._trial.plan.subjects, *self._trial.plan.dependencies, *changed])
        found = [await self._tools.reader.find(ref.within(place.namespace)) for ref in refs]
        held = [obj for obj in found if obj is not None]
        pods = [{**obj, "metadata": {**obj["metadata"], "namespace": place.namespace}} for obj in self._bare_pods()]
        return [*held, *pods]

    def _bare_pods(self) -> list[JsonObject]:
        return [obj for obj in self._trial.plan.objects if obj.get("kind") == "Pod"]

    async def _judged(self, stage: Stage) -> bool:
        """Ask the gates of a stage; whether none of them decided against the fix."""
        for gate in self._staged(stage):
            self._gates.append(await gate.judge(self._trial))
        names = {gate.name for gate in self._staged(stage)}
        return not any(result.gate in names and result.outcome is Outcome.FAILED for result in self._gates)

    async def _run_pods(self, watched: Watched) -> None:
        trial, prepared = self._trial, self._trial.plan
        if prepared.dependencies:
            self._progress("starting what the workload depends on", workloads=len(prepared.dependencies))
            for arm, place in trial.running.items():
                await release(place, trial.plan_of(arm), trial.plan_of(arm).dependencies)
            await self._dependencies_ready()
        self._progress("starting both arms side by side", pods=watched.arms["c"].trials)
        watched.started = self._tools.now()
        async with asyncio.TaskGroup() as group:
            for arm, place in trial.running.items():
                group.create_task(release(place, trial.plan_of(arm), prepared.subjects))
        later = of_bare_pods(trial.request.changes, prepared)
        await self._changed([change for changes in later.values() for change in changes])
        if later or prepared.keeps_replicas:
            watched.arms["c"].rebase()

    async def _dependencies_ready(self) -> None:
        """Give what is called a moment; it may be the very thing that is broken, so that is no condition."""
        dependencies = self._trial.plan.dependencies
        deadline = self._tools.now() + _DEPENDENCIES
        while self._tools.now() < deadline:
            objects = [
                await self._tools.reader.find(ref.within(place.namespace))
                for ref in dependencies
                for place in (self._trial.places[arm] for arm in ARMS)
            ]
            if all(obj is not None and _has_ready_pods(obj) for obj in objects):
                return
            await asyncio.sleep(max(0.1, self._tools.real(5.0)))

    async def _watch_until_known(self, watched: Watched) -> bool:
        """Wait until each gate of the watch is decided, or one is lost; whether all of them passed."""
        gates = self._staged(Stage.WATCH)
        told = 0.0
        while True:
            watched.changed.clear()
            self._look(watched)
            results = [await gate.judge(self._trial) for gate in gates]
            lost = any(_decided(result) and result.outcome in {Outcome.FAILED, Outcome.ERRORED} for result in results)
            if lost or all(_decided(result) for result in results):
                self._gates += results
                return not lost
            if self._tools.now() - told >= self._tools.cluster.time_scale:
                told = self._tools.now()
                self._tell()
            await self._next_event(watched)

    def _look(self, watched: Watched) -> None:
        self._trial.pair = watched.pair()
        self._trial.tried = {name: arm.pods for name, arm in watched.arms.items()}

    async def _look_again(self, watched: Watched) -> None:
        """What the candidate did while it was asked counts too: a crash then is a crash."""
        self._look(watched)
        for gate in self._staged(Stage.WATCH):
            result = await gate.judge(self._trial)
            if _decided(result) and result.outcome is not Outcome.PASSED:
                self._gates = [result if one.gate == result.gate else one for one in self._gates]

    async def _next_event(self, watched: Watched) -> None:
        """The next event, or (since time itself decides too) a moment."""
        try:
            async with asyncio.timeout(min(1.0, max(0.05, self._tools.real(10.0)))):
                await watched.changed.wait()
        except TimeoutError:
            return

    def _tell(self) -> None:
        pair, rules = self._trial.pair, self._trial.rules
        if not rules.required:
            red = f"as it is: {pair.r.ready} of {pair.r.trials} ready, {pair.r.crashes} crashes"
            watched, needed = pair.c.stable_for, rules.stable_for
        elif rules.crash:
            red = f"as it is: {pair.r.matching} crashes (of {rules.crashes_needed} needed)"
            watched, needed = pair.watched, rules.at_least
        else:
            red = f"as it is: {pair.r.symptomatic} of {pair.r.trials} pods fail"
            watched, needed = pair.c.stable_for, rules.stable_for
        green = f"with the {'fix' if rules.required else 'change'}: {pair.c.ready} of {pair.c.trials} ready, {pair.c.crashes} crashes"
        clock = f"{watched:.0f} s of {needed:.0f} s" if watched < needed else f"{watched:.0f} s"
        self._progress(f"{red} · {green}, {clock}")

    async def _result(self) -> TrialResult:
        for stage in (Stage.STATIC, Stage.WATCH, Stage.AFTER):
            judged = {result.gate for result in self._gates}
            missing = [gate for gate in self._staged(stage) if gate.name not in judged and gate.required]
            self._gates += [judge.unfinished(gate.name, gate.weight) for gate in missing]
        for gate in self._staged(Stage.ABSENT):
            self._gates.append(await gate.judge(self._trial))
        arms = self._watched.arms if self._watched else {}
        for entry in fidelity.differences(self._trial.production.pods, arms["r"].pods if arms else ()):
            self._trial.plan.ledger.note(entry)
        for arm in arms.values():
            arm.note_current()
        alone = [] if self._trial.good else [f"no comparison with a good revision: {self._trial.baseline.absent}"]
        gaps = (*alone, *_NEVER_COVERED, *self._trial.plan.ledger.entries, *self._tools.cluster.gaps)
        return TrialResult(
            verdict=judge.decide(self._gates, gaps, incident=self._trial.request.reproduce),
            security=self._trial.security,
            report=self._trial.report(),
            ledger=tuple(self._trial.plan.ledger.entries),
            signatures={name: tuple(arm.signatures.items()) for name, arm in arms.items()},
        )

    def _measuring(self, watched: Watched) -> Measuring:
        trial = self._trial

        def side(arm: str) -> Side:
            seen = watched.arms[arm]
            return Side(
                place=trial.places[arm],
                subjects=trial.plan.subjects,
                broken=trial.manifests["r"] if arm == "c" else (),
                pods=lambda: seen.pods,
                available=lambda: seen.is_available,
            )

        good = side(trial.good) if trial.good else None
        return Measuring(tools=self._tools, candidate=side("c"), good=good, why_alone=trial.baseline.absent)

    def _staged(self, stage: Stage) -> list[StagedGate]:
        found: tuple[StagedGate, ...] = discover("aegis.shadow.gates", StagedGate)
        return sorted((gate for gate in found if gate.stage is stage), key=lambda gate: gate.order)

    def _watch(self) -> Watched:
        trial, prepared = self._trial, self._trial.plan
        names = {
            name for ref in prepared.subjects if ref.kind == "Pod" for name in copies(ref.name, prepared.trials[ref])
        }
        owners = [ref for ref in prepared.subjects if ref.kind != "Pod"]

        def is_subject(pod: Json) -> bool:
            name = (pod.get("metadata") or {}).get("name")
            return name in names or any(owned_by(pod, ref.kind, ref.name) for ref in owners)

        def blamed(signature: Signature) -> bool:
            return blames(signature, trial.request.changes)

        return Watched(
            places=trial.running,
            arms={
                name: Arm(
                    name,
                    trials=sum(trial.plan_of(name).trials[ref] for ref in prepared.subjects),
                    is_subject=is_subject,
                    production=trial.production.signature,
                    blames=blamed,
                    controlled=bool(owners),
                )
                for name in trial.running
            },
            subjects=[started(ref) for ref in owners],
            service=trial.request.target if trial.request.target.kind == "Service" else None,
            production=trial.production.signature,
            synthetic=bool(prepared.synthetic),
        )


def _decided(result: GateResult) -> bool:
    """A gate of the watch says that it is open by a SKIPPED that is inconclusive."""
    return not (result.outcome is Outcome.SKIPPED and result.inconclusive)


def _name(obj: Json) -> str:
    return str((obj.get("metadata") or {}).get("name") or "")


def _has_ready_pods(obj: Json) -> bool:
    status = obj.get("status") or {}
    ready = any(item.get("type") == "Ready" and item.get("status") == "True" for item in status.get("conditions") or [])
    return ready or int(status.get("readyReplicas") or 0) > 0 or obj.get("kind") in {"Job", "CronJob"}
