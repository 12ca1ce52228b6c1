"""Whether a mend worked: the activity is started once more, and the rule must be silent for it, and go on elsewhere."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from aegis.actuator import RERUN_PREFIX
from aegis.errors import NotFound, Refused
from aegis.evidence.falco import FalcoPlace, find_falco
from aegis.falco.alert import Alert
from aegis.falco.identity import identity
from aegis.falco.query import AlertQuery
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.ports import Actuator, AlertSource, ClusterReader, Progress, Purpose
from aegis.triage.workloads import workload_of

Outcome = Literal["silent", "firing", "inconclusive"]

_MOST: Final = 100_000
_NAME: Final = 40
"""Characters of the CronJob's name that the Job's keeps: a pod's name and its label have room for 63."""
_POLL_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is looked for.

    Attributes:
        rule: which must be silent; a name that nobody uses is silent for ever.
        namespace: where.
        workload: whose; empty: of everything in the namespace.
        job: the Job that was started for it; empty: none was.
        is_known: whether the source told of this rule before.
    """

    rule: str
    namespace: str
    workload: str = ""
    job: str = ""
    is_known: bool = True

    def is_here(self, alert: Alert) -> bool:
        """Whether an alert is of what is watched."""
        if alert.text("k8s.ns.name") != self.namespace:
            return False
        pod = alert.text("k8s.pod.name")
        own = bool(self.job) and pod.startswith(f"{self.job}-")
        return not self.workload or own or workload_of(alert).name == self.workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was seen.

    Attributes:
        outcome: `silent`, `firing`, or `inconclusive`.
        reason: in a sentence.
        here: alerts of the rule for what is watched.
        elsewhere: alerts of the rule for others: it still sees.
        covered: how many alerts the source told in all: without any it may have told nothing.
    """

    outcome: Outcome
    reason: str
    here: tuple[Alert, ...] = ()
    elsewhere: int = 0
    covered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """A Job that did once what a CronJob does.

    Attributes:
        name: of the Job.
        began: when the API server made it.
        result: `complete`, `failed`, or why it is not over.
        nodes: where its pods ran.
    """

    name: str
    began: datetime
    result: str
    nodes: tuple[str, ...] = ()


def verified(
    alerts: Sequence[Alert], notes: Sequence[str], watch: Watch, *, trouble: str = "", is_covered: bool = False
) -> Verification:
    """What the alerts of a window say of a rule.

    Args:
        alerts: everything that the source told, of all rules.
        notes: why there may be more than these.
        watch: what is looked for.
        trouble: why the activity may not have taken place, or may not have been seen.
        is_covered: whether it is known that Falco watched, so that no alert at all means that nothing happened.
    """
    told = [alert for alert in alerts if not alert.is_internal]
    fired = [alert for alert in told if alert.rule == watch.rule]
    here = tuple(alert for alert in fired if watch.is_here(alert))
    nobody = sum(not alert.text("k8s.ns.name") and bool(alert.text("container.id")) for alert in fired)
    lines = sum(alert.from_text and not alert.rule for alert in told)
    elsewhere = len(fired) - len(here) - nobody
    doubts = {
        trouble: bool(trouble),
        f"the source was not read whole: {'; '.join(notes)}": bool(notes),
        "Falco says that it lost events": any(alert.tells_of_loss for alert in alerts),
        "the source told no alert at all in this time: it may have covered nothing": not told and not is_covered,
        "the source told of no such rule before either: is its name right, and is it loaded?": not (
            watch.is_known or fired
        ),
        f"{nobody} alerts of the rule do not say whose they are": nobody > 0,
        f"{lines} alerts are lines of text, which do not say their rule": lines > 0,
    }
    doubt = next((text for text, holds in doubts.items() if holds), "")
    whom = f"{watch.namespace}/{watch.workload}" if watch.workload else f"the namespace {watch.namespace}"
    still = f"it fired {elsewhere} times elsewhere" if elsewhere else "nobody else gave it cause in this time"
    outcome: Outcome = "firing" if here else "inconclusive" if doubt else "silent"
    reason = {
        "firing": f"the rule fired {len(here)} times for {whom}",
        "inconclusive": doubt,
        "silent": f"the rule is silent for {whom}, and {still}",
    }[outcome]
    return Verification(outcome=outcome, reason=reason, here=here, elsewhere=elsewhere, covered=len(told))


