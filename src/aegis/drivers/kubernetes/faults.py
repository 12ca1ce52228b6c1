"""What an API server's refusal means: a Status (meta/v1) or a proxy's page, as an error of ours. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from aegis.errors import AegisError, Conflict, Gone, Invalid, NotFound, PermissionDenied, Unavailable

_MANAGER: Final = re.compile(r'conflict with "([^"]*)"')
_UNREADABLE_PATCH: Final = "the server rejected our request due to an error in our request"
_LONGEST_MESSAGE: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What a request is for, in the words of RBAC.

    Attributes:
        verb: `get`, `list`, `watch`, `create`, `patch`, `delete`.
        resource: `deployments.apps`, `pods/log`; a path for what is no resource.
        namespace: where; empty for the cluster.
        name: which one.
    """

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        name = f" {self.name}" if self.name else ""
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{name}{where}"


def parse_status(body: bytes) -> dict[str, Any]:
    """The Status in a body; where it holds none, one with the beginning of the text as its message."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and value.get("kind") == "Status":
        return value
    text = " ".join(body[:4096].decode("utf-8", "replace").split())
    return {"message": text[:200]}


def translate(code: int, body: bytes, doing: Doing) -> AegisError:
    """The error for an answer that is no success.

    Args:
        code: the HTTP status.
        body: what the server said.
        doing: what was asked.
    """
    status = parse_status(body)
    words = str(status.get("message") or f"HTTP {code}")[:_LONGEST_MESSAGE]
    if code == 401:  # noqa: PLR2004
        return PermissionDenied(
            f"the API server does not accept the credentials ({doing}): {words}",
            hint="Sign in again, or choose another context with --context.",
        )
    if code == 403:  # noqa: PLR2004
        return PermissionDenied(
            f"not permitted: {doing}: {words}",
            hint=f"Ask for a role that allows {doing.verb} on {doing.resource}.",
        )
    if code == 409:  # noqa: PLR2004
        return Conflict(f"{doing}: {words}", conflicts=field_conflicts(status))
    simple: dict[int, type[AegisError]] = {400: Invalid, 404: NotFound, 410: Gone, 422: Invalid}
    kind = simple.get(code, Unavailable if code == 429 or code >= 500 else Invalid)  # noqa: PLR2004
    return kind(f"{doing}: {words}" if kind is not Unavailable else f"{doing}: HTTP {code}: {words}")


def field_conflicts(status: dict[str, Any]) -> list[tuple[str, str]]:
    """Of an apply conflict: each (manager, field path), as the causes of reason FieldManagerConflict say it."""
    causes = (status.get("details") or {}).get("causes") or ()
    found: list[tuple[str, str]] = []
    for cause in causes:
        if cause.get("reason") == "FieldManagerConflict":
            manager = _MANAGER.search(str(cause.get("message") or ""))
            found.append((manager[1] if manager else "", str(cause.get("field") or "")))
    return found


def is_failed_patch(code: int, body: bytes) -> bool:
    """Whether a JSON patch did not fit the object: a `test` that does not hold, or a path that is not there.

    The server does not tell the two apart: 422 with a general message and no causes.
    """
    status = parse_status(body)
    details = status.get("details") or {}
    return code == 422 and _UNREADABLE_PATCH in str(status.get("message")) and not details.get("causes")  # noqa: PLR2004
