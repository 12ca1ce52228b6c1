"""Walks from what fails to the object that must change.

For every symptom of an object each rule may offer hypotheses; the surest and most specific one explains it. A
hypothesis that points onward (a dependency that does not answer) makes its object the next one to look at: if that
fails too, its cause is the cause; if it is well, the hypothesis is set aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aegis.diagnosis.case import Case, DiagnosisRule, Hypothesis, Symptom
from aegis.diagnosis.graph import Graph, Key, Node
from aegis.diagnosis.more_symptoms import alert_symptoms, object_symptoms
from aegis.diagnosis.reading import Clock
from aegis.diagnosis.services import service_symptoms
from aegis.diagnosis.symptoms import pod_symptoms, workload_symptoms
from aegis.diagnosis.ties import WORKLOADS
from aegis.diagnosis.workload import pods_of, top_owner
from aegis.model.diagnosis import Alternative, Confidence, Link
from aegis.model.evidence import Tier

_DEEPEST = 4
_SURENESS = {Confidence.CONFIRMED: 2, Confidence.LIKELY: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One symptom and what explains it best.

    Attributes:
        case: where it shows.
        symptom: what shows.
        best: None where no rule explains it.
        set_aside: other explanations, and why not.
        origin: the finding at the end of the walk: this one, unless the cause lies in a dependency.
    """

    case: Case
    symptom: Symptom
    best: Hypothesis | None
    set_aside: tuple[Alternative, ...] = ()
    origin: Finding | None = None

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """By which findings are ordered: those that explain something first, then as their hypotheses."""
        return self.best.rank if self.best else (False, False, 0, 0)

    @property
    def source(self) -> Finding:
        """Where the walk ended."""
        return self.origin.source if self.origin else self

    @property
    def tried(self) -> Finding:
        """Where the first workload on the walk fails: what a trial can run and see fail again."""
        if self.case.subject.ref.kind in WORKLOADS or self.origin is None:
            return self
        return self.origin.tried


