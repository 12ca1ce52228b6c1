"""Which pods of a StatefulSet are made or deleted next, in the order of their numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.history import HASH
from aegis.localcluster.controllers.objects import is_ready, is_terminating, labels_of, owners_of
from aegis.localcluster.controllers.replicaset import pod_for

Available = Callable[[Object], bool]

_NAME_LABEL, _INDEX_LABEL = "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"
_NUMBERED = re.compile(r"(.+)-(0|[1-9]\d{0,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisions:
    """The names of the revision that a set comes from and of the one that it goes to."""

    current: str
    update: str


@dataclass(slots=True)
class Step:
    """What changes now.

    Attributes:
        made: the numbers of pods to make.
        doomed: pods to delete.
    """

    made: list[int] = field(default_factory=list)
    doomed: list[Object] = field(default_factory=list)


def decide(stateful_set: Object, pods: Iterable[Object], update: str, available: Available) -> Step:
    """The next step.

    Args:
        stateful_set: the set, which is not being deleted.
        pods: its pods that exist.
        update: the name of the newest revision.
        available: whether a pod has been ready for long enough.
    """
    step, by_number = Step(), {number_of(p): p for p in pods}
    ordered = stateful_set["spec"].get("podManagementPolicy") != "Parallel"
    if _fill(stateful_set, by_number, available, step) and ordered:
        return step
    if _shrink(stateful_set, by_number, step) and ordered:
        return step
    if (stateful_set["spec"].get("updateStrategy") or {}).get("type") != "OnDelete":
        _renew(stateful_set, by_number, update, step)
    return step


def numbers(stateful_set: Object) -> range:
    """The numbers that its pods shall have."""
    start = (stateful_set["spec"].get("ordinals") or {}).get("start", 0)
    return range(start, start + stateful_set["spec"].get("replicas", 1))


def number_of(pod: Object) -> int:
    """The number in a pod's name; -1 where there is none."""
    found = _NUMBERED.fullmatch(pod["metadata"]["name"])
    return int(found[2]) if found else -1


def is_member(stateful_set: Object, pod: Object) -> bool:
    """Whether a pod is named as one of the set."""
    found = _NUMBERED.fullmatch(pod["metadata"]["name"])
    return found is not None and found[1] == stateful_set["metadata"]["name"]


def revision_for(stateful_set: Object, number: int, revisions: Revisions) -> str:
    """The revision that a new pod of a number gets: what lies below the partition stays as it was."""
    strategy = stateful_set["spec"].get("updateStrategy") or {}
    rolls = strategy.get("type", "RollingUpdate") == "RollingUpdate"
    return revisions.current if rolls and number < _first_to_renew(stateful_set) else revisions.update


def pod_of(stateful_set: Object, template: Mapping[str, Any], number: int, revision: str) -> Object:
    """The pod of a number: its name is its host name, under the set's headless Service; its claims are its own."""
    spec = stateful_set["spec"]
    pod = pod_for({**stateful_set, "spec": {**spec, "template": template}})
    name = f"{stateful_set['metadata']['name']}-{number}"
    metadata = {k: v for k, v in pod["metadata"].items() if k != "generateName"}
    marks = {_NAME_LABEL: name, _INDEX_LABEL: str(number), HASH: revision}
    claimed = {
        claim["metadata"]["name"]: claim_name(stateful_set, claim, number)
        for claim in spec.get("volumeClaimTemplates") or ()
    }
    others = [v for v in pod["spec"].get("volumes") or () if v["name"] not in claimed]
    volumes = [{"name": n, "persistentVolumeClaim": {"claimName": c}} for n, c in claimed.items()]
    identity = {"hostname": name, "subdomain": spec.get("serviceName") or ""}
    return {
        **pod,
        "metadata": {**metadata, "name": name, "labels": {**metadata.get("labels", {}), **marks}},
        "spec": {**pod["spec"], **{k: v for k, v in identity.items() if v}, "volumes": [*others, *volumes]},
    }


def claims_of(stateful_set: Object, number: int) -> list[Object]:
    """The PersistentVolumeClaims of a number."""
    namespace, selector = stateful_set["metadata"]["namespace"], stateful_set["spec"]["selector"]
    claims = []
    for template in stateful_set["spec"].get("volumeClaimTemplates") or ():
        given = template["metadata"]
        metadata = {
            "name": claim_name(stateful_set, template, number),
            "namespace": namespace,
            "labels": {**(given.get("labels") or {}), **(selector.get("matchLabels") or {})},
            "annotations": dict(given.get("annotations") or {}),
        }
        claims.append({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": metadata,
            "spec": template["spec"],
        })
    return claims


