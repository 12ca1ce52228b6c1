"""The namespaces of a trial: one an arm, made before anything else, labelled so that they are found after a crash.

At most so many trials run in a cluster, and one a workload. Nothing is locked for that: an arm's namespace is created
first, then all of them are listed, and whoever finds too many that are not younger than its own withdraws. Namespaces of
the same second count as older, so that two never both believe themselves to be first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aegis.actuator import SHADOW_PREFIX
from aegis.drivers.shielding import shielded
from aegis.errors import Conflict, Refused, Unavailable
from aegis.model.canonical import digest
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.ports import Actuator, ClusterReader, Purpose
from aegis.security.sandbox import SANDBOX
from aegis.shadow.tools import TrialTools

CREATED_BY = "aegis.io/created-by"
INCIDENT = "aegis.io/incident"
SHADOW = "aegis.io/shadow"
ARM = "aegis.io/arm"
WORKLOAD = "aegis.io/workload"
EXPIRES = "aegis.io/expires-at"

SELECTOR = f"{CREATED_BY}=aegis,{SHADOW}"

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_HARD_LIMIT = timedelta(hours=2)


class Remains(Unavailable):
    """Namespaces of a trial that was over did not go in time; they are swept later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """The identity of one trial.

    Attributes:
        id: of the shadow; its namespaces are called `aegis-shadow-ID-ARM`.
        incident: on whose behalf.
        target: the workload that is tried.
        expires_at: after this anybody may delete it.
    """

    id: str
    incident: str
    target: ObjectRef
    expires_at: datetime

    def namespace(self, arm: str) -> str:
        """The namespace of an arm."""
        return f"{SHADOW_PREFIX}{self.id}-{arm}"

    def purpose(self, arms: Sequence[str]) -> Purpose:
        """What its writes are for, and where they may go."""
        return Purpose(kind="shadow", incident=self.incident, scope=tuple(self.namespace(arm) for arm in arms))


def expiry(now: datetime, *, longest: float) -> datetime:
    """When a trial that may take `longest` seconds is surely over: 25 minutes of grace, two hours at most."""
    return now + min(timedelta(seconds=longest) + timedelta(minutes=25), _HARD_LIMIT)


