"""An admission webhook gives pods other resources than their template says."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.graph import Node
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import at, items, mapping, quantity, text
from aegis.diagnosis.workload import template_container
from aegis.model.changes import Risk
from aegis.model.refs import ObjectRef

_AUTOSCALED = "vpaUpdates"
"""The annotation with which a vertical autoscaler says that the values are its own."""


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """What the template states, and the pod has otherwise, somebody changed on the way: defaults only fill gaps."""
    pod = symptom.subject
    if pod.ref.kind != "Pod" or _AUTOSCALED in mapping(pod.metadata.get("annotations")):
        return
    owner = case.owner(symptom)
    if owner is None or (symptom.trouble is Trouble.CRASH and symptom.reason != "OOMKilled"):
        return
    for container in items(pod.spec.get("containers")):
        name = text(container.get("name"))
        stated = mapping(template_container(owner, name).get("resources"))
        other = _otherwise(stated, mapping(container.get("resources")))
        if not other or (symptom.container and symptom.container != name):
            continue
        path, was, now = other
        hook = _hook(case)
        yield Hypothesis(
            cause="webhook_mutates",
            root=hook or case.subject.ref,
            certainty=confirmed_if(hook),
            explanation=(
                f"The template of {owner.ref.kind} {owner.ref.name} says {path} {was} for container {name}, but "
                f"its pods have {now}: an admission webhook changes them on the way."
            ),
            because=f"pods get {path} {now} where their template says {was}",
            citations=(
                cite(pod, f"spec.containers[{name}].resources.{path}: {now}"),
                cite(owner, f"spec.template.spec.containers[{name}].resources.{path}: {was}"),
            ),
            fixes=(
                human_fix(
                    "scope-webhook",
                    "Find the mutating webhook that sets resources, and leave this workload out by its selector",
                    risk=Risk.HIGH,
                ),
            ),
            weight=95,
        )


def _otherwise(stated: dict[str, object], given: dict[str, object]) -> tuple[str, object, object] | None:
    """(path, template's value, pod's value) of the first amount that is not the same."""
    for group in ("limits", "requests"):
        for resource, was in mapping(stated.get(group)).items():
            now = at(given, group, resource)
            if now is not None and quantity(was) is not None and quantity(was) != quantity(now):
                return f"{group}.{resource}", was, now
    return None


def _hook(case: Case) -> ObjectRef | None:
    """The one webhook configuration that mutates pods, if the evidence holds exactly one."""
    hooks = [node for node in case.graph.of_kind("MutatingWebhookConfiguration") if _takes_pods(node)]
    return hooks[0].ref if len(hooks) == 1 else None


def _takes_pods(node: Node) -> bool:
    rules = (entry for hook in items(node.obj.get("webhooks")) for entry in items(hook.get("rules")))
    return any({"pods", "*", "*/*", "pods/*"} & set(map(str, entry.get("resources") or ())) for entry in rules)


PLUGIN = rule("webhook_mutates", examine, Trouble.CRASH, Trouble.SCHEDULING)
