"""The script or the arguments of a container are wrong."""

from __future__ import annotations

import re

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.mend import container_path, human_fix
from aegis.diagnosis.reading import time_of
from aegis.diagnosis.restore import restore_container
from aegis.diagnosis.said import first_said

_COMPLAINT = re.compile(
    r"syntax error|SyntaxError|unexpected token|(?:unrecognized|unknown|invalid|illegal) (?:option|argument|flag|command)"
    r"|flag provided but not defined|unrecognized arguments?:|can't open (?:file )?'|: not found$|command not found"
    r"|No such file or directory|Cannot find module|ModuleNotFoundError"
)
_USAGE_TEXT = re.compile(r"^\s*[Uu]sage: ")
_USAGE = frozenset({2, 64, 126, 127})
_CODES = _USAGE | {1}
_SECONDS = 10


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """It ends at once with an exit status of a usage error; that its command was another makes it sure."""
    view = case.container(symptom)
    if view is None or symptom.exit_code not in _CODES or symptom.reason == "StartError":
        return
    began, ended = time_of(view.ended.get("startedAt")), view.ended_at
    if began and ended and (ended - began).total_seconds() > _SECONDS:
        return
    told = first_said(case, symptom, _COMPLAINT) or first_said(case, symptom, _USAGE_TEXT)
    fixes = restore_container(case, view.name, ("command", "args"), what="the command")
    sure = bool(fixes) and symptom.exit_code in _USAGE
    if told is None and not sure:
        return
    line = f" ({told.line.strip()[:200]})" if told else ""
    path = container_path(case.subject, view.name)
    given = [f"spec.{path}.{field}: {view.spec[field]}" for field in ("command", "args") if field in view.spec]
    yield Hypothesis(
        cause="cmd_bad",
        root=case.subject.ref,
        certainty=confirmed_if(sure),
        explanation=f"Container {view.name} ends at once with exit code {symptom.exit_code}: its command is wrong{line}.",
        because=f"the command of container {view.name} is wrong",
        citations=(*((cite(told.source, told.line),) if told else ()), cite(symptom.subject, *given)),
        fixes=fixes or (human_fix("mend-command", f"Correct the command or the arguments of container {view.name}"),),
        weight=58,
        hearsay=not fixes,
    )


PLUGIN = rule("cmd_bad", examine, Trouble.CRASH)
