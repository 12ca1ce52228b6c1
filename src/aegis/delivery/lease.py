"""One remediation of a target at a time, across machines: a Lease of the cluster, held while it is tried and changed.

It lies in the target's own namespace: whoever may change the workload there may commonly write Leases there too, and
nobody needs a right in a namespace of AEGIS's. It belongs to the target (an owner reference), so that it goes with it.

- A holder writes the time every `Terms.renew` seconds and deletes the Lease at the end.
- A holder that dies leaves it behind. Who finds it takes it over once it was seen unchanged for as long as the holder
  said that it lasts: by one's own monotonic clock, so that no clock that is wrong takes it from a living holder.
- A dead process of the same lock folder is known to be dead (the folder's lock was free), so nobody waits for it.
- Each write names the version that was seen: of two that take over at once, one does.
- Before each write to production the holder renews (`Lease.confirm`). What is sent right after that and arrives late
  still meets the version of the object that it was made for, and does nothing where another one changed it meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aegis.drivers.shielding import shielded
from aegis.errors import AegisError, Conflict, NotFound, Refused, Unavailable
from aegis.model.canonical import digest
from aegis.model.changes import JsonPatch
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.ports import Actuator, ClusterReader, Purpose
from aegis.shadow.namespace import CREATED_BY

PREFIX: Final = "aegis-fix-"
CHANGE: Final = "aegis-change"
"""The Lease of a namespace in which production is being changed."""
_LONGEST: Final = 120.0
"""Seconds that a holder of any origin is waited for."""
_FORGOTTEN: Final = 3600.0
_RELEASE_SECONDS: Final = 10.0
_SHOWN: Final = 120


class LeaseLost(Unavailable):
    """Another one holds the Lease now, or somebody deleted it."""

    code = "lease_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a Lease is kept, in real seconds: networks and people do not speed up with the embedded cluster.

    Attributes:
        duration: how long a silent holder counts as alive.
        renew: how often it writes the time.
        poll: how often who waits looks.
    """

    duration: float = 30.0
    renew: float = 10.0
    poll: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who wants what.

    Attributes:
        ref: the Lease.
        about: what it stands for, in words.
        holder: who wants it: whose lock folder (`aegis.stores.locks.lock_domain`), a slash, and which process.
        purpose: on whose behalf it is written.
        owner: the object with which it goes; None: it stays until it is taken over.
    """

    ref: ObjectRef
    about: str
    holder: str
    purpose: Purpose
    owner: Json | None = None


def lease_of(target: ObjectRef) -> ObjectRef:
    """The Lease of a target: a name of its own, however long the target's is."""
    name = PREFIX + digest([target.kind, target.name]).removeprefix("sha256:")[:16]
    return ObjectRef(api_version="coordination.k8s.io/v1", kind="Lease", name=name, namespace=target.namespace)


def lease_of_changes(namespace: str) -> ObjectRef:
    """The Lease of who changes production in a namespace."""
    return ObjectRef(api_version="coordination.k8s.io/v1", kind="Lease", name=CHANGE, namespace=namespace)