def namespace_object(shadow: Shadow, arm: str) -> JsonObject:
    """The namespace of an arm: Pod Security at `baseline`, and labels by which it is found again."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": shadow.namespace(arm),
            "labels": {
                CREATED_BY: "aegis",
                INCIDENT: shadow.incident,
                SHADOW: shadow.id,
                ARM: arm,
                WORKLOAD: workload_label(shadow.target),
                "pod-security.kubernetes.io/enforce": "baseline",
                "pod-security.kubernetes.io/warn": "restricted",
            },
            "annotations": {
                EXPIRES: shadow.expires_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
                "aegis.io/target": str(shadow.target),
            },
        },
    }


def fence(namespace: str, *, pods: int, limit_range: bool) -> list[JsonObject]:
    """What bounds an arm: quota, defaults for pods without requests, and networks cut off.

    Args:
        namespace: the arm's.
        pods: how many it may hold.
        limit_range: whether to give defaults (not where production's own LimitRange is copied).
    """
    quota = {"pods": str(pods), "services.loadbalancers": "0", "services.nodeports": "0"}
    within: list[Json] = [{"podSelector": {}}]
    objects = [
        _object("v1/ResourceQuota", namespace, "aegis", {"hard": quota}),
        _policy(namespace, "aegis-deny-all", ingress=[], egress=[]),
        _policy(namespace, "aegis-within", of=_TRUSTED, ingress=[{"from": within}], egress=[{"to": within}]),
        _policy(namespace, "aegis-dns", of=_TRUSTED, egress=[{"to": [_DNS_NAMESPACE], "ports": _DNS_PORTS}]),
    ]
    if limit_range:
        defaults = {"type": "Container", "defaultRequest": {"cpu": "10m", "memory": "16Mi"}}
        objects.append(_object("v1/LimitRange", namespace, "aegis", {"limits": [defaults]}))
    return objects


_TRUSTED = {"matchExpressions": [{"key": SANDBOX, "operator": "DoesNotExist"}]}
"""All pods but those of the exploit sandbox: policies add up, so what is allowed to all could not be kept from them."""

_DNS_NAMESPACE = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
_DNS_PORTS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]


def workload_label(target: ObjectRef) -> str:
    """A label value that stands for a workload."""
    return digest(target.to_dict()).removeprefix("sha256:")[:32]


@contextlib.asynccontextmanager
async def arms(shadow: Shadow, names: Sequence[str], tools: TrialTools) -> AsyncIterator[None]:
    """The namespaces of a trial; gone when the block is left, however it is left.

    What an earlier attempt with the same id has left is removed first.

    Raises:
        Unavailable: if all slots are taken.
        Refused: if the same workload is being tried already.
        Remains: if the namespaces are not gone in time.
    """
    purpose = shadow.purpose(names)
    if await _remains(tools.reader, purpose):
        await _remove(tools, purpose)
    try:
        await _claim(shadow, names[0], tools, purpose)
        for arm in names[1:]:
            await tools.actuator.create(namespace_object(shadow, arm), purpose)
        yield
    finally:
        await shielded(_remove(tools, purpose))


async def sweep(
    reader: ClusterReader, actuator: Actuator, known: Mapping[str, str], *, now: datetime | None = None
) -> list[str]:
    """Delete the shadows that nobody will delete any more; the namespaces that were.

    A shadow goes when its time is over, or when its incident is one of ours that has another shadow or none.

    Args:
        reader: of the cluster.
        actuator: the door to it.
        known: the incidents that this installation knows, and the shadow that each is using now (empty: none).
        now: the time; for tests.
    """
    at = now or datetime.now(UTC)
    gone = []
    for namespace in await reader.list("v1", "Namespace", labels=SELECTOR):
        metadata = namespace.get("metadata") or {}
        labels = metadata.get("labels") or {}
        name, incident = str(metadata.get("name") or ""), str(labels.get(INCIDENT) or "")
        if not name.startswith(SHADOW_PREFIX) or metadata.get("deletionTimestamp"):
            continue
        if is_expired(namespace, at) or (incident in known and known[incident] != labels.get(SHADOW)):
            purpose = Purpose(kind="shadow", incident=incident, scope=(name,))
            await actuator.delete(_namespace_ref(name), purpose, uid=str(metadata.get("uid") or ""))
            gone.append(name)
    return gone


def is_expired(namespace: Json, now: datetime) -> bool:
    """Whether a shadow's time is over; one that does not say when is judged by its age."""
    metadata = namespace.get("metadata") or {}
    stated = _time((metadata.get("annotations") or {}).get(EXPIRES))
    created = _time(metadata.get("creationTimestamp"))
    latest = created + _HARD_LIMIT + timedelta(minutes=30) if created else None
    return any(moment is not None and moment <= now for moment in (stated, latest))


async def _claim(shadow: Shadow, arm: str, tools: TrialTools, purpose: Purpose) -> None:
    """Take a slot.

    Raises:
        Unavailable: if all are taken.
        Refused: if the same workload is being tried already.
    """
    mine = await tools.actuator.create(namespace_object(shadow, arm), purpose)
    others = rivals(mine, await tools.reader.list("v1", "Namespace", labels=SELECTOR))
    if any(_labels(other).get(WORKLOAD) == workload_label(shadow.target) for other in others):
        raise Refused(
            f"{shadow.target} is being tried already", hint="Wait for the other trial, or sweep what it left."
        )
    if len(others) >= tools.limits.shadows:
        raise Unavailable(f"all {len(others)} shadows of the cluster are taken", hint="Try again in some minutes.")


def rivals(mine: Json, listed: Sequence[Json]) -> list[Json]:
    """The namespaces of other trials that are not younger than mine: one each."""
    own = mine.get("metadata") or {}
    created = str(own.get("creationTimestamp") or "")
    found = {}
    for namespace in listed:
        metadata = namespace.get("metadata") or {}
        shadow = (metadata.get("labels") or {}).get(SHADOW)
        if shadow != (own.get("labels") or {}).get(SHADOW) and str(metadata.get("creationTimestamp") or "") <= created:
            found[shadow] = namespace
    return list(found.values())


async def _remove(tools: TrialTools, purpose: Purpose) -> None:
    """Delete the namespaces, the first one (which holds the slot) last, and wait until they are gone.

    Only those that carry our incident's label, and each as it was seen: one of that name that somebody else made, even
    between the look and the deletion, stays.

    Raises:
        Remains: if they are not gone in time.
    """
    for name, uid in reversed((await _ours(tools.reader, purpose)).items()):
        with contextlib.suppress(Conflict):
            await tools.actuator.delete(_namespace_ref(name), purpose, uid=uid)
    left = await _remains(tools.reader, purpose)
    waited, pause = 0.0, _FIRST_PAUSE
    while left and waited < tools.limits.deletion_seconds:
        await asyncio.sleep(pause)
        waited, pause = waited + pause, min(_LONGEST_PAUSE, pause * 1.5)
        left = await _remains(tools.reader, purpose)
    if not left:
        return
    raise Remains(
        f"namespaces are not gone after {tools.limits.deletion_seconds:.0f} s: {', '.join(left)}",
        hint="They carry their expiry and are swept later; look for finalizers in them.",
    )


async def _remains(reader: ClusterReader, purpose: Purpose) -> list[str]:
    return list(await _ours(reader, purpose))


async def _ours(reader: ClusterReader, purpose: Purpose) -> dict[str, str]:
    """The namespaces of the scope that were made for its incident, in its order, and their uids."""
    found = {}
    for name in purpose.scope:
        namespace = await reader.find(_namespace_ref(name))
        marks = _labels(namespace or {})
        if namespace and (marks.get(CREATED_BY), marks.get(INCIDENT)) == ("aegis", purpose.incident):
            found[name] = str(namespace["metadata"].get("uid") or "")
    return found


def _namespace_ref(name: str) -> ObjectRef:
    return ObjectRef(api_version="v1", kind="Namespace", name=name)


def _object(kind: str, namespace: str, name: str, spec: Json) -> JsonObject:
    api_version, _, kind = kind.rpartition("/")
    metadata = {"name": name, "namespace": namespace, "labels": {CREATED_BY: "aegis"}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


def _policy(
    namespace: str,
    name: str,
    *,
    of: Json | None = None,
    ingress: list[Json] | None = None,
    egress: list[Json] | None = None,
) -> JsonObject:
    spec: JsonObject = {"podSelector": dict(of or {}), "policyTypes": []}
    for kind, rules in (("Ingress", ingress), ("Egress", egress)):
        if rules is not None:
            spec["policyTypes"].append(kind)
            spec[kind.lower()] = rules
    return _object("networking.k8s.io/v1/NetworkPolicy", namespace, name, spec)


def _labels(obj: Json) -> Json:
    labels: Json = (obj.get("metadata") or {}).get("labels") or {}
    return labels


def _time(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
