"""What a failing container says of itself: its output, its termination message, and what its probes were answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.graph import EventNode, LogNode, Node
from aegis.diagnosis.reading import at, text

_LAST_LINES = 200
_LONGEST = 1000

REFUSED = re.compile(
    r"ECONNREFUSED|connection refused|actively refused|could not connect|unable to connect|cannot connect|can't connect"
    r"|failed to connect|TimeoutError|\btimed out$|connect(?:ion)? (?:timed out|timeout|error|reset)|ETIMEDOUT|ECONNRESET|i/o timeout|no route to host"
    r"|EHOSTUNREACH|unreachable|max retries exceeded|connection attempt failed|is not (?:available|reachable)"
    r"|dependency (?:is )?(?:down|not ready|unavailable)|upstream (?:is )?(?:down|unavailable)|no healthy upstream|bad gateway",
    re.IGNORECASE,
)
"""That something which was called does not answer."""

UNRESOLVED = re.compile(
    r"no such host|NXDOMAIN|could not resolve|name or service not known|temporary failure in name resolution|bad address"
    r"|ENOTFOUND|EAI_AGAIN|getaddrinfo|nameresolutionerror|failed to resolve|nodename nor servname|unknown host"
    r"|can't resolve|name does not resolve|\[Errno -3\]|\[Errno -2\]",
    re.IGNORECASE,
)
"""That a name was not resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One line, and where it stands."""

    line: str
    source: LogNode | EventNode | Node


def said(case: Case, symptom: Symptom) -> Iterator[Said]:
    """The lines that a failing container wrote, the newest first, and then its termination message and its probes'."""
    for log in case.logs(symptom):
        for line in reversed(log.lines[-_LAST_LINES:]):
            yield Said(line=line[:_LONGEST], source=log)
    view = case.container(symptom)
    for line in text(at(view.status, "lastState", "terminated", "message")).splitlines() if view else ():
        yield Said(line=line[:_LONGEST], source=symptom.subject)
    if symptom.trouble is Trouble.NOT_READY:
        for event in case.events(symptom):
            if event.reason == "Unhealthy":
                yield Said(line=event.message[:_LONGEST], source=event)


def first_said(case: Case, symptom: Symptom, pattern: re.Pattern[str]) -> Said | None:
    """The newest line that a pattern finds."""
    return next((told for told in said(case, symptom) if pattern.search(told.line)), None)
