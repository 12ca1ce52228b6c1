"""A NetworkPolicy cuts the way to a dependency that is well, or to the name service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from aegis.diagnosis.calls import Call, calls_of
from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.graph import Node, Tie
from aegis.diagnosis.mend import human_fix, json_fix
from aegis.diagnosis.network import Peer, Way, allows_dns, denying, peer, policies_for
from aegis.diagnosis.reading import items
from aegis.diagnosis.said import REFUSED, UNRESOLVED, Said, first_said
from aegis.diagnosis.services import backing_workloads
from aegis.kube.pod_template import template_labels
from aegis.model.changes import Fix, Provenance, Risk
from aegis.model.diagnosis import Confidence, Link


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The policies are read as the network reads them; a crash may have any cause, so there the output must speak of it."""
    told = first_said(case, symptom, REFUSED) or first_said(case, symptom, UNRESOLVED)
    may_be_anything = symptom.trouble in {Trouble.CRASH, Trouble.ALERT}
    if told is None and may_be_anything:
        return
    here = peer(case.graph, case.namespace, template_labels(case.subject.obj) or symptom.subject.labels)
    yield from _cut_from_dns(case, here, first_said(case, symptom, UNRESOLVED), sure=not may_be_anything)
    for call in calls_of(case.graph, case.subject):
        for cut in _cuts(case, here, call):
            yield replace(_hypothesis(case, call, cut, told), certainty=confirmed_if(not may_be_anything))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """A way that a policy does not let through; `other` is the end that it does not know."""

    policy: Node
    direction: str
    service: Node
    other: Node
    port: int | str


def _cuts(case: Case, here: Peer, call: Call) -> Iterator[_Cut]:
    service = case.graph.get(*call.service)
    for workload in backing_workloads(case.graph, service) if service else ():
        there = peer(case.graph, workload.ref.namespace, template_labels(workload.obj))
        port = _target_port(service, call.address.port) if service else 0
        way = Way(source=here, target=there, port=port, workload=workload)
        for direction, policy in denying(case.graph, way):
            other = case.subject if direction == "ingress" else workload
            yield _Cut(policy=policy, direction=direction, service=service or workload, other=other, port=port)
            return


def _hypothesis(case: Case, call: Call, cut: _Cut, told: Said | None) -> Hypothesis:
    policy, direction = cut.policy, cut.direction
    does = "admits nobody like" if direction == "ingress" else "lets nothing out to"
    rules = f"spec.{direction}: {policy.spec.get(direction)}"
    citations = [cite(policy, f"spec.podSelector: {policy.spec.get('podSelector')}", rules)]
    if told:
        citations.append(cite(told.source, told.line))
    return Hypothesis(
        cause="netpol_deny",
        root=policy.ref,
        certainty=Confidence.LIKELY,
        explanation=(
            f"{case.subject.ref.kind} {case.subject.ref.name} cannot reach Service {cut.service.ref.name} on port {cut.port}: "
            f"NetworkPolicy {policy.ref.name} {does} {cut.other.ref.kind} {cut.other.ref.name}."
        ),
        because=f"no {direction} rule of it allows port {cut.port} for {cut.other.ref.name}",
        chain=(Link(ref=cut.service.ref, because=f"it is called ({call.path})"),),
        citations=tuple(citations),
        fixes=(_fix(case, cut),),
        weight=52,
    )


def _cut_from_dns(case: Case, here: Peer, told: Said | None, *, sure: bool) -> Hypotheses:
    """Names do not resolve, and no egress rule lets the pod ask."""
    calls = calls_of(case.graph, case.subject)
    if told is None and not calls:
        return
    known = list(policies_for(case.graph, here, "egress")) if not allows_dns(case.graph, here) else []
    drawn = [case.graph.node(edge.target) for pod in case.pods for edge in case.graph.out(pod.key, Tie.OWNS)]
    named = [node for node in drawn if node.ref.kind == "NetworkPolicy" and not node.spec]
    for policy in (known or (named if told else []))[:1]:
        yield Hypothesis(
            cause="netpol_deny",
            root=policy.ref,
            certainty=confirmed_if(known and calls and sure),
            explanation=(
                f"Names do not resolve for {case.subject.ref.kind} {case.subject.ref.name}: NetworkPolicy {policy.ref.name} "
                "covers its pods and "
                + ("lets nothing out to port 53 (DNS)." if known else "most likely cuts them off from DNS.")
            ),
            because="no egress rule of it allows DNS (port 53)"
            if known
            else "it covers pods that cannot reach the name service",
            citations=(
                cite(policy, f"spec.egress: {policy.spec.get('egress')}"),
                *((cite(told.source, told.line),) if told else ()),
            ),
            fixes=(
                human_fix(
                    "allow-dns",
                    f"Allow egress to the cluster's DNS (UDP and TCP 53) in NetworkPolicy {policy.ref.name}",
                ),
            ),
            weight=53,
        )


def _target_port(service: Node, port: int | None) -> int | str:
    """The container's port behind a port of the Service."""
    ports = items(service.spec.get("ports"))
    chosen = next((entry for entry in ports if entry.get("port") == port), ports[0] if ports else {})
    target = chosen.get("targetPort") or chosen.get("port") or port or 0
    return target if isinstance(target, int | str) else 0


def _fix(case: Case, cut: _Cut) -> Fix:
    """One more rule, for exactly these pods and this port; the policy itself stays."""
    policy, other, port, direction = cut.policy, cut.other, cut.port, cut.direction
    labels = template_labels(other.obj)
    if not policy.present or not labels or other.ref.namespace != policy.ref.namespace:
        advice = f"Allow port {port} for {other.ref.name} in NetworkPolicy {policy.ref.name}"
        return human_fix("allow-traffic", advice, risk=Risk.HIGH)
    side = "from" if direction == "ingress" else "to"
    entry = {side: [{"podSelector": {"matchLabels": labels}}], "ports": [{"protocol": "TCP", "port": port}]}
    exists = bool(items(policy.spec.get(direction)))
    value = entry if exists else [entry]
    source = f"the labels of the pods of {other.ref}, and the port that Service {cut.service.ref.name} sends to"
    return json_fix(
        case,
        policy,
        [{"op": "add", "path": f"/spec/{direction}" + ("/-" if exists else ""), "value": value}],
        id="allow-traffic",
        summary=f"Add a rule to NetworkPolicy {policy.ref.name} that allows port {port} {side} the pods of {other.ref.name}",
        risk=Risk.HIGH,
        provenance=[Provenance(path=f"spec.{direction}", value=value, source=source, evidence_id=other.evidence_id)],
    )


PLUGIN = rule("netpol_deny", examine, Trouble.CRASH, Trouble.NOT_READY, Trouble.HANGING, Trouble.ALERT)