def claim_owner(stateful_set: Object, number: int, pod: Object | None) -> Object | None:
    """Whose end is to be that of a number's claims: the set's, that of a pod that is not wanted any more, or nobody's.

    Args:
        stateful_set: the set.
        number: the claims' number.
        pod: the pod of that number, if there is one.
    """
    policy: Mapping[str, str] = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    if policy.get("whenScaled") == "Delete" and number not in numbers(stateful_set):
        return pod
    return stateful_set if policy.get("whenDeleted") == "Delete" else None


def owned_by(claim: Object, owner: Object | None) -> list[Object]:
    """The owner references that a claim is to have: none of sets and pods but this one."""
    others = [dict(o) for o in owners_of(claim) if o.get("kind") not in {"StatefulSet", "Pod"}]
    if owner is None:
        return others
    metadata = owner["metadata"]
    mine = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return [*others, mine]


def claim_name(stateful_set: Object, template: Object, number: int) -> str:
    """The name of the claim that a template makes for a number."""
    return f"{template['metadata']['name']}-{stateful_set['metadata']['name']}-{number}"


def status_of(stateful_set: Object, pods: Sequence[Object], revisions: Revisions, available: Available) -> Object:
    """The status; once every pod is of the newest revision and ready, that is the current one."""
    alive = [p for p in pods if not is_terminating(p)]
    ready, wanted = sum(1 for p in pods if is_ready(p)), stateful_set["spec"].get("replicas", 1)
    updated = sum(1 for p in alive if labels_of(p).get(HASH) == revisions.update)
    current, kept = sum(1 for p in alive if labels_of(p).get(HASH) == revisions.current), revisions.current
    rolls = (stateful_set["spec"].get("updateStrategy") or {}).get("type") != "OnDelete"
    if rolls and updated == len(pods) == ready == wanted:
        current, kept = updated, revisions.update
    counts = {"readyReplicas": ready, "currentReplicas": current, "updatedReplicas": updated}
    return {
        "replicas": len(pods),
        "availableReplicas": sum(1 for p in pods if available(p)),
        **{k: v for k, v in counts.items() if v},
        "currentRevision": kept,
        "updateRevision": revisions.update,
        "observedGeneration": stateful_set["metadata"].get("generation", 1),
        "collisionCount": 0,
    }


def _fill(stateful_set: Object, pods: Mapping[int, Object], available: Available, step: Step) -> bool:
    """Make what is missing, in order; whether anything is still on its way."""
    ordered, pending = stateful_set["spec"].get("podManagementPolicy") != "Parallel", False
    for number in numbers(stateful_set):
        pod = pods.get(number)
        if pod is None:
            step.made.append(number)
        elif is_terminating(pod):
            pass
        elif _ended(pod):
            step.doomed.append(pod)
        elif available(pod):
            continue
        pending = True
        if ordered:
            break
    return pending


def _shrink(stateful_set: Object, pods: Mapping[int, Object], step: Step) -> bool:
    """Give up what is too many, the highest number first; whether anything is still on its way."""
    ordered, wanted = stateful_set["spec"].get("podManagementPolicy") != "Parallel", numbers(stateful_set)
    condemned = [pods[n] for n in sorted(pods, reverse=True) if n not in wanted]
    for pod in condemned:
        if not is_terminating(pod):
            step.doomed.append(pod)
        if ordered:
            break
    return bool(condemned)


def _renew(stateful_set: Object, pods: Mapping[int, Object], update: str, step: Step) -> None:
    """Delete the pod with the highest number that is of an older revision, when all above it are well."""
    first = _first_to_renew(stateful_set)
    for number in reversed([n for n in numbers(stateful_set) if n >= first]):
        pod = pods.get(number)
        if pod is None or is_terminating(pod):
            return
        if labels_of(pod).get(HASH) != update:
            if pod not in step.doomed:
                step.doomed.append(pod)
            return
        if not is_ready(pod):
            return


def _first_to_renew(stateful_set: Object) -> int:
    rolling = (stateful_set["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    partition: int = rolling.get("partition") or 0
    return numbers(stateful_set).start + partition


def _ended(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
