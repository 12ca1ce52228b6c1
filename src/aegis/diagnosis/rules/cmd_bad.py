"""The script or the arguments of a container are wrong."""

from __future__ import annotations

import re

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import time_of
from aegis.diagnosis.restore import restore_container
from aegis.diagnosis.said import first_said
from aegis.model.diagnosis import Confidence

_COMPLAINT = re.compile(
    r"syntax error|SyntaxError|unexpected token|(?:unrecognized|unknown|invalid|illegal) (?:option|argument|flag|command)"
    r"|flag provided but not defined|[Uu]sage: |can't open (?:file )?'|: not found$|command not found"
    r"|No such file or directory|Cannot find module|ModuleNotFoundError"
)
_CODES = frozenset({1, 2, 64, 126, 127})
_SECONDS = 10


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """It ends at once with the exit status of a usage error, and its output complains of the command line."""
    view = case.container(symptom)
    if view is None or symptom.exit_code not in _CODES:
        return
    told = first_said(case, symptom, _COMPLAINT)
    began, ended = time_of(view.ended.get("startedAt")), view.ended_at
    if told is None or (began and ended and (ended - began).total_seconds() > _SECONDS):
        return
    fixes = restore_container(case, view.name, ("command", "args"), what="the command")
    line = told.line.strip()[:200]
    yield Hypothesis(
        cause="cmd_bad",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED if fixes and fixes[0].change_set else Confidence.LIKELY,
        explanation=f"Container {view.name} ends at once with exit code {symptom.exit_code}: its command is wrong ({line}).",
        because=f"the command of container {view.name} is wrong",
        citations=(
            cite(told.source, told.line),
            cite(
                symptom.subject,
                f"spec.containers[{view.name}].command: {view.spec.get('command')} {view.spec.get('args')}",
            ),
        ),
        fixes=fixes or (human_fix("mend-command", f"Correct the command or the arguments of container {view.name}"),),
        weight=60,
    )


PLUGIN = rule("cmd_bad", examine, Trouble.CRASH)
