"""The revisions of a workload, and which of them was good.

What counts as *last good*, the surest first:

1. `proven`: an older revision whose pods are ready now and have not crashed: a rollout that got stuck leaves it running.
   Or the Deployment has been Available without a break since before the current revision was made.
2. `presumed`: an older revision that was there when the Deployment was Available. `Available=False` since a time T means
   that it was available until T, so a revision made after T never was. A revision that was never rolled out to the end
   may be among these, which is why a rule takes from the newest one *that has what it needs*, and why a fix is tried in
   a shadow before anything is written.

A workload that never was available has no good past.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aegis.diagnosis.graph import Graph, Node, Tie
from aegis.diagnosis.reading import at, condition, mapping, number, text, time_of
from aegis.diagnosis.workload import container_views
from aegis.kube.pod_template import containers, template_of
from aegis.model.refs import Json
from aegis.model.signature import is_ready

_REVISION = "deployment.kubernetes.io/revision"
_HASHES = frozenset({"pod-template-hash", "controller-revision-hash", "pod-template-generation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One past or present state of a pod template.

    Attributes:
        node: the ReplicaSet or ControllerRevision that keeps it.
        number: counts up with each change.
        template: the pod template, without what the controller added to it.
        standing: see this module.
        why: in words, why it counts as good.
    """

    node: Node
    number: int
    template: Json
    standing: Literal["proven", "presumed", "unknown"] = "unknown"
    why: str = ""

    @property
    def source(self) -> str:
        """As provenance names it."""
        return (
            f"{self.node.ref.kind} {self.node.ref.name} (revision {self.number}{', ' + self.why if self.why else ''})"
        )

    def container(self, name: str) -> Json:
        """The container of that name; empty where this revision had none."""
        return next((found.spec for found in containers(mapping(self.template.get("spec"))) if found.name == name), {})


def current_revision(graph: Graph, workload: Node) -> Revision | None:
    """The revision that the workload's template is now."""
    revisions = _revisions(graph, workload)
    if workload.ref.kind == "StatefulSet":
        name = text(workload.status.get("updateRevision"))
        return next((revision for revision in revisions if revision.node.ref.name == name), _first(revisions))
    template = bare_template(template_of(workload.obj) or {})
    same = (revision for revision in revisions if revision.template == template)
    return next(same, _first(revisions))


def good_revisions(graph: Graph, workload: Node) -> tuple[Revision, ...]:
    """The older revisions that were good: the proven before the presumed, each newest first."""
    current = current_revision(graph, workload)
    if current is None:
        return ()
    older = [revision for revision in _revisions(graph, workload) if revision.node.key != current.node.key]
    judged = [_judge(graph, workload, current, revision) for revision in older]
    rank = {"proven": 0, "presumed": 1}
    return tuple(sorted((r for r in judged if r.standing in rank), key=lambda r: (rank[r.standing], -r.number)))


def bare_template(template: Json) -> dict[str, object]:
    """A pod template without the hashes that controllers put on its labels."""
    metadata = dict(mapping(template.get("metadata")))
    metadata.pop("creationTimestamp", None)
    labels = {k: v for k, v in mapping(metadata.get("labels")).items() if k not in _HASHES}
    metadata.pop("labels", None)
    if labels:
        metadata["labels"] = labels
    return {**({"metadata": metadata} if metadata else {}), "spec": template.get("spec")}


def _revisions(graph: Graph, workload: Node) -> list[Revision]:
    """All kept revisions, the newest first."""
    return sorted(_read(graph, workload), key=lambda revision: (-revision.number, revision.node.ref.name))


def _read(graph: Graph, workload: Node) -> Iterator[Revision]:
    for edge in graph.out(workload.key, Tie.OWNS):
        node = graph.node(edge.target)
        if node.ref.kind == "ReplicaSet" and (template := template_of(node.obj)):
            annotated = text(mapping(node.metadata.get("annotations")).get(_REVISION))
            yield Revision(
                node=node, number=int(annotated) if annotated.isdigit() else 0, template=bare_template(template)
            )
        elif node.ref.kind == "ControllerRevision" and isinstance(at(node.obj, "data", "spec", "template"), dict):
            template = {k: v for k, v in at(node.obj, "data", "spec", "template").items() if k != "$patch"}
            yield Revision(node=node, number=number(node.obj.get("revision")), template=bare_template(template))


def _judge(graph: Graph, workload: Node, current: Revision, revision: Revision) -> Revision:
    def verdict(standing: Literal["proven", "presumed"], why: str) -> Revision:
        return Revision(
            node=revision.node, number=revision.number, template=revision.template, standing=standing, why=why
        )

    ready = _steady_pods(graph, workload, revision)
    if ready:
        return verdict("proven", f"{ready} of its pods {'is' if ready == 1 else 'are'} ready now")
    until, still = available_until(workload)
    made, replaced = made_at(revision), made_at(current)
    if (
        still
        and until
        and replaced
        and until <= replaced
        and revision.number == _newest_before(graph, workload, current)
    ):
        return verdict("proven", "the workload was available when it was replaced")
    if still or (until is not None and (made is None or made <= until)):
        return verdict("presumed", "the workload was available before")
    return revision


def _steady_pods(graph: Graph, workload: Node, revision: Revision) -> int:
    """How many pods of a revision are ready and never ended badly."""
    if revision.node.ref.kind == "ReplicaSet":
        pods = [graph.node(edge.target) for edge in graph.out(revision.node.key, Tie.OWNS)]
    else:
        hashed = revision.node.ref.name
        owned = [graph.node(edge.target) for edge in graph.out(workload.key, Tie.OWNS)]
        pods = [pod for pod in owned if pod.labels.get("controller-revision-hash") == hashed]
    steady = [pod for pod in pods if is_ready(pod.obj) and all(view.restarts == 0 for view in container_views(pod))]
    if not pods and revision.node.ref.kind == "ReplicaSet":
        return number(revision.node.status.get("readyReplicas"))
    return len(steady)


def available_until(workload: Node) -> tuple[datetime | None, bool]:
    """(since or until when it was available, whether it still is); None where it never was."""
    available = condition(workload.obj, "Available")
    changed = time_of(available.get("lastTransitionTime"))
    if available.get("status") == "True":
        return changed, True
    created = time_of(workload.metadata.get("creationTimestamp"))
    if available and changed and created and changed > created:
        return changed, False
    if not available and workload.ref.kind in {"StatefulSet", "DaemonSet"} and created:
        return None, True
    return None, False


def made_at(revision: Revision) -> datetime | None:
    return time_of(revision.node.metadata.get("creationTimestamp"))


def _newest_before(graph: Graph, workload: Node, current: Revision) -> int:
    numbers = [r.number for r in _revisions(graph, workload) if r.node.key != current.node.key]
    return max(numbers, default=-1)


def _first(revisions: list[Revision]) -> Revision | None:
    return revisions[0] if revisions else None
