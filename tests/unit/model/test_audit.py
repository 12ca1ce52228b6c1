from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.model.audit import START, AuditRecord, Head, head_of, record_from_dict, record_to_dict, seal, verify

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def _chain(length: int) -> list[AuditRecord]:
    head, records = START, []
    for number in range(length):
        record = seal(
            head,
            at=NOW + timedelta(seconds=number),
            actor="alice",
            action="apply",
            outcome="done",
            incident="inc-1",
            subject="Deployment/web in shop",
            detail={"n": number},
        )
        records.append(record)
        head = head_of(record)
    return records


def test_a_whole_chain_has_no_fault() -> None:
    records = _chain(5)
    assert verify(records, head_of(records[-1])) is None
    assert verify(records, head_of(records[2])) is None, "a crash between record and anchor"
    assert verify([], None) is None
    assert verify([], START) is None


_CHANGES: dict[str, Any] = {
    "at": NOW - timedelta(days=1),
    "actor": "mallory",
    "action": "x",
    "outcome": "failed",
    "incident": "",
    "subject": "y",
    "detail": {},
    "previous": "sha256:" + "1" * 64,
    "hash": "sha256:" + "2" * 64,
}


@pytest.mark.parametrize("field", sorted(_CHANGES))
@pytest.mark.parametrize("index", [0, 2, 4])
def test_any_change_of_any_record_is_found(field: str, index: int) -> None:
    records = _chain(5)
    records[index] = dataclasses.replace(records[index], **{field: _CHANGES[field]})
    fault = verify(records, None)
    assert fault
    assert fault.sequence == index + 1
    assert fault.kind == "changed"


@given(st.integers(2, 12), st.data())
def test_removing_reordering_and_cutting_are_found(length: int, data: st.DataObject) -> None:
    records = _chain(length)
    anchor = head_of(records[-1])
    one = data.draw(st.integers(0, length - 1))
    removed = verify(records[:one] + records[one + 1 :], anchor)
    assert removed
    assert removed.sequence == one + 1
    other = data.draw(st.integers(0, length - 1).filter(lambda index: index != one))
    swapped = list(records)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    fault = verify(swapped, anchor)
    assert fault
    assert fault.sequence == min(one, other) + 1
    cut = verify(records[:one], anchor)
    assert cut
    assert (cut.kind, cut.sequence) == ("cut", one + 1)


def test_a_chain_written_anew_is_found_by_its_anchor() -> None:
    forged = _chain(3)
    fault = verify(forged, Head(sequence=2, hash="sha256:" + "3" * 64))
    assert fault
    assert fault.kind == "replaced"


def test_a_changed_record_sealed_again_breaks_the_next() -> None:
    records = _chain(4)
    forged = dataclasses.replace(records[1], actor="mallory")
    content = {
        name: getattr(forged, name) for name in ("at", "actor", "action", "outcome", "incident", "subject", "detail")
    }
    records[1] = seal(head_of(records[0]), **content)
    fault = verify(records, None)
    assert fault
    assert (fault.sequence, fault.kind) == (3, "order")


def test_records_survive_json() -> None:
    for record in _chain(3):
        assert record_from_dict(record_to_dict(record)) == record
    with pytest.raises(ValueError, match="no audit record"):
        record_from_dict({"sequence": 1})
