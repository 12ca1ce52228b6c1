"""Copies for a shadow: what is stripped, what is changed per kind, and what the copy therefore is not. Pure.

Everything that a copy differs in from production is written down in the fidelity ledger, in words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from aegis.errors import Refused
from aegis.kube.pod_security import CONTROLS, pod_of
from aegis.kube.pod_template import containers, template_of, template_path
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.shadow.closure import Closure, Known
from aegis.shadow.synthetic import Faker
from aegis.shadow.workloads import SCALED, replicas

_OWNED_PREFIXES = (
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "helm.sh/",
    "kubectl.kubernetes.io/",
    "deployment.kubernetes.io/",
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/",
    "control-plane.alpha.kubernetes.io/",
    "endpoints.kubernetes.io/",
    "batch.kubernetes.io/",
)
"""Marks by which a controller or a tool would adopt or prune a copy, or which speak of the original's past."""

_OWNED_NAMES = frozenset({
    "app.kubernetes.io/managed-by",
    "controller-uid",
    "job-name",
    "objectset.rio.cattle.io/hash",
})

_SERVICE_FIELDS = (
    "clusterIPs",
    "healthCheckNodePort",
    "externalIPs",
    "loadBalancerIP",
    "loadBalancerClass",
    "loadBalancerSourceRanges",
    "externalTrafficPolicy",
    "allocateLoadBalancerNodePorts",
    "ipFamilies",
    "ipFamilyPolicy",
)
_POD_FIELDS = ("nodeName", "priority", "priorityClassName", "preemptionPolicy", "hostname", "ephemeralContainers")
_OWN_VOLUMES = frozenset({
    "configMap",
    "secret",
    "emptyDir",
    "downwardAPI",
    "projected",
    "persistentVolumeClaim",
    "ephemeral",
    "image",
})
"""What a volume in a shadow may be made of. All else (nfs, csi, a cloud's disk) is mounted by the node, which no
NetworkPolicy holds back: it would be production's own data."""
_FILLED_BY = ("volumeName", "dataSource", "dataSourceRef")
"""By which a claim takes over a disk, a snapshot or another claim."""
_NEVER_COPIED = frozenset({"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"})

_RETRIES = 6
"""Of a Job, by default: seven ends, which is what the judge asks for."""

