"""Kubernetes `Status` objects as errors (meta/v1 Status, API conventions "Response Status Kind")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One reason within a Status (StatusCause): which field, what kind of fault, in words."""

    reason: str
    message: str
    field: str


class ApiError(Exception):
    """A request that the API server refuses.

    Attributes:
        code: the HTTP status.
        reason: the machine-readable reason, as `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`.
        message: one sentence for a person, worded as a real API server words it.
        details: `name`, `group`, `kind` and `retryAfterSeconds`, where they apply.
        causes: the single faults of an invalid object or of an apply conflict.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        causes: Sequence[Cause] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}
        self.causes = tuple(causes)

    def to_status(self) -> dict[str, Any]:
        """The `Status` object that goes on the wire."""
        details = dict(self.details)
        if self.causes:
            details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in self.causes]
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": details,
            "code": self.code,
        }
