"""The third arm, G: the workload as it last was good, to hold the candidate against.

It adds nothing where nobody knows a good revision, where the fix changes no workload, or where the fix is the very way
back: then the candidate is the last good revision. Each of these is said, and the comparison is a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from aegis.errors import PermissionDenied, Refused
from aegis.kube.pod_template import template_of, template_path
from aegis.model.changes import Change
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.shadow.clone import Plan
from aegis.shadow.closure import Closure, Known, as_changed
from aegis.shadow.survey import Production, close
from aegis.shadow.tools import TrialTools

_HISTORY = {
    "Deployment": ("apps/v1", "ReplicaSet"),
    "StatefulSet": ("apps/v1", "ControllerRevision"),
    "DaemonSet": ("apps/v1", "ControllerRevision"),
}
"""What keeps the revisions of a kind."""

_HASHES = frozenset({"pod-template-hash", "controller-revision-hash", "pod-template-generation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What the candidate can be compared with.

    Attributes:
        plan: of the third arm; None where there is none.
        source: which revision it is, in words.
        absent: why there is none.
    """

    plan: Plan | None = None
    source: str = ""
    absent: str = ""


async def baseline(
    tools: TrialTools, production: Production, changes: Sequence[Change], copy: Callable[[Closure, Known], Plan]
) -> Baseline:
    """Find the last good revision of what a fix changes.

    Args:
        tools: of the trial.
        production: as it was surveyed.
        changes: of the fix.
        copy: makes the plan of an arm.
    """
    changed = [ref for ref in production.found.workloads if any(change.target == ref for change in changes)]
    if not any(ref.kind in _HISTORY for ref in changed):
        return Baseline(absent="the fix changes no workload of which revisions are kept")
    good: dict[ObjectRef, tuple[Json, str]] = {}
    for ref in changed:
        found = await _last_good(tools, ref, production)
        if found is not None:
            good[ref] = found
    if not good:
        return Baseline(absent="no last good revision is known")
    if all(_is_the_way_back(ref, template, production.known, changes) for ref, (template, _) in good.items()):
        return Baseline(absent="the candidate is the last good revision")
    known = {**production.known, **{ref: _as_it_was(production.known[ref], good[ref][0]) for ref in good}}
    try:
        closed = await close(tools, production.found.target, (), known)
        plan = copy(closed, known)
    except Refused as error:
        return Baseline(absent=f"the last good revision is not tried: {error.message}")
    return Baseline(plan=plan, source="; ".join(source for _, source in good.values()))


async def _last_good(tools: TrialTools, ref: ObjectRef, production: Production) -> tuple[Json, str] | None:
    workload, kept = production.known.get(ref), _HISTORY.get(ref.kind)
    if workload is None or kept is None or tools.last_good is None:
        return None
    try:
        history = await tools.reader.list(*kept, namespace=ref.namespace)
    except PermissionDenied:
        return None
    pods = await tools.reader.list("v1", "Pod", namespace=ref.namespace)
    return tools.last_good(workload, [*history, *pods])


def _is_the_way_back(ref: ObjectRef, template: Json, known: Known, changes: Sequence[Change]) -> bool:
    workload = known.get(ref)
    return workload is not None and _bare(template_of(as_changed(ref, workload, changes)) or {}) == _bare(template)


def _bare(template: Json) -> tuple[Json, Mapping[str, str]]:
    """What pods are made of: their specification and labels."""
    labels = (template.get("metadata") or {}).get("labels") or {}
    spec: Json = template.get("spec") or {}
    return spec, {key: value for key, value in labels.items() if key not in _HASHES}


def _as_it_was(workload: Json | None, template: Json) -> JsonObject:
    assert workload is not None  # noqa: S101 - what has a history is there
    spec, labels = _bare(template)
    path = template_path(str(workload.get("kind")))
    old = template_of(workload) or {}
    metadata = {**(old.get("metadata") or {}), "labels": dict(labels)}
    return _with(workload, path, {**old, "metadata": metadata, "spec": spec})


def _with(obj: Json, path: Sequence[str], value: Json) -> JsonObject:
    if not path:
        return dict(value)
    return {**obj, path[0]: _with(obj.get(path[0]) or {}, path[1:], value)}


def counts(plan: Plan, like: Mapping[ObjectRef, int]) -> Plan:
    """A plan with as many pods as another has."""
    return replace(plan, trials={ref: like.get(ref, count) for ref, count in plan.trials.items()})