class Lease:
    """One Lease, from its acquisition to its release; see `held`."""

    def __init__(self, reader: ClusterReader, actuator: Actuator, claim: Claim, terms: Terms) -> None:
        self._reader = reader
        self._actuator = actuator
        self._claim = claim
        self._terms = terms
        self._one = asyncio.Lock()
        self._uid = self._version = ""

    async def acquire(self, wait: float, waiting: Callable[[str], object]) -> None:
        """Take it: where nobody has it, or who has it is dead.

        Raises:
            Refused: if somebody alive has it for longer than `wait` seconds.
            PermissionDenied: if the caller may not read or write it.
        """
        loop = asyncio.get_running_loop()
        deadline, told = loop.time() + wait, False
        while True:
            found = await self._reader.find(self._claim.ref)
            if found is None or self._is_ours(found) or await self._is_dead(found, waiting):
                if await self._took(found):
                    return
            elif loop.time() >= deadline:
                raise Refused(f"{self._claim.about} is being worked on by {_whom(found)}", hint=_HINT)
            elif not told:
                waiting(f"{self._claim.about} is being worked on by {_whom(found)}: waiting")
                told = True
            await asyncio.sleep(self._terms.poll)

    async def confirm(self) -> None:
        """Renew it: who can do that holds it.

        Raises:
            LeaseLost: if another one has it now, or it is gone.
        """
        async with self._one:
            try:
                await self._renew()
            except (Conflict, NotFound):
                self._seen(await self._still_ours())
                await self._renew()

    async def beat(self) -> None:
        """Renew it until cancelled. A server that does not answer is no loss: it is asked again.

        Raises:
            LeaseLost: if another one has it now, or it is gone.
        """
        while True:
            await asyncio.sleep(self._terms.renew)
            try:
                await self.confirm()
            except LeaseLost:
                raise
            except AegisError:
                continue  # whoever wants to write asks `confirm` itself, and is told

    async def release(self) -> None:
        """Delete it if it is still ours; what cannot be deleted expires.

        A renewal that was cut off may have been made all the same: then the version that we know is not the last one.
        """
        try:
            async with asyncio.timeout(_RELEASE_SECONDS), self._one:
                try:
                    await self._delete()
                except Conflict:
                    self._seen(await self._still_ours())
                    await self._delete()
        except (AegisError, TimeoutError):
            return

    async def _delete(self) -> None:
        await self._actuator.delete(self._claim.ref, self._claim.purpose, uid=self._uid, resource_version=self._version)

    async def _renew(self) -> None:
        patch = JsonPatch(
            target=self._claim.ref,
            patch=(
                {"op": "test", "path": "/metadata/uid", "value": self._uid},
                {"op": "test", "path": "/spec/holderIdentity", "value": self._claim.holder},
                {"op": "replace", "path": "/spec/renewTime", "value": _now()},
            ),
        )
        await self._change(patch, self._version)

    async def _took(self, found: Json | None) -> bool:
        """Whether we have it now; False where somebody else was faster."""
        try:
            if found is None:
                self._seen(await self._actuator.create(self._body(), self._claim.purpose))
            else:
                await self._take_over(found)
        except Conflict:
            return False
        return True

    async def _take_over(self, found: Json) -> None:
        spec: JsonObject = dict(self._body()["spec"])
        spec["leaseTransitions"] = int((found.get("spec") or {}).get("leaseTransitions") or 0) + 1
        patch = JsonPatch(
            target=self._claim.ref,
            patch=(
                {"op": "test", "path": "/metadata/uid", "value": found["metadata"]["uid"]},
                {"op": "add", "path": "/spec", "value": spec},
            ),
        )
        await self._change(patch, str(found["metadata"]["resourceVersion"]))

    async def _change(self, patch: JsonPatch, version: str) -> None:
        changed = await self._actuator.change(patch, self._claim.purpose, resource_version=version)
        self._seen(changed or {})

    async def _still_ours(self) -> Json:
        found = await self._reader.find(self._claim.ref)
        if found is None:
            raise LeaseLost(f"the Lease of {self._claim.about} is gone: nothing more is written", hint=_AGAIN)
        if (found.get("spec") or {}).get("holderIdentity") != self._claim.holder:
            raise LeaseLost(f"{self._claim.about} was taken over by {_whom(found)}", hint=_AGAIN)
        return found

    async def _is_dead(self, found: Json, waiting: Callable[[str], object]) -> bool:
        """Whether a holder whose time seems to be over says nothing for as long as it said that the Lease lasts."""
        spec = found.get("spec") or {}
        lasts = _lasting(spec, self._terms.duration)
        age = _age(spec)
        if age is not None and abs(age) < lasts:
            return False
        waiting(f"{_whom(found)} left {self._claim.about} without a word: waiting {lasts:.0f} s for a sign of life")
        loop = asyncio.get_running_loop()
        over, version = loop.time() + lasts, found["metadata"]["resourceVersion"]
        while loop.time() < over:
            await asyncio.sleep(min(self._terms.poll, lasts))
            now = await self._reader.find(self._claim.ref)
            if now is None or now["metadata"]["resourceVersion"] != version:
                return False
        return True

    def _is_ours(self, found: Json) -> bool:
        """Whether its holder is a process of our own lock folder: then it is dead, for we hold the folder's lock."""
        holder = str((found.get("spec") or {}).get("holderIdentity") or "")
        return holder.rpartition("/")[0] == self._claim.holder.rpartition("/")[0]

    def _seen(self, lease: Json) -> None:
        metadata = lease.get("metadata") or {}
        self._uid, self._version = str(metadata.get("uid") or ""), str(metadata.get("resourceVersion") or "")

    def _body(self) -> JsonObject:
        ref, now = self._claim.ref, _now()
        metadata: JsonObject = {
            "name": ref.name,
            "namespace": ref.namespace,
            "labels": {CREATED_BY: "aegis"},
            "annotations": {"aegis.io/target": self._claim.about},
        }
        if self._claim.owner is not None:
            metadata["ownerReferences"] = [_owner_reference(self._claim.owner)]
        spec = {
            "holderIdentity": self._claim.holder,
            "leaseDurationSeconds": max(1, round(self._terms.duration)),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": 0,
        }
        return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata, "spec": spec}


