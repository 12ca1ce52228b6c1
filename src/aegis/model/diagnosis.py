"""What is wrong, what must change, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aegis.model.changes import Fix
from aegis.model.evidence import Evidence
from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.symptom import Signature


class Confidence(StrEnum):
    """How sure a diagnosis is; `healthy` means that nothing is wrong."""

    CONFIRMED = "confirmed"
    LIKELY = "likely"
    INCONCLUSIVE = "inconclusive"
    HEALTHY = "healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One hop of the causal chain, from the symptom towards the root."""

    ref: ObjectRef
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A cause that was considered and set aside."""

    cause: str
    why_not: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """The lines of one piece of evidence that decide."""

    evidence_id: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The answer to "what is wrong with this object?".

    Attributes:
        target: what was asked about.
        verdict: how sure.
        cause: the id of a failure mode; None where healthy or undecided.
        root: the object that must change.
        explanation: one paragraph that a person understands.
        chain: from the symptom to the root.
        citations: the deciding lines; `evidence` of the wire format is these joined with the evidence they name.
        alternatives: what was ruled out, and why.
        fixes: the best first.
        signature: how the target fails, for a trial to reproduce.
        also: other, independent faults.
    """

    target: ObjectRef
    verdict: Confidence
    cause: str | None = None
    root: ObjectRef | None = None
    explanation: str = ""
    chain: tuple[Link, ...] = ()
    citations: tuple[Citation, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    fixes: tuple[Fix, ...] = ()
    signature: Signature | None = None
    also: tuple[Diagnosis, ...] = ()


def diagnosis_to_dict(
    diagnosis: Diagnosis,
    evidence: Sequence[Evidence],
    *,
    metrics: Mapping[str, object] | None = None,
    links: Mapping[str, str] | None = None,
) -> JsonObject:
    """`kind: Diagnosis` of CONTRACT.md."""
    known = {item.id: item for item in evidence}
    return {
        "apiVersion": "aegis.io/v1",
        "kind": "Diagnosis",
        "target": diagnosis.target.to_dict(),
        "verdict": diagnosis.verdict.value,
        "cause": diagnosis.cause,
        "root_cause": diagnosis.root.to_dict() if diagnosis.root else None,
        "explanation": diagnosis.explanation,
        "chain": [
            {"kind": hop.ref.kind, "name": hop.ref.name, "namespace": hop.ref.namespace, "because": hop.because}
            for hop in diagnosis.chain
        ],
        "evidence": [_cited(known[c.evidence_id], c.lines) for c in diagnosis.citations if c.evidence_id in known],
        "alternatives": [{"cause": item.cause, "why_not": item.why_not} for item in diagnosis.alternatives],
        "also": [diagnosis_to_dict(other, evidence) for other in diagnosis.also],
        "fixes": [fix.to_dict() for fix in diagnosis.fixes],
        "metrics": dict(metrics) if metrics else None,
        "links": dict(links or {}),
    }


def _cited(item: Evidence, lines: tuple[str, ...]) -> JsonObject:
    return {
        "id": item.id,
        "source": item.source,
        "subject": str(item.subject),
        "observed_at": item.observed_at.isoformat().replace("+00:00", "Z") if item.observed_at else None,
        "summary": item.summary,
        "lines": list(lines),
    }
