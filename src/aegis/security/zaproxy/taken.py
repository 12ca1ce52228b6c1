"""What a way of running ZAP hands back: a report, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from aegis.model.scan import ScanStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A report as ZAP wrote it.

    Attributes:
        data: the JSON.
        image: the id of the image that was run; empty where that is not known.
        notes: what limits the look.
    """

    data: bytes
    image: str = ""
    notes: tuple[str, ...] = ()


class NoReport(Exception):
    """There is no report; never raised out of a scanner.

    Attributes:
        status: SKIPPED, TIMEOUT or ERROR.
        reason: one sentence.
    """

    def __init__(self, status: ScanStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