_HINT = "Wait for it to end; if nobody is at work there, delete the Lease: kubectl get leases shows it."
_AGAIN = "Run the same command again: it looks at what was done before it does anything."


@asynccontextmanager
async def held(
    reader: ClusterReader,
    actuator: Actuator,
    claim: Claim,
    *,
    terms: Terms | None = None,
    wait: float = 0.0,
    waiting: Callable[[str], object] = lambda _: None,
) -> AsyncIterator[Lease]:
    """Hold a Lease while the block runs; the caller holds the lock of its own folder for the same thing.

    Args:
        reader: reads the cluster.
        actuator: the only door that writes it.
        claim: who wants what.
        terms: how it is kept.
        wait: seconds to wait for another holder that is alive.
        waiting: told in words for whom it has to wait.

    Raises:
        Refused: if another one has it.
        LeaseLost: if it is lost meanwhile; the block is cancelled then.
        PermissionDenied: if the caller may not read or write Leases there.
    """
    lease = Lease(reader, actuator, claim, terms or Terms())
    await lease.acquire(wait, waiting)
    try:
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(lease.beat())
            try:
                yield lease
            finally:
                beating.cancel()
    except BaseExceptionGroup as errors:
        # What the block, or the loss of the Lease, came to: the group around it only says that they ran side by side.
        lost = [error for error in errors.exceptions if isinstance(error, LeaseLost)]
        raise (lost or errors.exceptions)[0] from None
    finally:
        await shielded(lease.release())


async def forget_the_dead(reader: ClusterReader, actuator: Actuator, namespace: str, purpose: Purpose) -> None:
    """Delete Leases of AEGIS in a namespace that nobody has renewed for an hour and nobody has come back for."""
    try:
        found = await reader.list("coordination.k8s.io/v1", "Lease", namespace=namespace, labels=f"{CREATED_BY}=aegis")
        for lease in found:
            metadata, age = lease["metadata"], _age(lease.get("spec") or {})
            if str(metadata["name"]).startswith((PREFIX, CHANGE)) and age is not None and age > _FORGOTTEN:
                version = str(metadata["resourceVersion"])
                await actuator.delete(ObjectRef.of(lease), purpose, uid=str(metadata["uid"]), resource_version=version)
    except AegisError:
        return  # a courtesy: nothing depends on it


def _owner_reference(owner: Json) -> JsonObject:
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }


def _whom(lease: Json) -> str:
    """The holder as it calls itself: anybody may have written that, so it is bounded."""
    holder = str((lease.get("spec") or {}).get("holderIdentity") or "nobody knows whom")
    return f"another AEGIS ({holder[:_SHOWN]})"


def _lasting(spec: Json, standard: float) -> float:
    stated = spec.get("leaseDurationSeconds")
    seconds = float(stated) if isinstance(stated, int | float) and stated > 0 else standard
    return min(seconds, _LONGEST)


def _age(spec: Json) -> float | None:
    """Seconds since it was renewed, by our clock; None where it does not say."""
    try:
        renewed = datetime.fromisoformat(str(spec.get("renewTime") or spec.get("acquireTime")))
    except ValueError:
        return None
    return (datetime.now(UTC) - renewed).total_seconds() if renewed.tzinfo else None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
