"""The audit log in a file: one JSON line a record, chained, synced before `append` returns.

Several processes may write: each holds the lock of the folder while it reads the last line and writes the next. The
writes are inline, not in a thread: an append takes well under a millisecond where fsync does not wait for a platter, and
nothing may overtake it. The head is anchored in a second file, in another folder, after the record; so a crash between
the two leaves one record more than the anchor knows, never one fewer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, Literal

from aegis.errors import Unavailable
from aegis.model.audit import (
    START,
    AuditRecord,
    Fault,
    Head,
    head_of,
    record_from_dict,
    record_to_dict,
    seal,
    verify,
)
from aegis.model.canonical import canonical_json
from aegis.model.refs import Json
from aegis.stores.durable import replace_file, sync_folder
from aegis.stores.locks import locked, private_folder

_LONGEST_RECORD: Final = 1 << 20
_BLOCK: Final = 1 << 16


class Unreadable(Unavailable, ValueError):
    """A line of the log that is no record: it was damaged by a hand, since a crash only tears the last line."""

    retryable = False

    def __init__(self, sequence: int, message: str) -> None:
        super().__init__(f"the audit log is damaged: {message}", hint="See `aegis audit verify`.")
        self.sequence = sequence


class FileAuditLog:
    """An `AuditLog` in `folder/audit.jsonl`, its head anchored in the file `anchor`.

    Args:
        folder: made (0700) if it is not there.
        anchor: a file in another folder; made with it.
    """

    def __init__(self, folder: Path, *, anchor: Path) -> None:
        self._path = private_folder(folder) / "audit.jsonl"
        self._lock = folder / "audit.lock"
        private_folder(anchor.parent)
        self._anchor = anchor

    async def append(
        self,
        *,
        actor: str,
        action: str,
        outcome: Literal["intended", "done", "failed", "refused", "noted"],
        incident: str = "",
        subject: str = "",
        detail: Json | None = None,
    ) -> AuditRecord:
        """Write one record, durably.

        Raises:
            Unavailable: if it cannot be made durable.
        """
        content = {
            "at": datetime.now(UTC),
            "actor": actor,
            "action": action,
            "outcome": outcome,
            "incident": incident,
            "subject": subject,
            "detail": dict(detail or {}),
        }
        try:
            with locked(self._lock):
                return self._append(content)
        except (OSError, ValueError, TypeError) as error:
            raise Unavailable(
                f"the audit log {self._path} cannot be written: {error}",
                hint="Nothing is written to a cluster without it: see `aegis audit verify`.",
            ) from error

    def records(self, *, incident: str = "") -> Iterator[AuditRecord]:
        """The records in order, of one incident or all.

        Raises:
            Unavailable: if the file cannot be read.
            Unreadable: at a line that is no record.
        """
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        except OSError as error:
            raise Unavailable(f"the audit log {self._path} cannot be read: {error.strerror}") from error
        with file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return  # being written, or torn by a crash: the next append sees to it
                record = _parse(line, number)
                if not incident or record.incident == incident:
                    yield record

    def verify(self) -> Fault | None:
        """The first broken record of the log, or None where it is whole, up to the anchored head."""
        with locked(self._lock):
            try:
                return verify(self.records(), self._anchored())
            except Unreadable as error:
                return Fault(sequence=error.sequence, kind="changed", message=str(error))
            except ValueError as error:
                return Fault(sequence=0, kind="anchor", message=str(error))

    def export(self, *, incident: str = "") -> Iterator[Json]:
        """The records as JSON objects, hashes included."""
        return map(record_to_dict, self.records(incident=incident))

    def _append(self, content: Mapping[str, object]) -> AuditRecord:
        fresh = not self._path.exists()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            head, torn = _tail(file)
            self._check(head)
            if torn:
                head = self._keep_torn(file, torn, head)
            record = self._write(file, head, content)
        if fresh:
            sync_folder(self._path.parent)
        self._raise_anchor(head_of(record))
        return record

    def _write(self, file: IO[bytes], head: Head, content: Mapping[str, object]) -> AuditRecord:
        record = seal(head, **content)
        line = canonical_json(record_to_dict(record)) + b"\n"
        if len(line) > _LONGEST_RECORD:
            raise ValueError(f"a record of {len(line)} bytes is too long")
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
        return record

    def _check(self, head: Head) -> None:
        """Refuse to write on over a tail that was cut: that would hide it.

        Raises:
            ValueError: if it was cut.
        """
        anchored = self._anchored() or START
        if head.sequence < anchored.sequence or (head.sequence == anchored.sequence and head.hash != anchored.hash):
            raise ValueError(
                f"its end is missing: record {anchored.sequence} was anchored, the log ends at {head.sequence}"
            )

    def _keep_torn(self, file: IO[bytes], torn: bytes, head: Head) -> Head:
        """Set a half-written last line aside, cut it off, and note that."""
        kept = self._path.with_name(f"audit.torn-{head.sequence + 1}")
        replace_file(kept, torn)
        file.truncate(file.seek(0, os.SEEK_END) - len(torn))
        note = {
            "at": datetime.now(UTC),
            "actor": "aegis",
            "action": "audit-recover",
            "outcome": "noted",
            "incident": "",
            "subject": kept.name,
            "detail": {"bytes": len(torn), "reason": "a crash left the last line unfinished"},
        }
        return head_of(self._write(file, head, note))

    def _anchored(self) -> Head | None:
        try:
            data = json.loads(self._anchor.read_bytes())
            return Head(sequence=int(data["sequence"]), hash=str(data["hash"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"the anchor {self._anchor} is damaged") from error

    def _raise_anchor(self, head: Head) -> None:
        replace_file(self._anchor, canonical_json({"sequence": head.sequence, "hash": head.hash}) + b"\n")


def _tail(file: IO[bytes]) -> tuple[Head, bytes]:
    """The head that the last whole line gives, and what stands after it without a line feed.

    Raises:
        ValueError: if there is no line of a record's length.
    """
    size = file.seek(0, os.SEEK_END)
    data = b""
    while size - len(data) > 0 and data.count(b"\n") < 2:  # noqa: PLR2004  (the feeds around the last whole line)
        step = min(_BLOCK, size - len(data))
        file.seek(size - len(data) - step)
        data = file.read(step) + data
        if len(data) > 4 * _LONGEST_RECORD:
            raise ValueError("its last lines are longer than any record")
    whole, _, torn = data.rpartition(b"\n")
    last = whole.rpartition(b"\n")[2]
    return (head_of(_parse(last, 0)) if last else START), torn


def _parse(line: bytes, number: int) -> AuditRecord:
    try:
        return record_from_dict(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise Unreadable(number, f"record {number or 'last'} cannot be read") from error
