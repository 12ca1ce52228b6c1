"""What a rule is given, and what it answers with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from aegis.diagnosis.graph import EventNode, Graph, Key, LogNode, Node
from aegis.diagnosis.reading import Clock
from aegis.diagnosis.workload import ContainerView, container_views, controller_of
from aegis.model.changes import Fix
from aegis.model.diagnosis import Alternative, Citation, Confidence, Link
from aegis.model.refs import ObjectRef

_LONGEST_LINE = 400
_MOST_LINES = 6
FALLBACK = 20
"""Hypotheses of less weight than this only count where there is no other."""


class Trouble(StrEnum):
    """The ways in which something shows that it is not well."""

    CRASH = "crash"
    PULL = "pull"
    CONFIG = "config"
    """A container or a volume that cannot be made."""
    SCHEDULING = "scheduling"
    ADMISSION = "admission"
    """Pods that are refused when they are created."""
    NOT_READY = "not-ready"
    HANGING = "hanging"
    """Something that should have ended or begun goes on for long."""
    NO_ENDPOINTS = "no-endpoints"
    STOPPED = "stopped"
    STUCK = "stuck"
    """A rollout past its deadline, or too few replicas, without a pod that says why."""
    JOB = "job"
    CLAIM = "claim"
    NODE = "node"
    AUTOSCALER = "autoscaler"
    TERMINATING = "terminating"
    ROUTE = "route"
    """An Ingress that leads nowhere."""
    BUDGET = "budget"
    APPLICATION = "application"
    """What a deployment tool says of its own application."""
    ALERT = "alert"
    """An alert or a metric says so; the objects look well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """One way in which one thing fails.

    Attributes:
        trouble: which way.
        subject: the object that shows it: a pod (one that stands for all that fail alike), a ReplicaSet, a Service, …
        container: where it is one container's.
        reason: Kubernetes' own word.
        message: what it says.
        exit_code: of the container that ended.
        because: one clause for a person: what is seen.
        citations: the lines that show it.
        pods: how many pods fail so.
    """

    trouble: Trouble
    subject: Node
    container: str = ""
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    because: str = ""
    citations: tuple[Citation, ...] = ()
    pods: int = 1

    @property
    def key(self) -> tuple[Trouble, str, str]:
        """What tells symptoms of one workload apart."""
        return (self.trouble, self.container, self.reason if self.trouble is not Trouble.CRASH else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One rule's explanation of one symptom.

    Attributes:
        cause: the id of the failure mode.
        root: the object that must change.
        certainty: how sure the rule is, were it the only one.
        explanation: what happened, as a person understands it.
        because: one clause for the root's hop of the chain.
        citations: the lines that decide; a symptom's own are added by the engine.
        chain: hops between the failing object and the root, where they are not those of ownership.
        fixes: the best first.
        ruled_out: what the rule looked at and set aside.
        weight: among equally sure hypotheses the heavier is the more specific; 50 is usual, a fallback has less than 20.
        hearsay: whether it rests on what a program says of itself: then it never outdoes one that the API's record bears.
        onward: look at this object too: if it fails, its cause is the cause.
        transparent: what lies onward is only another face of the same thing: it adds no cause of its own.
    """

    cause: str
    root: ObjectRef
    certainty: Confidence
    explanation: str
    because: str
    citations: tuple[Citation, ...] = ()
    chain: tuple[Link, ...] = ()
    fixes: tuple[Fix, ...] = ()
    ruled_out: tuple[Alternative, ...] = ()
    weight: int = 50
    hearsay: bool = False
    onward: Key | None = None
    transparent: bool = False

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """By which hypotheses are ordered: founded, no fallback, surer, more specific."""
        sure = {Confidence.CONFIRMED: 2, Confidence.LIKELY: 1}.get(self.certainty, 0)
        return (not self.hearsay, self.weight >= FALLBACK, sure, self.weight)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One workload (or other object) that is asked about, with all that is known of it.

    Attributes:
        graph: everything.
        subject: what a person wrote: the top of the chain of controllers; perhaps only a name.
        pods: its pods.
        clock: the time that the evidence speaks of.
    """

    graph: Graph
    subject: Node
    pods: tuple[Node, ...]
    clock: Clock
    symptoms: tuple[Symptom, ...] = field(default=())

    @property
    def namespace(self) -> str:
        """Where it lies."""
        return self.subject.ref.namespace

    def container(self, symptom: Symptom) -> ContainerView | None:
        """The container that a symptom is about."""
        if symptom.subject.ref.kind != "Pod":
            return None
        return next((view for view in container_views(symptom.subject) if view.name == symptom.container), None)

    def owner(self, symptom: Symptom) -> Node | None:
        """The controller right above the failing pod: a ReplicaSet, a StatefulSet, a Job."""
        return controller_of(self.graph, symptom.subject)

    def events(self, symptom: Symptom) -> tuple[EventNode, ...]:
        """The events about the failing object, the newest first."""
        return tuple(reversed(self.graph.events(symptom.subject.key)))

    def logs(self, symptom: Symptom) -> tuple[LogNode, ...]:
        """The output of the failing container over all pods that fail so, the failing pod's first."""
        keys = [symptom.subject.key, *(pod.key for pod in self.pods if pod.key != symptom.subject.key)]
        return tuple(log for key in keys for log in self.graph.logs(key, symptom.container))

    @cached_property
    def editable(self) -> Node:
        """The object that a fix of the pod template changes."""
        return self.subject


class DiagnosisRule(Protocol):
    """One failure mode; a file of `aegis.diagnosis.rules` ends in one."""

    name: str
    """The id of the failure mode."""
    troubles: frozenset[Trouble]
    """The symptoms that it may explain."""
    examine: Callable[[Case, Symptom], Iterable[Hypothesis]]
    """Looks at one of them; answers with nothing where it does not apply."""


@dataclass(kw_only=True)
class Rule:
    """A failure mode made of a function."""

    name: str
    troubles: frozenset[Trouble]
    examine: Callable[[Case, Symptom], Iterable[Hypothesis]]


Hypotheses = Iterator[Hypothesis]


def rule(name: str, examine: Callable[[Case, Symptom], Iterable[Hypothesis]], *troubles: Trouble) -> Rule:
    """The rule for a failure mode: what it looks at, and how."""
    return Rule(name=name, troubles=frozenset(troubles), examine=examine)


def cite(source: Node | EventNode | LogNode, *lines: str) -> Citation:
    """Lines of one piece of evidence; of an event its own text where no line is given."""
    if isinstance(source, EventNode) and not lines:
        lines = (source.line,)
    return Citation(evidence_id=source.evidence_id, lines=tuple(line[:_LONGEST_LINE] for line in lines[:_MOST_LINES]))


def confirmed_if(condition: object) -> Confidence:
    """Confirmed where the API's own record says so, else likely."""
    return Confidence.CONFIRMED if condition else Confidence.LIKELY
