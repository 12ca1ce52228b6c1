"""A pod does not ask the cluster's name service."""

from __future__ import annotations

from aegis.diagnosis.calls import calls_of
from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import mapping
from aegis.diagnosis.restore import restore_pod
from aegis.diagnosis.said import UNRESOLVED, first_said
from aegis.kube.pod_template import pod_spec_of


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """Its dnsPolicy goes round the cluster's DNS, and it names Services."""
    spec = pod_spec_of(case.subject.obj) or {}
    policy = spec.get("dnsPolicy")
    host = spec.get("hostNetwork") is True and policy == "ClusterFirst"
    if (policy not in {"Default", "None"} and not host) or (
        policy == "None" and "nameservers" not in mapping(spec.get("dnsConfig"))
    ):
        return
    calls = calls_of(case.graph, case.subject)
    told = first_said(case, symptom, UNRESOLVED)
    if not calls or (told is None and symptom.trouble is Trouble.CRASH):
        return
    what = f"dnsPolicy {policy}" + (" with hostNetwork" if host else "")
    advice = "Set dnsPolicy to ClusterFirst" + ("WithHostNet" if host else "")
    yield Hypothesis(
        cause="dns_policy",
        root=case.subject.ref,
        certainty=confirmed_if(symptom.trouble is not Trouble.CRASH),
        explanation=f"The pods have {what}, so they do not ask the cluster's name service and find no Service such as "
        f"{calls[0].address.host}.",
        because=f"its pod template has {what}",
        citations=(
            cite(case.subject, f"spec.template.spec.dnsPolicy: {policy}"),
            *((cite(told.source, told.line),) if told else ()),
        ),
        fixes=restore_pod(case, ("dnsPolicy", "dnsConfig", "hostNetwork"), what="the DNS policy")
        or (human_fix("mend-dns-policy", advice),),
        weight=57,
    )


PLUGIN = rule("dns_policy", examine, Trouble.CRASH, Trouble.NOT_READY, Trouble.HANGING, Trouble.ALERT)
