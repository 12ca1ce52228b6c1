"""One thing that `aegis doctor` looked at."""

from __future__ import annotations

from dataclasses import dataclass

from aegis.model.refs import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what.
        status: `ok`, `warning` (something works less well) or `missing` (something does not work).
        detail: what was seen.
        remedy: what to do; empty where all is well.
    """

    check: str
    status: str
    detail: str
    remedy: str = ""

    def to_dict(self) -> JsonObject:
        """For the document."""
        return {"check": self.check, "status": self.status, "detail": self.detail, "remedy": self.remedy}
