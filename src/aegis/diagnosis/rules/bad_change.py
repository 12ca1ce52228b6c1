"""A workload fails since its last change, and nothing says more exactly why."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, rule
from aegis.diagnosis.changes_since import recent_change
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """An older revision was good and the current one is not; never more than likely."""
    change = recent_change(case)
    owner = case.owner(symptom)
    if change is None or (owner is not None and owner.key == change.good.node.key):
        return
    yield Hypothesis(
        cause="bad_change",
        root=case.subject.ref,
        certainty=Confidence.LIKELY,
        explanation=(
            f"It fails since revision {change.now.number} of {case.subject.ref.kind} {case.subject.ref.name}, which changed "
            f"{change.what}; {change.good.source} was good. Nothing says more exactly why."
        ),
        because=f"revision {change.now.number} changed {change.what}",
        citations=change.citations,
        fixes=(change.fix,) if change.fix else (),
        weight=10,
    )


PLUGIN = rule(
    "bad_change", examine, Trouble.CRASH, Trouble.NOT_READY, Trouble.HANGING, Trouble.CONFIG, Trouble.PULL, Trouble.ADMISSION,
    Trouble.SCHEDULING,
)  # fmt: skip
