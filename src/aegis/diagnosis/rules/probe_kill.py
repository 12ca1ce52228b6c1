"""The kubelet ends a container because its liveness (or startup) probe fails."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.changes_since import recent_change
from aegis.diagnosis.graph import EventNode
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.probes import probe_fixes, shown
from aegis.diagnosis.reading import mapping
from aegis.diagnosis.workload import ContainerView
from aegis.model.changes import Fix
from aegis.model.diagnosis import Alternative

_KILLED = frozenset({137, 143})


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The kubelet's events say so; a bare exit code of a kill only makes it likely."""
    view = case.container(symptom)
    if view is None or symptom.reason == "OOMKilled":
        return
    field = "startupProbe" if _said(case, symptom, "Startup probe failed") else "livenessProbe"
    probe = mapping(view.spec.get(field))
    failed = _said(case, symptom, "Startup probe failed", "Liveness probe failed")
    killed = [event for event in case.events(symptom) if event.reason == "Killing" and "probe" in event.message]
    if not probe or not (failed or killed) or (symptom.exit_code not in {*_KILLED, None} and not killed):
        return
    failed.sort(
        key=lambda event: "statuscode" not in event.message
    )  # an answer says more than silence, as at its start
    answer = failed[0].message.strip() if failed else killed[0].message
    name = field.removesuffix("Probe")
    yield Hypothesis(
        cause="probe_kill",
        root=case.subject.ref,
        certainty=confirmed_if(killed or symptom.exit_code in _KILLED),
        explanation=(
            f"The kubelet ends container {view.name} again and again because its {name} probe ({shown(probe)}) fails: {answer}"
        ),
        because=f"the {name} probe of container {view.name} ({shown(probe)}) fails",
        citations=(
            *(cite(event) for event in (*killed[:1], *failed[:1])),
            cite(symptom.subject, f"spec.containers[{view.name}].{field}: {shown(probe)}"),
        ),
        fixes=_fixes(case, view, field),
        ruled_out=(Alternative(cause="oom_limit", why_not=f"the last end was {symptom.reason}, not OOMKilled"),),
        weight=82,
    )


def _said(case: Case, symptom: Symptom, *prefixes: str) -> list[EventNode]:
    return [
        event for event in case.events(symptom) if event.reason == "Unhealthy" and event.message.startswith(prefixes)
    ]


def _fixes(case: Case, view: ContainerView, field: str) -> tuple[Fix, ...]:
    """The probe as it was, if it is what changed; else the whole last good revision; else a person."""
    fixes = list(probe_fixes(case, view.name, field))
    change = recent_change(case)
    if change is not None and change.fix is not None:
        fixes.append(change.fix)
    name = field.removesuffix("Probe")
    return tuple(fixes) or (
        human_fix("mend-probe", f"Mend what the {name} probe asks, or its path, port or timing; never remove it"),
    )


PLUGIN = rule("probe_kill", examine, Trouble.CRASH)
