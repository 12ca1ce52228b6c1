"""The errors of the API server, worded as a real one words them: causes of invalid objects, then whole refusals."""

from __future__ import annotations

from collections.abc import Sequence

from aegis.localcluster.apiserver.registry import Resource
from aegis.localcluster.status import ApiError, Cause

REQUIRED, INVALID, FORBIDDEN, UNSUPPORTED = (
    "FieldValueRequired",
    "FieldValueInvalid",
    "FieldValueForbidden",
    "FieldValueNotSupported",
)


def required(field: str, detail: str = "") -> Cause:
    """A field that has to be there."""
    return Cause(reason=REQUIRED, field=field, message=f"Required value: {detail}" if detail else "Required value")


def invalid_value(field: str, value: object, detail: str) -> Cause:
    """A value that does not fit."""
    return Cause(reason=INVALID, field=field, message=f"Invalid value: {shown(value)}: {detail}")


def unsupported(field: str, value: object, supported: Sequence[str]) -> Cause:
    """A value outside of an enumeration."""
    choices = ", ".join(shown(v) for v in supported)
    return Cause(
        reason=UNSUPPORTED, field=field, message=f"Unsupported value: {shown(value)}: supported values: {choices}"
    )


def forbidden_field(field: str, detail: str) -> Cause:
    """A field that may not be set, or not be changed."""
    return Cause(reason=FORBIDDEN, field=field, message=f"Forbidden: {detail}")


def shown(value: object) -> str:
    """A value as Go prints it in a message."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if value is None:
        return "null"
    return str(value)


def _details(resource: Resource, name: str) -> dict[str, str]:
    details = {"name": name, "kind": resource.plural}
    return {**details, "group": resource.group} if resource.group else details


class NotFound(ApiError):
    """404 for an object."""

    def __init__(self, resource: Resource, name: str) -> None:
        message = f'{resource.full_name} "{name}" not found'
        super().__init__(404, "NotFound", message, details=_details(resource, name))


class NoSuchPath(ApiError):
    """404 for a path or a resource."""

    def __init__(self) -> None:
        super().__init__(404, "NotFound", "the server could not find the requested resource")


class AlreadyExists(ApiError):
    """409 on create."""

    def __init__(self, resource: Resource, name: str) -> None:
        message = f'{resource.full_name} "{name}" already exists'
        super().__init__(409, "AlreadyExists", message, details=_details(resource, name))


class Conflict(ApiError):
    """409 for an optimistic lock or another precondition."""

    def __init__(self, resource: Resource, name: str, why: str) -> None:
        message = f'Operation cannot be fulfilled on {resource.full_name} "{name}": {why}'
        super().__init__(409, "Conflict", message, details=_details(resource, name))


class Modified(Conflict):
    """409 for a resourceVersion that is no longer the current one."""

    def __init__(self, resource: Resource, name: str) -> None:
        why = "the object has been modified; please apply your changes to the latest version and try again"
        super().__init__(resource, name, why)


class Invalid(ApiError):
    """422 with every fault found."""

    def __init__(self, resource: Resource, name: str, causes: Sequence[Cause]) -> None:
        parts = [f"{c.field}: {c.message}" if c.field else c.message for c in causes]
        text = parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"
        details = {"name": name, "group": resource.group, "kind": resource.kind}
        super().__init__(
            422,
            "Invalid",
            f'{resource.qualified_kind} "{name}" is invalid: {text}',
            details={k: v for k, v in details.items() if v},
            causes=causes,
        )


class Forbidden(ApiError):
    """403 by admission."""

    def __init__(self, resource: Resource, name: str, why: str) -> None:
        shown_name = f' "{name}"' if name else ""
        message = f"{resource.full_name}{shown_name} is forbidden: {why}"
        super().__init__(403, "Forbidden", message, details=_details(resource, name))


class BadRequest(ApiError):
    """400."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)


class TooManyRequests(ApiError):
    """429; `retry_after` in seconds, 0 where it is not known when to try again."""

    def __init__(self, message: str, *, retry_after: int = 0, causes: Sequence[Cause] = ()) -> None:
        details = {"retryAfterSeconds": retry_after} if retry_after else {}
        super().__init__(429, "TooManyRequests", message, details=details, causes=causes)


class Unimplemented(ApiError):
    """501: named, so that nobody mistakes it for success."""

    def __init__(self, what: str) -> None:
        super().__init__(501, "NotImplemented", f"the local cluster does not implement {what}")


class Expired(ApiError):
    """410 for a revision that the history no longer holds."""

    def __init__(self, message: str) -> None:
        super().__init__(410, "Expired", message)
