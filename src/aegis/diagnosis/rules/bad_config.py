"""A workload fails since a ConfigMap or Secret that it reads was changed, and nothing says more exactly why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.changes_since import recent_change
from aegis.diagnosis.graph import Node, Tie
from aegis.diagnosis.history import available_until
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import items, text, time_of
from aegis.model.diagnosis import Confidence

_SOON = timedelta(minutes=30)
_WITH_ITS_MAKING = timedelta(seconds=5)


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """It was available until shortly after the change, and its own template did not change."""
    until, still = available_until(case.subject)
    if still or until is None or recent_change(case) is not None:
        return
    for config, changed in _changed(case, symptom):
        if not timedelta(0) <= until - changed <= _SOON:
            continue
        yield Hypothesis(
            cause="bad_config",
            root=config.ref,
            certainty=Confidence.LIKELY,
            explanation=(
                f"{case.subject.ref.kind} {case.subject.ref.name} was available until {until.isoformat()}, shortly after {config.ref.kind} "
                f"{config.ref.name}, which it reads, was changed ({changed.isoformat()}); its own template did not change."
            ),
            because=f"it was changed at {changed.isoformat()}, just before the failure",
            citations=(cite(config, f"metadata.managedFields: last changed {changed.isoformat()}"), *symptom.citations),
            fixes=(
                human_fix(
                    "restore-config",
                    f"Look at the last change of {config.ref.kind} {config.ref.name}, and take it back if it is wrong",
                ),
            ),
            weight=12,
        )


def _changed(case: Case, symptom: Symptom) -> Iterator[tuple[Node, datetime]]:
    """What the failing pod reads and was changed after it was made, the last changed first."""
    found: dict[str, tuple[Node, datetime]] = {}
    for edge in case.graph.out(symptom.subject.key, Tie.REFERENCES):
        node = case.graph.node(edge.target)
        if node.ref.kind not in {"ConfigMap", "Secret"} or not node.present:
            continue
        made = time_of(node.metadata.get("creationTimestamp"))
        times = [time_of(text(entry.get("time"))) for entry in items(node.metadata.get("managedFields"))]
        last = max((moment for moment in times if moment is not None), default=None)
        if made is not None and last is not None and last - made > _WITH_ITS_MAKING:
            found[node.ref.name] = (node, last)
    return iter(sorted(found.values(), key=lambda entry: entry[1], reverse=True))


PLUGIN = rule("bad_config", examine, Trouble.CRASH, Trouble.NOT_READY)
