"""What a Job's podFailurePolicy says of a pod that failed. Pure.

Source: the batch/v1 API reference and the behaviour and words of Kubernetes' job controller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What the first rule that matches a failed pod demands.

    Attributes:
        action: `FailJob`, `FailIndex`, `Ignore` or `Count`.
        message: why, in words.
    """

    action: str
    message: str


def ruling(policy: Json | None, pod: Json) -> Ruling | None:
    """The ruling on a failed pod, or None where no rule matches."""
    for index, rule in enumerate((policy or {}).get("rules") or ()):
        if (what := _matched(rule, pod)) is not None:
            action = str(rule.get("action"))
            return Ruling(action=action, message=f"{what} matching {action} rule at index {index}")
    return None


def _matched(rule: Json, pod: Json) -> str | None:
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    if (wanted := rule.get("onExitCodes")) is not None:
        found = next((c for c in _failures(pod) if _has_code(wanted, *c)), None)
        return found and f"Container {found[0]} for pod {name} failed with exit code {found[1]}"
    conditions: Sequence[Json] = (pod.get("status") or {}).get("conditions") or ()
    patterns = [(p.get("type"), p.get("status", "True")) for p in rule.get("onPodConditions") or ()]
    kind = next((c["type"] for c in conditions if (c.get("type"), c.get("status")) in patterns), None)
    return kind and f"Pod {name} has condition {kind}"


def _failures(pod: Json) -> Iterator[tuple[str, int]]:
    """The containers that ended with another code than 0."""
    status = pod.get("status") or {}
    for group in ("containerStatuses", "initContainerStatuses"):
        for container in status.get(group) or ():
            code = ((container.get("state") or {}).get("terminated") or {}).get("exitCode")
            if code:
                yield container["name"], code


def _has_code(wanted: Json, name: str, code: int) -> bool:
    if wanted.get("containerName") not in {None, name}:
        return False
    return (code in (wanted.get("values") or ())) is (wanted.get("operator") == "In")
