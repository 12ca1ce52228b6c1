"""No node has room for what the pod asks."""

from __future__ import annotations

import re
from decimal import Decimal

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.history import good_revisions
from aegis.diagnosis.limits import canonical
from aegis.diagnosis.mend import can_change_template, container_patch, human_fix, patch_fix, template_field
from aegis.diagnosis.reading import at, number, quantity
from aegis.diagnosis.scheduling import Offer, asked, fitting_request, heaviest, offers, request
from aegis.kube.pod_template import pod_spec_of
from aegis.model.changes import Fix, Provenance, Risk
from aegis.model.diagnosis import Alternative, Confidence

_INSUFFICIENT = re.compile(r"Insufficient (?P<resource>[a-z0-9./-]+)")
_LOWERED = frozenset({"cpu", "memory", "ephemeral-storage"})


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The scheduler says which resource lacks; the nodes say whether any could ever take the pod."""
    match = _INSUFFICIENT.search(symptom.message)
    if match is None:
        return
    resource = match["resource"].rstrip(".,")
    wants = asked(symptom.subject.spec, resource)
    offered = offers(case.graph, resource, without=frozenset(pod.ref.name for pod in case.pods))
    largest = max((offer.allocatable for offer in offered), default=None)
    never = largest is not None and wants > largest
    most = f"the largest node offers {canonical(largest, resource)}" if largest is not None else "no node offers any"
    yield Hypothesis(
        cause="sched_resources",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=(
            f"The pod asks for {canonical(wants, resource)} of {resource}; {most}"
            + ("." if never else ", but none has that much free.")
            + f" So it stays Pending (Insufficient {resource})."
        ),
        because=f"its pod template requests {canonical(wants, resource)} of {resource}",
        citations=(
            *symptom.citations,
            *(
                cite(offer.node, f"status.allocatable.{resource}: {canonical(offer.allocatable, resource)}")
                for offer in offered[:2]
            ),
        ),
        fixes=(_fix(case, resource, wants, offered),),
        ruled_out=_ruled_out(symptom.message),
        weight=80 if never else 70,
    )


def _ruled_out(message: str) -> tuple[Alternative, ...]:
    absent = {"sched_selector": "node affinity/selector", "sched_taint": "untolerated taint"}
    return tuple(
        Alternative(cause=cause, why_not="the scheduler does not name it")
        for cause, words in absent.items()
        if words not in message
    )


def _fix(case: Case, resource: str, wants: Decimal, offered: tuple[Offer, ...]) -> Fix:
    node = case.subject
    container = heaviest(node, resource)
    if container is None or resource not in _LOWERED or not can_change_template(node) or not offered:
        return human_fix(
            "make-room", f"Add a node that offers {canonical(wants, resource)} of {resource}, or ask for less"
        )
    found = _from_good(case, container.name, resource, request(container, resource)) or _that_fits(
        case, resource, wants, offered
    )
    if found is None:
        return human_fix(
            "make-room", f"Make room for {canonical(wants, resource)} of {resource}: add nodes or ask for less"
        )
    value, source, evidence_id = found
    resources = {"requests": {resource: value}}
    path = template_field(node, f"{container.path}.resources.requests.{resource}")
    old = canonical(request(container, resource), resource)
    return patch_fix(
        case,
        node,
        container_patch(node, container.name, {"resources": resources}),
        id="lower-request",
        summary=f"Lower the {resource} request of container {container.name} from {old} to {value}",
        risk=Risk.MEDIUM,
        provenance=[Provenance(path=path, value=value, source=source, evidence_id=evidence_id)],
    )


def _from_good(case: Case, container: str, resource: str, now: Decimal) -> tuple[str, str, str] | None:
    for revision in good_revisions(case.graph, case.subject):
        was = at(revision.container(container), "resources", "requests", resource)
        amount = quantity(was)
        if amount is not None and amount < now:
            return str(was), revision.source, revision.node.evidence_id
    return None


def _that_fits(case: Case, resource: str, wants: Decimal, offered: tuple[Offer, ...]) -> tuple[str, str, str] | None:
    """The most that lets all replicas and one more (for the roll-out) fit."""
    node = case.subject
    replicas = number(node.spec.get("replicas")) or 1
    container = heaviest(node, resource)
    spec = pod_spec_of(node.obj) or {}
    if container is None or wants <= max(offer.allocatable for offer in offered):
        return None
    others = asked(spec, resource) - request(container, resource)
    size = fitting_request(offered, replicas + 1) - others
    if size <= 0 or size >= request(container, resource):
        return None
    best = offered[0]
    source = f"what Node {best.node.ref.name} can allocate ({canonical(best.allocatable, resource)}), for {replicas + 1} pods"
    return canonical(size, resource), source, best.node.evidence_id


PLUGIN = rule("sched_resources", examine, Trouble.SCHEDULING)
