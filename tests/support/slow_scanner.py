"""A scanner of tests: it waits until it is let go, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aegis.model.scan import Coverage, Image, Manifests, ScanResult, ScanStatus, Subject, Tool
from aegis.model.security import SecurityFinding
from aegis.security.desk import Desk


@dataclass(slots=True, kw_only=True)
class SlowScanner:
    """One.

    Attributes:
        name: its name.
        kinds: the subjects that it accepts.
        tool: with what it looks.
        status: how its scans end.
        findings: what it finds, by the reference of an image or `manifests`.
        go: set: it does not wait.
        asked: what it was asked, in order.
        most: how many scans were under way at once.
    """

    name: str = "slow"
    kinds: tuple[type, ...] = (Image, Manifests)
    tool: Tool = field(default_factory=lambda: Tool(name="slow", version="1", digest="sha256:00"))
    status: ScanStatus = ScanStatus.CLEAN
    findings: dict[str, tuple[SecurityFinding, ...]] = field(default_factory=dict)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[Subject] = field(default_factory=list)
    most: int = 0
    _now: int = 0

    def accepts(self, subject: Subject) -> bool:
        """Those of its kinds."""
        return isinstance(subject, self.kinds)

    async def probe(self, desk: Desk) -> Tool:
        """Its tool."""
        return self.tool

    async def scan(self, subject: Subject, desk: Desk) -> ScanResult:
        """Wait, then say what it was told to."""
        self.asked.append(subject)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await self.go.wait()
        finally:
            self._now -= 1
        name = subject.reference if isinstance(subject, Image) else "manifests"
        found = self.findings.get(name, ())
        status = ScanStatus.FINDINGS if found and self.status is ScanStatus.CLEAN else self.status
        reason = "" if status.complete else "why"
        return ScanResult(
            scanner=self.name,
            status=status,
            findings=found,
            tool=self.tool,
            reason=reason,
            coverage=Coverage(expected=(name,), scanned=(name,)),
        )
