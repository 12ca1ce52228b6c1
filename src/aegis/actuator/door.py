"""Every write: the rules, then "intended" in the audit log, then the write, then how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Literal

from aegis.actuator.rules import Attempt, Rules, refusal
from aegis.errors import AegisError
from aegis.model.audit import AuditRecord
from aegis.model.canonical import digest
from aegis.model.changes import Apply, Change, Delete, Evict, JsonPatch, body_of, change_to_dict
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.ports import AuditLog, AutomationMode, ClusterReader, ClusterWriter, Purpose, User

MANAGER: Final = "aegis"
"""The field manager of all that is written."""

_Outcome = Literal["intended", "done", "failed", "refused"]
_LOOKED_AT: Final = frozenset({"production", "undo", "rerun"})


class ClusterActuator:
    """The `Actuator` of one cluster.

    Args:
        reader: to look at what is there.
        writer: nothing else may hold it.
        audit: written before and after each write; if it cannot be written, nothing is.
        mode: the kill switch, read before each write.
        rules: what is configured.
        actor: as whom the API server knows the caller.
    """

    def __init__(
        self,
        *,
        reader: ClusterReader,
        writer: ClusterWriter,
        audit: AuditLog,
        mode: AutomationMode,
        rules: Rules,
        actor: User,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._audit = audit
        self._mode = mode
        self._rules = rules
        self._actor = actor
        self._one_in_production = asyncio.Lock()

    async def create(self, obj: Json, purpose: Purpose) -> JsonObject:
        """Create one object of a shadow, or a Lease.

        Raises:
            Refused: if a rule forbids it.
            Conflict: if it is there already.
        """
        attempt = self._attempt("create", ObjectRef.of(obj), obj, purpose)

        async def write() -> JsonObject | None:
            return await self._writer.create(obj)

        created = await self._make(attempt, "create", digest(obj), write)
        return created or {}

    async def change(
        self,
        change: Change,
        purpose: Purpose,
        *,
        resource_version: str = "",
        force: bool = False,
        dry_run: bool = False,
    ) -> JsonObject | None:
        """Make one change; see `aegis.ports.Actuator`.

        Raises:
            Refused: if a rule forbids it; nothing was written.
            Conflict: if the precondition does not hold, or another manager owns a field.
        """
        attempt = self._attempt(
            "change", change.target, change, purpose, precondition=resource_version, dry_run=dry_run
        )

        async def write() -> JsonObject | None:
            return await self._send(change, resource_version=resource_version, force=force, dry_run=dry_run)

        if purpose.kind not in _LOOKED_AT:
            return await self._make(attempt, change.type, _digest(change), write)
        async with self._one_in_production:
            return await self._make(attempt, change.type, _digest(change), write)

    async def delete(self, ref: ObjectRef, purpose: Purpose, *, uid: str = "", resource_version: str = "") -> None:
        """Delete one object of a shadow, or a Lease.

        Raises:
            Refused: if a rule forbids it.
            Conflict: if the uid or the resourceVersion is another one.
        """
        attempt = self._attempt("delete", ref, None, purpose, precondition=resource_version)

        async def write() -> JsonObject | None:
            await self._writer.delete(ref, uid=uid, resource_version=resource_version)
            return None

        await self._make(attempt, "delete", digest({"delete": ref.to_dict(), "uid": uid}), write)

    def _attempt(
        self,
        verb: str,
        target: ObjectRef,
        content: Change | Json | None,
        purpose: Purpose,
        *,
        precondition: str = "",
        dry_run: bool = False,
    ) -> Attempt:
        return Attempt(
            verb=verb,
            target=target,
            content=content,
            live=None,
            purpose=purpose,
            precondition=precondition,
            dry_run=dry_run,
            now=datetime.now(UTC),
        )

    async def _make(
        self,
        attempt: Attempt,
        action: str,
        content_digest: str,
        write: Callable[[], Awaitable[JsonObject | None]],
    ) -> JsonObject | None:
        cluster = (await self._reader.cluster()).uid
        detail: JsonObject = {
            "cluster": cluster,
            "purpose": attempt.purpose.kind,
            "digest": content_digest,
            "target": attempt.target.to_dict(),
            "precondition": attempt.precondition,
            "dryRun": attempt.dry_run,
        }
        note = _Note(self._audit, self._actor.name, action, attempt)
        refused = await self._refusal(attempt, cluster)
        if refused:
            await note("refused", detail | {"reason": refused.message})
            raise refused
        await note("intended", detail)
        try:
            result = await write()
        except AegisError as error:
            await note("failed", detail | {"error": error.code, "message": error.message})
            raise
        await note("done", detail | _outcome(result))
        return result

    async def _refusal(self, attempt: Attempt, cluster: str) -> AegisError | None:
        mode = await self._mode.read()
        if attempt.purpose.kind not in _LOOKED_AT:
            return refusal(attempt, self._rules, mode)
        live = await self._reader.find(_looked_at(attempt))
        return refusal(replace(attempt, live=live), self._rules, mode, self._recent(cluster))

    def _recent(self, cluster: str) -> Iterator[AuditRecord]:
        return (record for record in self._audit.records() if record.detail.get("cluster") == cluster)

    async def _send(self, change: Change, *, resource_version: str, force: bool, dry_run: bool) -> JsonObject | None:
        match change:
            case Apply():
                body = _at_version(body_of(change), resource_version)
                return await self._writer.apply(change.target, body, manager=MANAGER, force=force, dry_run=dry_run)
            case JsonPatch():
                operations = [*_test_version(resource_version), *body_of(change)]
                return await self._writer.patch(change.target, operations, manager=MANAGER, dry_run=dry_run)
            case Delete():
                await self._writer.delete(change.target, uid=change.uid, dry_run=dry_run)
            case Evict():
                await self._writer.evict(change.target, uid=change.uid, dry_run=dry_run)
        return None


class _Note:
    """One write's records in the audit log."""

    def __init__(self, audit: AuditLog, actor: str, action: str, attempt: Attempt) -> None:
        self._audit = audit
        self._actor = actor
        self._action = action
        self._attempt = attempt

    async def __call__(self, outcome: _Outcome, detail: Json) -> None:
        await self._audit.append(
            actor=self._actor,
            action=self._action,
            outcome=outcome,
            incident=self._attempt.purpose.incident,
            subject=str(self._attempt.target),
            detail=detail,
        )


def _looked_at(attempt: Attempt) -> ObjectRef:
    """What the rules have to see as it is now: the target, or the CronJob that is repeated."""
    if attempt.purpose.kind != "rerun" or len(attempt.purpose.scope) != 1:
        return attempt.target
    return ObjectRef(
        api_version="batch/v1", kind="CronJob", name=attempt.purpose.scope[0], namespace=attempt.target.namespace
    )


def _digest(change: Change) -> str:
    """Of what is sent, which names no namespace: equal in a shadow and in production."""
    return digest(body_of(change) if isinstance(change, Apply | JsonPatch) else change_to_dict(change))


def _at_version(body: JsonObject, resource_version: str) -> JsonObject:
    """The body with the precondition; without one the body as it is."""
    if not resource_version:
        return body
    return {**body, "metadata": {**body["metadata"], "resourceVersion": resource_version}}


def _test_version(resource_version: str) -> list[JsonObject]:
    return [{"op": "test", "path": "/metadata/resourceVersion", "value": resource_version}] if resource_version else []


def _outcome(result: Json | None) -> JsonObject:
    metadata = (result or {}).get("metadata") or {}
    return {"resourceVersion": metadata.get("resourceVersion"), "uid": metadata.get("uid")}
