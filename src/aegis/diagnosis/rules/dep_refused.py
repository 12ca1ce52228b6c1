"""What a program depends on does not answer: the fault lies there."""

from __future__ import annotations

from aegis.diagnosis.calls import Call, addresses_in, calls_of, service_key
from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.graph import Key
from aegis.diagnosis.said import REFUSED, UNRESOLVED, Said, said
from aegis.model.diagnosis import Confidence, Link
from aegis.model.refs import ObjectRef


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """Each Service that the workload names is looked at: whether it fails is the API's to say, not the output's.

    A crash may have any cause, so there the output must speak of a connection; and it is never more than likely then.
    """
    told = [line for line in said(case, symptom) if REFUSED.search(line.line) or UNRESOLVED.search(line.line)]
    if symptom.trouble is Trouble.CRASH and not told:
        return
    calls = {call.service: call for call in reversed(calls_of(case.graph, case.subject))}
    for call in calls.values():
        yield _of_call(case, symptom, call, _naming(told, call))
    for line in told:
        for address in addresses_in(line.line):
            key = service_key(case.graph, address.host, case.namespace)
            if key is not None and key not in calls and case.graph.get(*key) is not None:
                yield _of_line(case, key, line)


def _naming(told: list[Said], call: Call) -> tuple[Said | None, bool]:
    """The line that speaks of this call, and whether it names it."""
    named = next((line for line in told if call.address.host in line.line or call.service[2] in line.line), None)
    return (named, True) if named else (told[0] if told else None, False)


def _of_call(case: Case, symptom: Symptom, call: Call, telling: tuple[Said | None, bool]) -> Hypothesis:
    line, named = telling
    name = call.service[2]
    spelled = call.address.host + (f":{call.address.port}" if call.address.port else "")
    via = f", which ConfigMap {call.via[2]} sets" if call.via else ""
    citations = [cite(case.subject, f"{call.path}: {spelled}")]
    if line:
        citations.append(cite(line.source, line.line))
    return Hypothesis(
        cause="dep_refused",
        root=_ref(call.service),
        certainty=confirmed_if(symptom.trouble is not Trouble.CRASH and case.subject.present),
        explanation="",
        because=f"{case.subject.ref.kind} {case.subject.ref.name} calls Service {name} ({call.path}{via})",
        citations=tuple(citations),
        chain=(Link(ref=_ref(call.service), because=f"{case.subject.ref.name} calls it at {spelled}"),),
        weight=51 if named else 50,
        onward=call.service,
    )


def _of_line(case: Case, service: Key, line: Said) -> Hypothesis:
    return Hypothesis(
        cause="dep_refused",
        root=_ref(service),
        certainty=Confidence.LIKELY,
        explanation="",
        because=f"{case.subject.ref.kind} {case.subject.ref.name} calls Service {service[2]}, as its output says",
        citations=(cite(line.source, line.line),),
        chain=(Link(ref=_ref(service), because="the output names it"),),
        weight=35,
        hearsay=True,
        onward=service,
    )


def _ref(key: Key) -> ObjectRef:
    return ObjectRef(api_version="v1", kind=key[0], namespace=key[1], name=key[2])


PLUGIN = rule("dep_refused", examine, Trouble.CRASH, Trouble.NOT_READY, Trouble.HANGING, Trouble.ALERT)
