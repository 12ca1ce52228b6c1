"""`ClusterWriter` over one API server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from aegis.drivers.kubernetes.faults import Doing, is_failed_patch
from aegis.drivers.kubernetes.gateway import Gateway, call_on
from aegis.drivers.kubernetes.transport import Call, Refusal
from aegis.errors import Conflict, NotFound
from aegis.model.refs import Json, JsonObject, ObjectRef

MANAGER: Final = "aegis"


class KubernetesWriter(Gateway):
    """Writes to one cluster; only the actuator holds one."""

    async def create(self, obj: Json, *, dry_run: bool = False) -> JsonObject:
        """Create an object."""
        ref = ObjectRef.of(obj)
        resource = await self._catalogue.by_kind(ref.api_version, ref.kind)
        call = Call(
            doing=Doing(verb="create", resource=resource.full_name, namespace=ref.namespace, name=ref.name),
            method="POST",
            path=resource.path(ref.namespace),
            query={"fieldManager": MANAGER, "fieldValidation": "Strict", **_dry(dry_run)},
            body=obj,
            repeatable=dry_run,
        )
        return await self._json(call)

    async def apply(
        self, ref: ObjectRef, body: Json, *, manager: str, force: bool = False, dry_run: bool = False
    ) -> JsonObject:
        """Server-side apply with strict field validation."""
        resource = await self._catalogue.by_kind(ref.api_version, ref.kind)
        query = {
            "fieldManager": manager,
            "fieldValidation": "Strict",
            "force": "true" if force else "false",
            **_dry(dry_run),
        }
        content_type = "application/apply-patch+yaml"
        return await self._json(
            call_on(
                resource, "patch", "PATCH", ref, query=query, body=body, content_type=content_type, repeatable=dry_run
            )
        )

    async def patch(
        self, ref: ObjectRef, operations: Sequence[Json], *, manager: str, dry_run: bool = False
    ) -> JsonObject:
        """An RFC 6902 patch.

        Raises:
            Conflict: if a `test` operation does not hold.
        """
        resource = await self._catalogue.by_kind(ref.api_version, ref.kind)
        query = {"fieldManager": manager, "fieldValidation": "Strict", **_dry(dry_run)}
        call = call_on(
            resource,
            "patch",
            "PATCH",
            ref,
            query=query,
            body=[dict(operation) for operation in operations],
            content_type="application/json-patch+json",
            repeatable=dry_run,
        )
        try:
            return await self._transport.json(call)
        except Refusal as refusal:
            tests = any(operation.get("op") == "test" for operation in operations)
            if tests and is_failed_patch(refusal.code, refusal.body):
                raise Conflict(
                    f"{call.doing}: the object is not what the patch was made for (a test does not hold)"
                ) from None
            raise refusal.translated() from None

    async def delete(
        self,
        ref: ObjectRef,
        *,
        uid: str = "",
        resource_version: str = "",
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
        dry_run: bool = False,
    ) -> None:
        """Delete; what is gone already is no error."""
        resource = await self._catalogue.by_kind(ref.api_version, ref.kind)
        options: JsonObject = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        try:
            await self._json(
                call_on(
                    resource,
                    "delete",
                    "DELETE",
                    ref,
                    body=options | _conditions(uid, dry_run, resource_version),
                    repeatable=bool(uid) or dry_run,
                )
            )
        except NotFound:
            return

    async def evict(self, ref: ObjectRef, *, uid: str = "", dry_run: bool = False) -> None:
        """Evict a pod.

        Raises:
            Unavailable: if a disruption budget does not allow it now.
        """
        resource = await self._catalogue.by_kind("v1", "Pod")
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": ref.name, "namespace": ref.namespace},
            "deleteOptions": _conditions(uid, dry_run),
        }
        call = Call(
            doing=Doing(verb="create", resource="pods/eviction", namespace=ref.namespace, name=ref.name),
            method="POST",
            path=resource.path(ref.namespace, ref.name, "eviction"),
            body=body,
            patient=False,
            repeatable=dry_run,
        )
        await self._json(call)


def _dry(dry_run: bool) -> dict[str, str]:  # noqa: FBT001  (the parameter of the same name, passed on)
    return {"dryRun": "All"} if dry_run else {}


def _conditions(uid: str, dry_run: bool, resource_version: str = "") -> JsonObject:  # noqa: FBT001
    options: JsonObject = {}
    if wanted := {name: value for name, value in (("uid", uid), ("resourceVersion", resource_version)) if value}:
        options["preconditions"] = wanted
    if dry_run:
        options["dryRun"] = ["All"]
    return options
