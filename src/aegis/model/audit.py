"""The audit chain, pure: each record's hash covers its content and the hash before it.

Whoever changes, removes or reorders a record breaks the chain from there on. Cutting the tail does not: so the head
(sequence and hash of the last record) is anchored elsewhere and compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aegis.model.canonical import digest
from aegis.model.refs import Json, JsonObject

GENESIS: Final = "sha256:" + "0" * 64
"""What stands before the first record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One link of the audit chain.

    Attributes:
        sequence: 1 for the first.
        at: when it was written.
        actor: who acts, as the API server knows them.
        action: what, as `apply`, `delete`, `approve`.
        outcome: `intended`, `done`, `failed`, `refused` or `noted`.
        incident: on whose behalf; may be empty.
        subject: what it is about, as `Deployment/web in shop`.
        detail: facts: digests, versions, reasons.
        previous: the hash of the record before.
        hash: of all of the above.
    """

    sequence: int
    at: datetime
    actor: str
    action: str
    outcome: str
    incident: str
    subject: str
    detail: Json
    previous: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of a chain: what is anchored elsewhere."""

    sequence: int
    hash: str


START: Final = Head(sequence=0, hash=GENESIS)
"""The head of an empty chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first broken place of a chain.

    Attributes:
        sequence: the record that is wrong or lacking.
        kind: `changed`, `order` (removed, inserted or reordered), `cut` (the tail is missing), `replaced` (the chain
            is whole, and not the one that was anchored), `anchor`
            (the anchor itself cannot be read).
        message: one sentence.
    """

    sequence: int
    kind: str
    message: str


def seal(after: Head, **content: Any) -> AuditRecord:
    """The next record of a chain.

    Args:
        after: the chain's head.
        content: the fields of `AuditRecord` but `sequence`, `previous` and `hash`.
    """
    sequence = after.sequence + 1
    body = _body(sequence=sequence, previous=after.hash, **content)
    return AuditRecord(sequence=sequence, previous=after.hash, hash=digest(body), **content)


def record_to_dict(record: AuditRecord) -> JsonObject:
    """As a log line or an export holds it."""
    return {**_body_of(record), "hash": record.hash}


def record_from_dict(data: Mapping[str, Any]) -> AuditRecord:
    """Read what `record_to_dict` wrote.

    Raises:
        ValueError: if it is not of that shape.
    """
    try:
        return AuditRecord(
            sequence=int(data["sequence"]),
            at=datetime.fromisoformat(data["at"]),
            actor=str(data["actor"]),
            action=str(data["action"]),
            outcome=str(data["outcome"]),
            incident=str(data["incident"]),
            subject=str(data["subject"]),
            detail=dict(data["detail"]),
            previous=str(data["previous"]),
            hash=str(data["hash"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no audit record: {error!r}") from error


def head_of(record: AuditRecord) -> Head:
    """The head of the chain that ends with this record."""
    return Head(sequence=record.sequence, hash=record.hash)


def verify(records: Iterable[AuditRecord], anchor: Head | None) -> Fault | None:
    """The first fault of a chain, or None where it is whole.

    Args:
        records: from the first on, in the order in which they are stored.
        anchor: the head as it was noted elsewhere; records after it are accepted (a crash may come between the two
            writes), the loss of it or of anything before is not. None: nothing was anchored.
    """
    head = START
    for record in records:
        fault = _fault(record, head)
        if fault:
            return fault
        if anchor and record.sequence == anchor.sequence and record.hash != anchor.hash:
            return _found(record.sequence, "replaced", "is not the one that was anchored")
        head = head_of(record)
    if anchor and head.sequence < anchor.sequence:
        missing = f"is missing: the log ends at {head.sequence}, the anchor knows {anchor.sequence}"
        return _found(head.sequence + 1, "cut", missing)
    return None


def _fault(record: AuditRecord, head: Head) -> Fault | None:
    expected = head.sequence + 1
    if record.sequence != expected:
        return _found(expected, "order", f"is not there: record {record.sequence} stands in its place")
    if digest(_body_of(record)) != record.hash:
        return _found(record.sequence, "changed", "was changed: its content does not have its hash")
    if record.previous != head.hash:
        return _found(record.sequence, "order", "does not follow the record before it")
    return None


def _found(sequence: int, kind: str, message: str) -> Fault:
    return Fault(sequence=sequence, kind=kind, message=f"record {sequence} {message}")


def _body_of(record: AuditRecord) -> JsonObject:
    return _body(
        sequence=record.sequence,
        at=record.at,
        actor=record.actor,
        action=record.action,
        outcome=record.outcome,
        incident=record.incident,
        subject=record.subject,
        detail=record.detail,
        previous=record.previous,
    )


def _body(*, at: datetime, detail: Json, **rest: Any) -> JsonObject:
    return {**rest, "at": at.isoformat(), "detail": dict(detail)}