class Investigator:
    """Explains the objects of one graph.

    Args:
        graph: everything that is known.
        rules: the failure modes.
        clock: the time that the evidence speaks of.
    """

    def __init__(self, graph: Graph, rules: Sequence[DiagnosisRule], clock: Clock) -> None:
        self.graph = graph
        self._rules = rules
        self._clock = clock
        self._tiers = {item.id: item.tier for item in graph.evidence}

    def case(self, node: Node) -> Case:
        """The object with its pods and its symptoms; of a pod its workload, but only that pod's symptoms."""
        subject = top_owner(self.graph, node) if node.ref.kind in WORKLOADS else node
        if node.ref.kind == "Pod":
            case = Case(graph=self.graph, subject=subject, pods=(node,), clock=self._clock)
            found = pod_symptoms(self.graph, node, self._clock) or tuple(alert_symptoms(self.graph, node))
            return replace(case, symptoms=found)
        case = Case(graph=self.graph, subject=subject, pods=pods_of(self.graph, subject), clock=self._clock)
        if node.ref.kind == "Service":
            return replace(case, symptoms=tuple(service_symptoms(self.graph, node)))
        own = tuple(object_symptoms(self.graph, subject, self._clock)) if subject.present else ()
        if subject.ref.kind in WORKLOADS:
            found = (*workload_symptoms(case), *own)
            alerts = (alert for named in (node, *case.pods) for alert in alert_symptoms(self.graph, named))
            return replace(case, symptoms=found or tuple(alerts))
        return replace(case, symptoms=own)

    def explain(self, case: Case, *, trail: tuple[Key, ...] = ()) -> list[Finding]:
        """One finding a symptom, the surest first."""
        trail = (*trail, case.subject.key)
        found = [self._explain(case, symptom, trail) for symptom in case.symptoms]
        return sorted(found, key=lambda finding: finding.rank, reverse=True)

    def _explain(self, case: Case, symptom: Symptom, trail: tuple[Key, ...]) -> Finding:
        offered = [
            self._calibrated(hypothesis)
            for rule in self._rules
            if symptom.trouble in rule.troubles
            for hypothesis in rule.examine(case, symptom)
        ]
        offered.sort(key=lambda hypothesis: hypothesis.rank, reverse=True)
        set_aside: list[Alternative] = []
        for index, hypothesis in enumerate(offered):
            finding = self._follow(case, symptom, hypothesis, trail)
            if isinstance(finding, Alternative):
                set_aside.append(finding)
                continue
            rivals = [other for other in offered[index + 1 :] if other.cause != hypothesis.cause]
            set_aside += [Alternative(cause=other.cause, why_not=_why_not(hypothesis, other)) for other in rivals]
            return replace(finding, set_aside=_distinct([*hypothesis.ruled_out, *set_aside]))
        return Finding(case=case, symptom=symptom, best=None, set_aside=_distinct(set_aside))

    def _follow(
        self, case: Case, symptom: Symptom, hypothesis: Hypothesis, trail: tuple[Key, ...]
    ) -> Finding | Alternative:
        """The finding of a hypothesis, at the end of the walk where it leads onward; set aside where that is well."""
        plain = Finding(case=case, symptom=symptom, best=hypothesis)
        key = hypothesis.onward
        if key is None:
            return plain
        if key in trail or len(trail) >= _DEEPEST:
            return (
                plain if hypothesis.explanation else Alternative(cause=hypothesis.cause, why_not="it leads in a circle")
            )
        node = self.graph.node(key)
        beyond = self.explain(self.case(node), trail=trail)
        if not beyond:
            if hypothesis.explanation:
                return plain
            return Alternative(cause=hypothesis.cause, why_not=f"{node.ref} shows no fault")
        inner = beyond[0]
        link = Link(ref=inner.case.subject.ref, because=inner.symptom.because)
        if inner.best is None:
            return _unexplained(plain, inner, hypothesis)
        certainty = min(hypothesis.certainty, inner.best.certainty, key=_SURENESS.__getitem__)
        joined = replace(
            inner.best,
            certainty=certainty,
            chain=(*hypothesis.chain, link, *inner.best.chain),
            citations=(*inner.best.citations, *inner.symptom.citations, *hypothesis.citations),
            explanation=f"{_sentence(hypothesis.because)}. {inner.best.explanation}",
        )
        return Finding(case=case, symptom=symptom, best=joined, origin=inner)

    def _calibrated(self, hypothesis: Hypothesis) -> Hypothesis:
        """No more than likely, unless the API's own record or one of its components' events says so."""
        tiers = [self._tiers.get(citation.evidence_id, Tier.ANNOTATION) for citation in hypothesis.citations]
        if hypothesis.certainty is Confidence.CONFIRMED and min(tiers, default=Tier.ANNOTATION) > Tier.EVENT:
            return replace(hypothesis, certainty=Confidence.LIKELY)
        return hypothesis


def _unexplained(outer: Finding, inner: Finding, hypothesis: Hypothesis) -> Finding:
    """Something beyond fails and nobody knows why: where it is only behind the first, that is all there is to say."""
    if hypothesis.transparent:
        return replace(outer, best=None, origin=inner)
    root = inner.case.subject.ref
    best = replace(
        hypothesis,
        root=root,
        certainty=Confidence.LIKELY,
        explanation=f"{_sentence(hypothesis.because)}; there, {inner.symptom.because}, and the evidence does not say why.",
        because=inner.symptom.because,
        citations=(*hypothesis.citations, *inner.symptom.citations),
        fixes=(),
    )
    return replace(outer, best=best, origin=inner)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _why_not(chosen: Hypothesis, other: Hypothesis) -> str:
    if other.hearsay and not chosen.hearsay:
        return "only what the program says of itself speaks for it"
    if chosen.certainty is not other.certainty and chosen.rank[2] > other.rank[2]:
        return f"only {other.certainty.value}, while {chosen.cause} is {chosen.certainty.value}"
    return f"{chosen.cause} says more exactly what must change"


def _distinct(alternatives: Sequence[Alternative]) -> tuple[Alternative, ...]:
    return tuple({alternative.cause: alternative for alternative in reversed(alternatives)}.values())[::-1]
