"""A container runs, and its readiness probe fails."""

from __future__ import annotations

import re

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.changes_since import recent_change
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.probes import declares, handler_of, port_of, probe_fixes, shown
from aegis.diagnosis.reading import mapping
from aegis.diagnosis.workload import ContainerView
from aegis.model.changes import Fix

_WRONG_PATH = re.compile(r"statuscode: (?:404|405|301|302)")
_NOBODY_THERE = re.compile(r"connection refused|no such host")


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """A probe that asks where nobody answers is itself wrong; one that is answered with an error tells the truth."""
    view = case.container(symptom)
    if view is None:
        return
    field = "startupProbe" if symptom.message.startswith("Startup probe") else "readinessProbe"
    probe = mapping(view.spec.get(field))
    if not probe:
        return
    wrong = _is_wrong(view, probe, symptom.message)
    answer = symptom.message.strip() or "no event tells the answer"
    name = field.removesuffix("Probe")
    yield Hypothesis(
        cause="readiness",
        root=case.subject.ref,
        certainty=confirmed_if(wrong or handler_of(probe)[0] == "exec"),
        explanation=(
            f"Container {view.name} runs but does not pass its {name} probe ({shown(probe)}): {answer}. "
            + (wrong or "No dependency that it names is seen to fail.")
        ),
        because=f"the {name} probe of container {view.name} ({shown(probe)}) fails" + (f": {wrong}" if wrong else ""),
        citations=(
            *(cite(event) for event in case.events(symptom) if event.message == symptom.message and symptom.message),
            cite(symptom.subject, f"spec.containers[{view.name}].{field}: {shown(probe)}"),
        ),
        fixes=_fixes(case, view, field),
        weight=55 if wrong else 15,
    )


def _is_wrong(view: ContainerView, probe: dict[str, object], message: str) -> str:
    """Why the probe itself is at fault; empty where it is not seen to be."""
    port = port_of(probe)
    if _NOBODY_THERE.search(message) and port is not None and view.spec.get("ports") and not declares(view.spec, port):
        return f"it asks port {port}, which the container does not declare"
    if _WRONG_PATH.search(message):
        return f"the path {handler_of(probe)[1].get('path')} is not served"
    return ""


def _fixes(case: Case, view: ContainerView, field: str) -> tuple[Fix, ...]:
    fixes = list(probe_fixes(case, view.name, field))
    change = recent_change(case)
    if not fixes and change is not None and change.fix is not None:
        fixes.append(change.fix)
    name = field.removesuffix("Probe")
    advice = f"Mend what the {name} probe of container {view.name} asks, or correct its path or port; never remove it"
    return tuple(fixes) or (human_fix("mend-probe", advice),)


PLUGIN = rule("readiness", examine, Trouble.NOT_READY)
