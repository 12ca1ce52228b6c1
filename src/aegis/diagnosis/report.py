"""Turns findings into the diagnosis that people and programs read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.graph import Graph, key_of
from aegis.diagnosis.invariants import unfounded, violations
from aegis.diagnosis.investigate import Finding
from aegis.diagnosis.workload import controller_of
from aegis.model.changes import Fix
from aegis.model.diagnosis import Citation, Confidence, Diagnosis, Link
from aegis.model.evidence import Tier
from aegis.model.refs import ObjectRef
from aegis.model.signature import signature_of
from aegis.model.symptom import Manner, Signature, mask

_MOST_LINES = 12
_MANNERS = {
    Trouble.CRASH: Manner.CRASH,
    Trouble.PULL: Manner.PULL,
    Trouble.CONFIG: Manner.CONFIG,
    Trouble.SCHEDULING: Manner.SCHEDULING,
    Trouble.ADMISSION: Manner.ADMISSION,
    Trouble.NO_ENDPOINTS: Manner.NO_ENDPOINTS,
}


def healthy(target: ObjectRef, said: str, *, seen: bool, remarks: tuple[str, ...] = ()) -> Diagnosis:
    """Nothing is wrong; undecided where nothing was seen either."""
    if not seen:
        return undecided(target, f"{said[:1].upper()}{said[1:]}, but the evidence does not hold the object itself.")
    explanation = (
        f"{said[:1].upper()}{said[1:]}: no container failed or restarted lately, and no warning stands. No action."
    )
    explanation += "".join(f" But {remark}." for remark in remarks)
    return Diagnosis(target=target, verdict=Confidence.HEALTHY, explanation=explanation)


def undecided(target: ObjectRef, explanation: str) -> Diagnosis:
    """The evidence does not decide."""
    return Diagnosis(target=target, verdict=Confidence.INCONCLUSIVE, explanation=explanation)


def report(graph: Graph, target: ObjectRef, finding: Finding) -> Diagnosis:
    """The diagnosis of one finding."""
    symptom, best = finding.symptom, finding.best
    seen = f"{symptom.subject.ref}: {symptom.because}."
    source, tried = finding.source, finding.tried
    signature = failure_signature(tried.case, tried.symptom)
    if best is None:
        if source is not finding:
            seen += f" {source.symptom.subject.ref}: {source.symptom.because}."
        explanation = f"{seen} The evidence does not say why."
        if signature is not None and signature.line and signature.line not in seen:
            explanation += f" The last that it says is: {signature.line[:300]}"
        return Diagnosis(
            target=target,
            verdict=Confidence.INCONCLUSIVE,
            explanation=explanation,
            chain=(Link(ref=symptom.subject.ref, because=symptom.because),),
            citations=_joined(symptom.citations),
            alternatives=finding.set_aside,
            signature=signature,
        )
    return Diagnosis(
        target=target,
        verdict=best.certainty,
        cause=best.cause,
        root=best.root,
        explanation=f"{seen} {best.explanation}".strip(),
        chain=_chain(finding),
        citations=_joined([*best.citations, *symptom.citations]),
        alternatives=finding.set_aside,
        fixes=tuple(_permitted(graph, fix, best.citations + symptom.citations) for fix in best.fixes),
        signature=signature,
    )


def failure_signature(case: Case, symptom: Symptom) -> Signature | None:
    """How it fails, as a trial will read it from the shadow's pods too."""
    subject = symptom.subject
    if subject.ref.kind == "Pod":
        events = [event.raw for event in case.graph.events(subject.key)]
        logs = {(log.container, log.previous): log.lines for log in case.graph.logs(subject.key)}
        read = signature_of(subject.obj, events=events, logs=logs)
        if read is not None:
            return read
    manner = _MANNERS.get(symptom.trouble, Manner.NOT_READY)
    line = mask(symptom.message, name=subject.ref.name, namespace=subject.ref.namespace)
    return Signature(
        manner=manner, reason=symptom.reason, exit_code=symptom.exit_code, container=symptom.container, line=line
    )


def _chain(finding: Finding) -> tuple[Link, ...]:
    """From the failing object over its controllers and the rule's own hops to the root."""
    best, symptom, case = finding.best, finding.symptom, finding.case
    if best is None:
        return ()
    links = [Link(ref=symptom.subject.ref, because=symptom.because)]
    below = symptom.subject
    while (owner := controller_of(case.graph, below)) is not None and len(links) < len(Trouble):
        links.append(Link(ref=owner.ref, because=f"it controls {below.ref.kind} {below.ref.name}"))
        below = owner
    if key_of(links[-1].ref) != key_of(case.subject.ref):
        links.append(Link(ref=case.subject.ref, because=f"it controls {below.ref.kind} {below.ref.name}"))
    links += best.chain
    if key_of(links[-1].ref) == key_of(best.root):
        because = best.because if len(links) > 1 else f"{links[-1].because}; {best.because}"
        links[-1] = Link(ref=best.root, because=because)
    else:
        links.append(Link(ref=best.root, because=best.because))
    return tuple(links)


def _permitted(graph: Graph, fix: Fix, citations: tuple[Citation, ...]) -> Fix:
    """The fix, without its changes where AEGIS may not make them: then a person decides."""
    if fix.change_set is None:
        return replace(fix, needs="human")
    tiers = {item.id: item.tier for item in graph.evidence}
    authorised = any(tiers.get(citation.evidence_id, Tier.ANNOTATION) <= Tier.EVENT for citation in citations)
    sound = all(tiers.get(item.evidence_id, Tier.ANNOTATION) <= Tier.EVENT for item in fix.provenance)
    live = [node.obj for change in fix.change_set.changes if (node := graph.node(key_of(change.target))).present]
    if not authorised or not sound or violations(fix.change_set, live) or unfounded(fix):
        return replace(fix, change_set=None, needs="human")
    return fix


def _joined(citations: Iterable[Citation]) -> tuple[Citation, ...]:
    """One citation a piece of evidence, its lines in order, each once."""
    lines: dict[str, list[str]] = {}
    for citation in citations:
        if citation.evidence_id:
            lines.setdefault(citation.evidence_id, []).extend(citation.lines)
    return tuple(
        Citation(evidence_id=evidence_id, lines=tuple(dict.fromkeys(said))[:_MOST_LINES])
        for evidence_id, said in lines.items()
    )
