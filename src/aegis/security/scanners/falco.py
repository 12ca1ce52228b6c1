"""What Falco saw of a namespace in a window of time: clean, dirty, or not known. It reads the logs of Falco's own pods.

Clean needs proof: on every node where pods of the namespace ran, a pod of Falco that was there all the time, whose whole
log was read, and that dropped nothing. An alert that names neither a namespace nor a container that is known may be
anybody's: then it is not known. Outside a trial no canary is let out: that Falco's rules are on is taken on trust.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from aegis.errors import AegisError
from aegis.evidence.falco import FalcoPlace, Found, find_falco
from aegis.falco.priority import Priority
from aegis.model.scan import Coverage, Runtime, ScanResult, ScanStatus, Subject, Tool
from aegis.ports import ClusterReader
from aegis.security.desk import Desk
from aegis.security.runtime import see
from aegis.security.sight import Sight, findings_of

NAME: Final = "falco"

ABSENT: Final = "no Falco was found in the cluster: nothing is said of what ran there"
"""The reason of a scan that was skipped for that."""

_REMEDY: Final = "install it (Helm chart falcosecurity/falco), or set security.falco_namespace and falco_label_selector"
_NO_CLUSTER: Final = "there is no cluster to ask"
_FUTURE: Final = timedelta(seconds=60)


class Falco:
    """Falco's alerts of one namespace."""

    name = NAME

    def accepts(self, subject: Subject) -> bool:
        """What the pods of a namespace did."""
        return isinstance(subject, Runtime)

    async def probe(self, desk: Desk) -> Tool:
        """Which Falco watches; absent where there is none, or no cluster that says."""
        if desk.reader is None:
            return Tool(name=NAME, absent=_NO_CLUSTER)
        try:
            return _tool(await find_falco(desk.reader, _place(desk)))
        except AegisError as error:
            return Tool(name=NAME, absent=_told(error))

    async def scan(self, subject: Subject, desk: Desk) -> ScanResult:
        """Read what Falco's pods logged of the window; whatever keeps it from that is in the result."""
        assert isinstance(subject, Runtime)  # noqa: S101 - `accepts` says so
        return await look(subject, desk, _place(desk))


async def look(subject: Runtime, desk: Desk, *places: FalcoPlace) -> ScanResult:
    """The same, where Falco may be in one of several places: the first that has it counts."""
    if desk.reader is None:
        return _ended(ScanStatus.SKIPPED, _NO_CLUSTER)
    if subject.since >= subject.until or subject.until > desk.now() + _FUTURE:
        return _ended(ScanStatus.ERROR, "the window is empty, or not over yet")
    clock = asyncio.get_running_loop().time
    seconds, started = desk.rules.seconds(NAME), clock()
    try:
        async with asyncio.timeout(seconds):
            sight = await _first_sight(subject, desk.reader, places, desk.rules.falco_threshold)
    except TimeoutError:
        return _ended(ScanStatus.TIMEOUT, f"Falco's logs were not read within {seconds:g} s")
    except AegisError as error:
        return _ended(ScanStatus.ERROR, _told(error))
    if sight is None:
        return _ended(ScanStatus.SKIPPED, ABSENT)
    return replace(_result(sight, desk.rules.falco_threshold), seconds=clock() - started)


async def _first_sight(
    subject: Runtime, reader: ClusterReader, places: Sequence[FalcoPlace], threshold: Priority
) -> Sight | None:
    for place in places:
        sight = await see(subject, reader, place, threshold)
        if sight.found.sentries:
            return sight
    return None


def _result(sight: Sight, threshold: Priority) -> ScanResult:
    findings = findings_of(sight, source=NAME)
    doubts = sight.doubts
    status = ScanStatus.PARTIAL if doubts else ScanStatus.FINDINGS if findings else ScanStatus.CLEAN
    return ScanResult(
        scanner=NAME,
        status=status,
        findings=findings,
        coverage=Coverage(expected=sight.nodes, scanned=sight.watched, notes=(*sight.lapses, *sight.notes)),
        tool=_tool(sight.found),
        reason=f"what Falco saw is not known for sure: {'; '.join(doubts[:3])}" if doubts else "",
        raw_digest=sight.digest,
        details=sight.to_dict() | {"threshold": threshold.word},
    )


def _ended(status: ScanStatus, reason: str) -> ScanResult:
    absent = f"{reason}: {_REMEDY}" if status is ScanStatus.SKIPPED else ""
    return ScanResult(scanner=NAME, status=status, tool=Tool(name=NAME, absent=absent), reason=absent or reason)


def _tool(found: Found) -> Tool:
    if not found.sentries:
        return Tool(name=NAME, absent=f"{ABSENT}: {_REMEDY}")
    reference, _, digest = min(one.image for one in found.sentries).partition("@")
    version = reference.rpartition("/")[2].partition(":")[2]
    return Tool(name=NAME, version=version, digest=digest)


def _place(desk: Desk) -> FalcoPlace:
    return FalcoPlace(namespace=desk.rules.falco_namespace, labels=desk.rules.falco_labels)


def _told(error: AegisError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


PLUGIN = Falco()