TRIALS = 5
"""Pods per arm: 5 of 5 against 0 of 5 cannot well be chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneOptions:
    """How to copy.

    Attributes:
        trials: pods of each workload that is tried.
        copy_secrets: Secrets that may be copied as they are, as NAMESPACE/NAME; all others become fakes.
        keep_replicas: do not change the number of pods: the fix is about it.
        keep_placement: keep what keeps pods apart: the fix is about scheduling.
    """

    trials: int = TRIALS
    copy_secrets: Collection[str] = ()
    keep_replicas: bool = False
    keep_placement: bool = False


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What in the shadow is not as in production."""

    entries: list[str] = field(default_factory=list)

    def note(self, entry: str) -> None:
        """Write one entry, once."""
        if entry not in self.entries:
            self.entries.append(entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to create in each arm, in this order, and what then is tried.

    Attributes:
        objects: without a namespace; workloads with `replicas: 0` where their kind has it, to be released later.
        subjects: the workloads that are tried.
        dependencies: those that they call.
        trials: pods of each subject, once released.
        synthetic: names of the Secrets that were faked.
        ledger: what is not as in production.
        keeps_replicas: the fix is about the number of pods, so that nothing was held back.
    """

    objects: tuple[JsonObject, ...]
    subjects: tuple[ObjectRef, ...]
    dependencies: tuple[ObjectRef, ...]
    trials: Mapping[ObjectRef, int]
    synthetic: tuple[str, ...]
    ledger: Ledger
    keeps_replicas: bool = False


def plan(found: Closure, known: Known, faker: Faker, options: CloneOptions) -> Plan:
    """Turn a closure into the objects of an arm.

    Raises:
        Refused: if the workload that is tried could reach its node.
    """
    ledger, objects, synthetic, trials = Ledger(), [], [], {}
    for ref in sorted(found.named, key=lambda ref: _ORDER[ref.kind]):
        obj = known[ref]
        if obj is None or obj.get("type") in _NEVER_COPIED:
            continue
        copy, faked = _named(obj, faker, options, ledger)
        objects.append(copy)
        synthetic += [ref.name] if faked else []
    objects += [service(obj, ledger) for ref in found.services if (obj := known[ref]) is not None]
    for ref in found.workloads:
        if (obj := known[ref]) is not None and _admitted(ref, obj, found, ledger):
            trials[shadow_ref(ref)] = _trials(ref, obj, found, options)
            objects.append(workload(obj, options, ledger))
    for host in found.outside:
        ledger.note(f"{host} is not reachable: it lies in another namespace")
    return Plan(
        objects=tuple(objects),
        subjects=tuple(shadow_ref(ref) for ref in found.subjects if known.get(ref) is not None),
        dependencies=tuple(shadow_ref(ref) for ref in found.dependencies if shadow_ref(ref) in trials),
        trials=trials,
        synthetic=tuple(synthetic),
        ledger=ledger,
        keeps_replicas=options.keep_replicas,
    )


def _admitted(ref: ObjectRef, obj: Json, found: Closure, ledger: Ledger) -> bool:
    """Whether a shadow takes a workload; a dependency that it does not take is left out, and the ledger says so.

    Raises:
        Refused: if it is the one to be tried.
    """
    fault = forbidden(obj)
    if fault and ref in found.subjects:
        raise Refused(
            f"{ref} cannot be tried in a shadow, which would let it reach the node ({fault})",
            hint="Try this fix by hand on a test cluster.",
        )
    if fault:
        ledger.note(f"{ref.kind} {ref.name} is not copied: a shadow does not admit it ({fault})")
    return not fault


_ORDER = {"ServiceAccount": 0, "Secret": 1, "ConfigMap": 2, "PersistentVolumeClaim": 3}


def shadow_ref(ref: ObjectRef) -> ObjectRef:
    """What an object is in a shadow: a DaemonSet runs as a Deployment there."""
    if ref.kind == "DaemonSet":
        return ObjectRef(api_version="apps/v1", kind="Deployment", name=ref.name, namespace=ref.namespace)
    return ref


def forbidden(obj: Json) -> str:
    """What of a workload a shadow's namespace would not admit (Pod Security `baseline`); empty where nothing is."""
    template = template_of(obj)
    if template is None:
        return ""
    pod = pod_of(template)
    faults = (fault for control in CONTROLS if control.level == "baseline" for fault in control.check(pod))
    return next((f"{fault.location}: {fault.found}" for fault in faults), "")


def strip(obj: Json) -> JsonObject:
    """What a person would have written of an object: no identity, no status, no marks of who manages it."""
    old = obj.get("metadata") or {}
    metadata: JsonObject = {"name": old.get("name")}
    for key in ("labels", "annotations"):
        kept = {name: value for name, value in (old.get(key) or {}).items() if not _is_owned(name)}
        if kept:
            metadata[key] = kept
    body = {key: deepcopy(value) for key, value in obj.items() if key not in {"metadata", "status"}}
    return {**body, "metadata": metadata}


def service(obj: Json, ledger: Ledger) -> JsonObject:
    """A Service that only the arm sees."""
    copy = strip(obj)
    spec = copy.setdefault("spec", {})
    name = copy["metadata"]["name"]
    if spec.get("type") == "ExternalName":
        ledger.note(f"Service {name} leads nowhere: the host outside is cut off")
        return copy
    if spec.get("type") not in {None, "ClusterIP"}:
        ledger.note(f"Service {name} is a ClusterIP, not a {spec['type']}")
    if not spec.get("selector"):
        ledger.note(f"Service {name} has no selector: its hand-made endpoints are not copied")
    if spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
    for key in _SERVICE_FIELDS:
        spec.pop(key, None)
    spec["type"] = "ClusterIP"
    spec["ports"] = [
        {key: value for key, value in port.items() if key != "nodePort"} for port in spec.get("ports") or []
    ]
    return copy


def workload(obj: Json, options: CloneOptions, ledger: Ledger) -> JsonObject:
    """A workload that waits to be released."""
    copy = strip(obj)
    kind, name = str(copy.get("kind")), copy["metadata"]["name"]
    spec = copy.setdefault("spec", {})
    if kind == "DaemonSet":
        copy["kind"], kind = "Deployment", "Deployment"
        spec.pop("updateStrategy", None)
        ledger.note(f"DaemonSet {name} runs as a Deployment")
    if kind in SCALED and not (options.keep_replicas and obj.get("kind") in SCALED):
        spec["replicas"] = 0
    if kind == "StatefulSet" and spec.get("podManagementPolicy") != "Parallel":
        spec["podManagementPolicy"] = "Parallel"
        ledger.note(f"the pods of StatefulSet {name} start side by side")
    for claim in spec.get("volumeClaimTemplates") or []:
        if _emptied(claim):
            ledger.note(f"the volume {(claim.get('metadata') or {}).get('name')} of {kind} {name} is empty")
    if kind == "Job":
        _hold_job(spec, name, ledger)
    if kind == "CronJob":
        spec["suspend"] = True
        ledger.note(f"CronJob {name} is suspended")
    _pod(_template_spec(copy), f"{kind} {name}", options, ledger)
    return copy


def _named(obj: Json, faker: Faker, options: CloneOptions, ledger: Ledger) -> tuple[JsonObject, bool]:
    copy = strip(obj)
    kind, name = str(obj.get("kind")), copy["metadata"]["name"]
    if kind == "ServiceAccount":
        copy["metadata"].pop("annotations", None)
        copy.pop("secrets", None)
        copy["automountServiceAccountToken"] = False
        ledger.note(f"ServiceAccount {name} has no permissions and no token")
    if kind == "PersistentVolumeClaim":
        _emptied(copy)
        ledger.note(f"the volume {name} is empty")
    if kind == "Secret":
        copy["metadata"].pop("annotations", None)
        if f"{obj['metadata'].get('namespace')}/{name}" not in options.copy_secrets:
            ledger.note(f"Secret {name} holds made-up values of the same shape")
            return faker.secret(copy), True
    return copy, False


def _trials(ref: ObjectRef, obj: Json, found: Closure, options: CloneOptions) -> int:
    if options.keep_replicas and ref.kind in SCALED:
        return replicas(obj)
    return options.trials if ref in found.subjects and ref.kind not in {"Job", "CronJob"} else 1


def _template_spec(copy: JsonObject) -> JsonObject:
    found: Any = copy
    for key in template_path(str(copy.get("kind"))):
        found = found.setdefault(key, {})
    spec: JsonObject = found.setdefault("spec", {})
    return spec


def _pod(spec: JsonObject, owner: str, options: CloneOptions, ledger: Ledger) -> None:
    for key in _POD_FIELDS:
        if spec.pop(key, None) is not None and key in {"priorityClassName", "hostname"}:
            ledger.note(f"the pods of {owner} have no {key}")
    spec["automountServiceAccountToken"] = False
    spec["volumes"] = [_own(volume, owner, ledger) for volume in spec.get("volumes") or [] if not _is_token(volume)]
    for at in containers(spec):
        if isinstance(at.spec, dict) and at.spec.get("volumeMounts"):
            at.spec["volumeMounts"] = [mount for mount in at.spec["volumeMounts"] if not _is_token(mount)]
    if not options.keep_placement:
        _unplace(spec, owner, ledger)


def _own(volume: JsonObject, owner: str, ledger: Ledger) -> JsonObject:
    """The volume; an empty one where it would bring in data of production."""
    kinds, name = volume.keys() - {"name"}, volume.get("name")
    if kinds <= _OWN_VOLUMES:
        if _emptied((volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}):
            ledger.note(f"the volume {name} of {owner} is empty")
        return _without_token(volume, owner, ledger)
    ledger.note(f"the volume {name} of {owner} is empty, not {', '.join(sorted(kinds))}")
    return {"name": name, "emptyDir": {}}


def _emptied(claim: JsonObject) -> bool:
    """Take from a claim, or a template of claims, what would fill it; whether there was anything."""
    spec = claim.get("spec") or {}
    return bool([key for key in _FILLED_BY if spec.pop(key, None) is not None])


def _without_token(volume: JsonObject, owner: str, ledger: Ledger) -> JsonObject:
    """The volume without the tokens that its manifest asks for, which speak for an account of the same name."""
    sources = (volume.get("projected") or {}).get("sources") or []
    kept = [source for source in sources if "serviceAccountToken" not in source]
    if len(kept) == len(sources):
        return volume
    ledger.note(f"the volume {volume.get('name')} of {owner} holds no token")
    if not kept:
        return {"name": volume.get("name"), "emptyDir": {}}
    return {**volume, "projected": {**volume["projected"], "sources": kept}}


def _unplace(spec: JsonObject, owner: str, ledger: Ledger) -> None:
    """Trials are more pods than production's nodes may keep apart."""
    affinity = spec.get("affinity") or {}
    apart = affinity.pop("podAntiAffinity", None)
    together = affinity.pop("podAffinity", None)
    if not affinity:
        spec.pop("affinity", None)
    spread = spec.pop("topologySpreadConstraints", None)
    if apart or together or spread:
        ledger.note(f"the pods of {owner} are not kept apart or together")


def _hold_job(spec: JsonObject, name: str, ledger: Ledger) -> None:
    """A Job that waits, belongs to nobody's pods, and tries often enough to be judged."""
    spec["suspend"] = True
    spec.pop("selector", None)
    spec.pop("manualSelector", None)
    if spec.get("backoffLimit", _RETRIES) < _RETRIES:
        spec["backoffLimit"] = _RETRIES
        ledger.note(f"Job {name} retries {_RETRIES} times")
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    for label in [label for label in labels if _is_owned(label)]:
        del labels[label]


def _is_token(item: Json) -> bool:
    """The volume (and its mount) that admission adds for the ServiceAccount's token."""
    return str(item.get("name") or "").startswith(("kube-api-access-", "default-token-"))


def _is_owned(name: str) -> bool:
    return name.startswith(_OWNED_PREFIXES) or name in _OWNED_NAMES