async def watched(
    source: AlertSource, watch: Watch, since: datetime, settle: float, *, trouble: str = "", is_covered: bool = False
) -> Verification:
    """Read a source until the rule fires, or for as long as alerts may take to come.

    Args:
        source: of alerts.
        watch: what is looked for.
        since: from when on.
        settle: seconds that an alert may take from the event to the source.
        trouble: why the activity may not have taken place, or may not have been seen.
        is_covered: whether it is known that Falco watched.
    """
    seen: dict[str, Alert] = {}
    notes: dict[str, None] = {}
    clock = asyncio.get_running_loop()
    end = clock.time() + settle
    while True:
        batch = await source.read(AlertQuery(since=since), _MOST)
        seen |= {identity(alert): alert for alert in batch.alerts}  # some tell all again, some what is new
        notes |= dict.fromkeys(batch.notes)
        found = verified(list(seen.values()), list(notes), watch, trouble=trouble, is_covered=is_covered)
        if found.outcome == "firing" or clock.time() >= end:
            return found
        await asyncio.sleep(min(_POLL_SECONDS, max(0.0, end - clock.time())))


async def lapses(reader: ClusterReader, place: FalcoPlace, job: Rerun) -> list[str]:
    """Why Falco may not have seen all of what a Job did; empty if a Falco was ready on each of its nodes all the time.

    Args:
        reader: of the cluster.
        place: where Falco is; what is empty is looked for.
        job: whose nodes, and from when on.
    """
    if not job.nodes or "" in job.nodes:
        return [f"on which node {job.name} ran is not known"]
    falco = await find_falco(reader, place)
    found = []
    for node in job.nodes:
        told = [sentry.lapses(job.began) for sentry in falco.on(node)]
        if not told:
            found.append(f"no Falco watches the node {node}")
        elif all(told):
            found += told[0]
    return found


@asynccontextmanager
async def rerun(
    reader: ClusterReader, actuator: Actuator, cronjob: ObjectRef, *, patience: float, progress: Progress
) -> AsyncIterator[Rerun]:
    """Do once what a CronJob does, and remove the Job in any case when the block is left.

    Args:
        reader: of the cluster.
        actuator: the door: mode, protected namespaces, freeze windows and audit hold.
        cronjob: which.
        patience: seconds that the Job may take.
        progress: told of each step.

    Raises:
        NotFound: if there is no such CronJob.
        Refused: if a rule forbids it, or it is suspended.
    """
    found = await reader.find(cronjob)
    if found is None:
        raise NotFound(f"there is no {cronjob}", hint="`kubectl get cronjobs -A` lists them.")
    purpose = Purpose(kind="rerun", incident=f"triage-{secrets.token_hex(4)}", scope=(cronjob.name,))
    made = await actuator.create(_job(found, cronjob), purpose)
    ref = ObjectRef.of({"apiVersion": "batch/v1", "kind": "Job", **made})
    uid = str(made["metadata"].get("uid") or "")
    try:
        progress(f"started {ref.name}, which is what {cronjob.name} starts")
        result = await _finished(reader, ref, patience)
        progress(f"{ref.name}: {result}")
        pods = await reader.list("v1", "Pod", namespace=ref.namespace, labels=f"job-name={ref.name}")
        nodes = {str((pod.get("spec") or {}).get("nodeName") or "") for pod in pods}
        yield Rerun(name=ref.name, began=_moment(made), result=result, nodes=tuple(sorted(nodes)))
    finally:
        await actuator.delete(ref, purpose, uid=uid)


def _job(cronjob: Json, ref: ObjectRef) -> JsonObject:
    # As `kubectl create job --from` makes it.
    template = (cronjob.get("spec") or {}).get("jobTemplate") or {}
    if not template.get("spec"):
        raise Refused(f"{ref} has no template of a Job")
    metadata = template.get("metadata") or {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{RERUN_PREFIX}{ref.name[:_NAME].rstrip('-.')}-{secrets.token_hex(3)}",
            "namespace": ref.namespace,
            "labels": {**(metadata.get("labels") or {}), "app.kubernetes.io/managed-by": "aegis"},
            "annotations": {**(metadata.get("annotations") or {}), "cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": ref.name,
                    "uid": str((cronjob.get("metadata") or {}).get("uid") or ""),
                    "controller": True,
                }
            ],
        },
        "spec": template["spec"],
    }


async def _finished(reader: ClusterReader, ref: ObjectRef, patience: float) -> str:
    try:
        async with asyncio.timeout(patience):
            return await _over(reader, ref)
    except TimeoutError:
        return f"not over after {patience:g} s"


async def _over(reader: ClusterReader, ref: ObjectRef) -> str:
    while True:
        job = await reader.find(ref)
        if job is None:
            return "gone before it was over"
        if result := _result(job):
            return result
        await asyncio.sleep(_POLL_SECONDS)


def _result(job: Json) -> str:
    conditions: list[Any] = (job.get("status") or {}).get("conditions") or []
    true = {str(one.get("type")) for one in conditions if one.get("status") == "True"}
    return "failed" if "Failed" in true else "complete" if "Complete" in true else ""


def _moment(made: Json) -> datetime:
    """When the API server made it, by its own clock; a second early, since it is told in whole seconds."""
    told = str((made.get("metadata") or {}).get("creationTimestamp") or "")
    return datetime.fromisoformat(told) - timedelta(seconds=1)
