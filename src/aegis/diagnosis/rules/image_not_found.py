"""The registry has no such image or tag."""

from __future__ import annotations

import re

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.images import image_fixes
from aegis.model.diagnosis import Alternative

_MISSING = re.compile(r"manifest unknown|not found|no such image|does not exist|name unknown", re.IGNORECASE)
_DENIED = re.compile(r"denied|unauthorized|insufficient_scope|authentication required|forbidden", re.IGNORECASE)
_UNREACHABLE = re.compile(r"i/o timeout|no such host|x509|toomanyrequests|connection refused|TLS", re.IGNORECASE)


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The kubelet says that the registry answered, and has it not."""
    view = case.container(symptom)
    if view is None or symptom.reason not in {"ErrImagePull", "ImagePullBackOff"}:
        return
    told = _DENIED.search(symptom.message) or _UNREACHABLE.search(symptom.message)
    missing = _MISSING.search(symptom.message)
    if told or (not missing and not _only_back_off(symptom)):
        return
    explanation = f"The image {view.image} of container {view.name} cannot be pulled: "
    explanation += "the registry has no such repository or tag." if missing else "the kubelet backs off pulling it."
    yield Hypothesis(
        cause="image_not_found",
        root=case.subject.ref,
        certainty=confirmed_if(missing),
        explanation=explanation,
        because=f"its pod template names the image {view.image}",
        citations=(
            *(cite(event) for event in case.events(symptom) if missing and event.message == symptom.message),
            cite(
                symptom.subject,
                f"spec.containers[{view.name}].image: {view.image}",
                f"{symptom.reason}: {symptom.message}",
            ),
        ),
        fixes=image_fixes(case, symptom, view),
        ruled_out=(Alternative(cause="image_auth", why_not="the registry does not speak of access"),)
        if missing
        else (),
        weight=80,
    )


def _only_back_off(symptom: Symptom) -> bool:
    return not symptom.message or symptom.message.startswith("Back-off pulling image")


PLUGIN = rule("image_not_found", examine, Trouble.PULL)
